"""Relax structures with any ASE calculator; a failure is recorded, and the other structures are still relaxed."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

import qdsurf
from qdsurf.atomistic import annotation
from qdsurf.calculators.registry import assert_supported, describe_calculator, make_calculator
from qdsurf.errors import CalculationError
from qdsurf.logs import Progress
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.anomalies import find_anomalies
from qdsurf.relaxation.checkpoint import Checkpoint
from qdsurf.relaxation.descent import QUICK_RUNGS, Descent, Report, StateCheck
from qdsurf.relaxation.restraints import bond_restraints
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.relaxation.worker import Worker

# First the bonds of the state are restrained, while the strain that the spring model has left relaxes.
RESTRAINED_FMAX, RESTRAINED_STEPS = 0.5, 30
Settings = tuple[float, int, StateCheck | None, int | None]
"""Largest force at convergence, steps, check of the state, attempts to recover a failed SCF."""


def relax_batch(
    structures: Iterable[Atoms],
    spec: CalculatorSpec,
    fmax: float = 0.05,
    max_steps: int = 200,
    *,
    keep: int | None = None,
    label: str = "relax",
    check: StateCheck | None = None,
    timeout_s: float | None = None,
    checkpoint: Checkpoint | None = None,
) -> list[RelaxationResult]:
    """Relax structures one after the other.

    Parameters
    ----------
    structures : iterable of Atoms
        Constraints are kept.
    spec : CalculatorSpec
        Calculator, built once for the batch.
    fmax : float
        Largest force on a free atom at convergence, eV/A.
    max_steps : int
        Steps of the optimiser for each structure; 0 is a single point.
    keep : int, optional
        Of more structures than this, relax in the order of their single-point energies until so many are in the state
        that they were built for. None relaxes all.
    label : str
        Beginning of the progress lines.
    check : callable, optional
        Says why a structure has left the state that it was built for. Only structures that note their bonds are
        checked.
    timeout_s : float, optional
        Longest time for one structure. The calculator then runs in a process of its own; if the process hangs or
        crashes, one structure is lost.
    checkpoint : Checkpoint, optional
        Keeps finished results for a job that is killed and started again.

    Returns
    -------
    list of RelaxationResult
        One for each structure, in the same order.

    Raises
    ------
    UnsupportedElementError
        Before anything runs.
    """
    structures = list(structures)
    for atoms in structures:
        assert_supported(spec, atoms.symbols)
    calculator, version = describe_calculator(spec), qdsurf.__version__
    names = [str(annotation.noted(atoms, "name", "")) for atoms in structures]
    progress = Progress(label, len(structures))
    results: dict[int, RelaxationResult] = {}
    with _relaxer(spec, timeout_s) as run:

        def relax_number(
            number: int, fmax: float, max_steps: int, check: StateCheck | None, rungs: int | None = None
        ) -> RelaxationResult:
            report = partial(progress.running, names[number])
            return run(structures[number], (fmax, max_steps, check, rungs), report)

        relax: Callable[..., RelaxationResult] = relax_number
        if checkpoint:
            made_by = {"calculator": calculator, "qdsurf_version": version}
            relax = checkpoint.remember(relax_number, structures, made_by)
        finished: Iterator[tuple[int, RelaxationResult]]
        if keep is None or len(structures) <= keep:
            finished = ((number, relax(number, fmax, max_steps, check)) for number in range(len(structures)))
        else:
            finished = _lowest_first(structures, relax, (fmax, max_steps, check), keep)
        for number, result in finished:
            results[number] = replace(result, calculator=calculator, qdsurf_version=version)
            progress.finished(names[number], _summary(result))
    return [results[number] for number in range(len(structures))]


def _lowest_first(
    structures: Sequence[Atoms],
    relax: Callable[..., RelaxationResult],
    settings: tuple[float, int, StateCheck | None],
    keep: int,
) -> Iterator[tuple[int, RelaxationResult]]:
    """Relax in the order of single-point energies until `keep` structures are in their state; skip the others."""
    screened = [relax(number, 0.0, 0, None, QUICK_RUNGS) for number in range(len(structures))]
    energies = np.array([np.inf if result.energy_eV is None else result.energy_eV for result in screened])
    kept = 0
    for number in np.argsort(energies, kind="stable").tolist():
        single_point = screened[number]
        if kept < keep:
            result = relax(number, *settings)
            kept += result.converged and not _departure(settings[-1], structures[number], result.atoms)
            yield number, replace(result, force_calls=result.force_calls + single_point.force_calls)
        else:
            above = f"its single point is {energies[number] - min(energies):.2f} eV above the lowest"
            reason = above if np.isfinite(energies[number]) else single_point.reason
            yield number, replace(single_point, reason=f"not relaxed: {reason}")


def _departure(check: StateCheck | None, before: Atoms, after: Atoms) -> str:
    """Why a structure has left the state that it was built for; empty if it notes no state."""
    return check(before, after) if check and annotation.has_note(before, "bonds") else ""


def _summary(result: RelaxationResult) -> str:
    """One progress line on a relaxation."""
    energy = "no energy" if result.energy_eV is None else f"{result.energy_eV:.3f} eV"
    flags = f" [{', '.join(result.flags)}]" if result.flags else ""
    return f"{result.force_calls} calls, {energy}, {result.reason}{flags}, {result.wall_s:.1f} s"


@contextmanager
def _relaxer(spec: CalculatorSpec, timeout_s: float | None) -> Iterator[Callable[..., RelaxationResult]]:
    """Lend `relax_one` with one calculator for the whole batch, in this process or in a worker."""

    def relax(calculator: Calculator, atoms: Atoms, settings: Settings, report: Report) -> RelaxationResult:
        fmax, max_steps, check, rungs = settings
        return relax_one(atoms, calculator, fmax, max_steps, check, rungs, report)

    if timeout_s is None:
        yield partial(relax, make_calculator(spec))
        return
    with Worker(partial(make_calculator, spec), relax) as worker:
        yield partial(_relax_in_worker, worker, timeout_s)


def _relax_in_worker(
    worker: Worker, timeout_s: float, atoms: Atoms, settings: Settings, report: Report
) -> RelaxationResult:
    """Relax a structure in a worker; if its process is lost, record a failure with the calls that it reported."""
    start, descent = time.perf_counter(), Descent(atoms.copy())

    def count(calls: int, max_force: float) -> None:
        descent.calls = calls
        report(calls, max_force)

    try:
        return worker.run(atoms, settings, timeout_s=timeout_s, report=count)
    except CalculationError as error:
        return _result(atoms, atoms.copy(), descent, f"failed: {error}", {}, time.perf_counter() - start, None)


def relax_one(
    atoms: Atoms,
    calculator: Calculator,
    fmax: float,
    max_steps: int,
    check: StateCheck | None = None,
    rungs: int | None = None,
    report: Report | None = None,
) -> RelaxationResult:
    """Relax one structure, first with the bonds of its state restrained, then freely; see `relax_batch`.

    Parameters
    ----------
    atoms : Atoms
        Starting structure; it is not changed.
    calculator : Calculator
        Any ASE calculator.
    fmax, max_steps, check
        As in `relax_batch`.
    rungs : int, optional
        Attempts to recover a failed SCF; None: as many as the calculator makes.
    report : callable, optional
        Receives the number of calls and the largest force after every call.

    Returns
    -------
    RelaxationResult
        Whatever the calculator raises is recorded as the reason of a failure.
    """
    start, cpu = time.perf_counter(), time.process_time()
    work = atoms.copy()
    work.calc = calculator
    forget = getattr(calculator, "forget", getattr(calculator, "reset", lambda: None))
    forget()
    rescues_before = dict(getattr(calculator, "rescues", {}))
    rungs_before = getattr(calculator, "rungs", None)
    setattr(calculator, "rungs", rungs or rungs_before)  # noqa: B010  (an attribute of some calculators only)
    descent = Descent(work, forget, report)
    try:
        if max_steps and (restraints := bond_restraints(atoms)):
            work.set_constraint([*atoms.constraints, *restraints])
            descent.run(min(RESTRAINED_STEPS, max_steps), RESTRAINED_FMAX)
            work.set_constraint(atoms.constraints)
            descent.restart()
        reason = descent.run(max_steps, fmax, partial(_departure, check))
    except Exception as error:  # a calculator can raise anything, and the other structures are still relaxed
        reason = f"failed: {type(error).__name__}: {error}"
    finally:
        setattr(calculator, "rungs", rungs_before)  # noqa: B010
    final = atoms.copy()
    final.positions = descent.positions
    final.cell = work.cell
    if descent.energy is not None:
        final.calc = SinglePointCalculator(final, energy=descent.energy, forces=descent.forces)
    rescues = {k: v - rescues_before.get(k, 0) for k, v in getattr(calculator, "rescues", {}).items()}
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    result = _result(atoms, final, descent, reason, rescues, wall_s, cpu_s)
    return replace(result, flags=(*result.flags, "loose_scf")) if getattr(calculator, "loose", False) else result


def _result(
    atoms: Atoms, final: Atoms, descent: Descent, reason: str, rescues: dict, wall_s: float, cpu_s: float | None
) -> RelaxationResult:
    """Result of a relaxation from where it stopped and why."""
    converged = reason == "converged"
    return RelaxationResult(
        atoms=final,
        energy_eV=descent.energy,
        max_force_eV_per_A=descent.max_force,
        converged=converged,
        reason=reason,
        flags=(*find_anomalies(atoms, final), *(() if converged else ("not_converged",))),
        force_calls=descent.calls,
        jumps=descent.jumps,
        rescues={k: v for k, v in rescues.items() if v and k != "as it is"},
        wall_s=round(wall_s, 2),
        cpu_s=None if cpu_s is None else round(cpu_s, 2),
        input_hash=annotation.content_hash(atoms),
    )
