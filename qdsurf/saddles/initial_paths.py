"""Initial paths of a saddle search, the most promising one first."""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.relaxation.coordinates import displacements
from qdsurf.saddles.driven_path import drive_bonds
from qdsurf.saddles.energy_surface import Point
from qdsurf.saddles.interpolation import geodesic_path
from qdsurf.saddles.quench import quench
from qdsurf.saddles.search_context import SearchContext
from qdsurf.saddles.state_comparison import changed_pairs
from qdsurf.saddles.string_method import relax_string

LOGGER = logging.getLogger(__name__)
# A driven path is computed if the geodesic rises higher than this above its ends.
STEEP_EV = 0.5
# Images of the geodesics, with both ends, that replace the two segments at the top of a driven path.
FINER_IMAGES = 5


class InitialPath(NamedTuple):
    """A path between two minima, and the energies that are known along it.

    Attributes
    ----------
    ends : tuple of Atoms
        The two minima.
    images : list of Atoms
        Structures of the path with the two ends.
    points : dict
        Points of the energy surface by the number of their image; extended when more images are computed.
    """

    ends: tuple[Atoms, Atoms]
    images: list[Atoms]
    points: dict[int, Point]


def find_initial_paths(context: SearchContext, through: Sequence[Atoms]) -> Iterator[InitialPath]:
    """Generate the geodesic and the driven path, the lower one first, and then the relaxed geodesic.

    If the geodesic hardly rises above its ends, the driven path is computed only after the geodesic has failed. Steps
    that change no bond have no driven path.

    Parameters
    ----------
    context : SearchContext
        The paths join its two ends.
    through : sequence of Atoms
        Structures through which the first guess of the geodesic leads; may be empty.

    Yields
    ------
    InitialPath
        A driven path may end in a minimum between the two ends.
    """
    initial, final = context.ends
    geodesic = _path_with_known_ends(context, context.ends, geodesic_path(initial, final, through=through))
    higher_end = max(end.get_potential_energy() for end in context.ends)
    changes = changed_pairs(context, initial, final)
    if changes and _highest_energy(context, geodesic) > higher_end + STEEP_EV:
        driven = _driven_path(context)
        paths = [geodesic] if driven is None else [driven, geodesic]
        yield from sorted(paths, key=partial(_highest_energy, context))
    else:
        yield geodesic
        if changes and (driven := _driven_path(context)):
            yield driven
    before = context.surface.calls
    relaxed = relax_string(context.surface, geodesic.images)
    context.calls["path"] += context.surface.calls - before
    yield _path_with_known_ends(context, context.ends, relaxed)


def _driven_path(context: SearchContext) -> InitialPath | None:
    """Return the driven path with more images near its highest point, or None if it does not lead towards the end.

    The path ends in the minimum into which its last image relaxes; this may be a minimum between the two ends. A
    minimum that is not the final state and lies below both ends is the product of another reaction. For instance, a
    methyl group that moves to lead may react with a proton.
    """
    initial, final = context.ends
    before = context.surface.calls
    driven = drive_bonds(context.surface, initial, final, changed_pairs(context, initial, final))
    context.calls["path"] += context.surface.calls - before
    top = int(np.argmax([point.energy for _, point in driven]))
    last = driven[-1].structure
    basin = quench(context, last, driven[top].point.energy)
    LOGGER.info("saddle: the driven path ends in %s", basin.description)
    if basin.atoms is None or not changed_pairs(context, initial, basin.atoms):
        return None
    lower_end = min(end.get_potential_energy() for end in context.ends)
    if changed_pairs(context, basin.atoms, final) and basin.atoms.get_potential_energy() < lower_end:
        return None
    end = last.copy()  # the minimum, superimposed on the last image if it is a free molecule
    end.set_positions(end.positions + displacements(end, basin.atoms), apply_constraint=False)
    images, points = [initial], {}
    for number, (image, point) in enumerate(driven):
        if number in (top, top + 1):
            images += geodesic_path(images[-1], image, FINER_IMAGES)[1:-1]
        points[len(images)] = point
        images.append(image)
    if top + 1 == len(driven):
        images += geodesic_path(images[-1], end, FINER_IMAGES)[1:-1]
    images.append(end)
    path = _path_with_known_ends(context, (initial, basin.atoms), images)
    return path._replace(points=points | path.points)


def _path_with_known_ends(context: SearchContext, ends: tuple[Atoms, Atoms], images: list[Atoms]) -> InitialPath:
    """Return a path whose ends have known energies and forces."""
    coordinates = context.surface.free_coordinates
    points = {
        k: Point(coordinates(images[k].positions), end.get_potential_energy(), -coordinates(end.get_forces()))
        for k, end in zip((0, len(images) - 1), ends, strict=True)
    }
    return InitialPath(ends, images, points)


def _highest_energy(context: SearchContext, path: InitialPath) -> float:
    """Return the energy of the highest image in eV."""
    return path.points[find_highest_image(context, path)].energy


def find_highest_image(context: SearchContext, path: InitialPath) -> int:
    """Find an image that is higher than its neighbours, starting from the highest known image or from the middle.

    Parameters
    ----------
    context : SearchContext
        Counts the force calls.
    path : InitialPath
        Its points are extended by those that are computed.

    Returns
    -------
    int
        Number of the image.
    """
    images, points = path.images, path.points
    before = context.surface.calls
    known = [k for k in points if 0 < k < len(images) - 1]
    top = max(known, key=lambda k: points[k].energy, default=len(images) // 2)
    while True:
        near = [k for k in (top, top - 1, top + 1) if 0 <= k < len(images)]
        for k in near:
            if k not in points:
                points[k] = context.surface(context.surface.free_coordinates(images[k].positions))
        best = max(near, key=lambda k: points[k].energy)
        if best == top:
            context.calls["path"] += context.surface.calls - before
            return top
        top = best
