"""Result of a relaxation: the structure, its energy, and how it was reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ase import Atoms

from qdsurf.errors import InputError
from qdsurf.storage.files import read_json, write_json
from qdsurf.storage.structures import read_structures, write_structures


@dataclass(frozen=True)
class RelaxationResult:
    """A relaxed structure and how it was reached.

    Attributes
    ----------
    atoms : Atoms
        Relaxed structure with energy and forces attached, if the calculator gave any.
    energy_eV : float or None
        None if the calculator failed at the first call.
    max_force_eV_per_A : float or None
        Largest force on a free atom.
    converged : bool
        Whether that force is below the limit.
    reason : str
        `converged`, or why the relaxation ended.
    flags : tuple of str
        Warnings, such as `desorbed`, `dissociated` or `not_converged`.
    force_calls : int
        Calls of the calculator.
    jumps : int
        How often the calculator failed or its energy jumped.
    rescues : mapping
        How often each way of recovering a failed SCF was needed.
    wall_s, cpu_s : float
        Time; `cpu_s` is None if the process of the calculator was lost.
    input_hash : str
        Hash of the starting structure.
    calculator : mapping
        What identifies the calculator; see `describe_calculator`.
    qdsurf_version : str
        Version that computed the result.
    """

    atoms: Atoms
    energy_eV: float | None
    max_force_eV_per_A: float | None
    converged: bool
    reason: str
    flags: tuple[str, ...] = ()
    force_calls: int = 0
    jumps: int = 0
    rescues: Mapping[str, int] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float | None = None
    input_hash: str = ""
    calculator: Mapping[str, Any] = field(default_factory=dict)
    qdsurf_version: str = ""

    def as_record(self) -> dict[str, Any]:
        """Everything but the structure as plain data, as stored in `result.json`."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "atoms"}
        return values | {"flags": list(self.flags)}

    @classmethod
    def from_record(cls, atoms: Atoms, record: Mapping[str, Any]) -> "RelaxationResult":
        """Build a result from its structure and the plain data of `as_record`."""
        return cls(atoms, **(dict(record) | {"flags": tuple(record["flags"])}))


def write_results(
    results: Sequence[RelaxationResult], structures: str | Path, records: str | Path, reason: str = ""
) -> None:
    """Store results as a file of structures and a JSON file with the rest.

    Parameters
    ----------
    results : sequence of RelaxationResult
        May be empty.
    structures, records : str or Path
        Paths of the extended XYZ file and of the JSON file.
    reason : str
        Why there is no structure, if there is none.
    """
    write_structures(structures, [result.atoms for result in results], reason)
    write_json(records, [result.as_record() for result in results])


def read_results(structures: str | Path, records: str | Path) -> list[RelaxationResult]:
    """Read what `write_results` has stored.

    Raises
    ------
    InputError
        A file is missing or damaged, or the two files belong to different batches.
    """
    frames, rows = read_structures(structures), read_json(records)
    if len(frames) != len(rows):
        raise InputError(f"{structures} has {len(frames)} structures, {records} has {len(rows)} results; compute again")
    return [RelaxationResult.from_record(atoms, row) for atoms, row in zip(frames, rows, strict=True)]


def read_results_only(records: str | Path) -> list[RelaxationResult]:
    """Read results without their structures, which are empty."""
    return [RelaxationResult.from_record(Atoms(), row) for row in read_json(records)]
