"""A calculator that hangs, crashes or ends its process loses one structure; the others go on."""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from qdsurf.errors import CalculationError, InputError
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.vibrations import normal_modes
from qdsurf.relaxation.worker import Worker

TIMEOUT_S = 4.0  # what does not hang needs far less, also on a busy machine
PATIENT_S = 60.0
NAP = f"600.{os.getpid()}"  # seconds, recognisable among the processes of the machine


class Treacherous(Calculator):
    """EMT for copper; with silver it hangs in C, with gold it crashes, with nickel it ends its process."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        match self.atoms.symbols[0]:
            case "Ag":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
                subprocess.run(["sleep", NAP])
            case "Au":
                faulthandler.disable()
                os.kill(os.getpid(), signal.SIGSEGV)
            case "Ni":
                os._exit(3)
        self.atoms.calc = EMT()
        self.results = {"energy": self.atoms.get_potential_energy(), "forces": self.atoms.get_forces()}


def dimer(element: str) -> Atoms:
    return Atoms(element * 2, [[0, 0, 0], [0, 0, 2.4]])


@pytest.fixture
def treacherous(monkeypatch) -> CalculatorSpec:
    monkeypatch.setitem(sys.modules, "treacherous", sys.modules[__name__])
    return CalculatorSpec(name="treacherous:Treacherous")


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ("Ag", "no result after 4 s; the process of the calculator was ended"),
        ("Au", "the process of the calculator ended by SIGSEGV"),
        ("Ni", "the process of the calculator ended with exit code 3"),
    ],
)
def test_one_lost_structure_does_not_lose_the_others(treacherous, element, reason):
    structures = [dimer("Cu"), dimer(element), dimer("Cu")]
    results = relax_batch(structures, treacherous, timeout_s=TIMEOUT_S if element == "Ag" else PATIENT_S)
    assert [result.converged for result in results] == [True, False, True]
    assert results[1].reason == f"failed: {reason}" and results[1].energy_eV is None
    assert results[1].flags == ("not_converged",) and results[1].force_calls == 0
    assert results[1].as_record().keys() == results[0].as_record().keys()
    assert results[1].atoms.calc is None and results[2].atoms.get_potential_energy() == results[0].energy_eV


def test_what_hangs_is_ended_with_everything_it_started(treacherous):
    before = time.monotonic()
    relax_batch([dimer("Ag")], treacherous, timeout_s=TIMEOUT_S)
    assert time.monotonic() - before < PATIENT_S
    assert f"sleep {NAP}" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def test_a_process_of_its_own_changes_no_number():
    emt, structures = CalculatorSpec(name="emt"), [dimer("Cu"), dimer("Ag")]
    here, apart = relax_batch(structures, emt), relax_batch(structures, emt, timeout_s=60)
    for a, b in zip(here, apart, strict=True):
        np.testing.assert_array_equal(a.atoms.positions, b.atoms.positions)
        np.testing.assert_array_equal(a.atoms.get_forces(), b.atoms.get_forces())
        assert replace(a, wall_s=0.0, cpu_s=0.0).as_record() == replace(b, wall_s=0.0, cpu_s=0.0).as_record()


@pytest.mark.parametrize(("element", "reason"), [("Ag", "no result after 4 s"), ("Au", "ended by SIGSEGV")])
def test_vibrations_are_computed_apart_too(treacherous, element, reason):
    here, apart = (normal_modes(dimer("Cu"), treacherous, timeout_s=timeout) for timeout in (None, PATIENT_S))
    np.testing.assert_array_equal(here, apart)
    with pytest.raises(CalculationError, match=reason):
        normal_modes(dimer(element), treacherous, timeout_s=TIMEOUT_S if element == "Ag" else PATIENT_S)


def test_a_calculator_that_cannot_be_made_is_an_error_of_the_input():
    with pytest.raises(InputError, match="unknown parameter 'asapp'"):
        relax_batch([dimer("Cu")], CalculatorSpec(name="emt", parameters={"asapp": 1}), timeout_s=60)


def test_a_worker_stays_warm_and_reports_while_it_works():
    heard = []
    with Worker(os.getpid, lambda made, number, report: (report(number, made), made)) as worker:
        answers = {worker.run(number, timeout_s=10, report=lambda *words: heard.append(words)) for number in (1, 2)}
    ((_, process),) = answers
    assert process != os.getpid()
    assert heard == [(1, process), (2, process)]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_error_in_a_worker_is_the_callers(capfd):
    def fail(made, report):
        raise ValueError("as it was")

    with Worker(dict, fail) as worker, pytest.raises(ValueError, match="as it was"):
        worker.run(timeout_s=10, report=print)


def test_a_worker_does_not_outlive_a_caller_that_is_killed():
    code = (
        "import time; from qdsurf.relaxation.worker import Worker; import os\n"
        "with Worker(os.getpid, lambda pid, report: (report(pid), time.sleep(600))) as worker:\n"
        "    worker.run(timeout_s=600, report=lambda pid: print(pid, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as caller:
        process = int(caller.stdout.readline())
        caller.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker goes on without its caller")


def test_a_timeout_is_said_as_an_error():
    with Worker(dict, lambda made, report: time.sleep(60)) as worker, pytest.raises(CalculationError, match=r"0\.2 s"):
        worker.run(timeout_s=0.2, report=print)
