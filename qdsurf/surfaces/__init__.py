"""Surfaces without ligands: slabs, shells, defects and nanocrystals, their symmetry and their adsorption sites."""
