"""Every structure that a run has computed, with where it came from: for `ase db`, and as one file to learn from."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ase import Atoms
from ase.db import connect

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.records.models import CalculatorSpec
from qdsurf.storage.files import read_json, written_whole
from qdsurf.storage.structures import read_structures

STATE_OF = {"molecules": "gas", "slabs": "slab", "ligated": "ligated"}  # elsewhere a state has its template's name


def collect_structures(folder: Path, jobs: Iterable[str]) -> list[Atoms]:
    """Read the relaxed structures of jobs; those without an energy are left out.

    Parameters
    ----------
    folder : results of a run.
    jobs : folders below it, such as `adsorbed/SYSTEM/REACTION`, each with `relaxed.extxyz` and `result.json`.

    Returns
    -------
    Structures with energy (eV) and forces (eV/A); `info["provenance"]` holds plain words and numbers: room, system,
    state, candidate, calculator, converged, hash (of this structure), input_hash, qdsurf_version.
    """
    found = []
    for job in jobs:
        room, *names = job.split("/")
        system, state = (names[-1], STATE_OF[room]) if room in STATE_OF else names
        results = read_json(Path(folder) / job / "result.json")
        for number, atoms in enumerate(read_structures(Path(folder) / job / "relaxed.extxyz")):
            result = results[number]
            if result["energy_eV"] is None:
                continue
            calculator = result["calculator"]
            provenance = {
                "room": room,
                "system": system,
                "state": state,
                "candidate": number + 1,
                "calculator": CalculatorSpec(name=calculator["name"], parameters=calculator["parameters"]).label,
                "calculator_version": str(calculator["version"]),
                "converged": result["converged"],
                "hash": content_hash(atoms),
                "input_hash": result["input_hash"],
                "qdsurf_version": result["qdsurf_version"],
            }
            annotation.note(atoms, provenance=provenance)
            found.append(atoms)
    return found


def write_database(path: Path, structures: Sequence[Atoms]) -> None:
    """Write an ASE database, one row each; what is known of a structure are its key-value pairs.

    ASE refuses words that read as a number, as some hashes and versions do, so these begin with a letter.
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
