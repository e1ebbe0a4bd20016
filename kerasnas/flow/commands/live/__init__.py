"""Listening to sound as it comes: where it comes from, its scores, and what they decide."""
