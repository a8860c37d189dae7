"""Calculators: a registry, and one module for each code."""
