"""Networks read from files, and searches that begin with their first blocks."""
