"""Relaxation as a service: one warm calculator, a batch of structures, one result for each."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

import qdsurf
from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.calculators.registry import assert_supported, describe_calculator, make_calculator
from qdsurf.errors import CalculationError
from qdsurf.progress import Progress
from qdsurf.records.models import CalculatorSpec
from qdsurf.relaxation.anomalies import find_anomalies
from qdsurf.relaxation.checkpoint import Checkpoint, Outcome
from qdsurf.relaxation.coordinates import free_atoms
from qdsurf.relaxation.optimiser import ModelNewton
from qdsurf.relaxation.preconditioned import SpringLBFGS
from qdsurf.relaxation.restraints import held_bonds
from qdsurf.relaxation.worker import Worker

StateCheck = Callable[[Atoms, Atoms], str]
Report = Callable[[int, float], None]  # is told the force calls so far and the largest force in eV/A

# A step whose energy change differs from the work of the forces by more than this has changed the SCF solution.
JUMP_EV = 0.5
MAX_JUMPS = 2
MAX_STEP_A = 0.1  # longer ones cross ridges, and cost as many calls
QUICK_RUNGS = 4  # of the rescue ladder, where a step back or another candidate is cheaper than the last one
# With its bonds held a structure only has to shed what the springs of the builder left.
HELD_FMAX, HELD_STEPS = 0.5, 30
# Abort when the largest force exceeds this limit at ten consecutive calls after call 50. Relaxations of small
# structures that did so in the benchmark set never converged.
HOPELESS_EV_PER_A, HOPELESS_CALLS, HOPELESS_ROW = 1.0, 50, 10
MAX_ATOMS_DENSE_HESSIAN = 300  # free atoms, above which diagonalising their Hessian takes longer than their forces
LOOK_EVERY = 5  # calls after which a walk looks whether its structure is still what it is meant to be


def relax_batch(
    structures: Iterable[Atoms],
    spec: CalculatorSpec,
    fmax: float = 0.05,
    max_steps: int = 200,
    keep: int | None = None,
    label: str = "",
    check: StateCheck | None = None,
    timeout_s: float | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[list[Atoms], list[dict]]:
    """Relax structures one after the other; a failure is recorded and the others go on.

    Parameters
    ----------
    structures : constraints are kept.
    fmax : largest force on a free atom at convergence, eV/A.
    max_steps : steps of the optimiser for each structure; 0 is a single point.
    keep : of more structures than this, relax in the order of their single-point energies until so many are what they
        were meant to be; None relaxes all.
    label : words for the progress line.
    check : says why a relaxed structure is not what the first one was meant to be, empty if it is; asked only about
        structures whose `info["bonds"]` says what they are meant to be.
    timeout_s : longest time for one structure. With it the calculator has a process of its own, and one that hangs or
        crashes there loses one structure.
    checkpoint : keeps what is finished, for a job that is killed and begun again.

    Returns
    -------
    relaxed : structures with energy (eV) and forces attached where they exist.
    results : one plain dictionary for each, as stored in `result.json`.

    Raises
    ------
    UnsupportedElementError : before anything runs.
    """
    structures = list(structures)
    for atoms in structures:
        assert_supported(spec, atoms.symbols)
    made_by = {"calculator": describe_calculator(spec), "qdsurf_version": qdsurf.__version__}
    names = [str(annotation.noted(atoms, "name", f"candidate {number + 1}")) for number, atoms in enumerate(structures)]
    progress, outcomes = Progress(label, len(structures)), {}
    with _relaxer(spec, timeout_s) as run:

        def relax(number: int, *how) -> Outcome:
            return run(structures[number], how, partial(progress.walking, names[number]))

        relax = checkpoint.remember(relax, structures, made_by) if checkpoint else relax
        if keep is None or len(structures) <= keep:
            turns = ((number, relax(number, fmax, max_steps, check)) for number in range(len(structures)))
        else:
            turns = _lowest_first(structures, relax, (fmax, max_steps, check), keep)
        for number, (final, result) in turns:
            outcomes[number] = final, result | made_by
            progress.finished(names[number], _summary(result))
    relaxed, results = ([outcomes[k][part] for k in range(len(structures))] for part in (0, 1))
    return relaxed, results


def _lowest_first(
    structures: list[Atoms], relax: Callable[..., Outcome], how: tuple[float, int, StateCheck | None], keep: int
) -> Iterator[tuple[int, Outcome]]:
    """Relax in the order of single-point energies until `keep` are what they were meant to be, and skip the rest."""
    # One whose SCF fails is not worth every rescue when there are others.
    screened = [relax(number, 0.0, 0, None, QUICK_RUNGS) for number in range(len(structures))]
    energies = [np.inf if result["energy_eV"] is None else result["energy_eV"] for _, result in screened]
    good = 0
    for number in np.argsort(energies, kind="stable").tolist():
        final, result = screened[number]
        if good < keep:
            before = result["force_calls"]
            final, result = relax(number, *how)
            result["force_calls"] += before
            good += result["converged"] and not _departure(how[-1], structures[number], final)
        else:
            above = f"its single point is {energies[number] - min(energies):.2f} eV above the lowest"
            result["reason"] = f"not relaxed: {above if np.isfinite(energies[number]) else result['reason']}"
        yield number, (final, result)


def _departure(check: StateCheck | None, before: Atoms, after: Atoms) -> str:
    """Why a structure is not what it was meant to be; empty where nobody said what that is."""
    return check(before, after) if check and annotation.has_note(before, "bonds") else ""


def _summary(result: dict) -> str:
    """One line on what a relaxation did."""
    energy = "no energy" if result["energy_eV"] is None else f"{result['energy_eV']:.4f} eV"
    force = np.nan if result["max_force_eV_per_A"] is None else result["max_force_eV_per_A"]
    flags = f" [{', '.join(result['flags'])}]" if result["flags"] else ""
    calls = f"{result['force_calls']} force calls, {result['wall_s']:.1f} s"
    return f"{energy}, max force {force:.3f} eV/A, {calls}, {result['reason']}{flags}"


@contextmanager
def _relaxer(spec: CalculatorSpec, timeout_s: float | None) -> Iterator[Callable[..., Outcome]]:
    """`relax_one` with one warm calculator: in this process, or in one that may be lost."""

    def relax(calculator: Calculator, atoms: Atoms, how: tuple, report: Report) -> Outcome:
        return relax_one(atoms, calculator, *how, report=report)

    if timeout_s is None:
        yield partial(relax, make_calculator(spec))
        return
    with Worker(partial(make_calculator, spec), relax) as worker:
        yield partial(_relax_apart, worker, timeout_s)


def _relax_apart(worker: Worker, timeout_s: float, atoms: Atoms, how: tuple, report: Report) -> Outcome:
    """Have a worker relax a structure; one that is lost with its process is recorded as failed."""
    start, walk = time.perf_counter(), _Walk(atoms.copy())

    def count(calls: int, max_force: float) -> None:
        walk.calls = calls
        report(calls, max_force)

    try:
        return worker.run(atoms, how, timeout_s=timeout_s, report=count)
    except CalculationError as error:
        final = atoms.copy()
        return final, _record(atoms, final, walk, f"failed: {error}", {}, time.perf_counter() - start, None)


def relax_one(
    atoms: Atoms,
    calculator: Calculator,
    fmax: float,
    max_steps: int,
    check: StateCheck | None = None,
    rungs: int | None = None,
    report: Report | None = None,
) -> Outcome:
    """Relax one structure, first with the bonds held that it is to have, then freely; see `relax_batch`.

    Parameters
    ----------
    rungs : how far a failed SCF may climb its rescue ladder; None: as far as the calculator says.
    """
    start, cpu = time.perf_counter(), time.process_time()
    work = atoms.copy()
    work.calc = calculator
    forget = getattr(calculator, "forget", getattr(calculator, "reset", lambda: None))
    forget()
    rescues_before = dict(getattr(calculator, "rescues", {}))
    walk = _Walk(work, forget, report)
    rungs_before = getattr(calculator, "rungs", None)
    calculator.rungs = rungs or rungs_before
    try:
        if max_steps and (held := held_bonds(atoms)):
            work.set_constraint([*atoms.constraints, *held])
            walk.run(min(HELD_STEPS, max_steps), HELD_FMAX)
            work.set_constraint(atoms.constraints)
            walk.release()
        reason = walk.run(max_steps, fmax, partial(_departure, check))
    except Exception as error:  # a calculator can raise anything; whatever it is, the other structures go on
        reason = f"failed: {type(error).__name__}: {error}"
    finally:
        calculator.rungs = rungs_before
    final = atoms.copy()
    final.positions = walk.positions
    final.cell = work.cell
    if walk.energy is not None:
        final.calc = SinglePointCalculator(final, energy=walk.energy, forces=walk.forces)
    rescues = {k: v - rescues_before.get(k, 0) for k, v in getattr(calculator, "rescues", {}).items()}
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    result = _record(atoms, final, walk, reason, rescues, wall_s, cpu_s)
    result["flags"] += ["loose_scf"] if getattr(calculator, "loose", False) else []
    return final, result


def _record(
    atoms: Atoms, final: Atoms, walk: "_Walk", reason: str, rescues: dict, wall_s: float, cpu_s: float | None
) -> dict:
    """Plain data on a relaxation, as stored in `result.json`."""
    converged = reason == "converged"
    return {
        "energy_eV": walk.energy,
        "max_force_eV_per_A": walk.max_force,
        "converged": converged,
        "reason": reason,
        "flags": find_anomalies(atoms, final) + ([] if converged else ["not_converged"]),
        "force_calls": walk.calls,
        "jumps": walk.jumps,
        "rescues": {k: v for k, v in rescues.items() if v and k != "as it is"},
        "wall_s": round(wall_s, 2),
        "cpu_s": None if cpu_s is None else round(cpu_s, 2),
        "input_hash": content_hash(atoms),
    }


class _Walk:
    """One walk downhill that notices when the SCF fails or falls into another solution.

    It keeps the last consistent point, so that whatever happens there is something honest to return.
    """

    def __init__(self, atoms: Atoms, forget: Callable[[], None] | None = None, report: Report | None = None):
        self.atoms, self.forget, self.report = atoms, forget, report
        self.start, self.check = atoms.copy(), None
        self.positions = atoms.positions.copy()
        self.energy = self.forces = self.max_force = None
        self.calls = self.first_call = self.jumps = self.strained = 0

    def release(self) -> None:
        """Forget the energy of a surface that no longer applies, and what went wrong on it."""
        self.energy = self.forces = self.max_force = None
        self.atoms.positions = self.positions
        self.jumps = 0

    def run(self, max_steps: int, fmax: float, check: StateCheck | None = None) -> str:
        """Walk; returns `converged` or the reason for stopping."""
        self.check = check
        max_step, self.first_call = MAX_STEP_A, self.calls
        while self.jumps <= MAX_JUMPS:
            try:
                if reason := self._descend(max_step, max_steps, fmax):
                    return reason
            except CalculationError:
                if self.energy is None:
                    raise
                self.calls += 1
            self.jumps += 1
            self.atoms.positions = self.positions  # back to the last consistent point, then in smaller steps
            self.forget()
            max_step /= 2
        return f"stopped: the calculator failed or its energy jumped {self.jumps} times"

    def _descend(self, max_step: float, max_steps: int, fmax: float) -> str:
        """Follow the optimiser until it is done; an empty string says that it met another SCF solution."""
        small = len(free_atoms(self.atoms)) <= MAX_ATOMS_DENSE_HESSIAN
        optimiser = (ModelNewton if small else SpringLBFGS)(self.atoms, max_step)
        evaluations = 0
        for _ in optimiser.irun(fmax=fmax, steps=max(0, max_steps - self.calls + self.first_call)):
            if not small:  # trial points of the line search, beside the one that it accepted
                self.calls += max(0, optimiser.evaluations - evaluations - 1)
                evaluations = optimiser.evaluations
            if not self._accept():
                return ""
            if self.max_force < fmax:
                return "converged"
            calls = self.calls - self.first_call
            if small and calls > HOPELESS_CALLS and self.strained >= HOPELESS_ROW:
                return f"stopped: a force of {self.max_force:.2f} eV/A is left after {calls} calls"
            if self.check and self.calls % LOOK_EVERY == 0 and (departure := self.check(self.start, self.atoms)):
                return f"stopped: {departure}"
        return f"not converged in {max_steps} steps"

    def _accept(self) -> bool:
        """Take the current point if its energy is what the forces promised."""
        energy = self.atoms.get_potential_energy()
        forces = self.atoms.get_forces()
        self.calls += 1
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise CalculationError("energy or forces are not finite")
        if self.energy is not None:
            step = self.atoms.positions - self.positions
            promised = -0.5 * np.sum((forces + self.forces) * step)
            if abs(energy - self.energy - promised) > JUMP_EV + 0.5 * abs(promised):
                return False
        self.positions, self.energy, self.forces = self.atoms.positions.copy(), energy, forces
        self.max_force = float(np.sqrt((forces**2).sum(axis=1).max()))
        self.strained = self.strained + 1 if self.max_force > HOPELESS_EV_PER_A else 0
        if self.report:
            self.report(self.calls, self.max_force)
        # From here on a step back is cheaper than the higher rungs of the rescue ladder.
        self.atoms.calc.rungs = QUICK_RUNGS
        return True
