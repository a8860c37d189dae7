"""What a batch has finished so far, kept on disk, so that a job that was killed goes on where it stood."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from qdsurf.atomistic.annotation import content_hash

Outcome = tuple[Atoms, dict]


class Checkpoint:
    """Finished relaxations of one batch, a line each, begun with its hash; gone once the batch is stored elsewhere.

    A line that a kill or a disk has damaged does not match its hash: its structure is relaxed again.

    Parameters
    ----------
    path : file to append to; leaving the context without an error removes it.
    code : identifies the code that relaxes; lines of other code are not used.
    """

    def __init__(self, path: str | Path, code: str = ""):
        self.path, self.code = Path(path), code
        self.known = dict(self._read())

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        if kind is None:
            self.path.unlink(missing_ok=True)

    def remember(
        self, relax: Callable[..., Outcome], structures: Sequence[Atoms], settings: object
    ) -> Callable[..., Outcome]:
        """Have `relax(number, fmax, max_steps, check, ...)` answer from the checkpoint what it has done before.

        Parameters
        ----------
        settings : of the calculator; plain data.
        """

        def remembered(number: int, fmax: float, max_steps: int, check: Callable | None, *more) -> Outcome:
            atoms = structures[number]
            key = json.dumps([self.code, settings, number, content_hash(atoms), fmax, max_steps, more])
            if key not in self.known:
                final, result = relax(number, fmax, max_steps, check, *more)
                self._write(key, final, result)
                return final, result
            return _restore(atoms, self.known[key])

        return remembered

    def _write(self, key: str, final: Atoms, result: dict) -> None:
        forces = None if final.calc is None else final.calc.results["forces"]
        entry = {"key": key, "positions": final.positions, "cell": final.cell.array, "forces": forces, "result": result}
        body = json.dumps(entry, default=lambda value: value.tolist())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a") as stream:
            stream.write(f"\n{_hash(body)} {body}")  # the line feed first: it also ends a line that was cut off
            stream.flush()
            os.fsync(stream.fileno())

    def _read(self) -> Iterator[tuple[str, dict]]:
        lines = self.path.read_text(errors="replace").splitlines() if self.path.is_file() else []
        for line in lines:
            found, _, body = line.partition(" ")
            if found == _hash(body):
                entry = json.loads(body)
                yield entry["key"], entry


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _restore(atoms: Atoms, entry: dict) -> Outcome:
    """The outcome of `relax_one` from its line."""
    final, result = atoms.copy(), dict(entry["result"])
    final.positions, final.cell = entry["positions"], entry["cell"]
    if entry["forces"] is not None:
        forces = np.array(entry["forces"])
        final.calc = SinglePointCalculator(final, energy=result["energy_eV"], forces=forces)
    return final, result
