"""Draw the gallery: one picture of a facet of every material, of each kind of ligand, and of whole nanocrystals.

Run by hand: `python docs/gallery.py`. It writes `docs/gallery.md` and the pictures beside it.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from PIL import Image

from qdsurf.errors import BuildError, InputError
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.records.systems import find_facet
from qdsurf.report.pages.viewer import draw_atoms
from qdsurf.surfaces.nanocrystal import build_nanocrystal
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import cut_wide_slab

HERE = Path(__file__).parent
COLUMNS = 6
WIDTH_A = 11.0
LIGANDS_ON = ("PbS_100_PbS", "CdSe_110_CdSe", "CsPbBr3_100_CsBr", "PbS_111_Pb")
DOTS = [
    ("PbS", 3.0, "oleate", None),
    ("CdSe", 3.0, "oleate", None),
    ("CdSe-wz", 3.0, "oleate", 1.5),
    ("CsPbBr3", 3.0, "oleylammonium", 1.2),
    ("InP", 2.5, "myristate", None),
    ("ZnS", 2.5, "acetate", None),
]


def covered(name: str) -> tuple[Atoms, str] | None:
    """A slab with one ligand of full length on the first facet that takes it."""
    for slab_name in LIGANDS_ON:
        material, facet = find_facet(slab_name)
        slab = cut_wide_slab(library.material(material), facet, WIDTH_A, 4, 15.0)
        for carbons in (None, 6, 1):
            try:
                found = attach_ligands(slab, library.ligand(name), 1, carbons)[0]
            except (BuildError, InputError):
                continue
            shorter = "" if carbons is None else f", {carbons} C"
            return found, f"{name}{shorter}\n{slab_name.replace('_', ' ')}, {found.info['binding_mode']}"
    return None


def sheet(pictures: list[tuple[Atoms, str]], path: Path) -> None:
    """Side views in rows, each with its title."""
    rows = -(-len(pictures) // COLUMNS)
    figure, grid = plt.subplots(rows, COLUMNS, figsize=(2.3 * COLUMNS, 2.5 * rows), squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    for axes, (atoms, title) in zip(grid.ravel(), pictures, strict=False):
        order = np.argsort(-atoms.positions[:, 1], kind="stable")
        draw_atoms(axes, atoms[order], 0, 2)
        axes.set_aspect("equal")
        axes.autoscale_view()
        axes.set_title(title, fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)  # a third of the size, and nothing to see


def main() -> None:
    """Draw the three sheets and write the page that shows them."""
    facets, ligands, dots = [], [], []
    for name in library.names("materials"):
        material = library.material(name)
        for facet in material.facets:
            slab = cut_wide_slab(material, facet, WIDTH_A, 4, 15.0)
            facets.append((slab, f"{name}\n{facet.name.replace('_', ' ')}"))
    for name in library.names("ligands"):
        if found := covered(name):
            ligands.append(found)
    for name, diameter, ligand, coverage in DOTS:
        material = library.material(name)
        particle, dangling = build_nanocrystal(material, diameter)
        dot = cap_nanocrystal(particle, dangling, material, {"*": library.ligand(ligand)}, coverage=coverage)
        dots.append(
            (dot, f"{name} {diameter:g} nm\n{dot.info['ligands']} {ligand}, {dot.info['passivating_ions']} stand-ins")
        )
    for pictures, stem in ((facets, "facets"), (ligands, "ligands"), (dots, "nanocrystals")):
        sheet(pictures, HERE / "figures" / f"gallery_{stem}.png")
    areas = [surface_area(atoms) for atoms, _ in facets]
    (HERE / "gallery.md").write_text(
        f"""# Gallery

Drawn by `python docs/gallery.py`. Crystals are pale, ligands in full colour, seen from the side. Every model is neutral
by formal charges; chlorine and hydrogen on polar sides are stand-ins, which ligands can replace.

## {len(facets)} facets of {len(library.names("materials"))} materials

Cells of {min(areas):.1f} to {max(areas):.1f} nm^2, four layers.

![Facets](figures/gallery_facets.png)

## {len(ligands)} ligands, each on the first of four surfaces that takes it

![Ligands](figures/gallery_ligands.png)

## Nanocrystals

![Nanocrystals](figures/gallery_nanocrystals.png)

## A relaxed nanocrystal

CdSe with oleate, as built and relaxed with the default potential ([how energy and shape
change](benchmarks/relaxed-dot.md)).

![As built, and relaxed](figures/relaxed_dot.png)
"""
    )


if __name__ == "__main__":
    main()
