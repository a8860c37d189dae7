from qdsurf.progress import logged
from qdsurf.qualification.reference_energies import saddle_barriers
from qdsurf.records.models import CalculatorSpec
from qdsurf.storage.files import write_table

with logged(snakemake.log[0]):
    write_table(snakemake.output.barriers, saddle_barriers(CalculatorSpec(**snakemake.params.calculator)))
