"""Spectrograms: log-mel and scalogram, by librosa and wavelets."""
