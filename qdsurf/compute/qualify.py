"""May this calculator move this crystal? Lattice constant and rattled slab decide."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

# A crystal is stable when the shaken slab comes back: it must not end lower than the crystal by more than
# 0.02 eV for each atom that moved, nor any atom farther than 0.7 A (a quarter of a bond) from its site.
MELT_EV_PER_ATOM = 0.02
MELT_SHIFT_A = 0.7


def lattice_constant_error(strains: Sequence[float], energies: Sequence[float | None]) -> tuple[float | None, str]:
    """Strain at the minimum of a cubic through the energies.

    Returns
    -------
    The relative error of the lattice constant (None without a minimum in the range), and words for it.
    """
    points = [(s, e) for s, e in zip(strains, energies, strict=True) if e is not None]
    if len(points) < 3:
        return None, f"SCF failed at {len(strains) - len(points)} of {len(strains)} points"
    fit = np.polynomial.Polynomial.fit(*zip(*points, strict=True), deg=min(3, len(points) - 1))
    slope = fit.deriv()
    slope = slope.trim(1e-9 * np.abs(slope.coef).max())  # a leading coefficient of rounding noise would lose the root
    low, high = points[0][0], points[-1][0]
    minima = [
        r.real for r in slope.roots() if abs(r.imag) < 1e-9 and slope.deriv()(r.real) > 0 and low <= r.real <= high
    ]
    if not minima:
        return None, f"no minimum between {low:+.1%} and {high:+.1%}"
    return float(minima[0]), f"{minima[0]:+.1%} against experiment"


def slab_stability(
    ideal: Atoms, before: Atoms, after: Atoms, energy_ideal: float | None, energy_after: float | None
) -> dict:
    """What became of a rattled slab.

    Parameters
    ----------
    ideal : relaxed from the crystal's sites; `before`, `after` : the rattled slab and its relaxation.
    """
    if energy_ideal is None or energy_after is None:
        return {"stable": False, "reason": "SCF failed on the slab"}
    movable = np.setdiff1d(np.arange(len(ideal)), ideal.constraints[0].index if ideal.constraints else [])
    shift = float(find_mic(after.positions - ideal.positions, ideal.cell, ideal.pbc)[1].max())
    drop = (energy_after - energy_ideal) / len(movable)
    stable = drop > -MELT_EV_PER_ATOM and shift < MELT_SHIFT_A
    return {
        "stable": bool(stable),
        "energy_drop_eV": energy_after - energy_ideal,
        "energy_drop_eV_per_moving_atom": drop,
        "largest_shift_A": shift,
        "reason": f"the shaken slab ends {drop:+.3f} eV per moving atom from the crystal, largest shift {shift:.2f} A",
    }


def qualify(
    material: str,
    strained: list[dict],
    strains: Sequence[float],
    slabs: list[Atoms],
    relaxed: list[Atoms],
    results: list[dict],
) -> dict:
    """Verdict on one calculator for one material.

    Parameters
    ----------
    strained : results of the single points on the strained bulk cells, in the order of `strains`.
    slabs, relaxed, results : the ideal and the rattled slab, before and after.

    Returns
    -------
    Plain data: lattice constant error, stability, and `substrate`: "relaxed" or "frozen". The test is of a bare
        slab, so the verdict is too: nothing is said about a crystal that moves under molecules.
    """
    error, words = lattice_constant_error(strains, [r["energy_eV"] for r in strained])
    stability = slab_stability(relaxed[0], slabs[1], relaxed[1], results[0]["energy_eV"], results[1]["energy_eV"])
    return {
        "material": material,
        "calculator": results[0]["calculator"],
        "lattice_constant_error": error,
        "lattice_constant": words,
        "stability": stability,
        "substrate": "relaxed" if stability["stable"] else "frozen",
        "force_calls": sum(r["force_calls"] for r in (*strained, *results)),
        "wall_s": round(sum(r["wall_s"] for r in (*strained, *results)), 1),
        "cpu_s": round(sum(r["cpu_s"] or 0.0 for r in (*strained, *results)), 1),
    }
