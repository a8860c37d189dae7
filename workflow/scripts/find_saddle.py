from qdsurf.calculators.registry import make_calculator
from qdsurf.logs import log_to_file
from qdsurf.records.models import CalculatorSpec
from qdsurf.saddles.search import find_step
from qdsurf.storage.files import write_json
from qdsurf.storage.structures import read_structures, write_structures

with log_to_file(snakemake.log[0]):
    result = find_step(
        read_structures(snakemake.input.initial),
        read_structures(snakemake.input.final),
        make_calculator(CalculatorSpec(**snakemake.params.calculator)),
        fmax=snakemake.params.fmax,
    )
write_structures(snakemake.output.path, result.structures, result.reason)
write_json(snakemake.output.saddle, result.as_record())
