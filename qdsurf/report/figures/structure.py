"""Structures drawn as spheres, from the side and from above."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qdsurf.atomistic import annotation
from qdsurf.report.figures import style

if TYPE_CHECKING:
    from qdsurf.surfaces.adsorption_sites import Site

RADIUS_SCALE = 0.72  # fraction of the covalent radius, so that bonds remain visible
_VIEW_IN = 3.1  # size of each view in inch


@style.styled
def draw_structure(atoms: Atoms, sites: "Sequence[Site]" = ()) -> Figure:
    """Draw a structure from the side (y points into the page) and from above, on the same scale.

    Substrate atoms are pale. Ligands and adsorbates have full colour and a dark rim. A legend names the elements.

    Parameters
    ----------
    atoms : ase.Atoms
        Positions in Å. The parts of the structure are used if it has been annotated with
        `qdsurf.atomistic.annotation.annotate`.
    sites : sequence of Site
        Sites from `qdsurf.surfaces.adsorption_sites.find_sites`, which are labelled in the view from above.

    Returns
    -------
    matplotlib.figure.Figure
        Figure with two views.
    """
    figure = style.canvas(2 * _VIEW_IN + 1.2, _VIEW_IN + 1.35)
    for number, (across, up, depth) in enumerate(((0, 2, 1), (0, 1, 2))):
        axes = style.axes_at(figure, 0.5 + number * (_VIEW_IN + 0.6), 0.9, _VIEW_IN, _VIEW_IN)
        draw_atoms(axes, atoms[back_to_front(atoms, depth)], across, up)
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.set(xlabel="x (Å)", ylabel=f"{'xyz'[up]} (Å)", title=("from the side", "from above")[number])
    for site in sites:
        x, y = site.position[:2].tolist()
        axes.plot(x, y, marker="+", color=style.INK, ms=5, zorder=10)
        axes.annotate(site.name, (x, y), (3, 3), textcoords="offset points", fontsize=6, zorder=10)
    elements = sorted(set(atoms.symbols), key=lambda element: (-np.sum(atoms.symbols == element), element))
    handles = []
    for element in elements:
        colour = jmol_colors[atoms.numbers[atoms.symbols == element][0]]
        handles.append(Line2D([], [], ls="", marker="o", ms=8, mec=style.INK, mew=0.5, label=element, mfc=colour))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), handletextpad=0.2, columnspacing=1.2)
    return figure


def back_to_front(atoms: Atoms, depth: int) -> np.ndarray:
    """Order atoms so that the nearest one is drawn last.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure.
    depth : int
        Axis of the structure perpendicular to the page: x or z pointing out of the page (0 or 2), or y pointing into
        the page (1).

    Returns
    -------
    numpy.ndarray
        Indices of the atoms, shape (atoms,).
    """
    towards_viewer = -1 if depth == 1 else 1
    return np.argsort(atoms.positions[:, depth] * towards_viewer, kind="stable")


def is_substrate(atoms: Atoms) -> np.ndarray:
    """Find the atoms of the substrate.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure.

    Returns
    -------
    numpy.ndarray
        True for atoms of the substrate, shape (atoms,). All False if the structure is not annotated.
    """
    if not annotation.has_parts(atoms):
        return np.zeros(len(atoms), dtype=bool)
    return annotation.parts(atoms) == "substrate"


def draw_atoms(axes: Axes, atoms: Atoms, across: int, up: int) -> None:
    """Draw atoms as circles in their order; the last atom is on top.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes with the unit Å.
    atoms : ase.Atoms
        Structure, positions in Å.
    across, up : int
        Axes of the structure (0, 1 or 2) that are horizontal and vertical in the figure.
    """
    colours = jmol_colors[atoms.numbers]
    substrate = is_substrate(atoms)
    diameters = 2 * RADIUS_SCALE * covalent_radii[atoms.numbers]
    centres = atoms.positions[:, [across, up]]
    faces = [
        style.tint(colour, 0.45) if pale else tuple(colour) for colour, pale in zip(colours, substrate, strict=True)
    ]
    circles = EllipseCollection(
        diameters,
        diameters,
        np.zeros(len(atoms)),
        units="xy",
        offsets=centres,
        transOffset=axes.transData,
        facecolors=faces,
        edgecolors=[style.GREY if pale else style.INK for pale in substrate],
        linewidths=np.where(substrate, 0.4, 0.8),
    )
    axes.add_collection(circles)
    axes.update_datalim(np.vstack([centres - diameters.max() / 2, centres + diameters.max() / 2]))
