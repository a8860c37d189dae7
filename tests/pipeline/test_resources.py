"""What is asked of a queue grows with the number of atoms and covers what was measured."""

import pytest

from qdsurf.pipeline.resources import SHORTEST_MIN, memory_MiB, minutes, timeout_s
from qdsurf.records.models import CalculatorSpec


@pytest.mark.parametrize(
    ("name", "atoms", "peak_MiB"),
    [
        ("tblite", 36, 163),
        ("tblite", 144, 285),
        ("mopac", 36, 176),
        ("mopac", 144, 427),
        ("sevennet", 144, 271),
    ],
)
def test_the_measured_memory_fits_twice(name, atoms, peak_MiB):
    assert 2 * peak_MiB < memory_MiB(CalculatorSpec(name=name), atoms) < 2 * peak_MiB + 600


@pytest.mark.parametrize(
    ("name", "atoms", "call_s"), [("tblite", 45, 0.8), ("tblite", 144, 10.3), ("mopac", 144, 14.2)]
)
def test_the_measured_time_fits_almost_twice(name, atoms, call_s):
    asked = minutes(CalculatorSpec(name=name), atoms, 600) - SHORTEST_MIN
    assert 1.8 * 600 * call_s / 60 < asked < 2.3 * 600 * call_s / 60


def test_patience_is_many_times_the_measured_time_and_never_short():
    sevennet = CalculatorSpec()
    assert 5 * 200 * 0.16 < timeout_s(sevennet, 197, 200) < 3600
    assert timeout_s(CalculatorSpec(name="emt"), 3, 1) >= 300
    assert timeout_s(CalculatorSpec(name="my.code:Calculator"), 100, 200) > 24 * 3600


def test_more_atoms_and_calls_ask_for_more():
    tblite, other = CalculatorSpec(name="tblite"), CalculatorSpec(name="my.code:Calculator")
    assert memory_MiB(tblite, 100) < memory_MiB(tblite, 400) < memory_MiB(other, 400)
    assert (
        10 <= minutes(tblite, 10, 1) < minutes(tblite, 100, 100) < minutes(tblite, 100, 200) < minutes(other, 100, 200)
    )
