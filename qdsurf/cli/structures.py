"""Verbs that build or draw: slab, sites, ligate, place, show."""

from argparse import Namespace
from collections.abc import Iterable
from typing import get_args

import numpy as np
from ase import Atoms

from qdsurf import library
from qdsurf.build.ligands import attach_ligands, iter_ligands
from qdsurf.build.molecules import build_molecule, describe_model
from qdsurf.build.placement import place_precursor, precursor_fragment
from qdsurf.build.sites import find_sites, surface_area
from qdsurf.build.slab import cut_slab, ledger, list_terminations, parse_miller_index, reduce_miller_index
from qdsurf.cli.files import check_output, material_of, note, read_frame, read_model, write_frames
from qdsurf.errors import BuildError, InputError, unknown
from qdsurf.records import Facet, Material, Reaction, Role
from qdsurf.report.style import write
from qdsurf.report.viewer import draw_structure
from qdsurf.structure_io import SUBSTRATE


def make_slab(arguments: Namespace) -> tuple[dict, list[str]]:
    """Cut a slab and write it."""
    check_output(arguments.output)
    material = library.material(arguments.material)
    facet = choose_facet(material, parse_miller_index(arguments.hkl.strip()), arguments.termination)
    slab = cut_slab(
        material,
        facet,
        arguments.layers,
        tuple(arguments.supercell),
        arguments.vacuum,
        arguments.bottom,
        arguments.mobile_layers,
        arguments.charged,
    )
    write_frames(arguments.output, [slab])
    data = _describe(slab, arguments.output) | {"facet": facet.name, "termination": facet.termination}
    return data, [f"{arguments.output}: {material.name} ({arguments.hkl.strip()}) {facet.termination}, {_words(data)}"]


def choose_facet(material: Material, miller_index: tuple[int, int, int], termination: str | None) -> Facet:
    """Find the facet among the records of a material, or make a record for it.

    Parameters
    ----------
    termination : None takes the first facet on record with this index, or the only termination there is.

    Raises
    ------
    InputError : no such termination, or a choice between several that only the user can make.
    """
    recorded = {}
    for facet in material.facets:
        if reduce_miller_index(facet.miller_index) == miller_index:
            recorded.setdefault(facet.termination, facet)
    if termination is None and recorded:
        return next(iter(recorded.values()))
    if termination in recorded:
        return recorded[termination]
    possible = list_terminations(material, miller_index)
    where = f"{material.name} {miller_index}"
    if termination is None:
        if len(possible) > 1:
            raise InputError(f"{where} can end in {' or '.join(possible)}; choose one with --termination")
        termination = possible[0]
    elif termination not in possible:
        raise unknown("termination", termination, {*possible, *recorded}, where)
    return Facet(miller_index=miller_index, termination=termination)


def list_sites(arguments: Namespace) -> tuple[list[dict], list[str]]:
    """List the sites of the crystal surface; molecules on it are left out."""
    atoms = read_frame(arguments.file)
    if "role" in atoms.arrays:
        atoms = atoms[atoms.arrays["role"] == SUBSTRATE]
    sites = find_sites(atoms)
    lines = ["name           multiplicity  position (A)"]
    lines += [f"{s['name']:<14} {s['multiplicity']:>12}  {' '.join(f'{x:8.3f}' for x in s['position'])}" for s in sites]
    return sites, lines


def show_structure(arguments: Namespace) -> tuple[dict, list[str]]:
    """Draw one structure into a file."""
    atoms = read_frame(arguments.file)
    path = write(draw_structure(atoms), arguments.output)
    return {"file": str(path), "atoms": len(atoms)}, [f"{len(atoms)} atoms drawn in {path}"]


