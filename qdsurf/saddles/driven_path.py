"""A driven path: the bonds that a step changes are pulled, and everything else settles, until a hill is behind."""

from collections.abc import Collection

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from qdsurf.atomistic.bonding_criteria import RESTRAINT_BROKEN
from qdsurf.relaxation.optimiser import ModelNewton
from qdsurf.relaxation.restraints import HeldBonds
from qdsurf.saddles.eigenvector_following import MAX_STEP_A
from qdsurf.saddles.energy_surface import Point, Surface

PULLS = 8  # parts of the way, so that an atom that goes 4 A moves by half an angstrom at a time
SETTLE_EV_PER_A, SETTLE_CALLS = 0.3, 12  # a path needs no minima, and a climb copes with such a force
DOWN_EV = 0.1  # so much below the highest image, the hill is behind


def drive_bonds(
    surface: Surface, initial: Atoms, final: Atoms, changes: Collection[tuple[int, int]]
) -> list[tuple[Atoms, Point]]:
    """Pull the bonds that change from one state towards another, and relax the rest each time.

    The springs act one way only: a bond that goes ahead by itself is let go.

    Parameters
    ----------
    surface : counts the force calls.
    initial, final : the path need not end in the final state.
    changes : pairs of atoms whose bond changes, at least one.

    Returns
    -------
    The images in order, without the initial state, with energy and gradient but for the springs.
    """
    pairs = np.array(sorted(changes))
    first, last = (_distances(atoms, pairs) for atoms in (initial, final))
    breaks = last > first
    broken = RESTRAINT_BROKEN * covalent_radii[initial.numbers[pairs]].sum(axis=1)
    last = np.where(breaks, np.maximum(first, np.minimum(last, broken)), np.minimum(first, last))
    surface.calls += 1  # of the initial state, which others have computed in between
    images, highest = [], initial.get_potential_energy()
    image = initial
    for share in np.arange(1, PULLS + 1) / PULLS:
        springs = HeldBonds(pairs, first + share * (last - first), np.where(breaks, -1, 1))
        image, point = _settle(surface, image, springs)
        images.append((image, point))
        highest = max(highest, point.energy)
        if point.energy < highest - DOWN_EV:
            break
    return images


def _distances(atoms: Atoms, pairs: np.ndarray) -> np.ndarray:
    return np.array([atoms.get_distance(i, j, mic=True) for i, j in pairs])


def _settle(surface: Surface, atoms: Atoms, springs: HeldBonds) -> tuple[Atoms, Point]:
    """Relax under springs; the structure, with energy and gradient but for the springs."""
    settled = atoms.copy()
    settled.calc = surface.atoms.calc
    settled.set_constraint([*atoms.constraints, springs])
    optimiser = ModelNewton(settled, MAX_STEP_A)
    optimiser.run(fmax=SETTLE_EV_PER_A, steps=SETTLE_CALLS)
    surface.calls += optimiser.nsteps
    settled.set_constraint()
    forces = surface.flat(settled.get_forces())
    point = Point(surface.flat(settled.positions).copy(), settled.get_potential_energy(), -forces).checked()
    return surface.structure(point.x, atoms), point
