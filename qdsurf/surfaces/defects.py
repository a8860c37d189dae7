"""Point defects of a surface, given by name and neutral by formal charges."""

import re
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from ase.formula import Formula
from ase.geometry import get_distances

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE, annotate
from qdsurf.atomistic.bonding_criteria import ADDED_ION, DEFECT_SEPARATION_A
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.atomistic.point_sampling import TIE_BREAK_DIRECTION, Pattern, choose_places
from qdsurf.errors import BalanceError, BuildError, InputError
from qdsurf.surfaces.external import known_charges
from qdsurf.surfaces.passivation import OXYGEN_HYDROGEN_A

# Angle between two oxygen atoms on one ion; they then do not touch each other.
SPREAD_DEG = 110.0
# Unit vector of the O-H bond of a hydroxide on a cation; the hydrogen atom points sideways. Rounded to two decimals.
HYDROXIDE_DIRECTION = np.array([0.9, 0, 0.43])
# Charge in e that adatoms gain if no charge of their element is recorded: that of an oxide ion.
OXIDE_CHARGE = -2.0
KINDS = (
    "V_Br (vacancy of an ion), V_PbBr2 (of a neutral unit: a Z-type vacancy), O_S (O on a site of S), O_on_S (O atom "
    "bound to S), O_on_Pb (Pb-O), O2_on_Pb (O-Pb-O), ad_PbS (additional neutral unit), H2O (dissociated: OH on a "
    "cation, H on an anion), loss_2 (loss of two ligands as neutral molecules)"
)


def make_defects(surface: Atoms, names: Sequence[str], seed: int | None = None, charged: bool = False) -> Atoms:
    """Create point defects in the outermost layer, one after the other.

    Parameters
    ----------
    surface : Atoms
        Annotated slab.
    names : sequence of str
        Names such as V_Br, V_PbBr2, O_S, O_on_S, ad_PbS, H2O or loss_1. Several defects may balance each other, as V_Br
        and V_Cs do.
    seed : int, optional
        Seed of the positions. None places the first defect in the middle of the cell and each further one as far as
        possible from the others.
    charged : bool
        Accept formal charges that do not add up to zero.

    Returns
    -------
    Atoms
        Copy. `info` lists the defects, and the element and position of every vacancy for `find_sites`.

    Raises
    ------
    InputError
        A name is not understood.
    BuildError
        The surface does not contain the required atoms.
    BalanceError
        The defects leave a charge; the message lists the formal charges.
    """
    defective = surface.copy()
    earlier = str(annotation.noted(surface, "defects", ""))
    annotation.drop_notes(defective, "charge")
    for number, name in enumerate(names):
        defective = _make(defective, name, None if seed is None else seed + number)
    annotation.note(defective, defects=" ".join([*earlier.split(), *names]))
    total = float(annotation.formal_charges(defective).sum())
    if abs(total) > 1e-9:
        if not charged:
            raise BalanceError(
                f"{' with '.join(names)} leaves a charge: {charge_balance(defective)}. Add a defect that balances the "
                "charge, such as the vacancy of a counterion, or build a charged model with charged=True (Python) or "
                "--allow-charged (command line)."
            )
        annotation.note(defective, charge=total)
    return defective


def _make(atoms: Atoms, name: str, seed: int | None) -> Atoms:
    """Create one defect by its name."""
    formula = name.split("_", 1)[-1] if name[:2] in ("V_", "ad") else name
    for symbol in re.findall(r"[A-Z][a-z]?", formula):
        if symbol not in chemical_symbols[1:] and not name.startswith("loss"):
            raise InputError(f"defect {name!r}: {symbol!r} is not an element; accepted: {KINDS}")
    if match := re.fullmatch(r"V_(\w+)", name):
        return _vacancy(atoms, _elements(match[1], name), seed)
    if match := re.fullmatch(r"([A-Z][a-z]?)(2?)_on_([A-Z][a-z]?)", name):
        return _adatoms_on(atoms, match[1], 2 if match[2] else 1, match[3], seed)
    if match := re.fullmatch(r"ad_(\w+)", name):
        return _additional_unit(atoms, _elements(match[1], name), seed)
    if name == "H2O":
        return _dissociated_water(atoms, seed)
    if match := re.fullmatch(r"loss_(\d+)", name):
        return lose_ligands(atoms, int(match[1]), seed)
    if match := re.fullmatch(r"([A-Z][a-z]?)_([A-Z][a-z]?)", name):
        return _substitution(atoms, match[1], match[2], seed)
    raise InputError(f"unknown defect {name!r}; accepted: {KINDS}")


