"""Rates: free energies of states and saddle points, rate constants, and the partial pressures of a recipe."""
