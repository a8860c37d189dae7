"""The paths that a search climbs from, the most promising one first."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.relaxation.coordinates import displacements
from qdsurf.saddles.driven_path import drive_bonds
from qdsurf.saddles.energy_surface import Point
from qdsurf.saddles.interpolation import geodesic_path
from qdsurf.saddles.quench import fall
from qdsurf.saddles.search_context import Search
from qdsurf.saddles.state_comparison import changed_pairs
from qdsurf.saddles.string_method import relax_string

STEEP_EV = 0.5  # what a geodesic may rise above its ends before another path is looked for
FINER = 5  # images between two of a pulled path, both included, beside its top


class Way(NamedTuple):
    """A path, the minima that it joins, and those of its images that have been computed, by number."""

    ends: Sequence[Atoms]
    path: list[Atoms]
    points: dict[int, Point]


def find_ways(search: Search, through: Sequence[Atoms]) -> Iterator[Way]:
    """The geodesic and a path on which the bonds are pulled, the lower one first; then the geodesic relaxed.

    Where the geodesic is hardly higher than its ends, nothing is pulled before it has failed.
    """
    geodesic = _whole_path(search, search.ends, geodesic_path(*search.ends, through=through))
    least = max(end.get_potential_energy() for end in search.ends)
    changes = changed_pairs(search, *search.ends)
    if changes and _height(search, geodesic) > least + STEEP_EV:
        both = filter(None, (_pulled(search), geodesic))
        yield from sorted(both, key=partial(_height, search))
    else:
        yield geodesic
        if changes and (pulled := _pulled(search)):
            yield pulled
    before = search.surface.calls
    relaxed = relax_string(search.surface, geodesic.path)
    search.calls["path"] += search.surface.calls - before
    yield _whole_path(search, search.ends, relaxed)


def _pulled(search: Search) -> Way | None:
    """A path on which the bonds that change are pulled, finer about its top; None where it falls back or elsewhere.

    It ends where the last image falls, which may be a minimum on the way. One that is not the final state and lies
    below both ends is the product of another reaction: a methyl group on its way to lead may meet a proton.
    """
    before = search.surface.calls
    images = drive_bonds(search.surface, *search.ends, changed_pairs(search, *search.ends))
    search.calls["path"] += search.surface.calls - before
    top = int(np.argmax([point.energy for _, point in images]))
    fallen = fall(search, images[-1][0], images[top][1].energy)
    print(f"the bonds were pulled; it falls into {fallen.words}", flush=True)
    if fallen.atoms is None or not changed_pairs(search, search.ends[0], fallen.atoms):
        return None
    lowest = min(end.get_potential_energy() for end in search.ends)
    if changed_pairs(search, fallen.atoms, search.ends[1]) and fallen.atoms.get_potential_energy() < lowest:
        return None
    rest = images[-1][0].copy()  # the end of a free molecule may lie turned
    rest.set_positions(rest.positions + displacements(rest, fallen.atoms), apply_constraint=False)
    path, points = [search.ends[0]], {}
    for k, (image, point) in enumerate([*images, (rest, None)]):
        if k in (top, top + 1):
            path += geodesic_path(path[-1], image, FINER)[1:-1]
        points |= {len(path): point} if point else {}
        path.append(image)
    way = _whole_path(search, (search.ends[0], fallen.atoms), path)
    return way._replace(points=points | way.points)


def _whole_path(search: Search, ends: Sequence[Atoms], path: list[Atoms]) -> Way:
    """A path of which the two ends are known."""
    flat = search.surface.flat
    points = {
        k: Point(flat(path[k].positions), end.get_potential_energy(), -flat(end.get_forces()))
        for k, end in zip((0, len(path) - 1), ends, strict=True)
    }
    return Way(ends, path, points)


def _height(search: Search, way: Way) -> float:
    """Energy of the highest image in eV."""
    return way.points[highest(search, way)].energy


def highest(search: Search, way: Way) -> int:
    """Number of an image that is higher than its neighbours, next to the highest one known or the middle."""
    (_, path, points), before = way, search.surface.calls
    known = [k for k in points if 0 < k < len(path) - 1]
    top = max(known, key=lambda k: points[k].energy, default=len(path) // 2)
    while True:
        near = [k for k in (top, top - 1, top + 1) if 0 <= k < len(path)]
        for k in near:
            if k not in points:
                points[k] = search.surface(search.surface.flat(path[k].positions))
        best = max(near, key=lambda k: points[k].energy)
        if best == top:
            search.calls["path"] += search.surface.calls - before
            return top
        top = best
