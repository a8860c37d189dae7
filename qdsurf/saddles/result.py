"""Result of a saddle search: the structures of the path, the barrier, and what was verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ase import Atoms

from qdsurf.storage.files import read_json

METHOD = "eigenvector_following"  # as `barrier_source` in steps.csv


@dataclass(frozen=True)
class SaddleResult:
    """A saddle point between two minima, or the reason why there is none.

    Attributes
    ----------
    status : str
        `verified`, `barrierless`, `several_imaginary_modes`, `wrong_ends`, `not_converged` or `same_state`.
    reason : str
        The same as a sentence.
    barrier_eV, reverse_barrier_eV : float or None
        From the initial and from the final state; None unless verified or barrierless.
    structures : tuple of Atoms
        Initial state, saddle point, final state, and further minima and saddle points between them, in order, each with
        its energy and the note `state`.
    energies_eV : mapping
        Energies of these structures by their notes.
    max_force_eV_per_A : float or None
        Largest force at the saddle point.
    imaginary_modes_cm : tuple of float
        Imaginary modes of the partial Hessian as negative wavenumbers, cm-1.
    moved_atoms : int
        Number of atoms in the partial Hessian.
    force_calls : mapping
        Force calls by purpose and in total.
    method : str
        Kind of the search.
    input_hash : tuple of str
        Hashes of the two given structures.
    wall_s : float or None
        Time.
    qdsurf_version : str
        Version that computed the result.
    """

    status: str
    reason: str
    barrier_eV: float | None = None
    reverse_barrier_eV: float | None = None
    structures: tuple[Atoms, ...] = ()
    energies_eV: Mapping[str, float] = field(default_factory=dict)
    max_force_eV_per_A: float | None = None
    imaginary_modes_cm: tuple[float, ...] = ()
    moved_atoms: int = 0
    force_calls: Mapping[str, int] = field(default_factory=dict)
    method: str = METHOD
    input_hash: tuple[str, ...] = ()
    wall_s: float | None = None
    qdsurf_version: str = ""

    def as_record(self) -> dict[str, Any]:
        """Everything but the structures as plain data, as stored in `saddle.json`."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "structures"}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def read_saddle(path: str | Path) -> SaddleResult:
    """Read a result without its structures.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    record = read_json(path)
    lists = {key: tuple(value) for key, value in record.items() if isinstance(value, list)}
    return SaddleResult(**(record | lists))
