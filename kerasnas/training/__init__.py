"""Fitting one model: recipes, examples, augmentation, metrics."""
