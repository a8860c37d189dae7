from qdsurf import library
from qdsurf.build.molecules import build_supported
from qdsurf.compute.calculators import supported_elements
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import write_structures

supported = supported_elements(CalculatorSpec(**snakemake.params.calculator))
write_structures(snakemake.output.candidates, build_supported(library.reference_set().molecules, supported))
