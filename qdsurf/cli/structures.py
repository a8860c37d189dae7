"""Verbs that build or draw: slab, nanocrystal, sites, ligate, place, show."""

from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from qdsurf import api
from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.atomistic.molecules import build_molecule, describe_model
from qdsurf.cli.files import check_output, note, read_frame, read_model, write_frames
from qdsurf.elementary_steps.adsorption_poses import adsorbate, place_precursor, precursor_fragment
from qdsurf.elementary_steps.rigid_poses import rigid_poses
from qdsurf.errors import InputError, unknown
from qdsurf.ligands.mixtures import attach_mixture
from qdsurf.ligands.slab_ligands import anchor_distance, attach_ligands, iter_ligands
from qdsurf.records import library
from qdsurf.report.figures.style import write
from qdsurf.report.pages.viewer import draw_structure, write_page
from qdsurf.surfaces.adsorption_sites import find_sites
from qdsurf.surfaces.defects import make_defects
from qdsurf.surfaces.nanocrystal import EVERYWHERE, particle_area
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import list_terminations


def make_slab(arguments: Namespace) -> tuple[dict, list[str]]:
    """Cut a slab and write it."""
    check_output(arguments.output)
    material = library.material(arguments.material)
    facet = api.choose_facet(material, arguments.hkl.strip(), arguments.termination)
    slab = api.slab(
        material,
        facet,
        layers=arguments.layers,
        thickness_A=arguments.thickness,
        supercell=arguments.supercell,
        vacuum_A=arguments.vacuum,
        bottom=arguments.bottom,
        mobile_layers=arguments.mobile_layers,
        shells={name: round(layers) for name, layers in _amounts(arguments.shell, "--shell", "ZnS=4").items()},
        passivation=arguments.passivating_ion,
        defects=arguments.defect or (),
        allow_charged=arguments.allow_charged,
        seed=arguments.seed,
    )
    write_frames(arguments.output, [slab])
    terminations = list_terminations(material, facet.miller_index)
    data = _describe(slab, arguments.output) | {
        "facet": facet.name,
        "termination": facet.termination,
        "terminations": terminations,
        "defects": arguments.defect or [],
        "shells": annotation.noted(slab, "shells", ""),
    }
    return data, [f"{arguments.output}: {material.name} ({arguments.hkl.strip()}) {facet.termination}, {_words(data)}"]


def make_nanocrystal(arguments: Namespace) -> tuple[dict, list[str]]:
    """Build a whole nanocrystal, neutral with its ligands, and write it."""
    check_output(arguments.output)
    material = library.material(arguments.material)
    particle, capped = api.bare_and_covered(
        material,
        arguments.diameter,
        dict(_face_and_ligand(word) for word in arguments.ligand or ()),
        coverage_per_nm2=arguments.coverage,
        facets=_amounts(arguments.facets, "--facets", "111=1.1") or None,
        centre=arguments.centre,
        shells=_amounts(arguments.shell, "--shell", "ZnS=4"),
        passivation=arguments.passivating_ion,
        truncate_to_carbons=arguments.truncate_to_carbons,
        seed=arguments.seed,
    )
    faces = Counter(annotation.faces(particle)[annotation.layers(particle) == 1].tolist())
    area = particle_area(particle)
    write_frames(arguments.output, [capped])
    data = {
        "file": arguments.output,
        "material": material.name,
        "diameter_nm": arguments.diameter,
        "formula": capped.get_chemical_formula(),
        "atoms": len(capped),
        "surface_nm2": area,
        "surface_atoms_by_facet": dict(faces),
        **{key: int(annotation.noted(capped, key)) for key in ("ligands", "passivating_ions", "without_room")},
        "coverage_per_nm2": annotation.noted(capped, "ligands") / area,
        "charge": float(np.round(annotation.formal_charges(capped).sum(), 9)),
        "charge_balance": charge_balance(capped),
    }
    lines = [
        f"{arguments.output}: {material.name}, {data['atoms']} atoms, {area:.1f} nm^2; {data['charge_balance']}",
        f"  {data['ligands']} ligands ({data['coverage_per_nm2']:.2f} nm^-2), {data['passivating_ions']} stand-ins, "
        f"{data['without_room']} ligands found no room",
        "  surface atoms: " + ", ".join(f"{name} {count}" for name, count in sorted(faces.items())),
    ]
    return data, lines


