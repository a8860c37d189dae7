from qdsurf.elementary_steps.selection import select_state
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.progress import logged
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.checkpoint import Checkpoint
from qdsurf.relaxation.relax import relax_batch
from qdsurf.storage.files import write_json
from qdsurf.storage.structures import read_reason, read_structures, write_structures

done, how, path = snakemake.output, snakemake.params, snakemake.input.candidates
label = done.relaxed.removeprefix("results/").removesuffix("/relaxed.extxyz")
with logged(snakemake.log[0]), Checkpoint(f"{done.result}.part", how.code) as checkpoint:
    candidates, patience = read_structures(path), snakemake.resources.timeout_s
    settings = (CalculatorSpec(**how.calculator), how.fmax, how.max_steps, how.keep, label, check_state)
    relaxed, results = relax_batch(candidates, *settings, timeout_s=patience, checkpoint=checkpoint)
    write_structures(done.relaxed, relaxed)
    write_json(done.result, results)
    selected, state = select_state(candidates, read_structures(done.relaxed), results, read_reason(path))
    write_structures(done.structure, selected)
    write_json(done.state, state)