def _elements(formula: str, name: str) -> list[str]:
    """Return the elements of a formula, each as often as it occurs."""
    try:
        return list(Formula(formula))
    except ValueError:
        raise InputError(f"defect {name!r}: {formula!r} is not a formula; accepted: {KINDS}") from None


def _outermost(atoms: Atoms, element: str) -> np.ndarray:
    """Return the substrate atoms of an element in the highest layer that contains it."""
    candidates = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (atoms.symbols == element))
    if len(candidates) == 0:
        present = sorted(set(atoms.symbols[annotation.parts(atoms) == SUBSTRATE]))
        raise BuildError(f"the crystal contains no {element}; choose a defect of {', '.join(present)}")
    layers = annotation.layers(atoms)[candidates]
    return candidates[layers == layers.min()]


def _earlier_positions(atoms: Atoms) -> np.ndarray:
    """Return the positions in A of the defects created so far, shape (n, 3)."""
    return np.asarray(annotation.noted(atoms, "defect_positions", [])).reshape(-1, 3)


def _choose_site(atoms: Atoms, candidates: np.ndarray, seed: int | None) -> int:
    """Choose and record the site of a defect: far from earlier defects, or in the middle of the cell."""
    if len(candidates) == 0:
        raise BuildError(
            "no atom of the outermost layer is accessible for the defect; choose another defect or surface"
        )
    positions, earlier = atoms.positions[candidates], _earlier_positions(atoms)
    free = np.arange(len(candidates))
    distances = np.full(len(candidates), np.inf)
    if len(earlier):
        distances = get_distances(earlier, positions, cell=atoms.cell, pbc=atoms.pbc)[1].min(axis=0)
        free = np.flatnonzero(distances > DEFECT_SEPARATION_A)
        if len(free) == 0:
            raise BuildError("earlier defects occupy every site of this defect; use a larger supercell")
    if len(earlier) and seed is None:
        best = int(free[np.argmax(distances[free].round(3))])
    else:
        pattern: Pattern = "uniform" if seed is None else "random"
        best = int(free[choose_places(positions[free], 1, atoms, pattern, seed)[0]])
    annotation.note(atoms, defect_positions=np.vstack([earlier, positions[best]]))
    return int(candidates[best])


def _choose_second_site(atoms: Atoms, first: int, candidates: np.ndarray, what: str) -> int:
    """Choose and record the candidate nearest to the first site of a defect that no defect occupies yet."""
    earlier = _earlier_positions(atoms)
    distances = get_distances(earlier, atoms.positions[candidates], cell=atoms.cell, pbc=atoms.pbc)[1].min(axis=0)
    free = candidates[distances > DEFECT_SEPARATION_A]
    if len(free) == 0:
        raise BuildError(f"no counterion without a defect is available for {what}; use a larger supercell")
    chosen = int(_by_distance(atoms, first, free)[0])
    annotation.note(atoms, defect_positions=np.vstack([earlier, atoms.positions[chosen]]))
    return chosen


def _accessible_ions(atoms: Atoms, sign: int) -> np.ndarray:
    """Return the ions of one sign with the largest charge in the outermost layer; deeper ions are covered."""
    charge = annotation.formal_charges(atoms) * sign
    outermost = (annotation.parts(atoms) == SUBSTRATE) & (annotation.layers(atoms) == 1)
    outermost &= (charge > 0) & (atoms.numbers > 1)
    if not outermost.any():
        raise BuildError(
            f"the outermost layer contains no {'cation' if sign > 0 else 'anion'}; choose another termination or defect"
        )
    return np.flatnonzero(outermost & (charge == charge[outermost].max()))


