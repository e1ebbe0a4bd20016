"""Oracles for KerasTuner and the runners of their trials."""

if __name__ != "kerasnas.tuners":
    raise ImportError(f"this package is kerasnas.tuners; it was imported as {__name__}")
