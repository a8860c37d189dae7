"""Checkpoint of a batch: finished relaxations on disk, so that a job that was killed continues where it stopped."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from qdsurf.atomistic.annotation import content_hash
from qdsurf.relaxation.result import RelaxationResult


class Checkpoint:
    """Finished relaxations of one batch, one line each; the file is removed when the batch is stored elsewhere.

    Every line begins with the hash of its content. A line that a kill or a disk has damaged does not match its hash,
    and its structure is relaxed again.

    Parameters
    ----------
    path : str or Path
        File to append to. Leaving the context without an error removes it.
    code : str
        Identifies the code that relaxes; lines written by other code are not used.
    """

    def __init__(self, path: str | Path, code: str = ""):
        self.path, self.code = Path(path), code
        self.known = dict(self._read())

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self.path.unlink(missing_ok=True)

    def remember(
        self, relax: Callable[..., RelaxationResult], structures: Sequence[Atoms], settings: object
    ) -> Callable[..., RelaxationResult]:
        """Wrap a function so that it returns stored results and stores new ones.

        Parameters
        ----------
        relax : callable
            `relax(number, fmax, max_steps, check, ...)`.
        structures : sequence of Atoms
            The batch; `number` is an index into it.
        settings : object
            Plain data on the calculator.
        """

        def remembered(number: int, fmax: float, max_steps: int, check: Callable | None, *more) -> RelaxationResult:
            atoms = structures[number]
            key = json.dumps([self.code, settings, number, content_hash(atoms), fmax, max_steps, more])
            if key in self.known:
                return _restore(atoms, self.known[key])
            result = relax(number, fmax, max_steps, check, *more)
            self._write(key, result)
            return result

        return remembered

    def _write(self, key: str, result: RelaxationResult) -> None:
        atoms = result.atoms
        entry = {
            "key": key,
            "positions": atoms.positions,
            "cell": atoms.cell.array,
            "forces": None if atoms.calc is None else atoms.calc.results["forces"],
            "result": result.as_record(),
        }
        body = json.dumps(entry, default=lambda value: value.tolist())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a") as stream:
            stream.write(f"\n{_hash(body)} {body}")  # the line feed first: it also ends a line that was cut off
            stream.flush()
            os.fsync(stream.fileno())

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        lines = self.path.read_text(errors="replace").splitlines() if self.path.is_file() else []
        for line in lines:
            stored_hash, _, body = line.partition(" ")
            if stored_hash == _hash(body):
                entry = json.loads(body)
                yield entry["key"], entry


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _restore(atoms: Atoms, entry: dict[str, Any]) -> RelaxationResult:
    """Result of a relaxation from its line."""
    final = atoms.copy()
    final.positions, final.cell = entry["positions"], entry["cell"]
    if entry["forces"] is not None:
        forces = np.array(entry["forces"])
        final.calc = SinglePointCalculator(final, energy=entry["result"]["energy_eV"], forces=forces)
    return RelaxationResult.from_record(final, entry["result"])
