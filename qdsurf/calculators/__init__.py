"""Calculators of this package's own; `qdsurf.compute.calculators` is the registry of all of them."""
