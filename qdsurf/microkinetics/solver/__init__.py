"""Solver: integration of the coverages of one or many members of a network through the cycles of a recipe."""
