# What all rooms share: the checked configuration, and functions from wildcards to records.
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

# One thread a job; Snakemake fills the cores with jobs.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from qdsurf.records import library
from qdsurf.pipeline import resources
from qdsurf.relaxation.vibrations import CALLS_AN_ATOM
from qdsurf.pipeline.config import load_config
from qdsurf.records.systems import System, find_facet
from qdsurf.errors import QDSurfError
from qdsurf.storage.check_files import verify_folder
from qdsurf.pipeline.plan import Plan
from qdsurf.pipeline.provenance import code_version
from qdsurf.records.reference_set import FILES, FOLDER, REACTIONS, SURFACES, ReferenceSet, SurfaceSet
from qdsurf.storage.files import write_json

# A job on a cluster reads all this again: what the first process has checked is not checked there once more.
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
    discard_damaged("results")


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
    room=r"(ligated|adsorbed|reactions)/.+",
    refined=r"(ligated|adsorbed|reactions|molecules)/.+",


SYSTEMS = list(map(str, PLAN.systems))
LARGEST_GUEST = 100  # atoms of a ligand and the molecules on it: a full oleate has 54, a TCPP 86, Al2Me6 26
LARGEST_BULK = 216  # a supercell of the qualification: 3 x 3 x 3 cubic cells of eight atoms
RELAX = PLAN.config.relax
RELAXATION_CALLS = RELAX.candidates + (RELAX.keep or RELAX.candidates) * RELAX.max_steps
MOLECULE_STEPS = 500  # of gas molecules and of the reference set, which are small and relaxed tightly
REFINING_CALLS = 5  # one for a state; the reference molecules are many, but small
MODES_CALLS = CALLS_AN_ATOM * LARGEST_GUEST
SADDLE_CALLS = 500 + MODES_CALLS  # a climb of 100 and two walks of 200 at most; see saddles/search.py
REFERENCE_FILES = [FOLDER / name for name in FILES]


def record(kind, name):
    """Path of a record, so that touching it reruns what uses it; none for the ligand 'none'."""
    return [] if name == "none" else str(library.record_path(kind, name))


SURFACE_SET = library.read_record(FOLDER / SURFACES, SurfaceSet)


def face_records():
    """Records that say which bonds a step on a reference face changes."""
    steps = SURFACE_SET.steps
    named = {("materials", find_facet(s.slab)[0]) for s in steps} | {("precursors", s.precursor) for s in steps}
    named |= {("reactions", s.step) for s in steps} | {("ligands", s.ligand) for s in steps if s.ligand}
    return sorted(record(*one) for one in named)


def rooms_on_faces():
    """Folders of the run's states and gas molecules that a step on a face needs."""
    rooms = {
        room
        for system in PLAN.config.systems
        for room in (
            *PLAN.states(system).values(),
            *(PLAN.molecule_room(system.slab, gas.name) for gas in PLAN.gas_roles(system).values()),
        )
    }
    named = {f"results/{name}" for step in SURFACE_SET.steps for name in step.stoichiometry}
    return sorted(rooms & named)


def slab_of(w):
    """Slab that a job belongs to, whichever wildcard says so."""
    name = next(w[key] for key in ("slab", "ligated", "system", "owner", "room", "refined") if key in w.keys())
    parts = Path(name).parts
    return parts[len(parts) > 1].split("~")[0]


def slab_size(slab):
    """What the builder needs to know of a slab."""
    return PLAN.config.slabs[slab].model_dump(exclude={"ligands", "ligands_per_cell", "calculator"})


def qualified_slab(w):
    """Slab on which a calculator is qualified for a material."""
    return PLAN.qualifications[f"results/bulk/{w.calculator}/{w.material}"]


def calculator_of(w):
    """Calculator that a job runs."""
    return PLAN.calculators[w.calculator] if "calculator" in w.keys() else PLAN.calculator(slab_of(w))


def refined(w):
    """The better level for energies."""
    return PLAN.config.refine


def atoms_of(w):
    """The most atoms that a job computes at a time."""
    if "material" in w.keys():
        return LARGEST_BULK
    if "calculator" in w.keys() or w.get("refined", "").startswith("molecules/"):
        return LARGEST_GUEST
    return len(PLAN.cut(slab_of(w))) + LARGEST_GUEST


def memory(spec=calculator_of):
    """Memory in MB for a queue; a job that was killed asks for twice as much."""
    return lambda w, attempt: resources.memory_MiB(spec(w), atoms_of(w)) * 2 ** (attempt - 1)


def minutes(calls, spec=calculator_of):
    """Time for a queue; a job that was ended by it asks for more."""
    return lambda w, attempt: resources.minutes(spec(w), atoms_of(w), calls) * attempt


def patience(calls, spec=calculator_of):
    """Longest time in s for one structure; no parameter: another patience makes no result stale."""
    return lambda w: PLAN.config.relax.timeout_s or resources.timeout_s(spec(w), atoms_of(w), calls)


def reactant_of(w):
    """Structure from which a reaction starts: the covered slab, or the state that another template made."""
    name = library.get("reactions", w.reaction).reactant
    owner = w.owner if "owner" in w.keys() else w.system
    if name == "ligated":
        return f"results/ligated/{'~'.join(owner.split('~')[:2])}/selected.extxyz"
    return f"{PLAN.states(System.parse(owner))[name]}/selected.extxyz"


def product_of(w):
    """Structure to which the path of a reaction leads, with all the atoms that it started with."""
    room = f"results/reactions/{w.owner}/{w.reaction}"
    return f"{room}/{'complex/' if library.get('reactions', w.reaction).releases else ''}selected.extxyz"


def rooms_of(system):
    """Folders of the bare slab and of every state of a system, in the order of the rooms."""
    system = System.parse(system)
    return {"slab": f"results/slabs/{system.slab}"} | PLAN.states(system)


onstart:
    write_json("results/config.json", dict(config))  # so that `qdsurf status` knows what is still missing
