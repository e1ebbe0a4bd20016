"""A Keras model to the bytes of a file, form by form."""
