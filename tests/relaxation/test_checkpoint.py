"""What a killed job had finished is not computed again; what is damaged is."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qdsurf.errors import KilledError
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.checkpoint import Checkpoint
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.result import RelaxationResult

COST = ("wall_s", "cpu_s")


class Counted(EMT):
    """EMT that counts its calls; with gold it is killed from outside."""

    calls = 0

    def calculate(self, atoms=None, *args, **kwargs):
        if "Au" in atoms.symbols:
            os.kill(os.getpid(), signal.SIGKILL)
        Counted.calls += 1
        super().calculate(atoms, *args, **kwargs)


@pytest.fixture
def counted(monkeypatch) -> CalculatorSpec:
    monkeypatch.setitem(sys.modules, "counted", sys.modules[__name__])
    Counted.calls = 0
    return CalculatorSpec(name="counted:Counted")


def dimers(*elements: str) -> list[Atoms]:
    return [Atoms(element * 2, [[0, 0, 0], [0, 0, 2.4]]) for element in elements]


def relax(path: Path, spec: CalculatorSpec, code: str = "") -> list[RelaxationResult]:
    """Relax two dimers; the checkpoint stays, as after a kill, because nobody leaves its context."""
    return relax_batch(dimers("Cu", "Ag"), spec, checkpoint=Checkpoint(path, code))


def records(results: list[RelaxationResult]) -> list[dict]:
    return [result.as_record() for result in results]


def test_a_second_run_computes_nothing_and_says_the_same(counted, tmp_path):
    first = relax(tmp_path / "x.part", counted)
    before = Counted.calls
    with Checkpoint(tmp_path / "x.part") as checkpoint:
        second = relax_batch(dimers("Cu", "Ag"), counted, checkpoint=checkpoint)
    assert Counted.calls == before and records(second) == records(first)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.atoms.positions, b.atoms.positions)
        np.testing.assert_array_equal(a.atoms.get_forces(), b.atoms.get_forces())
        assert a.atoms.get_potential_energy() == b.atoms.get_potential_energy()
    assert not (tmp_path / "x.part").exists()


def test_a_choice_among_candidates_is_taken_up_too(counted, tmp_path):
    candidates = dimers("Cu", "Cu", "Cu")
    for atoms, stretch in zip(candidates, (1.2, 1.0, 1.4), strict=True):
        atoms.positions *= stretch
    first = relax_batch(candidates, counted, keep=1, checkpoint=Checkpoint(tmp_path / "x.part"))
    before = Counted.calls
    second = relax_batch(candidates, counted, keep=1, checkpoint=Checkpoint(tmp_path / "x.part"))
    assert Counted.calls == before and records(second) == records(first)


@pytest.mark.parametrize("change", ["code", "settings", "structure"])
def test_another_question_is_not_answered_by_an_old_line(counted, tmp_path, change):
    relax(tmp_path / "x.part", counted, "old")
    before = Counted.calls
    structures = dimers("Cu", "Ag")
    if change == "structure":
        structures[0].positions[1, 2] += 0.01
        structures[1].positions[1, 2] += 0.01
    fmax = 0.04 if change == "settings" else 0.05
    relax_batch(
        structures, counted, fmax, checkpoint=Checkpoint(tmp_path / "x.part", "new" if change == "code" else "old")
    )
    assert Counted.calls >= before + 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255))
def test_a_damaged_line_is_noticed_by_its_hash_and_computed_again(counted, tmp_path, where, flip):
    path = tmp_path / "x.part"
    path.unlink(missing_ok=True)
    first = records(relax(path, counted))
    raw = bytearray(path.read_bytes())
    place = 1 + int(where * (len(raw) - 1))  # a share of the length: wall times make it differ
    raw[place] ^= flip
    path.write_bytes(raw if flip else raw[:place])
    before = Counted.calls
    second = records(relax(path, counted))
    assert Counted.calls > before
    without_cost = [[{k: v for k, v in r.items() if k not in COST} for r in results] for results in (first, second)]
    assert without_cost[0] == without_cost[1]
    before = Counted.calls
    assert records(relax(path, counted)) == second and Counted.calls == before, "the mended checkpoint is not whole"


def test_a_kill_from_outside_is_no_result(counted, tmp_path):
    path = tmp_path / "x.part"
    with pytest.raises(KilledError, match="ended from outside by SIGKILL"), Checkpoint(path) as checkpoint:
        relax_batch(dimers("Cu", "Au", "Ag"), counted, timeout_s=60, checkpoint=checkpoint)
    (line,) = path.read_text().strip().splitlines()
    entry = json.loads(line.partition(" ")[2])
    assert entry["result"]["converged"], "the killed one was stored, or the finished one was not"
