from qdsurf.logs import log_to_file
from qdsurf.qualification.reference_energies import saddle_barriers
from qdsurf.records.models import CalculatorSpec
from qdsurf.storage.files import write_table

with log_to_file(snakemake.log[0]):
    write_table(snakemake.output.barriers, saddle_barriers(CalculatorSpec(**snakemake.params.calculator)))
