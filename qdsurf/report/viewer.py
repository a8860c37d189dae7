"""A structure from the side and from above."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from qdsurf.report import style

RADIUS_SCALE = 0.72  # of the covalent radius, so that bonds stay visible
_VIEW_IN = 3.1


@style.styled
def draw_structure(atoms: Atoms) -> Figure:
    """Draw a structure from the side (y into the page) and from above, on one scale.

    Substrate atoms are pale, ligands and adsorbates in full colour with a dark rim; elements are named.

    Parameters
    ----------
    atoms : positions in A; the columns of `structure_io.annotate` are used where they exist.
    """
    figure = style.canvas(2 * _VIEW_IN + 1.2, _VIEW_IN + 1.35)
    for number, (across, up, depth) in enumerate(((0, 2, 1), (0, 1, 2))):
        axes = style.axes_at(figure, 0.5 + number * (_VIEW_IN + 0.6), 0.9, _VIEW_IN, _VIEW_IN)
        order = np.argsort(atoms.positions[:, depth] * (-1 if depth == 1 else 1), kind="stable")
        for i in order:
            _draw_atom(axes, atoms, int(i), across, up)
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.set(xlabel="x (Å)", ylabel=f"{'xyz'[up]} (Å)", title=("from the side", "from above")[number])
    elements = sorted(set(atoms.symbols), key=lambda s: -np.sum(atoms.symbols == s))
    handles = [
        Line2D([], [], ls="", marker="o", ms=8, mec=style.INK, mew=0.5, label=element,
               mfc=jmol_colors[atoms.numbers[atoms.symbols == element][0]])
        for element in elements
    ]  # fmt: skip
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), handletextpad=0.2, columnspacing=1.2)
    return figure


def _draw_atom(axes: Axes, atoms: Atoms, i: int, across: int, up: int) -> None:
    substrate = "role" in atoms.arrays and atoms.arrays["role"][i] == "substrate"
    colour = jmol_colors[atoms.numbers[i]]
    radius = RADIUS_SCALE * covalent_radii[atoms.numbers[i]]
    face, rim = (style.tint(colour, 0.45), style.GREY) if substrate else (tuple(colour), style.INK)
    centre = atoms.positions[i, across], atoms.positions[i, up]
    axes.add_patch(Circle(centre, radius, facecolor=face, edgecolor=rim, lw=0.4 if substrate else 0.8))
