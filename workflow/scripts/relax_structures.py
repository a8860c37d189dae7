from qdsurf.elementary_steps.state_check import check_state
from qdsurf.logs import log_to_file
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.checkpoint import Checkpoint
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.result import write_results
from qdsurf.storage.structures import read_structures

label = snakemake.output.relaxed.removeprefix("results/").removesuffix("/relaxed.extxyz")

with (
    log_to_file(snakemake.log[0]),
    Checkpoint(f"{snakemake.output.result}.part", snakemake.params.code) as checkpoint,
):
    results = relax_batch(
        read_structures(snakemake.input.candidates),
        CalculatorSpec(**snakemake.params.calculator),
        snakemake.params.fmax,
        snakemake.params.max_steps,
        keep=snakemake.params.keep,
        label=f"relax {label}",
        check=check_state,
        timeout_s=snakemake.resources.timeout_s,
        checkpoint=checkpoint,
    )
    write_results(results, snakemake.output.relaxed, snakemake.output.result)
