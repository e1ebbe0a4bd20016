"""Networks that share weights: a fair supernet, trained once, scores every path through it."""
