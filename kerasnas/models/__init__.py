"""Search spaces and named reference networks, one file a paper."""