def cover_slab(arguments: Namespace) -> tuple[dict, list[str]]:
    """Attach ligands in one binding mode and write the covered slab."""
    check_output(arguments.output)
    ligand = library.ligand(arguments.ligand)
    slab = read_model(arguments.file)
    material = material_of(slab, arguments.file)
    if (slab.arrays["role"] != SUBSTRATE).any():
        raise InputError(
            f"{arguments.file}: holds molecules already; give the bare slab, --count sets how many ligands come"
        )
    count = arguments.count or _count(arguments.coverage, surface_area(slab))
    candidates = attach_ligands(slab, material, ligand, count, arguments.truncate_to_carbons)
    modes = {candidate.info["binding_mode"]: candidate for candidate in candidates}
    if arguments.mode is not None and arguments.mode not in modes:
        raise BuildError(
            f"mode {arguments.mode!r} of {count} {ligand.name} does not fit on {arguments.file}; {_modes(modes)}"
        )
    covered = modes[arguments.mode] if arguments.mode else candidates[0]
    write_frames(arguments.output, [covered])
    data = _describe(covered, arguments.output) | {
        "ligand": ligand.name,
        "ligand_entry": covered.info["ligand_entry"],
        "binding_mode": covered.info["binding_mode"],
        "binding_modes_that_fit": list(modes),
        "model": describe_model(ligand, arguments.truncate_to_carbons),
        "ligands": sum(1 for _ in iter_ligands(covered)),
        "coverage_per_nm2": sum(1 for _ in iter_ligands(covered)) / surface_area(covered),
    }
    words = f"{data['ligands']} x {data['model']}, {data['binding_mode']} ({_modes(modes)})"
    return data, [f"{arguments.output}: {words}, {data['coverage_per_nm2']:.3f} nm^-2, {_words(data)}"]


def _modes(modes: Iterable[str]) -> str:
    return f"modes that fit: {', '.join(modes)}"


def _count(coverage: float | None, area_nm2: float) -> int:
    """Number of ligands for a coverage in nm^-2, to the nearest integer."""
    if coverage is None:
        return 1
    count = round(coverage * area_nm2)
    if count < 1:
        raise InputError(
            f"--coverage {coverage:g} is less than one ligand on {area_nm2:.3f} nm^2; one ligand is {1 / area_nm2:.3f} "
            "nm^-2: give more, or cut a larger slab with --supercell"
        )
    return count


def place_molecule(arguments: Namespace) -> tuple[dict, list[str]]:
    """Place a precursor on atoms that play a role, and write the poses."""
    check_output(arguments.output, arguments.poses)
    precursor = library.precursor(arguments.precursor)
    roles = [role for role in get_args(Role) if not role.startswith("precursor.") and role != "ligand.proton"]
    if arguments.site not in roles:
        raise unknown("site", arguments.site, roles, "--site")
    surface = read_model(arguments.file)
    adduct = _adduct(surface, arguments.site)
    poses = place_precursor(
        surface,
        precursor_fragment(build_molecule(precursor.molecule), precursor),
        arguments.site,
        arguments.poses,
        arguments.seed,
        adduct.breaks if adduct else (),
    )
    if len(poses) < arguments.poses:
        note(f"{len(poses)} of {arguments.poses} poses on {arguments.site} fit and differ")
    write_frames(arguments.output, poses)
    data = {
        "file": arguments.output,
        "precursor": precursor.name,
        "site": arguments.site,
        "template": adduct.name if adduct else None,
        "poses": [{"pose": pose.info["pose"], "strain": pose.info["strain"]} | _contact(pose) for pose in poses],
    }
    lines = [f"{arguments.output}: {precursor.name} on {arguments.site}, {len(poses)} pose(s)"]
    lines += [f"  {p['pose']}  {p['contact']} {p['contact_A']:.2f} A, strain {p['strain']:.2f}" for p in data["poses"]]
    return data, lines


def _adduct(surface: Atoms, role: str) -> Reaction | None:
    """The template that makes this adduct on this kind of ligand; it knows which bonds give way."""
    entry = surface.info.get("ligand_entry", "none")
    for template in library.reactions().values():
        if template.binds_precursor and ("precursor.metal", role) in template.forms and entry in template.ligand_entry:
            return template
    return None


def _contact(pose: Atoms) -> dict:
    """Name and length of the bond that the precursor's metal forms."""
    target, metal = pose.info["formed"][0]
    return {
        "contact": f"{pose.symbols[metal]}{metal}-{pose.symbols[target]}{target}",
        "contact_A": float(pose.get_distance(metal, target, mic=True)),
    }


def _describe(atoms: Atoms, path: str) -> dict:
    """What every built slab reports."""
    layers = atoms.arrays["layer"][atoms.arrays["role"] == SUBSTRATE]
    return {
        "file": path,
        "material": atoms.info["material"],
        "formula": atoms.get_chemical_formula(),
        "atoms": len(atoms),
        "layers": int(layers.max()),
        "area_nm2": surface_area(atoms),
        "charge": float(np.round(atoms.arrays["formal_charge"].sum(), 9)),
        "ledger": ledger(atoms),
    }


def _words(data: dict) -> str:
    """Facts of a built slab for people."""
    return f"{data['formula']}, {data['atoms']} atoms, {data['area_nm2']:.3f} nm^2; {data['ledger']}"
