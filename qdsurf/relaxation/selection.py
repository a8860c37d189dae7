"""Select one state from its relaxed candidates, or give the reason why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.elementary_steps.state_check import check_state, folded_groups
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.storage.files import read_json, write_json
from qdsurf.storage.structures import write_structures
from qdsurf.surfaces.site_density import count_sites

# Flags of a structure that has left the state for which it was built.
FATAL_FLAGS = ("dissociated", "desorbed", "intercalated", "ligand_lost", "substrate_changed")
# Pair potentials such as EMT have no angular terms, so every methyl group folds. They are used only for the smoke test.
WITHOUT_ANGULAR_TERMS = ("emt",)


@dataclass(frozen=True)
class CandidateSummary:
    """What became of one candidate.

    Attributes
    ----------
    energy_eV, max_force_eV_per_A, force_calls, wall_s
        As in `RelaxationResult`.
    status : str
        `ok`, or why the candidate is not in its state.
    """

    energy_eV: float | None
    max_force_eV_per_A: float | None
    force_calls: int
    wall_s: float
    status: str


@dataclass(frozen=True)
class State:
    """The lowest candidate that relaxed to the state for which it was built.

    Attributes
    ----------
    status : str
        `ok`, or why there is no such candidate.
    energy_eV : float or None
        Of the structure, in eV.
    converged : bool
        Whether its relaxation converged.
    flags : tuple of str
        Warnings.
    candidates : tuple of CandidateSummary
        All candidates in the order in which they were built.
    candidate : int or None
        Index of the selected one.
    structure_hash : str or None
        Hash of its content.
    calculator : mapping
        What identifies the calculator; `geometry` names the one of the geometry, if another one gave the energy.
    composition : mapping
        Number of atoms by element.
    mass_amu, charge : float or None
        Mass, and sum of the formal charges in e.
    density_per_nm2 : mapping
        Sites by family; empty for molecules.
    """

    status: str
    energy_eV: float | None = None
    converged: bool = False
    flags: tuple[str, ...] = ()
    candidates: tuple[CandidateSummary, ...] = ()
    candidate: int | None = None
    structure_hash: str | None = None
    calculator: Mapping[str, Any] = field(default_factory=dict)
    composition: Mapping[str, int] = field(default_factory=dict)
    mass_amu: float | None = None
    charge: float | None = None
    density_per_nm2: Mapping[str, float] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """Plain data, as stored in `state.json`."""
        record: dict[str, Any] = {
            "candidates": [vars(candidate) for candidate in self.candidates],
            "status": self.status,
            "energy_eV": self.energy_eV,
            "converged": self.converged,
            "flags": list(self.flags),
        }
        if self.candidate is None:
            return record
        record |= {
            "candidate": self.candidate,
            "structure_hash": self.structure_hash,
            "calculator": self.calculator,
            "composition": self.composition,
            "mass_amu": self.mass_amu,
            "charge": self.charge,
        }
        return record | ({"density_per_nm2": self.density_per_nm2} if self.density_per_nm2 else {})


def read_state(path: str | Path) -> State:
    """Read a state that `write_state` has stored.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    record = read_json(path)
    candidates = tuple(CandidateSummary(**candidate) for candidate in record["candidates"])
    return State(**(record | {"candidates": candidates, "flags": tuple(record["flags"])}))


def write_state(state: State, atoms: Atoms | None, structure: str | Path, record: str | Path, reason: str = "") -> None:
    """Store a state as a file with its structure, if there is one, and a JSON file with the rest.

    Parameters
    ----------
    reason : str
        Kept in the file of the structure if there is none.
    """
    write_structures(structure, [] if atoms is None else [atoms], reason)
    write_json(record, state.as_record())


def select_state(
    candidates: Sequence[Atoms], results: Sequence[RelaxationResult], reason: str = ""
) -> tuple[State, Atoms | None]:
    """Select the lowest candidate that relaxed to the state for which it was built.

    Parameters
    ----------
    candidates : sequence of Atoms
        Starting structures of one state; may be empty.
    results : sequence of RelaxationResult
        Of these candidates, in the same order.
    reason : str
        Why there are no candidates, if there are none.

    Returns
    -------
    State
        With `status` `ok` or the reason why no candidate was accepted.
    Atoms or None
        Structure of the state.
    """
    statuses = [_status(candidate, result) for candidate, result in zip(candidates, results, strict=True)]
    summaries = tuple(
        CandidateSummary(result.energy_eV, result.max_force_eV_per_A, result.force_calls, result.wall_s, status)
        for result, status in zip(results, statuses, strict=True)
    )
    accepted = {
        number: result.energy_eV
        for number, (result, status) in enumerate(zip(results, statuses, strict=True))
        if status == "ok" and result.energy_eV is not None
    }
    if not accepted:
        tried = [status for status in statuses if not status.startswith("not relaxed")]
        words = " | ".join(dict.fromkeys(tried or statuses)) or reason or "no candidate"
        flags = sorted({flag for result in results for flag in result.flags})
        return State(words, flags=tuple(flags), candidates=summaries), None
    number = min(accepted, key=accepted.__getitem__)
    best = results[number]
    annotation.drop_notes(best.atoms, "energy_cost")
    symbols = best.atoms.symbols
    return State(
        status="ok",
        energy_eV=best.energy_eV,
        converged=best.converged,
        flags=best.flags,
        candidates=summaries,
        candidate=number,
        structure_hash=annotation.content_hash(best.atoms),
        calculator=best.calculator,
        composition={symbol: int(np.sum(symbols == symbol)) for symbol in sorted(set(symbols))},
        mass_amu=float(best.atoms.get_masses().sum()),
        charge=float(annotation.formal_charges(best.atoms).sum()),
        density_per_nm2=count_sites(best.atoms) if best.atoms.pbc.any() else {},
    ), best.atoms


def _status(candidate: Atoms, result: RelaxationResult) -> str:
    """`ok`, or why a relaxed candidate is not in the state for which it was built."""
    reasons = [] if result.converged else [result.reason]
    reasons += [flag for flag in result.flags if flag in FATAL_FLAGS]
    if result.converged:
        reasons += filter(None, [check_state(candidate, result.atoms)])
        if result.calculator["name"] not in WITHOUT_ANGULAR_TERMS:
            reasons += folded_groups(candidate, result.atoms)
    return "; ".join(reasons) or "ok"


def refine_state(state: State, refined: RelaxationResult) -> State:
    """Replace the energy of a state by a single point of a better method at its geometry."""
    if state.energy_eV is None:
        return state
    failed = refined.energy_eV is None
    return replace(
        state,
        status=f"refinement {refined.reason}" if failed else state.status,
        energy_eV=refined.energy_eV,
        converged=state.converged and not failed,
        calculator={**refined.calculator, "geometry": state.calculator},
    )


def molecule_energies(
    candidates: Sequence[Atoms], results: Sequence[RelaxationResult], refined: Sequence[RelaxationResult] = ()
) -> dict[str, float | None]:
    """Energies of different molecules by name.

    Parameters
    ----------
    candidates, results : sequences
        One structure and one result for each molecule.
    refined : sequence of RelaxationResult
        Single points of a better method; empty if there are none.

    Returns
    -------
    dict
        Energies in eV; None for a molecule that did not keep its bonds.
    """
    states = [select_state([candidate], [result])[0] for candidate, result in zip(candidates, results, strict=True)]
    if refined:
        states = [refine_state(state, better) for state, better in zip(states, refined, strict=True)]
    names = [str(annotation.noted(candidate, "name")) for candidate in candidates]
    return {name: state.energy_eV for name, state in zip(names, states, strict=True)}
