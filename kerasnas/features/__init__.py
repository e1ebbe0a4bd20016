"""Features of clips, and their cache."""
