from qdsurf.pipeline import layout
from qdsurf.qualification.reference_energies import strip_states
from qdsurf.records.reference_set import PointLevel
from qdsurf.storage.structures import read_structures, write_structures

states = {layout.job_name(path): read_structures(path) for path in snakemake.input}
level = PointLevel(**snakemake.params.level)
write_structures(snakemake.output[0], strip_states(states, level, snakemake.params.program))
