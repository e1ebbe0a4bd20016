"""Recordings and embeddings that are generated."""
