# What all rooms share: the checked configuration, and functions from wildcards to records.
import os
from pathlib import Path

# One thread a job; Snakemake fills the cores with jobs.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from snakemake.exceptions import WorkflowError

from qdsurf import library
from qdsurf.config import System, find_facet
from qdsurf.errors import QDSurfError
from qdsurf.plan import Plan
from qdsurf.provenance import code_version
from qdsurf.reference import FILES, FOLDER, REACTIONS, SURFACES, ReferenceSet, SurfaceSet
from qdsurf.structure_io import write_json

try:
    PLAN = Plan.check(dict(config), where=", ".join(map(str, workflow.configfiles)))
except QDSurfError as error:
    raise WorkflowError(f"The configuration is refused before anything runs.\n{error}") from None


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


REFERENCE_FILES = [FOLDER / name for name in FILES]


def record(kind, name):
    """Path of a record, so that touching it reruns what uses it; none for the ligand 'none'."""
    return [] if name == "none" else str(library.record_path(kind, name))


def slab_of(w):
    """Slab that a job belongs to, whichever wildcard says so."""
    name = next(w[key] for key in ("slab", "ligated", "system", "owner", "room") if key in w.keys())
    return (Path(name).parts[1] if "room" in w.keys() else name).split("~")[0]


def slab_size(slab):
    """What the builder needs to know of a slab."""
    return PLAN.config.slabs[slab].model_dump(exclude={"ligands", "ligands_per_cell", "calculator"})


def qualified_slab(w):
    """Slab on which a calculator is qualified for a material."""
    return PLAN.qualifications[f"results/bulk/{w.calculator}/{w.material}"]


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
