"""Blocks of networks, and the two readings of them: Keras layers and recorded operations."""
