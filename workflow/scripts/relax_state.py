from qdsurf.build.judgement import judge
from qdsurf.build.selection import select_state
from qdsurf.compute.journal import Journal
from qdsurf.compute.relax import relax_batch
from qdsurf.progress import logged
from qdsurf.records import CalculatorSpec
from qdsurf.structure_io import read_reason, read_structures, write_json, write_structures

done, how, path = snakemake.output, snakemake.params, snakemake.input.candidates
label = done.relaxed.removeprefix("results/").removesuffix("/relaxed.extxyz")
with logged(snakemake.log[0]), Journal(f"{done.result}.part", how.code) as journal:
    candidates, patience = read_structures(path), snakemake.resources.timeout_s
    settings = (CalculatorSpec(**how.calculator), how.fmax, how.max_steps, how.keep, label, judge)
    relaxed, results = relax_batch(candidates, *settings, timeout_s=patience, journal=journal)
    write_structures(done.relaxed, relaxed)
    write_json(done.result, results)
    selected, state = select_state(candidates, read_structures(done.relaxed), results, read_reason(path))
    write_structures(done.structure, selected)
    write_json(done.state, state)
