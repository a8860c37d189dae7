from qdsurf.atomistic.molecules import build_reference
from qdsurf.calculators.registry import supported_elements
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reference_set import read_reference
from qdsurf.storage.structures import write_structures

supported = supported_elements(CalculatorSpec(**snakemake.params.calculator))
write_structures(snakemake.output.candidates, build_reference(read_reference(), supported))
