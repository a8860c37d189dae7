"""Export of all relaxed structures of a run, with their provenance: as ASE database and as one extended XYZ file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ase import Atoms
from ase.db import connect

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.pipeline import layout
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.result import read_results
from qdsurf.storage.files import written_whole


def collect_structures(folder: str | Path, jobs: Iterable[str]) -> list[Atoms]:
    """Read the relaxed structures of jobs; structures without an energy are left out.

    Parameters
    ----------
    folder : str or Path
        Results of a run.
    jobs : iterable of str
        Names of jobs, such as `adsorbed/SYSTEM/REACTION`.

    Returns
    -------
    list of Atoms
        With energy (eV) and forces (eV/A). The note `provenance` has the keys stage, system, state, candidate,
        calculator, calculator_version, converged, hash (of the structure), input_hash and qdsurf_version.
    """
    found = []
    for job in jobs:
        stage, system, state = layout.describe_job(job)
        files = layout.JobFiles(f"{folder}/{job}")
        for number, result in enumerate(read_results(files.relaxed, files.result), start=1):
            if result.energy_eV is None:
                continue
            calculator, atoms = result.calculator, result.atoms
            provenance = {
                "stage": stage,
                "system": system,
                "state": state,
                "candidate": number,
                "calculator": CalculatorSpec(name=calculator["name"], parameters=calculator["parameters"]).label,
                "calculator_version": str(calculator["version"]),
                "converged": result.converged,
                "hash": content_hash(atoms),
                "input_hash": result.input_hash,
                "qdsurf_version": result.qdsurf_version,
            }
            annotation.note(atoms, provenance=provenance)
            found.append(atoms)
    return found


def write_database(path: Path, structures: Sequence[Atoms]) -> None:
    """Write an ASE database with one row for each structure; its provenance becomes key-value pairs.

    ASE refuses words that read as a number, as some hashes and versions do, so these values begin with a letter.
    """
    with written_whole(path) as temporary:
        temporary.unlink()  # an empty file is no database
        with connect(temporary, type="db") as database:
            for atoms in structures:
                pairs = dict(annotation.noted(atoms, "provenance"))
                atoms.calc.name = pairs.pop("calculator")  # a column of its own in every database
                pairs |= {key: f"{key[0]}{pairs[key]}" for key in ("hash", "input_hash", "calculator_version")}
                database.write(atoms, pairs)
        temporary.with_name(f"{temporary.name}.lock").unlink(missing_ok=True)
