"""Rates: free energies of states and saddles, rate constants, and the partial pressures that a recipe gives."""
