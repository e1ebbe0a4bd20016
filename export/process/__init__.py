"""Child processes with limits, and quiet imports."""
