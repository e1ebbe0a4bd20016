"""Pictures and pages from a run directory."""
