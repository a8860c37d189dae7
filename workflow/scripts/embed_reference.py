from qdsurf.build.molecules import build_reference
from qdsurf.compute.calculators import supported_elements
from qdsurf.records import CalculatorSpec
from qdsurf.reference import read_reference
from qdsurf.structure_io import write_structures

supported = supported_elements(CalculatorSpec(**snakemake.params.calculator))
write_structures(snakemake.output.candidates, build_reference(read_reference(), supported))
