"""Neural architecture search for small audio models: recordings in, proven TFLite files out."""

__version__ = "0.1.0"
