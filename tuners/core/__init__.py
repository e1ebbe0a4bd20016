"""Genes, journal, history, objectives and Pareto fronts: what every search is made of."""
