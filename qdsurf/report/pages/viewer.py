"""Page on which structures can be selected, rotated and zoomed. It needs no network and no other file."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors

from qdsurf.report.figures.structure import RADIUS_SCALE, is_substrate
from qdsurf.report.pages.table_page import script_json
from qdsurf.storage.files import write_atomically

PAGE = Path(__file__).with_name("viewer.html")


def write_structure_page(structures: Mapping[str, Atoms | str], path: Path) -> None:
    """Write a page with one or more structures.

    Parameters
    ----------
    structures : mapping of str to ase.Atoms or str
        Structures by name, positions in Å. A text instead of a structure is the reason why it is missing.
    path : pathlib.Path
        HTML file to write.
    """
    scenes = {
        name: {"reason": structure} if isinstance(structure, str) else _scene(structure)
        for name, structure in structures.items()
    }
    page = Template(PAGE.read_text()).substitute(title=next(iter(structures)), scenes=script_json(scenes))
    write_atomically(path, page)


def _scene(atoms: Atoms) -> dict[str, Any]:
    """Data that the script of the page draws: positions in Å relative to the centre, colours, and radii in Å."""
    centre = (atoms.positions.max(axis=0) + atoms.positions.min(axis=0)) / 2
    return {
        "positions": np.round(atoms.positions - centre, 3).tolist(),
        "colours": (255 * jmol_colors[atoms.numbers]).astype(int).tolist(),
        "radii": np.round(RADIUS_SCALE * covalent_radii[atoms.numbers], 3).tolist(),
        "substrate": is_substrate(atoms).tolist(),
        "elements": list(atoms.symbols),
    }
