"""Proof on the written file: agreement, accuracy, operators, repeated runs."""
