"""What is learned: clips, features and recipe, and how networks are scored on them."""
