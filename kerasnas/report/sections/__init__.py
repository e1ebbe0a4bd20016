"""The sections of the report, a module for each."""
