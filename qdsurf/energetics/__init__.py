"""Energetics: thermochemistry, error models of calculators, and tables of states and elementary steps."""
