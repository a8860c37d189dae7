"""Ligands on slabs and nanocrystals: binding sites, binding modes, conformers and packing."""
