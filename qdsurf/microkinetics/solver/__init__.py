"""Solver: integration of the coverages of one or many networks through the cycles of a recipe."""
