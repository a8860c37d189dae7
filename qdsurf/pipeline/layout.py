"""Layout of a run: the only module that knows where a file lies.

Paths are relative to the folder in which Snakemake runs. Arguments may be names or wildcards such as `{system}`, so
that rules, plan, status, trace and database use the same functions.

    results/
      molecules/CALCULATOR/MOLECULE/         gas molecules
      bulk/CALCULATOR/MATERIAL/TEST/         qualification of a calculator for a crystal
      slabs/SLAB/                            bare slabs
      ligated/SLAB~LIGAND/                   covered slabs
      adsorbed/SYSTEM/REACTION/              adducts of molecules from the gas
      reactions/OWNER/REACTION/              products of the other templates
      reference/CALCULATOR/                  reference reactions
      energetics/SYSTEM/                     tables of states and steps
      kinetics/SYSTEM/                       tables of the kinetics, mechanism
      report/                                figures and pages
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

RESULTS = "results"
STAGES = {
    "molecules": "state.json",
    "bulk": "qualification.json",
    "slabs": "state.json",
    "ligated": "state.json",
    "adsorbed": "state.json",
    "reactions": "state.json",
    "reference": "errors.csv",
    "energetics": "states.csv",
    "kinetics": "selectivity.csv",
}
"""Stages in their order, and the file that shows that a job of a stage is done."""
RELAXED_STAGES = ("molecules", "slabs", "ligated", "adsorbed", "reactions")
"""Stages whose jobs relax structures and select a state."""
ENERGY_TABLES = ("states", "steps", "sites", "factors", "gibbs")
KINETIC_TABLES = ("coverages", "selectivity", "control", "ledger", "growth", "saturation", "dose", "map", "window")

CONFIGURATION = f"{RESULTS}/config.json"
PROVENANCE = f"{RESULTS}/provenance.json"
DATABASE = f"{RESULTS}/qdsurf.db"
ALL_STRUCTURES = f"{RESULTS}/structures.extxyz"
QUALIFICATIONS = f"{RESULTS}/bulk/qualification.csv"
SUMMARY = f"{RESULTS}/report/summary.rst"


@dataclass(frozen=True)
class JobFiles:
    """Files of a job that relaxes structures, all in one folder."""

    folder: str

    @property
    def candidates(self) -> str:
        """Starting structures."""
        return f"{self.folder}/candidates.extxyz"

    @property
    def relaxed(self) -> str:
        """Structures after their relaxation."""
        return f"{self.folder}/relaxed.extxyz"

    @property
    def result(self) -> str:
        """What the relaxations did."""
        return f"{self.folder}/result.json"

    @property
    def structure(self) -> str:
        """Structure of the selected state."""
        return f"{self.folder}/selected.extxyz"

    @property
    def state(self) -> str:
        """Selected state."""
        return f"{self.folder}/state.json"

    @property
    def relaxation(self) -> dict[str, str]:
        """Output of a rule that relaxes structures."""
        return {"relaxed": self.relaxed, "result": self.result}

    @property
    def selection(self) -> dict[str, str]:
        """Output of a rule that relaxes candidates and selects a state."""
        return {**self.relaxation, "structure": self.structure, "state": self.state}

    @property
    def modes(self) -> str:
        """Energies of the normal modes of the selected state."""
        return f"{self.folder}/modes.json"

    @property
    def refined(self) -> dict[str, str]:
        """Output of a rule that computes single points of a better method."""
        return {"relaxed": f"{self.folder}/refined.extxyz", "result": f"{self.folder}/refined.json"}

    @property
    def saddle(self) -> dict[str, str]:
        """Output of a rule that searches the saddle before this state."""
        return {"path": f"{self.folder}/path.extxyz", "saddle": f"{self.folder}/saddle.json"}

    @property
    def qualification(self) -> str:
        """Numbers and criteria of a qualification."""
        return f"{self.folder}/qualification.json"

    @property
    def qualification_page(self) -> str:
        """Page on a qualification."""
        return f"{self.folder}/qualification.md"

    @property
    def errors(self) -> str:
        """Errors of a calculator on the reference reactions."""
        return f"{self.folder}/errors.csv"

    @property
    def refined_errors(self) -> str:
        """Errors of the better method on the reference reactions."""
        return f"{self.folder}/refined_errors.csv"

    @property
    def barriers(self) -> str:
        """Barriers of a calculator at the reference saddles."""
        return f"{self.folder}/saddles.csv"

    @property
    def complex(self) -> "JobFiles":
        """Product with the released molecules still beside it: a path needs the same atoms at both ends."""
        return JobFiles(f"{self.folder}/complex")


def job(name: str) -> JobFiles:
    """Files of a job by its folder below the results, such as `ligated/PbS_100_PbS~oleate`."""
    return JobFiles(f"{RESULTS}/{name}")


def molecule(calculator: str, name: str) -> JobFiles:
    """Files of a gas molecule; `calculator` is the name of a calculator's folder."""
    return job(f"molecules/{calculator}/{name}")


