"""Ligands on slabs and on nanocrystals: which ions they bind, how they stand, and how they pack."""
