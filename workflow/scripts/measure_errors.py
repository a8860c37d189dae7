from qdsurf.elementary_steps.selection import select_each
from qdsurf.energetics.corrections import measure_errors
from qdsurf.records.reference_set import read_reference
from qdsurf.storage.files import read_json, write_table
from qdsurf.storage.structures import read_structures

energies = select_each(
    read_structures(snakemake.input.candidates),
    read_structures(snakemake.input.relaxed),
    *(read_json(path) for path in (snakemake.input.result, *snakemake.input.get("refined", []))),
)
write_table(snakemake.output.errors, measure_errors(read_reference(), energies))
