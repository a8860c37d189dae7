from qdsurf.compute.reference import saddle_barriers
from qdsurf.progress import logged
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import write_table

with logged(snakemake.log[0]):
    write_table(snakemake.output.barriers, saddle_barriers(CalculatorSpec(**snakemake.params.calculator)))
