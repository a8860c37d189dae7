"""Calculators that are implemented in qdsurf; `qdsurf.compute.calculators` is the registry of all calculators."""
