import numpy as np

from qdsurf.atomistic.bonding import is_molecular
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.vibrations import normal_modes
from qdsurf.storage.files import write_json
from qdsurf.storage.structures import read_structures

calculator = CalculatorSpec(**snakemake.params.calculator)
structures = read_structures(snakemake.input.structure)
timeout_s = snakemake.resources.timeout_s
modes = [normal_modes(atoms, calculator, np.flatnonzero(is_molecular(atoms)), timeout_s) for atoms in structures]
write_json(snakemake.output.modes, {"mode_energies_eV": modes[0] if modes else []})
