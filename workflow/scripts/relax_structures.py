from qdsurf.elementary_steps.state_check import check_state
from qdsurf.progress import logged
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.checkpoint import Checkpoint
from qdsurf.relaxation.relax import relax_batch
from qdsurf.storage.files import write_json
from qdsurf.storage.structures import read_structures, write_structures

done, how = snakemake.output, snakemake.params
label = done.relaxed.removeprefix("results/").removesuffix("/relaxed.extxyz")
with logged(snakemake.log[0]), Checkpoint(f"{done.result}.part", how.code) as checkpoint:
    relaxed, results = relax_batch(
        read_structures(snakemake.input.candidates),
        CalculatorSpec(**how.calculator),
        *(how.fmax, how.max_steps, how.keep, label, check_state),
        timeout_s=snakemake.resources.timeout_s,
        checkpoint=checkpoint,
    )
    write_structures(done.relaxed, relaxed)
    write_json(done.result, results)
