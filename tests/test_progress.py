"""A job's output goes to the terminal and to its log, whatever a library asks of standard output."""

import sys

import pytest
from ase.build import molecule

from qdsurf import progress
from qdsurf.calculators.registry import make_calculator
from qdsurf.progress import duration, logged
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch


def test_what_is_printed_is_in_the_log_and_on_the_terminal(tmp_path, capsys):
    with logged(tmp_path / "logs" / "job.log"):
        print("one line")
    assert (tmp_path / "logs" / "job.log").read_text() == "one line\n"
    assert capsys.readouterr().out == "one line\n"


def test_libraries_find_the_stream_they_expect(tmp_path):
    with logged(tmp_path / "job.log"):
        assert not sys.stdout.isatty()
        for name in ("tblite", "mopac", "emt"):
            atoms = molecule("H2O")
            atoms.calc = make_calculator(CalculatorSpec(name=name))
            atoms.get_potential_energy()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (9000, "2.5 h"), (2e5, "2.3 d")],
)
def test_a_time_is_said_in_the_unit_that_suits_it(seconds, words):
    assert duration(seconds) == words


def test_a_batch_says_who_is_done_and_how_long_the_rest_takes(monkeypatch, capsys):
    clock = iter([0.0, 20.0, 20.0, 40.0, 40.0, 60.0, 60.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    batch = progress.Progress("reference", 3)
    for name in ("CH4", "Al2Me6", "H2O"):
        batch.finished(name, "-1.0 eV")
    assert capsys.readouterr().out.splitlines() == [
        "reference 1/3 CH4: -1.0 eV; about 40 s left",
        "reference 2/3 Al2Me6: -1.0 eV; about 20 s left",
        "reference 3/3 H2O: -1.0 eV",
    ]


def test_a_long_walk_is_heard_of_twice_a_minute(monkeypatch, capsys):
    clock = iter(float(second) for second in range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    batch = progress.Progress("slabs/PbS", 2)
    for calls in range(1, 71):
        batch.walking("candidate 1", calls, 0.5 / calls)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "slabs/PbS 1/2 candidate 1: 31 force calls so far, max force 0.016 eV/A"
    assert len(lines) == 2


@pytest.mark.parametrize("timeout_s", [None, 60.0])
def test_a_relaxation_names_its_structure_as_it_goes(monkeypatch, capsys, timeout_s):
    monkeypatch.setattr(progress, "EVERY_S", -1.0)
    water = molecule("H2O")
    water.info["name"] = "water"
    relax_batch([water], CalculatorSpec(name="emt"), label="reference", timeout_s=timeout_s)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and all(line.startswith("reference 1/1 water: ") for line in lines)
    assert "1 force calls so far" in lines[0] and "converged" in lines[-1]
