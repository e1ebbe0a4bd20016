"""The commands, step by step: here the rooms meet."""
