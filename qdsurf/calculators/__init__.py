"""Calculators: one registry, and one module for each code."""
