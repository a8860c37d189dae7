from qdsurf.energetics.corrections import measure_errors
from qdsurf.records.reference_set import read_reference
from qdsurf.relaxation.result import read_results, read_results_only
from qdsurf.relaxation.selection import molecule_energies
from qdsurf.storage.files import write_table
from qdsurf.storage.structures import read_structures

refined = [result for path in snakemake.input.get("refined", []) for result in read_results_only(path)]
energies = molecule_energies(
    read_structures(snakemake.input.candidates),
    read_results(snakemake.input.relaxed, snakemake.input.result),
    refined,
)
write_table(snakemake.output.errors, measure_errors(read_reference(), energies))
