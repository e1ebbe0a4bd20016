"""Worker processes that compute features side by side."""
