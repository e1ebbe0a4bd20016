"""Scores of networks on clips: metrics, thresholds, and means over folds."""
