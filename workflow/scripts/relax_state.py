from qdsurf.elementary_steps.state_check import check_state
from qdsurf.logs import log_to_file
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.checkpoint import Checkpoint
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.result import read_results, write_results
from qdsurf.relaxation.selection import select_state, write_state
from qdsurf.storage.structures import read_reason, read_structures

candidates = read_structures(snakemake.input.candidates)
reason = read_reason(snakemake.input.candidates)
label = snakemake.output.relaxed.removeprefix("results/").removesuffix("/relaxed.extxyz")

with (
    log_to_file(snakemake.log[0]),
    Checkpoint(f"{snakemake.output.result}.part", snakemake.params.code) as checkpoint,
):
    results = relax_batch(
        candidates,
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
    # The state is selected from the stored files, so that it does not depend on digits that the files do not keep.
    stored = read_results(snakemake.output.relaxed, snakemake.output.result)
    state, structure = select_state(candidates, stored, reason)
    write_state(state, structure, snakemake.output.structure, snakemake.output.state)
