"""Draw the gallery: every facet on record, every ligand, and whole nanocrystals.

    python docs/gallery.py

Writes `docs/gallery.md` and its pictures in `docs/figures/`.
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
from qdsurf.report.figures.structure import draw_atoms
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
    """Attach one ligand to the first facet to which it can bind, shortened only if the full length does not fit.

    Returns the covered slab and its title, or None if the ligand binds to none of the facets.
    """
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
    """Draw structures with their titles in rows, seen from the side."""
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
    # A third of the size, without a visible difference.
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)


def main() -> None:
    """Draw the three pictures and write the page that shows them."""
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
        counts = f"{dot.info['ligands']} {ligand}, {dot.info['passivating_ions']} passivating ions"
        dots.append((dot, f"{name} {diameter:g} nm\n{counts}"))
    for pictures, stem in ((facets, "facets"), (ligands, "ligands"), (dots, "nanocrystals")):
        sheet(pictures, HERE / "figures" / f"gallery_{stem}.png")
    areas = [surface_area(atoms) for atoms, _ in facets]
    (HERE / "gallery.md").write_text(
        f"""# Gallery

Written by `python docs/gallery.py`. All structures are seen from the side. Crystals have pale colours, ligands full
colours. Every model is neutral by formal charges. Chlorine and hydrogen on polar sides are passivating ions, which
ligands can replace.

## {len(facets)} facets of {len(library.names("materials"))} materials

Cells of {min(areas):.1f} to {max(areas):.1f} nm^2, four layers.

![Facets](figures/gallery_facets.png)

## {len(ligands)} ligands, each on the first of four surfaces to which it can bind

![Ligands](figures/gallery_ligands.png)

## Nanocrystals

![Nanocrystals](figures/gallery_nanocrystals.png)

## A relaxed nanocrystal

CdSe with oleate, as built and relaxed with the default potential. [Relaxed quantum dot](benchmarks/relaxed-dot.md)
describes the changes of energy and shape.

![As built, and relaxed](figures/relaxed_dot.png)
"""
    )


if __name__ == "__main__":
    main()