def bulk(calculator: str, material: str) -> JobFiles:
    """Files of the qualification of a calculator for a crystal."""
    return job(f"bulk/{calculator}/{material}")


def bulk_test(calculator: str, material: str, test: str) -> JobFiles:
    """Files of one test of a qualification."""
    return job(f"bulk/{calculator}/{material}/{test}")


def slab(name: str) -> JobFiles:
    """Files of a bare slab."""
    return job(f"slabs/{name}")


def ligated(name: str) -> JobFiles:
    """Files of a covered slab, `SLAB~LIGAND`."""
    return job(f"ligated/{name}")


def adsorbed(system: str, reaction: str) -> JobFiles:
    """Files of an adduct."""
    return job(f"adsorbed/{system}/{reaction}")


def reaction(owner: str, name: str) -> JobFiles:
    """Files of a product; its owner is a system, or a covered slab if no precursor takes part."""
    return job(f"reactions/{owner}/{name}")


def reference(calculator: str) -> JobFiles:
    """Files of the reference reactions of a calculator."""
    return job(f"reference/{calculator}")


def reference_molecule(name: str) -> str:
    """Structure of a molecule of the reference set, computed again."""
    return f"{RESULTS}/reference_set/{name}.extxyz"


def reference_structures(kind: str = "") -> str:
    """All structures of the reference set, computed again; `kind` is empty for molecules."""
    return f"{RESULTS}/reference_set/{kind}.extxyz" if kind else f"{RESULTS}/reference_set.extxyz"


def energy_table(system: str, table: str, refined: bool = True) -> str:
    """Table of the energetics of a system; `refined=False` for the calculator's own energies beside better ones."""
    return f"{RESULTS}/energetics/{system}/{'' if refined else 'unrefined/'}{table}.csv"


def kinetic_table(system: str, table: str) -> str:
    """Table of the kinetics of a system."""
    return f"{RESULTS}/kinetics/{system}/{table}.csv"


def mechanism(system: str) -> str:
    """Mechanism of a system for Cantera."""
    return f"{RESULTS}/kinetics/{system}/mechanism.yaml"


def joined_table(stage: str, table: str) -> str:
    """Table over all systems, of the stages `energetics` and `kinetics`."""
    return f"{RESULTS}/{stage}/{table}.csv"


def figure(*names: str, ending: str = "svg") -> str:
    """Figure of the report, such as figure("profile", system)."""
    return f"{RESULTS}/report/{'/'.join(names)}.{ending}"


def table_page(name: str) -> str:
    """Page of the report that shows a table."""
    return f"{RESULTS}/report/tables/{name}.html"


def structure_page(system: str) -> str:
    """Page of the report that shows the structures of a system."""
    return f"{RESULTS}/report/structures/{system}.html"


def job_name(path: str) -> str:
    """Name of the job that a file belongs to: its folder below the results, such as `slabs/PbS_100_PbS`.

    The tests of a qualification belong to one job.
    """
    parts = PurePosixPath(path).parts
    if RESULTS in parts:
        parts = parts[parts.index(RESULTS) + 1 :]
    return "/".join(parts[:3]) if parts[0] == "bulk" else "/".join(parts[:-1])


def slab_of(job_or_owner: str) -> str:
    """Name of the slab to which a job, a system or a covered slab belongs."""
    parts = PurePosixPath(job_or_owner).parts
    return (parts[1] if parts[0] in STAGES and len(parts) > 1 else parts[0]).split("~")[0]


def describe_job(name: str) -> tuple[str, str, str]:
    """Stage of a job that selects a state, its system or molecule, and the name of its state in the tables."""
    stage, *names = name.split("/")
    states = {"molecules": "gas", "slabs": "slab", "ligated": "ligated"}
    return (stage, names[-1], states[stage]) if stage in states else (stage, names[0], names[1])
