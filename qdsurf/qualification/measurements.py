"""Properties of a crystal with one calculator: equation of state, stability, surface energies, failures of the SCF."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from qdsurf.atomistic import annotation
from qdsurf.qualification.criteria import MELT_EV_PER_ATOM, MELT_SHIFT_A, assess_uses
from qdsurf.records.models import Material
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.units import EV_PER_A2_J_PER_M2, EV_PER_A3_GPA

# Diamond has the largest bulk modulus of all crystals, 442 GPa (10.1063/1.1661636). A fit with a much larger one
# describes energies that differ by thousands of eV, not a crystal. The limit leaves a margin for methods that are too
# stiff.
STIFFEST_GPA = 1000.0


def equation_of_state(
    strains: Sequence[float], energies: Sequence[float | None], volume: float
) -> dict[str, float | str | None]:
    """Compute lattice constant and bulk modulus from the third-order Birch-Murnaghan equation of state.

    The equation is a cubic polynomial in V^(-2/3). All lengths are scaled by the same factor and no atom relaxes, so
    the modulus is an upper bound for crystals with free coordinates or with two lattice constants.

    Parameters
    ----------
    strains : sequence of float
        Relative changes of the lattice constant, ascending.
    energies : sequence of float or None
        Energies of the same cell in eV; None if the SCF failed.
    volume : float
        Volume of the unstrained cell in A^3.

    Returns
    -------
    dict
        `lattice_constant_error` (relative, positive if the computed crystal is larger) and `bulk_modulus_GPa`; both
        None if the strains contain no minimum, or one that is stiffer than any crystal. `lattice_constant` is the
        result in words.

    References
    ----------
    Birch, Phys. Rev. 71, 809 (1947), 10.1103/PhysRev.71.809.
    """
    points = [(s, e) for s, e in zip(strains, energies, strict=True) if e is not None]
    no_number: dict[str, float | str | None] = {"lattice_constant_error": None, "bulk_modulus_GPa": None}
    if len(points) < 3:
        return no_number | {"lattice_constant": f"SCF failed at {len(strains) - len(points)} of {len(strains)} points"}
    low, high = points[0][0], points[-1][0]
    x = np.array([(1 + s) ** -2 for s, _ in points])
    fit = np.polynomial.Polynomial.fit(x, [e for _, e in points], deg=min(3, len(points) - 1))
    slope = fit.deriv()
    curvature = slope.deriv()
    # Without trimming, a leading coefficient of rounding noise would make the root inaccurate.
    slope = slope.trim(1e-9 * np.abs(slope.coef).max())
    roots = [float(root.real) for root in slope.roots() if abs(root.imag) < 1e-9]
    minima = [root for root in roots if curvature(root) > 0 and x[-1] <= root <= x[0]]
    if not minima:
        return no_number | {"lattice_constant": f"no minimum between {low:+.1%} and {high:+.1%}"}
    strain = minima[0] ** -0.5 - 1
    # B = V d2E/dV2 with V = volume (1 + s)^3 and x = (1 + s)^-2, where dE/dx = 0.
    modulus = float(4 * curvature(minima[0]) / (9 * volume * (1 + strain) ** 7) * EV_PER_A3_GPA)
    if modulus > STIFFEST_GPA:
        reason = f"no crystal: the minimum at {strain:+.1%} has a bulk modulus of {modulus:.0f} GPa"
        return no_number | {"lattice_constant": reason}
    return {
        "lattice_constant_error": strain,
        "bulk_modulus_GPa": modulus,
        "lattice_constant": f"{strain:+.1%} against experiment",
    }


def stability(
    ideal: Atoms, after: Atoms, energy_ideal: float | None, energy_after: float | None
) -> dict[str, bool | float | str | None]:
    """Compare a rattled and relaxed structure with the ideal one.

    Parameters
    ----------
    ideal : Atoms
        Structure relaxed from the sites of the crystal.
    after : Atoms
        Structure relaxed from rattled positions, with the same atoms in the same order.
    energy_ideal, energy_after : float or None
        Energies of the two in eV; None if the SCF failed.

    Returns
    -------
    dict
        `stable`; `energy_drop_eV` and `energy_drop_eV_per_moving_atom`, negative if the rattled structure ends lower;
        `largest_shift_A`; and the `reason` in words. If the SCF failed, the numbers are None.
    """
    if energy_ideal is None or energy_after is None:
        return {
            "stable": False,
            "energy_drop_eV_per_moving_atom": None,
            "largest_shift_A": None,
            "reason": "SCF failed",
        }
    fixed = ideal.constraints[0].index if ideal.constraints else []
    shifts = find_mic(after.positions - ideal.positions, ideal.cell, ideal.pbc)[0]
    if not len(fixed):
        shifts -= shifts.mean(axis=0)  # a translation of the whole crystal does not count
    largest_shift = float(np.linalg.norm(shifts, axis=1).max())
    drop = (energy_after - energy_ideal) / (len(ideal) - len(fixed))
    return {
        "stable": bool(drop >= -MELT_EV_PER_ATOM and largest_shift <= MELT_SHIFT_A),
        "energy_drop_eV": energy_after - energy_ideal,
        "energy_drop_eV_per_moving_atom": drop,
        "largest_shift_A": largest_shift,
        "reason": f"the rattled structure ends {drop:+.3f} eV per moving atom from the crystal, "
        f"largest shift {largest_shift:.2f} A",
    }


def surface_energies(
    material: Material, slabs: Sequence[Atoms], energies: Sequence[float | None]
) -> list[dict[str, Any]]:
    """Compute the energies of unrelaxed surfaces, each from a thin and a thick slab with the same surface cell.

    The additional layers of the thicker slab give the energy of the bulk. A bulk cell has other k-points. For a
    calculator with the Gamma point only, that is an error of 0.1 eV per atom, more than the energy of a surface.

    Parameters
    ----------
    material : Material
        Record with the surface energies from the literature.
    slabs : sequence of Atoms
        Thin, thick, thin, thick and so on, from `facet_pairs`.
    energies : sequence of float or None
        Energies of the slabs in eV; None if the SCF failed.

    Returns
    -------
    list of dict
        For each facet, lowest energy first: `facet`; `surface_energy_J_per_m2`, the mean of both sides, None if an SCF
        failed; and `literature_J_per_m2`, None if it is not recorded.

    References
    ----------
    Fiorentini and Methfessel, J. Phys. Condens. Matter 8, 6525 (1996), 10.1088/0953-8984/8/36/005.
    """
    recorded = {facet.name: facet.bare_energy_J_per_m2 for facet in material.facets}
    rows = []
    for k in range(0, len(slabs), 2):
        thin, thick = slabs[k : k + 2]
        thin_energy, thick_energy = energies[k : k + 2]
        value = None
        if thin_energy is not None and thick_energy is not None:
            per_atom = (thick_energy - thin_energy) / (len(thick) - len(thin))
            area = np.linalg.norm(np.cross(*thin.cell.array[:2]))
            value = float((thin_energy - len(thin) * per_atom) / (2 * area) * EV_PER_A2_J_PER_M2)
        facet = annotation.noted(thin, "facet")
        rows.append({"facet": facet, "surface_energy_J_per_m2": value, "literature_J_per_m2": recorded.get(facet)})
    return sorted(
        rows, key=lambda row: np.inf if row["surface_energy_J_per_m2"] is None else row["surface_energy_J_per_m2"]
    )


def order_agrees(facets: Sequence[Mapping[str, Any]]) -> bool | None:
    """Compare the order of the surface energies with the literature.

    Parameters
    ----------
    facets : sequence of mapping
        Rows of `surface_energies`.

    Returns
    -------
    bool or None
        Whether the order is the same; None if fewer than two facets have both numbers.
    """
    known = [row for row in facets if row["literature_J_per_m2"] and row["surface_energy_J_per_m2"] is not None]
    literature = [row["literature_J_per_m2"] for row in sorted(known, key=lambda row: row["surface_energy_J_per_m2"])]
    return literature == sorted(literature) if len(known) > 1 else None


def scf_robustness(results: Sequence[RelaxationResult]) -> dict[str, float]:
    """Count how often the SCF failed or changed its solution, and how often it had to be recovered.

    Parameters
    ----------
    results : sequence of RelaxationResult
        At least one.

    Returns
    -------
    dict
        `calls`, `failed` and `rescued` are numbers; `failed_share` is `failed` divided by `calls`.
    """
    failed = sum(result.jumps + (result.energy_eV is None) for result in results)
    calls = sum(result.force_calls + (result.energy_eV is None) for result in results)
    rescued = sum(sum(result.rescues.values()) for result in results)
    return {"calls": calls, "failed": failed, "failed_share": failed / calls, "rescued": rescued}


def qualify(
    material: Material,
    tests: Mapping[str, Sequence[RelaxationResult]],
    reactions: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Assess one calculator for one material.

    Parameters
    ----------
    material : Material
        Record of the material.
    tests : mapping
        Results by the name of the test; `strained_bulk` and `rattled_slab` are required, `rattled_bulk` and `facets`
        are optional.
    reactions : mapping, optional
        Errors on the reference reactions from `reaction_errors`; None if they were not computed.

    Returns
    -------
    dict
        Plain data: the results of the tests; `uses`, for which uses the calculator is fit; and `substrate`, `relaxed`
        or `frozen`. The tests are made on bare crystals and do not show whether a crystal is stable under molecules.
    """
    strained = tests["strained_bulk"]
    strains = [annotation.noted(result.atoms, "strain") for result in strained]
    volume = strained[0].atoms.get_volume() / (1 + strains[0]) ** 3
    results = [result for batch in tests.values() for result in batch]
    data: dict[str, Any] = {"material": material.name, "calculator": results[0].calculator}
    data |= equation_of_state(strains, [result.energy_eV for result in strained], volume)
    if material.bulk_modulus_GPa:
        computed = data["bulk_modulus_GPa"]
        data["bulk_modulus_experiment_GPa"] = material.bulk_modulus_GPa
        data["bulk_modulus_error"] = None if computed is None else computed / material.bulk_modulus_GPa - 1
    for key, test in (("stability", "rattled_slab"), ("bulk_stability", "rattled_bulk")):
        if test in tests:
            ideal, rattled = tests[test]
            data[key] = stability(ideal.atoms, rattled.atoms, ideal.energy_eV, rattled.energy_eV)
    if "facets" in tests:
        slabs = tests["facets"]
        energies = [result.energy_eV for result in slabs]
        data["facets"] = surface_energies(material, [result.atoms for result in slabs], energies)
        data["facet_order_agrees"] = order_agrees(data["facets"])
    data["scf"] = scf_robustness(results)
    if reactions:
        data["reactions"] = reactions
    data["uses"] = assess_uses(data)
    return data | {
        "substrate": "relaxed" if data["uses"]["substrate_relaxation"]["fit"] else "frozen",
        "force_calls": sum(result.force_calls for result in results),
        "wall_s": round(sum(result.wall_s for result in results), 1),
        "cpu_s": round(sum(result.cpu_s or 0.0 for result in results), 1),
    }
