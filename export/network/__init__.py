"""A network as operations, and the bytes that its files will have."""
