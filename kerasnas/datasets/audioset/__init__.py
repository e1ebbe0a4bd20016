"""AudioSet's embeddings, in shards and packed files."""
