from qdsurf.build.selection import select_state
from qdsurf.structure_io import read_json, read_reason, read_structures, write_json, write_structures

selected, state = select_state(
    read_structures(snakemake.input.candidates),
    read_structures(snakemake.input.relaxed),
    read_json(snakemake.input.result),
    read_reason(snakemake.input.candidates),
)
write_structures(snakemake.output.structure, selected)
write_json(snakemake.output.state, state)
