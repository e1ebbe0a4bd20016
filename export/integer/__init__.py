"""Operators on integers that no converter makes, written by hand."""
