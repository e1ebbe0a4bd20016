"""Fitting one model: recipes, metrics, augmentation, folds."""
