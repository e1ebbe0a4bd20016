"""Oracles for KerasTuner: thin shells round Search."""
