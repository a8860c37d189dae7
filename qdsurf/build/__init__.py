"""Geometry only: slabs, ligands, placement, endpoints. Nothing here runs a calculator."""
