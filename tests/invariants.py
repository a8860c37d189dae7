"""What holds for every structure, whatever made it. Distances come from ASE's neighbour list, not from the package."""

from collections import Counter
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from qdsurf.records.models import Facet, Material
from qdsurf.storage.structures import read_structure, write_structures

CLASH = 0.6  # of the sum of covalent radii: shorter than the shortest bond there is (H-H 1.19, N-N triple 0.77)
HELD = 1.3  # a bond is shorter than this multiple


def contacts(atoms: Atoms, multiple: float) -> list[tuple[int, int, float]]:
    """Pairs, periodic images included, closer than a multiple of the sum of covalent radii."""
    i, j, d = neighbor_list("ijd", atoms, (multiple * covalent_radii[atoms.numbers]).tolist(), self_interaction=False)
    return [(int(a), int(b), float(c)) for a, b, c in zip(i, j, d, strict=True) if a <= b]


def assert_no_clash(atoms: Atoms) -> None:
    """No two atoms, nor their periodic images, stand in one another."""
    close = [f"{atoms.symbols[i]}{i}-{atoms.symbols[j]}{j} {d:.2f} A" for i, j, d in contacts(atoms, CLASH)]
    assert not close, f"{atoms.symbols}: {', '.join(close[:6])}"


def assert_valid_model(atoms: Atoms) -> None:
    """In-plane vectors in xy, c along z and longer than the model, neutral, no clash, finite."""
    cell = atoms.cell.array
    assert np.isfinite(atoms.positions).all()
    assert np.abs(cell[:2, 2]).max() < 1e-9 and np.abs(cell[2, :2]).max() < 1e-9, "c is not orthogonal to the surface"
    assert np.linalg.det(cell) > 0, "left-handed cell"
    assert atoms.pbc.tolist() == [True, True, False]
    assert abs(atoms.arrays["formal_charge"].sum()) < 1e-9, "formal charges do not add up to zero"
    assert_no_clash(atoms)
    # tblite and plane waves repeat along c whatever pbc says
    assert cell[2, 2] - np.ptp(atoms.positions[:, 2]) > 5, "the model meets its own image along c"


def assert_valid_slab(slab: Atoms, material: Material, facet: Facet, layers: int, vacuum: float) -> None:
    """`layers` layers numbered from the top, the facet's composition outermost, `vacuum` empty A along c."""
    assert_valid_model(slab)
    assert set(slab.arrays["role"]) == {"substrate"} and set(slab.arrays["fragment"]) == {0}
    assert abs(slab.cell[2, 2] - np.ptp(slab.positions[:, 2]) - vacuum) < 1e-6
    layer, z = slab.arrays["layer"], slab.positions[:, 2]
    assert sorted(set(layer.tolist())) == list(range(1, layers + 1))
    # Adatoms and stand-ins are of elements that the crystal does not have, except the O and H of a hydroxide.
    own = {element for site in material.sites for element in material.occupancy(site.element)}
    if material.molecular_ion or facet.hydroxylated:
        return
    adatom = {facet.adlayer.element} if facet.adlayer else set()
    crystal = np.isin(slab.symbols, sorted(own - adatom))
    for n in range(1, layers):
        assert z[crystal & (layer == n)].min() > z[crystal & (layer == n + 1)].max(), f"layer {n} is not above {n + 1}"
    parent = {other: element for element, others in material.substitutions.items() for other in others}
    found = Atoms([parent.get(s, s) for s in slab.symbols[crystal & (layer == 1)]]).symbols.formula.reduce()[0]
    top = (facet.cut or facet.termination).partition("-")[0]
    assert found.count() == Atoms(top).symbols.formula.reduce()[0].count(), f"{found} on top, {top} was asked for"
    if adatom:
        assert z[~crystal].min() > z[crystal].max() and (layer[~crystal] == 1).all()


def assert_valid_ligated(covered: Atoms, slab: Atoms, count: int) -> None:
    """`count` whole ligands, each bound by an anchor, above a substrate that did not move."""
    assert_valid_model(covered)
    role, fragment, anchor = (covered.arrays[key] for key in ("role", "fragment", "anchor"))
    substrate = role == "substrate"
    n = int(substrate.sum())
    assert substrate[:n].all(), "substrate atoms do not come first"
    assert fragment[:n].max(initial=0) == 0 and sorted(set(fragment[n:].tolist())) == list(range(1, count + 1))
    assert (np.diff(fragment) >= 0).all(), "ligands are not one after the other"
    kept = [np.linalg.norm(slab.positions - p, axis=1).argmin() for p in covered.positions[:n]]
    assert len(set(kept)) == n
    assert np.abs(slab.positions[kept] - covered.positions[:n]).max() < 1e-7  # a file keeps 8 decimals
    assert (slab.symbols[kept] == covered.symbols[:n]).all()
    bonds = [(i, j) for i, j, _ in contacts(covered, HELD)]
    for number in range(1, count + 1):
        own = fragment == number
        assert (anchor & own).any(), f"ligand {number} has no anchor"
        held = [pair for pair in bonds if any(anchor[k] and own[k] for k in pair) and substrate[list(pair)].any()]
        if covered.info["ligand_entry"] == "cation":  # held by hydrogen bonds in a hole 4.2 A wide, or over it
            near = covered.get_distances(int(np.flatnonzero(anchor & own)[0]), np.flatnonzero(substrate), mic=True)
            held = near.min() < 6.0
        assert held, f"ligand {number} is bound by no anchor"
        # Stand-ins and hydroxyls rise above the crystal, and a ligand may stand among them, but not in the crystal.
        z, outer = covered.positions[:, 2], substrate & (covered.arrays["layer"] == 1) & (covered.numbers > 1)
        top = np.median(z[outer])
        if covered.info["ligand_entry"] == "cation":  # as deep as the ion whose place it takes
            top = min(top, z[substrate & (covered.arrays["layer"] == 2)].max())
        assert z[own & (covered.numbers > 1)].mean() > top - 1.0, f"ligand {number} is buried"
        if covered.info["ligand_entry"] in ("acid", "dative"):  # the others fill a vacancy
            assert z[own & (covered.numbers > 1)].min() > top - 1.3, f"ligand {number} reaches into the crystal"


def assert_same_structure(a: Atoms, b: Atoms) -> None:
    """Same atoms, columns, cell and fixed atoms."""
    assert a.symbols.get_chemical_formula("reduce") == b.symbols.get_chemical_formula("reduce")
    np.testing.assert_allclose(a.positions, b.positions, atol=1e-6)
    np.testing.assert_allclose(a.cell.array, b.cell.array, atol=1e-6)
    for key in ("role", "fragment", "layer", "formal_charge", "anchor"):
        assert a.arrays[key].tolist() == b.arrays[key].tolist(), key
    fixed = [sorted(i for c in x.constraints for i in np.asarray(c.index).tolist()) for x in (a, b)]
    assert fixed[0] == fixed[1], "fixed atoms"


def through_file(atoms: Atoms, folder: Path) -> Atoms:
    """The structure after a write and a read; asserts that nothing was lost."""
    write_structures(folder / "structure.extxyz", atoms)
    back = read_structure(folder / "structure.extxyz")
    assert_same_structure(atoms, back)
    return back


def composition(*parts: Atoms) -> Counter:
    """Elements of one or several structures together."""
    return sum((Counter(atoms.symbols) for atoms in parts), Counter())
