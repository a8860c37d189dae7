from qdsurf.compute.vibrations import normal_modes
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import read_structures, write_json

calculator = CalculatorSpec(**snakemake.params.calculator)
modes = [normal_modes(atoms, calculator) for atoms in read_structures(snakemake.input.structure)]
write_json(snakemake.output.modes, {"mode_energies_eV": modes[0] if modes else []})
