"""The stages that a search goes through."""
