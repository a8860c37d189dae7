"""What a calculator makes of a crystal: equation of state, stability, facets and SCF, each as plain numbers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from qdsurf.atomistic import annotation
from qdsurf.qualification.criteria import MELT_EV_PER_ATOM, MELT_SHIFT_A, judge_uses
from qdsurf.records.models import Material
from qdsurf.units import EV_PER_A2_J_PER_M2, EV_PER_A3_GPA

# Diamond has 442 (10.1063/1.1661636), the most of any crystal: what asks for more is no crystal, but energies that lie
# thousands of eV apart. The refusal has room for methods that are too stiff.
STIFFEST_GPA = 1000.0


class Outcome(NamedTuple):
    """Structures of one test after their relaxation or single point, and the result of each."""

    relaxed: list[Atoms]
    results: list[dict]

    @property
    def energies(self) -> list[float | None]:
        """Energies in eV; None where the SCF failed."""
        return [result["energy_eV"] for result in self.results]


def equation_of_state(strains: Sequence[float], energies: Sequence[float | None], volume: float) -> dict:
    """Lattice constant and bulk modulus from the third-order Birch-Murnaghan equation of state.

    That is a cubic in V^(-2/3). All lengths are scaled alike and no atom relaxes, so in crystals with free
    coordinates or with two lattice constants the modulus is an upper bound.

    Parameters
    ----------
    strains : relative changes of the lattice constant, ascending.
    energies : eV, of the same cell; None where the SCF failed.
    volume : of the unstrained cell in A^3.

    Returns
    -------
    lattice_constant_error (relative) and bulk_modulus_GPa, both None without a minimum in the range or with one that is
    stiffer than any crystal; lattice_constant, words for it.

    References
    ----------
    Birch, Phys. Rev. 71, 809 (1947), 10.1103/PhysRev.71.809.
    """
    points = [(s, e) for s, e in zip(strains, energies, strict=True) if e is not None]
    nothing = {"lattice_constant_error": None, "bulk_modulus_GPa": None}
    if len(points) < 3:
        return nothing | {"lattice_constant": f"SCF failed at {len(strains) - len(points)} of {len(strains)} points"}
    low, high = points[0][0], points[-1][0]
    x = np.array([(1 + s) ** -2 for s, _ in points])
    fit = np.polynomial.Polynomial.fit(x, [e for _, e in points], deg=min(3, len(points) - 1))
    slope = fit.deriv()
    curvature = slope.deriv()
    slope = slope.trim(1e-9 * np.abs(slope.coef).max())  # a leading coefficient of rounding noise would lose the root
    minima = [r.real for r in slope.roots() if abs(r.imag) < 1e-9 and curvature(r.real) > 0 and x[-1] <= r.real <= x[0]]
    if not minima:
        return nothing | {"lattice_constant": f"no minimum between {low:+.1%} and {high:+.1%}"}
    strain = float(minima[0] ** -0.5 - 1)
    # B = V d2E/dV2 with V = volume (1 + s)^3 and x = (1 + s)^-2, where dE/dx = 0.
    modulus = float(4 * curvature(minima[0]) / (9 * volume * (1 + strain) ** 7) * EV_PER_A3_GPA)
    if modulus > STIFFEST_GPA:
        return nothing | {"lattice_constant": f"no crystal: the minimum at {strain:+.1%} asks for {modulus:.0f} GPa"}
    return {
        "lattice_constant_error": strain,
        "bulk_modulus_GPa": modulus,
        "lattice_constant": f"{strain:+.1%} against experiment",
    }


def stability(ideal: Atoms, after: Atoms, energy_ideal: float | None, energy_after: float | None) -> dict:
    """What became of a shaken structure.

    Parameters
    ----------
    ideal : relaxed from the crystal's sites; `after` : relaxed from the rattled ones.
    """
    if energy_ideal is None or energy_after is None:
        return {
            "stable": False,
            "energy_drop_eV_per_moving_atom": None,
            "largest_shift_A": None,
            "reason": "SCF failed",
        }
    fixed = ideal.constraints[0].index if ideal.constraints else []
    moved = find_mic(after.positions - ideal.positions, ideal.cell, ideal.pbc)[0]
    if not len(fixed):
        moved -= moved.mean(axis=0)  # a crystal that drifts as a whole is at rest
    shift = float(np.linalg.norm(moved, axis=1).max())
    drop = (energy_after - energy_ideal) / (len(ideal) - len(fixed))
    return {
        "stable": bool(drop >= -MELT_EV_PER_ATOM and shift <= MELT_SHIFT_A),
        "energy_drop_eV": energy_after - energy_ideal,
        "energy_drop_eV_per_moving_atom": drop,
        "largest_shift_A": shift,
        "reason": f"shaken, it ends {drop:+.3f} eV per moving atom from the crystal, largest shift {shift:.2f} A",
    }


def surface_energies(material: Material, slabs: Sequence[Atoms], energies: Sequence[float | None]) -> list[dict]:
    """Surface energies as cut, lowest first, each from a thin and a thick slab of one cell.

    The thicker slab's extra layers are the bulk: a bulk cell has other k-points, and for a calculator that sees the
    Gamma point only an error of 0.1 eV an atom, more than a surface costs.

    Parameters
    ----------
    slabs : thin, thick, thin, thick, ..., as `facet_pairs` builds them.
    energies : of the slabs in eV.

    Returns
    -------
    facet, surface_energy_J_per_m2 (mean of both sides; None where an SCF failed), literature_J_per_m2 (None where none
    is on record).

    References
    ----------
    Fiorentini and Methfessel, J. Phys. Condens. Matter 8, 6525 (1996), 10.1088/0953-8984/8/36/005.
    """
    recorded = {facet.name: facet.bare_energy_J_per_m2 for facet in material.facets}
    rows = []
    for k in range(0, len(slabs), 2):
        (thin, thick), (low, high) = slabs[k : k + 2], energies[k : k + 2]
        value = None
        if low is not None and high is not None:
            per_atom = (high - low) / (len(thick) - len(thin))
            area = np.linalg.norm(np.cross(*thin.cell.array[:2]))
            value = float((low - len(thin) * per_atom) / (2 * area) * EV_PER_A2_J_PER_M2)
        facet = annotation.noted(thin, "facet")
        rows.append({"facet": facet, "surface_energy_J_per_m2": value, "literature_J_per_m2": recorded.get(facet)})
    return sorted(
        rows, key=lambda row: np.inf if row["surface_energy_J_per_m2"] is None else row["surface_energy_J_per_m2"]
    )


def order_agrees(facets: Sequence[dict]) -> bool | None:
    """Whether facets with a literature value come in its order; None for fewer than two of them."""
    known = [row for row in facets if row["literature_J_per_m2"] and row["surface_energy_J_per_m2"] is not None]
    literature = [row["literature_J_per_m2"] for row in sorted(known, key=lambda row: row["surface_energy_J_per_m2"])]
    return literature == sorted(literature) if len(known) > 1 else None


def scf_robustness(results: Sequence[dict]) -> dict:
    """How often the SCF failed or jumped to another solution, and how often a rescue was needed before it converged."""
    failed = sum(result["jumps"] + (result["energy_eV"] is None) for result in results)
    calls = sum(result["force_calls"] + (result["energy_eV"] is None) for result in results)
    rescued = sum(sum(result["rescues"].values()) for result in results)
    return {"calls": calls, "failed": failed, "failed_share": failed / calls, "rescued": rescued}


def qualify(material: Material, tests: Mapping[str, Outcome], reactions: dict | None = None) -> dict:
    """Numbers and verdicts of one calculator for one material.

    Parameters
    ----------
    tests : by name; `strained_bulk` and `rattled_slab` must be there, `rattled_bulk` and `facets` may.
    reactions : errors on the reference reactions, from `reaction_errors`; None if nobody measured them.

    Returns
    -------
    Plain data: what each test found; `uses`, what the calculator is fit for; `substrate`: "relaxed" or "frozen". The
        tests are of bare crystals, so that verdict is too: nothing is said about one that moves under molecules.
    """
    strained = tests["strained_bulk"]
    strains = [annotation.noted(atoms, "strain") for atoms in strained.relaxed]
    volume = strained.relaxed[0].get_volume() / (1 + strains[0]) ** 3
    results = [result for outcome in tests.values() for result in outcome.results]
    data = {"material": material.name, "calculator": results[0]["calculator"]}
    data |= equation_of_state(strains, strained.energies, volume)
    if material.bulk_modulus_GPa:
        found = data["bulk_modulus_GPa"]
        data["bulk_modulus_experiment_GPa"] = material.bulk_modulus_GPa
        data["bulk_modulus_error"] = None if found is None else found / material.bulk_modulus_GPa - 1
    for key, test in (("stability", "rattled_slab"), ("bulk_stability", "rattled_bulk")):
        if test in tests:
            data[key] = stability(*tests[test].relaxed, *tests[test].energies)
    if "facets" in tests:
        data["facets"] = surface_energies(material, tests["facets"].relaxed, tests["facets"].energies)
        data["facet_order_agrees"] = order_agrees(data["facets"])
    data["scf"] = scf_robustness(results)
    if reactions:
        data["reactions"] = reactions
    data["uses"] = judge_uses(data)
    return data | {
        "substrate": "relaxed" if data["uses"]["substrate_relaxation"]["fit"] else "frozen",
        "force_calls": sum(r["force_calls"] for r in results),
        "wall_s": round(sum(r["wall_s"] for r in results), 1),
        "cpu_s": round(sum(r["cpu_s"] or 0.0 for r in results), 1),
    }
