from qdsurf.compute.calculators import make_calculator
from qdsurf.compute.saddle import find_step
from qdsurf.progress import logged
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import read_structures, write_json, write_structures

with logged(snakemake.log[0]):
    path, result = find_step(
        read_structures(snakemake.input.initial),
        read_structures(snakemake.input.final),
        make_calculator(CalculatorSpec(**snakemake.params.calculator)),
        fmax=snakemake.params.fmax,
    )
write_structures(snakemake.output.path, path, result["reason"])
write_json(snakemake.output.saddle, result)
