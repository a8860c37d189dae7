"""A structure from the side and from above, and on a page where it can be turned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

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
from qdsurf.report.pages.table_page import script_json
from qdsurf.storage.files import write_atomically

RADIUS_SCALE = 0.72  # of the covalent radius, so that bonds stay visible
_VIEW_IN = 3.1
PAGE = Path(__file__).with_name("viewer.html")


@style.styled
def draw_structure(atoms: Atoms, sites: Sequence[dict] = ()) -> Figure:
    """Draw a structure from the side (y into the page) and from above, on one scale.

    Substrate atoms are pale, ligands and adsorbates in full colour with a dark rim; elements are named.

    Parameters
    ----------
    atoms : positions in A; the columns of `atomistic.annotation.annotate` are used where they exist.
    sites : of `build.sites.find_sites`, labelled in the view from above.
    """
    figure = style.canvas(2 * _VIEW_IN + 1.2, _VIEW_IN + 1.35)
    for number, (across, up, depth) in enumerate(((0, 2, 1), (0, 1, 2))):
        axes = style.axes_at(figure, 0.5 + number * (_VIEW_IN + 0.6), 0.9, _VIEW_IN, _VIEW_IN)
        order = np.argsort(atoms.positions[:, depth] * (-1 if depth == 1 else 1), kind="stable")
        draw_atoms(axes, atoms[order], across, up)
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.set(xlabel="x (Å)", ylabel=f"{'xyz'[up]} (Å)", title=("from the side", "from above")[number])
    for site in sites:
        axes.plot(*site["position"][:2], marker="+", color=style.INK, ms=5, zorder=10)
        axes.annotate(site["name"], site["position"][:2], (3, 3), textcoords="offset points", fontsize=6, zorder=10)
    elements = sorted(set(atoms.symbols), key=lambda s: -np.sum(atoms.symbols == s))
    handles = [
        Line2D([], [], ls="", marker="o", ms=8, mec=style.INK, mew=0.5, label=element,
               mfc=jmol_colors[atoms.numbers[atoms.symbols == element][0]])
        for element in elements
    ]  # fmt: skip
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), handletextpad=0.2, columnspacing=1.2)
    return figure


def _is_substrate(atoms: Atoms) -> np.ndarray:
    return (
        annotation.parts(atoms) == "substrate" if annotation.has_parts(atoms) else np.zeros(len(atoms), dtype=bool)
    )


def draw_atoms(axes: Axes, atoms: Atoms, across: int, up: int) -> None:
    """Circles in the order of the atoms, the last one on top."""
    colours = jmol_colors[atoms.numbers]
    substrate = _is_substrate(atoms)
    size = 2 * RADIUS_SCALE * covalent_radii[atoms.numbers]
    places = atoms.positions[:, [across, up]]
    axes.add_collection(
        EllipseCollection(
            size, size, np.zeros(len(atoms)), units="xy", offsets=places, transOffset=axes.transData,
            facecolors=[style.tint(c, 0.45) if s else tuple(c) for c, s in zip(colours, substrate, strict=True)],
            edgecolors=[style.GREY if s else style.INK for s in substrate],
            linewidths=np.where(substrate, 0.4, 0.8),
        )
    )  # fmt: skip
    axes.update_datalim(np.vstack([places - size.max() / 2, places + size.max() / 2]))


def write_page(structures: Mapping[str, Atoms | str], path: Path) -> None:
    """Write a page, complete in itself, in which structures are chosen by name and turn with the mouse.

    Parameters
    ----------
    structures : by name; words in the place of a structure say why there is none.
    """
    scenes = {name: {"reason": it} if isinstance(it, str) else _scene(it) for name, it in structures.items()}
    page = Template(PAGE.read_text()).substitute(title=next(iter(structures)), scenes=script_json(scenes))
    write_atomically(path, page)


def _scene(atoms: Atoms) -> dict:
    """What the page draws: positions in A around the middle, colours, radii in A."""
    centre = (atoms.positions.max(axis=0) + atoms.positions.min(axis=0)) / 2
    return {
        "positions": np.round(atoms.positions - centre, 3).tolist(),
        "colours": (255 * jmol_colors[atoms.numbers]).astype(int).tolist(),
        "radii": np.round(RADIUS_SCALE * covalent_radii[atoms.numbers], 3).tolist(),
        "substrate": _is_substrate(atoms).tolist(),
        "elements": list(atoms.symbols),
    }
