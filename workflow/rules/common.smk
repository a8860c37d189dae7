# What all rules share: the checked plan, and functions from wildcards to files, calculators and resources.
import os
import shutil
from types import SimpleNamespace

# One thread for each job; Snakemake fills the cores with jobs.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from qdsurf.errors import QDSurfError
from qdsurf.pipeline import layout, resources
from qdsurf.pipeline.config import load_config
from qdsurf.pipeline.plan import Plan
from qdsurf.pipeline.provenance import code_version
from qdsurf.records import library
from qdsurf.records.reference_set import FILES, FOLDER, REACTIONS, SURFACES, ReferenceSet, SurfaceSet
from qdsurf.records.systems import System, find_facet
from qdsurf.relaxation.vibrations import CALLS_PER_ATOM
from qdsurf.storage.check_files import verify_folder
from qdsurf.storage.files import write_json

# Jobs read this file again; what the first process has checked needs no second check.
read_plan = Plan.check if workflow.is_main_process else lambda *source: Plan(load_config(*source))
try:
    PLAN = read_plan(dict(config), ", ".join(map(str, workflow.configfiles)))
except QDSurfError as error:
    raise WorkflowError(f"The configuration is refused before anything runs.\n{error}") from None


def discard_damaged(folder):
    """Have Snakemake compute every damaged result again, and what depends on it; a copy is kept as NAME.damaged.

    Snakemake does not compute a missing file again while everything that depends on it is up to date. It does so for a
    file that is marked as incomplete, whatever its age, so the file stays where it is and gets this mark.
    """
    damaged = verify_folder(folder)[1]
    for damage in damaged:
        words = f"Damaged result {damage.path}: {damage.found} instead of {damage.expected}"
        if workflow.output_settings.dryrun:
            logger.warning(f"{words}; a run without -n computes it again.")
        else:
            copy = shutil.copy2(damage.path, f"{damage.path}.damaged")
            logger.warning(f"{words}; a copy is kept as {copy}, and the file is computed again.")
    if damaged and not workflow.output_settings.dryrun:
        from snakemake.io import IOFile
        from snakemake.persistence.file import FilePersistence

        files = [IOFile(str(damage.path)) for damage in damaged]
        FilePersistence(nolock=True).started(SimpleNamespace(output=files))


if workflow.is_main_process:
    discard_damaged(layout.RESULTS)


wildcard_constraints:
    slab=r"[^~/]+",
    ligated=r"[^~/]+~[^~/]+",
    system=r"[^~/]+~[^~/]+~[^~/]+",
    owner=r"[^/]+",
    molecule=r"[^/]+",
    material=r"[^/]+",
    calculator=r"[^/]+",
    test=r"\w+",
    reaction=r"\w+",
    state_job=r"(ligated|adsorbed|reactions)/.+",
    refined_job=r"(ligated|adsorbed|reactions|molecules)/.+",


SYSTEMS = list(map(str, PLAN.systems))
LARGEST_GUEST = 100  # atoms of a ligand and the molecules on it: a full oleate has 54, a TCPP 86, Al2Me6 26
LARGEST_BULK = 216  # atoms of a supercell of the qualification: 3 x 3 x 3 cubic cells of eight atoms
RELAX = PLAN.config.relax
RELAXATION_CALLS = RELAX.candidates + (RELAX.keep or RELAX.candidates) * RELAX.max_steps
MOLECULE_STEPS = 500  # of gas molecules and of the reference set, which are small and relaxed tightly
REFINING_CALLS = 5  # one for a state; the reference molecules are many, but small
MODES_CALLS = CALLS_PER_ATOM * LARGEST_GUEST
SADDLE_CALLS = 500 + MODES_CALLS  # at most 100 calls of eigenvector following and two relaxations of 200
REFERENCE_FILES = [FOLDER / name for name in FILES]
SURFACE_SET = library.read_record(FOLDER / SURFACES, SurfaceSet)


def record(kind, name):
    """Path of a record, so that changing it reruns what uses it; none for the ligand 'none'."""
    return [] if name == "none" else str(library.record_path(kind, name))


def reference_surface_records():
    """Records that say which bonds a reaction on a reference surface changes."""
    steps = SURFACE_SET.steps
    named = {("materials", find_facet(s.slab)[0]) for s in steps} | {("precursors", s.precursor) for s in steps}
    named |= {("reactions", s.step) for s in steps} | {("ligands", s.ligand) for s in steps if s.ligand}
    return sorted(record(*one) for one in named)


