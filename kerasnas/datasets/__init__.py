"""Data sets on disk, read into one table of clips."""