def _pair(word: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = word.rpartition("=")
    if not equals:
        raise InputError(f"{option} {word!r}: write NAME=VALUE, such as {example}")
    return name, value


def _face_and_ligand(word: str) -> tuple[str, str]:
    """Read LIGAND or FACET=LIGAND."""
    face, _, name = word.rpartition("=")
    return face or EVERYWHERE, name


def _amounts(words: Sequence[str] | None, option: str, example: str) -> dict[str, float]:
    """Read NAME=NUMBER of each word."""
    pairs = [_pair(word, option, example) for word in words or ()]
    return {name: _number(amount, f"{option} {name}") for name, amount in pairs}


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is no number") from None


def list_sites(arguments: Namespace) -> tuple[list[dict], list[str]]:
    """List the sites of a surface; molecules on it occupy them."""
    sites = find_sites(read_frame(arguments.file))
    lines = ["name           multiplicity  free  position (A)"]
    lines += [
        f"{s['name']:<14} {s['multiplicity']:>12}  {s['free']:>4}  {' '.join(f'{x:8.3f}' for x in s['position'])}"
        for s in sites
    ]
    return sites, lines


def show_structure(arguments: Namespace) -> tuple[dict, list[str]]:
    """Draw one structure into a file."""
    atoms = read_frame(arguments.file)
    path = Path(arguments.output)
    if path.suffix == ".html":
        write_page({atoms.get_chemical_formula(): atoms}, path)
    else:
        sites = find_sites(atoms) if arguments.sites else ()
        path = write(draw_structure(atoms, sites), arguments.output)
    return {"file": str(path), "atoms": len(atoms)}, [f"{len(atoms)} atoms drawn in {path}"]


def cover_slab(arguments: Namespace) -> tuple[dict, list[str]]:
    """Attach ligands in one binding mode, or a mixture of ligands, and write the covered slab."""
    check_output(arguments.output)
    if "=" in arguments.ligand:
        return _cover_with_mixture(arguments)
    ligand = library.ligand(arguments.ligand)
    if arguments.mode is not None and arguments.mode not in ligand.binding_modes:
        raise unknown(f"binding mode of {ligand.name}", arguments.mode, ligand.binding_modes, "--mode")
    slab = read_model(arguments.file, arguments.charge)
    count = arguments.count or api.ligands_for_coverage(arguments.coverage, surface_area(slab))
    candidates = attach_ligands(
        slab,
        ligand,
        count,
        arguments.truncate_to_carbons,
        [arguments.mode] if arguments.mode else None,
        arguments.pattern,
        arguments.seed,
    )
    covered = _with_defects(candidates[0], arguments)
    write_frames(arguments.output, [covered])
    modes = [annotation.noted(candidate, "binding_mode") for candidate in candidates]
    data = _describe(covered, arguments.output) | {
        "ligand": ligand.name,
        "ligand_entry": annotation.noted(covered, "ligand_entry"),
        "binding_mode": annotation.noted(covered, "binding_mode"),
        "binding_modes_that_fit": modes,
        "anchor_distance_A": anchor_distance(covered),
        "model": describe_model(ligand, arguments.truncate_to_carbons),
        "ligands": sum(1 for _ in iter_ligands(covered)),
        "coverage_per_nm2": sum(1 for _ in iter_ligands(covered)) / surface_area(covered),
    }
    words = (
        f"{data['ligands']} x {data['model']}, {data['binding_mode']} ({_modes(modes)}), anchors up to "
        f"{data['anchor_distance_A']:.2f} A from the crystal"
    )
    return data, [f"{arguments.output}: {words}, {data['coverage_per_nm2']:.3f} nm^-2, {_words(data)}"]


def _cover_with_mixture(arguments: Namespace) -> tuple[dict, list[str]]:
    pairs = [_pair(word, "LIGAND", "oleate=0.7,methylamine=0.3") for word in arguments.ligand.split(",")]
    shares = [(library.ligand(name), _number(share, f"LIGAND {name}")) for name, share in pairs]
    if arguments.mode is not None:
        raise InputError("--mode is for one ligand; those of a mixture each take their first mode that fits")
    slab = read_model(arguments.file, arguments.charge)
    count = arguments.count or api.ligands_for_coverage(arguments.coverage, surface_area(slab))
    covered = attach_mixture(slab, shares, count, arguments.truncate_to_carbons, arguments.pattern, arguments.seed)
    covered = _with_defects(covered, arguments)
    write_frames(arguments.output, [covered])
    data = _describe(covered, arguments.output) | {
        "ligand": annotation.noted(covered, "ligand"),
        "ligand_entry": annotation.noted(covered, "ligand_entry"),
        "ligands": sum(1 for _ in iter_ligands(covered)),
        "coverage_per_nm2": sum(1 for _ in iter_ligands(covered)) / surface_area(covered),
    }
    return data, [f"{arguments.output}: {data['ligand']}, {data['coverage_per_nm2']:.3f} nm^-2, {_words(data)}"]


def _with_defects(covered: Atoms, arguments: Namespace) -> Atoms:
    return make_defects(covered, arguments.defect, arguments.seed) if arguments.defect else covered


def _modes(modes: Iterable[str]) -> str:
    return f"modes that fit: {', '.join(modes)}"


def place_molecule(arguments: Namespace) -> tuple[dict, list[str]]:
    """Place a molecule: on atoms that play a role, pulled in by springs, or rigidly over a site by its name."""
    check_output(arguments.output, arguments.poses)
    surface = read_model(arguments.file, arguments.charge)
    roles = api.landing_roles()
    if arguments.site in roles:
        return _place_on_role(arguments, surface)
    sites = {site["name"]: site for site in reversed(find_sites(surface))}
    if arguments.site not in sites:
        raise unknown("site", arguments.site, [*roles, *sites], "--site")
    return _place_over_site(arguments, surface, sites[arguments.site])


def _place_on_role(arguments: Namespace, surface: Atoms) -> tuple[dict, list[str]]:
    precursor = library.precursor(arguments.molecule)
    adduct = api.adduct_template(surface, arguments.site)
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
        "molecule": precursor.name,
        "site": arguments.site,
        "template": adduct.name if adduct else None,
        "poses": [
            {"pose": annotation.noted(pose, "pose"), "strain": annotation.noted(pose, "strain")} | _contact(pose)
            for pose in poses
        ],
    }
    lines = [f"{arguments.output}: {precursor.name} on {arguments.site}, {len(poses)} pose(s)"]
    lines += [f"  {p['pose']}  {p['contact']} {p['contact_A']:.2f} A, strain {p['strain']:.2f}" for p in data["poses"]]
    return data, lines