def reference_surface_jobs():
    """Jobs of this run whose states a reaction on a reference surface needs."""
    jobs = {name for stage in layout.RELAXED_STAGES for name in PLAN.jobs.get(stage, [])}
    needed = {name for step in SURFACE_SET.steps for name in step.stoichiometry}
    return [layout.job(name) for name in sorted(jobs & needed)]


def slab_of(w):
    """Slab that a job belongs to, whichever wildcard names it."""
    keys = ("slab", "ligated", "system", "owner", "state_job", "refined_job")
    return layout.slab_of(next(w[key] for key in keys if key in w.keys()))


def slab_size(slab):
    """Size of a slab, for the script that cuts it."""
    return PLAN.config.slabs[slab].model_dump(exclude={"ligands", "ligands_per_cell", "calculator"})


def qualified_slab(w):
    """Slab on which a calculator is qualified for a material."""
    return PLAN.qualifications[layout.bulk(w.calculator, w.material).folder]


def calculator_of(w):
    """Calculator that a job runs."""
    requirements = PLAN.requirements
    return requirements.calculators[w.calculator] if "calculator" in w.keys() else requirements.calculator(slab_of(w))


def refining_calculator(w):
    """Better method for energies."""
    return PLAN.config.refine


def settings_of(w):
    """Calculator of a job as plain data, for its script."""
    return calculator_of(w).model_dump()


def atoms_of(w):
    """Largest number of atoms that a job computes at a time."""
    if "material" in w.keys():
        return LARGEST_BULK
    if "calculator" in w.keys() or w.get("refined_job", "").startswith("molecules/"):
        return LARGEST_GUEST
    return len(PLAN.requirements.cut(slab_of(w))) + LARGEST_GUEST


def memory(spec=calculator_of):
    """Memory in MB for a queue; a job that was killed asks for twice as much."""
    return lambda w, attempt: resources.memory_MiB(spec(w), atoms_of(w)) * 2 ** (attempt - 1)


def minutes(calls, spec=calculator_of):
    """Time for a queue; a job that ran out of time asks for more."""
    return lambda w, attempt: resources.minutes(spec(w), atoms_of(w), calls) * attempt


def timeout(calls, spec=calculator_of):
    """Longest time in s for one structure; not a parameter, because another limit makes no result stale."""
    return lambda w: RELAX.timeout_s or resources.timeout_s(spec(w), atoms_of(w), calls)


def reactant_of(w):
    """Structure from which a reaction starts: the covered slab, or the product of another template."""
    name = library.get("reactions", w.reaction).reactant
    owner = w.owner if "owner" in w.keys() else w.system
    if name == "ligated":
        return layout.ligated("~".join(owner.split("~")[:2])).structure
    return PLAN.steps.states(System.parse(owner))[name].structure


def product_of(w):
    """Structure at the end of a reaction path, with all the atoms of its beginning."""
    product = layout.reaction(w.owner, w.reaction)
    return (product.complex if library.get("reactions", w.reaction).releases else product).structure


def jobs_of(system):
    """Jobs of the bare slab and of every state of a system, by the name of the state."""
    system = System.parse(system)
    return {"slab": layout.slab(system.slab)} | PLAN.steps.states(system)


def energetics_input(w):
    """Files that the tables of a system are made of."""
    system = System.parse(w.system)
    states = list(PLAN.steps.states(system).values())
    molecules = [PLAN.molecule(system.slab, molecule.name) for molecule in PLAN.gases.by_role(system).values()]
    partial_hessians = PLAN.config.thermochemistry.adsorbates == "partial_hessian"
    return {
        "states": [file for job in states for file in PLAN.state_files(job)],
        "modes": [job.modes for job in states if partial_hessians],
        "saddles": [job.saddle["saddle"] for job in PLAN.steps.saddles(system).values()],
        "molecules": [file for job in molecules for file in (*PLAN.state_files(job), job.structure, job.modes)],
        "qualification": PLAN.qualification(system.slab).qualification,
        "errors": PLAN.error_files(system.slab),
        "barriers": PLAN.barrier_files(system.slab),
        "reactions": [record("reactions", name) for name in PLAN.steps.reactions(system)],
    }


onstart:
    write_json(layout.CONFIGURATION, dict(config))  # so that `qdsurf status` can tell what is missing
