"""Log lines of a job go to the terminal and to its log file; the library itself prints nothing."""

import logging

import pytest
from ase.build import molecule

from qdsurf import logs
from qdsurf.logs import Progress, duration, log_to_file, log_to_terminal
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch

LOGGER = logging.getLogger("qdsurf.test")


def test_lines_are_in_the_log_file_and_on_the_terminal(tmp_path, capsys):
    path = tmp_path / "logs" / "job.log"
    with log_to_file(path):
        LOGGER.info("one line")
    LOGGER.info("another line")
    assert path.read_text() == "one line\n"
    assert capsys.readouterr().out == "one line\n"


def test_an_error_ends_up_in_the_log_file(tmp_path):
    with pytest.raises(ValueError, match="wrong"), log_to_file(tmp_path / "job.log"):
        raise ValueError("wrong")
    assert (tmp_path / "job.log").read_text() == "ValueError: wrong\n"


@pytest.mark.parametrize(("level", "lines"), [(logging.WARNING, 1), (logging.INFO, 2), (logging.DEBUG, 3)])
def test_the_level_selects_the_lines_on_the_terminal(capsys, level, lines):
    with log_to_terminal(level):
        for write in (LOGGER.warning, LOGGER.info, LOGGER.debug):
            write("a line")
    assert capsys.readouterr().err.count("a line") == lines


def test_a_library_prints_nothing_by_itself(capsys):
    relax_batch([molecule("H2O")], CalculatorSpec(name="emt"))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (9000, "2.5 h"), (2e5, "2.3 d")],
)
def test_a_time_is_said_in_the_unit_that_suits_it(seconds, words):
    assert duration(seconds) == words


def test_a_batch_reports_how_many_are_done_and_the_remaining_time(monkeypatch, caplog):
    clock = iter([0.0, 20.0, 20.0, 40.0, 40.0, 60.0, 60.0])
    monkeypatch.setattr(logs.time, "monotonic", lambda: next(clock))
    batch = Progress("relax reference", 3)
    with caplog.at_level(logging.INFO):
        for name in ("CH4", "", "H2O"):
            batch.finished(name, "41 calls, -312.402 eV, converged, 3.1 s")
    assert caplog.messages == [
        "relax reference 1/3 CH4: 41 calls, -312.402 eV, converged, 3.1 s, about 40 s left",
        "relax reference 2/3: 41 calls, -312.402 eV, converged, 3.1 s, about 20 s left",
        "relax reference 3/3 H2O: 41 calls, -312.402 eV, converged, 3.1 s",
    ]


def test_a_long_relaxation_is_reported_at_most_twice_a_minute(monkeypatch, caplog):
    clock = iter(float(second) for second in range(1000))
    monkeypatch.setattr(logs.time, "monotonic", lambda: next(clock))
    batch = Progress("relax slabs/PbS", 2)
    with caplog.at_level(logging.INFO):
        for calls in range(1, 71):
            batch.running("", calls, 0.5 / calls)
    assert caplog.messages[0] == "relax slabs/PbS 1/2: 31 calls, largest force 0.016 eV/A, running"
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("timeout_s", [None, 60.0])
def test_a_relaxation_names_its_structure(monkeypatch, caplog, timeout_s):
    monkeypatch.setattr(logs, "REPORT_EVERY_S", -1.0)
    water = molecule("H2O")
    water.info["name"] = "water"
    with caplog.at_level(logging.INFO):
        relax_batch([water], CalculatorSpec(name="emt"), label="relax reference", timeout_s=timeout_s)
    lines = caplog.messages
    assert len(lines) > 2 and all(line.startswith("relax reference 1/1 water: ") for line in lines)
    assert lines[0].startswith("relax reference 1/1 water: 1 calls, ") and "converged" in lines[-1]