def _by_distance(atoms: Atoms, start: int, candidates: np.ndarray) -> np.ndarray:
    """Sort candidates by their distance from an atom; at equal distance, the higher layer comes first."""
    distance = atoms.get_distances(start, candidates, mic=True).round(3)
    return candidates[np.lexsort((annotation.layers(atoms)[candidates], distance))]


def _vacancy(atoms: Atoms, elements: list[str], seed: int | None) -> Atoms:
    """Remove one atom of each element; the atoms of a unit are neighbours."""
    first = _choose_site(atoms, _outermost(atoms, elements[0]), seed)
    removed = [first]
    for element in elements[1:]:
        like = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (atoms.symbols == element))
        candidates = np.setdiff1d(like[annotation.layers(atoms)[like] <= 2], removed)
        if len(candidates) == 0:
            raise BuildError(
                f"the two outermost layers contain no {element} beside the vacancy; remove a unit of other elements"
            )
        removed.append(int(_by_distance(atoms, first, candidates)[0]))
    remaining = atoms[np.setdiff1d(np.arange(len(atoms)), removed)]
    earlier_elements = np.atleast_1d(annotation.noted(atoms, "vacancy_elements", [])).tolist()
    earlier_positions = np.asarray(annotation.noted(atoms, "vacancy_positions", [])).reshape(-1, 3)
    annotation.copy_notes(atoms, remaining)
    annotation.note(
        remaining,
        vacancy_elements=[*earlier_elements, *(atoms.symbols[i] for i in removed)],
        vacancy_positions=np.vstack([earlier_positions, atoms.positions[removed]]),
    )
    return remaining


def _substitution(atoms: Atoms, new: str, old: str, seed: int | None) -> Atoms:
    """Replace an ion by another element with its recorded charge; its height changes by the difference of the radii."""
    site = _choose_site(atoms, _outermost(atoms, old), seed)
    changed = atoms.copy()
    changed.symbols[site] = new
    annotation.formal_charges(changed)[site] = known_charges().get(new, annotation.formal_charges(atoms)[site])
    change = covalent_radii[changed.numbers[site]] - covalent_radii[atoms.numbers[site]]
    changed.positions[site, 2] += change
    return changed


def _adatoms_on(atoms: Atoms, new: str, count: int, old: str, seed: int | None) -> Atoms:
    """Add one or two neutral atoms to an ion, as in oxidation; the ion loses the charge that the atoms gain.

    The charge of the ion increases by two: S2- + O -> S + O2-, or Pb2+ + O -> Pb4+ + O2-. Two oxygen atoms gain the
    same charge as one, as in a peroxide.
    """
    host = _choose_site(atoms, _outermost(atoms, old), seed)
    oxidised = atoms.copy()
    length = covalent_radii[atoms.numbers[host]] + covalent_radii[atomic_numbers[new]]
    tilts = np.radians([0.0] if count == 1 else [-SPREAD_DEG / 2, SPREAD_DEG / 2])
    sideways = TIE_BREAK_DIRECTION[:2] / np.linalg.norm(TIE_BREAK_DIRECTION[:2])
    positions = [atoms.positions[host] + length * np.array([*np.sin(tilt) * sideways, np.cos(tilt)]) for tilt in tilts]
    adatoms = annotate(Atoms([new] * count, positions), SUBSTRATE)
    gained = known_charges().get(new, OXIDE_CHARGE)
    # One atom has the charge of both. With -1 e each, they would count as ions that a ligand can replace.
    annotation.formal_charges(adatoms)[0] = gained
    annotation.formal_charges(oxidised)[host] -= gained
    annotation.layers(adatoms)[:] = 1
    oxidised += adatoms
    annotation.copy_notes(atoms, oxidised)
    return oxidised


