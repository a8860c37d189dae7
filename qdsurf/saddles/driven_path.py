"""A driven path: springs change the bonds of a step gradually, and all other coordinates relax, beyond a barrier."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from qdsurf.atomistic.bonding_criteria import RESTRAINT_BROKEN
from qdsurf.relaxation.optimiser import ModelNewton
from qdsurf.relaxation.restraints import BondRestraints
from qdsurf.saddles.eigenvector_following import MAX_STEP_A
from qdsurf.saddles.energy_surface import EnergySurface, Point

# An atom that moves by 4 A then moves by 0.5 A in each step.
DRIVING_STEPS = 8
# An image need not be a minimum: eigenvector following converges from images with such forces.
RELAX_FMAX_EV_PER_A, RELAX_STEPS = 0.3, 12
# The path ends when an image is this much below the highest one, because the barrier has been passed.
BARRIER_PASSED_EV = 0.1


class DrivenImage(NamedTuple):
    """An image of a driven path, and its point of the energy surface without the springs."""

    structure: Atoms
    point: Point


def drive_bonds(
    surface: EnergySurface, initial: Atoms, final: Atoms, changes: Collection[tuple[int, int]]
) -> list[DrivenImage]:
    """Drive the changing bonds from one state towards another, and relax all other coordinates after each step.

    The springs are one-sided: they do not act on a bond that changes faster by itself.

    Parameters
    ----------
    surface : EnergySurface
        Counts the force calls.
    initial, final : Atoms
        Relaxed states. The path starts at the initial state and need not end at the final state.
    changes : collection of tuple of int
        Pairs of atoms whose bonds change, at least one.

    Returns
    -------
    list of DrivenImage
        Images in order, without the initial state.

    Raises
    ------
    CalculationError
        Energy or forces are not finite.
    """
    pairs = np.array(sorted(changes))
    first, last = _distances(initial, pairs), _distances(final, pairs)
    breaks = last > first
    broken = RESTRAINT_BROKEN * covalent_radii[initial.numbers[pairs]].sum(axis=1)
    last = np.where(breaks, np.maximum(first, np.minimum(last, broken)), np.minimum(first, last))
    # The first image starts with a call at the initial state, each later one at the point of the last call.
    surface.calls += 1
    images: list[DrivenImage] = []
    highest = initial.get_potential_energy()
    structure = initial
    for fraction in np.arange(1, DRIVING_STEPS + 1) / DRIVING_STEPS:
        springs = BondRestraints(pairs, first + fraction * (last - first), np.where(breaks, -1, 1))
        image = _relax_with_springs(surface, structure, springs)
        images.append(image)
        structure = image.structure
        highest = max(highest, image.point.energy)
        if image.point.energy < highest - BARRIER_PASSED_EV:
            break
    return images


def _distances(atoms: Atoms, pairs: np.ndarray) -> np.ndarray:
    """Return the distances of pairs of atoms in A, shape (p,)."""
    return np.array([atoms.get_distance(i, j, mic=True) for i, j in pairs])


def _relax_with_springs(surface: EnergySurface, atoms: Atoms, springs: BondRestraints) -> DrivenImage:
    """Relax a structure with springs and return the result without them."""
    relaxed = atoms.copy()
    relaxed.calc = surface.atoms.calc
    relaxed.set_constraint([*atoms.constraints, springs])
    optimiser = ModelNewton(relaxed, MAX_STEP_A)
    optimiser.run(fmax=RELAX_FMAX_EV_PER_A, steps=RELAX_STEPS)
    surface.calls += optimiser.nsteps
    relaxed.set_constraint()
    x = surface.free_coordinates(relaxed.positions).copy()
    gradient = -surface.free_coordinates(relaxed.get_forces())
    point = Point(x, relaxed.get_potential_energy(), gradient).checked()
    return DrivenImage(surface.structure(point.x, atoms), point)
