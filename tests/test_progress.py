"""A job's output goes to the terminal and to its log, whatever a library asks of standard output."""

import sys

from ase.build import molecule

from qdsurf.compute.calculators import make_calculator
from qdsurf.progress import logged
from qdsurf.records import CalculatorSpec


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
