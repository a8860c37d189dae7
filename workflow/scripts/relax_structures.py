from pathlib import Path

from qdsurf.build.endpoints import judge
from qdsurf.compute.relax import relax_batch
from qdsurf.progress import logged
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import read_structures, write_json, write_structures

with logged(snakemake.log[0]):
    relaxed, results = relax_batch(
        read_structures(snakemake.input.candidates),
        CalculatorSpec(**snakemake.params.calculator),
        fmax=snakemake.params.fmax,
        max_steps=snakemake.params.max_steps,
        keep=snakemake.params.keep,
        judge=judge,
        label=str(Path(snakemake.output.relaxed).parent.relative_to("results")),
    )
write_structures(snakemake.output.relaxed, relaxed)
write_json(snakemake.output.result, results)
