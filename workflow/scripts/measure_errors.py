from qdsurf.build.selection import select_each
from qdsurf.energetics.corrections import measure_errors
from qdsurf.reference import read_reference
from qdsurf.structure_io import read_json, read_structures, write_table

energies = select_each(
    read_structures(snakemake.input.candidates),
    read_structures(snakemake.input.relaxed),
    *(read_json(path) for path in (snakemake.input.result, *snakemake.input.get("refined", []))),
)
write_table(snakemake.output.errors, measure_errors(read_reference(), energies))
