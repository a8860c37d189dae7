import numpy as np

from qdsurf.compute.vibrations import normal_modes
from qdsurf.connectivity import is_molecular
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import read_structures, write_json

calculator = CalculatorSpec(**snakemake.params.calculator)
structures = read_structures(snakemake.input.structure)
timeout_s = snakemake.resources.timeout_s
modes = [normal_modes(atoms, calculator, np.flatnonzero(is_molecular(atoms)), timeout_s) for atoms in structures]
write_json(snakemake.output.modes, {"mode_energies_eV": modes[0] if modes else []})
