"""A recurrent controller that learns from rewards."""
