"""Keras models to TFLite files: conversion, size prediction and the checks on the file itself."""

if __name__ != "kerasnas.export":
    raise ImportError(f"this package is kerasnas.export; it was imported as {__name__}")
