"""What Keras says of a model, and copies of it in other forms."""
