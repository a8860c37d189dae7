"""qdsurf: what an ALD precursor attacks first on a ligand-covered quantum dot, the crystal or the ligands.

The layers, each importing only what stands before it:
errors, units, records, {library, config, structure_io}, {build, compute, energetics, kinetics}, report, cli.
"""

__version__ = "0.1.0"
