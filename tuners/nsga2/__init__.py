"""NSGA-II as pure functions on arrays."""
