"""Point defects of a surface by name, neutral by the ledger."""

import re
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from ase.formula import Formula
from ase.geometry import get_distances

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import LIGAND, SUBSTRATE, annotate
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.atomistic.point_sampling import TIE_BREAK_DIRECTION, choose_places
from qdsurf.errors import BalanceError, BuildError, InputError
from qdsurf.surfaces.external import known_charges
from qdsurf.surfaces.passivation import OXYGEN_HYDROGEN_A

SPREAD_DEG = 110.0  # between two oxygens on one ion, so that neither touches the other
BESIDE_A = 1.5  # two defects are not made on atoms nearer than this
KINDS = (
    "V_Br (vacancy of an ion), V_PbBr2 (of a neutral unit: a Z-type vacancy), O_S (O in the place of S), O_on_S "
    "(O atom bound to S), O_on_Pb (Pb-O), O2_on_Pb (O-Pb-O), ad_PbS (neutral unit on top), H2O "
    "(dissociated: OH on a cation, H on an anion), loss_2 (two ligands gone with what keeps the charge)"
)


def make_defects(surface: Atoms, names: Sequence[str], seed: int | None = None, charged: bool = False) -> Atoms:
    """Make point defects in the outermost layer, one after the other.

    Parameters
    ----------
    surface : slab with the columns of `atomistic.annotation.annotate`.
    names : such as V_Br, V_PbBr2, O_S, O_on_S, ad_PbS, H2O, loss_1; several may balance one another (V_Br, V_Cs).
    seed : of the places; None begins in the middle of the cell and goes as far away as it can.
    charged : accept formal charges that do not add up to zero.

    Returns
    -------
    A copy; `info` lists the defects, and element and position of every vacancy for `find_sites`.

    Raises
    ------
    InputError : a name is not understood.
    BuildError : the surface has no such atoms.
    BalanceError : the defects leave a charge; the message lists the formal charges.
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
                f"{' with '.join(names)} leaves a charge: {charge_balance(defective)}. Add the defect that "
                "balances it, such as the vacancy of a counterion, or ask for a charged model by name (charged=True, "
                "--allow-charged)."
            )
        annotation.note(defective, charge=total)
    return defective


def _make(atoms: Atoms, name: str, seed: int | None) -> Atoms:
    for symbol in re.findall(r"[A-Z][a-z]?", name.split("_", 1)[-1] if name[:2] in ("V_", "ad") else name):
        if symbol not in chemical_symbols[1:] and not name.startswith("loss"):
            raise InputError(f"defect {name!r}: {symbol!r} is no element; accepted: {KINDS}")
    if match := re.fullmatch(r"V_(\w+)", name):
        return _vacancy(atoms, _elements(match[1], name), seed)
    if match := re.fullmatch(r"([A-Z][a-z]?)(2?)_on_([A-Z][a-z]?)", name):
        return _adatoms_on(atoms, match[1], 2 if match[2] else 1, match[3], seed)
    if match := re.fullmatch(r"ad_(\w+)", name):
        return _adunit(atoms, _elements(match[1], name), seed)
    if name == "H2O":
        return _dissociated_water(atoms, seed)
    if match := re.fullmatch(r"loss_(\d+)", name):
        return lose_ligands(atoms, int(match[1]), seed)
    if match := re.fullmatch(r"([A-Z][a-z]?)_([A-Z][a-z]?)", name):
        return _substitution(atoms, match[1], match[2], seed)
    raise InputError(f"unknown defect {name!r}; accepted: {KINDS}")


def _elements(formula: str, name: str) -> list[str]:
    try:
        return list(Formula(formula))
    except ValueError:
        raise InputError(f"defect {name!r}: {formula!r} is no formula; accepted: {KINDS}") from None


def _outermost(atoms: Atoms, element: str) -> np.ndarray:
    """Substrate atoms of an element in the highest layer that has some."""
    mine = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (atoms.symbols == element))
    if len(mine) == 0:
        present = sorted(set(atoms.symbols[annotation.parts(atoms) == SUBSTRATE]))
        raise BuildError(f"no {element} in this crystal; it holds {', '.join(present)}")
    return mine[annotation.layers(atoms)[mine] == annotation.layers(atoms)[mine].min()]


def _one(atoms: Atoms, candidates: np.ndarray, seed: int | None) -> int:
    """The place of a defect: away from the defects that are there, in the middle where there are none."""
    if len(candidates) == 0:
        raise BuildError("no atom of the outermost layer is open for the defect")
    places = atoms.positions[candidates]
    earlier = np.asarray(annotation.noted(atoms, "defect_positions", [])).reshape(-1, 3)
    free = np.arange(len(candidates))
    if len(earlier):
        apart = get_distances(earlier, places, cell=atoms.cell, pbc=atoms.pbc)[1].min(axis=0)
        free = np.flatnonzero(apart > BESIDE_A)
        if len(free) == 0:
            raise BuildError("every place for the defect is taken by one before it; take a larger supercell")
    if len(earlier) and seed is None:
        best = int(free[np.argmax(apart[free].round(3))])
    else:
        best = int(free[choose_places(places[free], 1, atoms, "random" if seed is not None else "uniform", seed)[0]])
    annotation.note(atoms, defect_positions=np.vstack([earlier, places[best]]))
    return int(candidates[best])


def _second(atoms: Atoms, first: int, candidates: np.ndarray, what: str) -> int:
    """The nearest candidate beside the first place of a defect that no defect uses yet; it is used from now on."""
    earlier = np.asarray(annotation.noted(atoms, "defect_positions")).reshape(-1, 3)
    apart = get_distances(earlier, atoms.positions[candidates], cell=atoms.cell, pbc=atoms.pbc)[1].min(axis=0)
    free = candidates[apart > BESIDE_A]
    if len(free) == 0:
        raise BuildError(f"no free counterion is left for {what}; take a larger supercell")
    chosen = int(_beside(atoms, first, free)[0])
    annotation.note(atoms, defect_positions=np.vstack([earlier, atoms.positions[chosen]]))
    return chosen


def _open_ions(atoms: Atoms, sign: int) -> np.ndarray:
    """Ions of one sign in the outermost layer, those of the largest charge; deeper ones are covered."""
    charge = annotation.formal_charges(atoms) * sign
    outer = (
        (annotation.parts(atoms) == SUBSTRATE) & (annotation.layers(atoms) == 1) & (charge > 0) & (atoms.numbers > 1)
    )
    if not outer.any():
        raise BuildError(f"no {'cation' if sign > 0 else 'anion'} lies open in the outermost layer")
    return np.flatnonzero(outer & (charge == charge[outer].max()))


def _beside(atoms: Atoms, start: int, candidates: np.ndarray) -> np.ndarray:
    """Candidates by their distance from an atom."""
    distance = atoms.get_distances(start, candidates, mic=True).round(3)
    return candidates[np.lexsort((annotation.layers(atoms)[candidates], distance))]


def _vacancy(atoms: Atoms, elements: list[str], seed: int | None) -> Atoms:
    """Take one atom of each element, those of a unit from beside one another."""
    first = _one(atoms, _outermost(atoms, elements[0]), seed)
    gone = [first]
    for element in elements[1:]:
        mine = np.flatnonzero((annotation.parts(atoms) == SUBSTRATE) & (atoms.symbols == element))
        left = np.setdiff1d(mine[annotation.layers(atoms)[mine] <= 2], gone)
        if len(left) == 0:
            raise BuildError(f"no {element} beside the vacancy")
        gone.append(int(_beside(atoms, first, left)[0]))
    kept = atoms[np.setdiff1d(np.arange(len(atoms)), gone)]
    names = [
        *np.atleast_1d(annotation.noted(atoms, "vacancy_elements", [])).tolist(),
        *(atoms.symbols[i] for i in gone),
    ]
    places = np.vstack(
        [np.asarray(annotation.noted(atoms, "vacancy_positions", [])).reshape(-1, 3), atoms.positions[gone]]
    )
    annotation.copy_notes(atoms, kept)
    annotation.note(kept, vacancy_elements=names, vacancy_positions=places)
    return kept


def _substitution(atoms: Atoms, new: str, old: str, seed: int | None) -> Atoms:
    """Another element in the place of an ion, with the charge on record; it sinks or rises to its own bond length."""
    place = _one(atoms, _outermost(atoms, old), seed)
    changed = atoms.copy()
    changed.symbols[place] = new
    annotation.formal_charges(changed)[place] = known_charges().get(new, annotation.formal_charges(atoms)[place])
    change = covalent_radii[changed.numbers[place]] - covalent_radii[atoms.numbers[place]]
    changed.positions[place, 2] += change
    return changed


def _adatoms_on(atoms: Atoms, new: str, count: int, old: str, seed: int | None) -> Atoms:
    """One or two neutral atoms upon an ion, as in oxidation: the charge that they take is the ion's loss.

    The ion rises by two (S2- + O -> S + O2-, Pb2+ + O -> Pb4+ + O2-); two oxygens take no more, as in a peroxide.
    """
    below = _one(atoms, _outermost(atoms, old), seed)
    grown = atoms.copy()
    length = covalent_radii[atoms.numbers[below]] + covalent_radii[atomic_numbers[new]]
    tilts = np.radians([0.0] if count == 1 else [-SPREAD_DEG / 2, SPREAD_DEG / 2])
    aside = TIE_BREAK_DIRECTION[:2] / np.linalg.norm(TIE_BREAK_DIRECTION[:2])
    places = [atoms.positions[below] + length * np.array([*np.sin(tilt) * aside, np.cos(tilt)]) for tilt in tilts]
    adatoms = annotate(Atoms([new] * count, places), SUBSTRATE)
    taken = known_charges().get(new, -2.0)
    annotation.formal_charges(adatoms)[0] = taken  # of both: alone, each would pass for an ion that a ligand replaces
    annotation.formal_charges(grown)[below] -= taken
    annotation.layers(adatoms)[:] = 1
    grown += adatoms
    annotation.copy_notes(atoms, grown)
    return grown


def _adunit(atoms: Atoms, elements: list[str], seed: int | None) -> Atoms:
    """A neutral unit on top: each ion over a counterion of the outermost layer, where the crystal would go on."""
    grown = atoms.copy()
    charges = {
        symbol: charge for symbol, charge in zip(atoms.symbols, annotation.formal_charges(atoms), strict=True) if charge
    }
    first: int | None = None
    for element in elements:
        if element not in charges:
            raise BuildError(f"no formal charge is known for {element}; the crystal has {', '.join(charges)}")
        hosts = _open_ions(atoms, -1 if charges[element] > 0 else +1)
        host = _one(atoms, hosts, seed) if first is None else _second(atoms, first, hosts, element)
        first = host if first is None else first
        length = covalent_radii[atoms.numbers[host]] + covalent_radii[atomic_numbers[element]]
        adatom = annotate(Atoms(element, [atoms.positions[host] + [0, 0, 1.05 * length]]), SUBSTRATE)
        annotation.formal_charges(adatom)[:] = charges[element]
        annotation.layers(adatom)[:] = 1
        grown += adatom
    annotation.copy_notes(atoms, grown)
    return grown


def _dissociated_water(atoms: Atoms, seed: int | None) -> Atoms:
    """Hydroxide on a cation and a proton on the anion beside it."""
    cations, anions = _open_ions(atoms, +1), _open_ions(atoms, -1)
    cation = _one(atoms, cations, seed)
    anion = _second(atoms, cation, anions, "the proton of the water")
    radius = covalent_radii[atoms.numbers]
    oxygen = atoms.positions[cation] + [0, 0, radius[cation] + covalent_radii[8]]
    lean = np.array([0.9, 0, 0.43]) * OXYGEN_HYDROGEN_A  # the hydrogen of a hydroxide points aside
    places = [oxygen, oxygen + lean, atoms.positions[anion] + [0, 0, radius[anion] + covalent_radii[1]]]
    water = annotate(Atoms("OHH", places), SUBSTRATE)
    annotation.formal_charges(water)[:] = -1, 0, +1
    annotation.layers(water)[:] = 1
    grown = atoms + water
    annotation.copy_notes(atoms, grown)
    return grown


def lose_ligands(atoms: Atoms, count: int, seed: int | None = None) -> Atoms:
    """Take ligands off as neutral molecules: an acid with its proton, a replaced ion with a counterion.

    Raises
    ------
    BuildError : there are not so many, or no counterion is there to leave with them.
    """
    fragments = np.unique(annotation.fragments(atoms)[annotation.parts(atoms) == LIGAND])
    if count > len(fragments):
        raise BuildError(f"{count} ligands cannot leave: there are {len(fragments)}")
    rng = np.random.default_rng(0 if seed is None else seed)
    gone = np.isin(annotation.fragments(atoms), rng.permutation(fragments)[:count])
    charge = round(annotation.formal_charges(atoms)[gone].sum())
    if charge:
        ions = np.flatnonzero(
            (annotation.parts(atoms) == SUBSTRATE) & (annotation.formal_charges(atoms) == -np.sign(charge))
        )
        ions = ions[np.argsort(annotation.layers(atoms)[ions], kind="stable")][: abs(charge)]
        if len(ions) < abs(charge):
            raise BuildError(f"no ion of charge {-np.sign(charge):+d} can leave with the ligands")
        gone[ions] = True
    left = atoms[~gone]
    annotation.copy_notes(atoms, left)
    return left
