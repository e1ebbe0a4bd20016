"""The TFLite format: graphs, packing, metadata, and what a file says of itself."""
