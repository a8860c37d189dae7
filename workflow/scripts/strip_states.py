from pathlib import Path

from qdsurf.compute.reference import strip_states
from qdsurf.reference import PointLevel
from qdsurf.structure_io import read_structures, write_structures

rooms = {str(Path(path).parent).removeprefix("results/"): read_structures(path) for path in snakemake.input}
level = PointLevel(**snakemake.params.level)
write_structures(snakemake.output[0], strip_states(rooms, level, snakemake.params.program))