def _place_over_site(arguments: Namespace, surface: Atoms, site: dict) -> tuple[dict, list[str]]:
    molecule, anchor = adsorbate(arguments.molecule)
    poses, rejected = rigid_poses(
        surface,
        molecule,
        site["position"],
        site["normal"],
        anchor,
        api.ORIENTATIONS_PER_POSE * arguments.poses,
        arguments.seed,
    )
    poses = poses[: arguments.poses]
    write_frames(arguments.output, poses)
    data = {
        "file": arguments.output,
        "molecule": arguments.molecule,
        "site": site["name"],
        "anchor": f"{molecule.symbols[anchor]}{anchor}",
        "poses": [
            {"pose": annotation.noted(pose, "pose"), "height_A": annotation.noted(pose, "height_A")} for pose in poses
        ],
        "rejected": rejected,
    }
    lines = [f"{arguments.output}: {arguments.molecule} over {site['name']}, {len(poses)} pose(s)"]
    lines += [f"  {pose['pose']}  {data['anchor']} {pose['height_A']:.2f} A above the site" for pose in data["poses"]]
    return data, [*lines, f"  {len(rejected)} orientations rejected; --json lists the reasons"]


def _contact(pose: Atoms) -> dict:
    """Name and length of the bond that the precursor's metal forms."""
    target, metal = annotation.noted(pose, "formed")[0]
    return {
        "contact": f"{pose.symbols[metal]}{metal}-{pose.symbols[target]}{target}",
        "contact_A": float(pose.get_distance(metal, target, mic=True)),
    }


def _describe(atoms: Atoms, path: str) -> dict:
    """What every built slab reports."""
    layers = annotation.layers(atoms)[annotation.parts(atoms) == SUBSTRATE]
    return {
        "file": path,
        "material": annotation.noted(atoms, "material"),
        "formula": atoms.get_chemical_formula(),
        "atoms": len(atoms),
        "layers": int(layers.max()),
        "area_nm2": surface_area(atoms),
        "charge": float(np.round(annotation.formal_charges(atoms).sum(), 9)),
        "charge_balance": charge_balance(atoms),
    }


def _words(data: dict) -> str:
    """Facts of a built slab for people."""
    return f"{data['formula']}, {data['atoms']} atoms, {data['area_nm2']:.3f} nm^2; {data['charge_balance']}"