def _additional_unit(atoms: Atoms, elements: list[str], seed: int | None) -> Atoms:
    """Add a neutral unit: each ion above a counterion of the outermost layer, where the crystal would continue."""
    extended = atoms.copy()
    charges = {
        symbol: charge for symbol, charge in zip(atoms.symbols, annotation.formal_charges(atoms), strict=True) if charge
    }
    first: int | None = None
    for element in elements:
        if element not in charges:
            raise BuildError(
                f"no formal charge is known for {element}; choose a unit of the elements {', '.join(charges)}"
            )
        hosts = _accessible_ions(atoms, -1 if charges[element] > 0 else +1)
        if first is None:
            first = host = _choose_site(atoms, hosts, seed)
        else:
            host = _choose_second_site(atoms, first, hosts, element)
        length = covalent_radii[atoms.numbers[host]] + covalent_radii[atomic_numbers[element]]
        ion = annotate(Atoms(element, [atoms.positions[host] + [0, 0, ADDED_ION * length]]), SUBSTRATE)
        annotation.formal_charges(ion)[:] = charges[element]
        annotation.layers(ion)[:] = 1
        extended += ion
    annotation.copy_notes(atoms, extended)
    return extended


def _dissociated_water(atoms: Atoms, seed: int | None) -> Atoms:
    """Add a hydroxide on a cation and a proton on the nearest anion."""
    cations, anions = _accessible_ions(atoms, +1), _accessible_ions(atoms, -1)
    cation = _choose_site(atoms, cations, seed)
    anion = _choose_second_site(atoms, cation, anions, "the proton of the water molecule")
    radius = covalent_radii[atoms.numbers]
    oxygen = atoms.positions[cation] + [0, 0, radius[cation] + covalent_radii[8]]
    hydrogen = oxygen + HYDROXIDE_DIRECTION * OXYGEN_HYDROGEN_A
    proton = atoms.positions[anion] + [0, 0, radius[anion] + covalent_radii[1]]
    water = annotate(Atoms("OHH", [oxygen, hydrogen, proton]), SUBSTRATE)
    annotation.formal_charges(water)[:] = -1, 0, +1
    annotation.layers(water)[:] = 1
    extended = atoms + water
    annotation.copy_notes(atoms, extended)
    return extended


def lose_ligands(atoms: Atoms, count: int, seed: int | None = None) -> Atoms:
    """Remove ligands as neutral molecules: an acid with its proton, or an ion with a counterion of the crystal.

    Parameters
    ----------
    atoms : Atoms
        Covered slab or particle.
    count : int
        Number of ligands.
    seed : int, optional
        Seed of the choice of ligands; None is the same as 0.

    Returns
    -------
    Atoms
        Copy without the ligands.

    Raises
    ------
    BuildError
        There are fewer ligands, or not enough counterions.
    """
    fragments = np.unique(annotation.fragments(atoms)[annotation.parts(atoms) == LIGAND])
    if count > len(fragments):
        raise BuildError(
            f"{count} ligands requested for removal, but the structure has {len(fragments)}; give at most this number"
        )
    rng = np.random.default_rng(0 if seed is None else seed)
    removed = np.isin(annotation.fragments(atoms), rng.permutation(fragments)[:count])
    charge = round(annotation.formal_charges(atoms)[removed].sum())
    if charge:
        opposite = -np.sign(charge)
        ions = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (annotation.formal_charges(atoms) == opposite))
        ions = ions[np.argsort(annotation.layers(atoms)[ions], kind="stable")][: abs(charge)]
        if len(ions) < abs(charge):
            raise BuildError(
                f"{count} ligands of total charge {charge:+d} leave with counterions of charge {opposite:+d}, but the "
                f"crystal has {len(ions)}; remove fewer ligands"
            )
        removed[ions] = True
    remaining = atoms[~removed]
    annotation.copy_notes(atoms, remaining)
    return remaining
