"""Verbs that build or draw structures: slab, nanocrystal, sites, ligate, place, show."""

from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from qdsurf import api
from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.atomistic.charge_balance import charge_balance
from qdsurf.atomistic.molecules import build_molecule, describe_model
from qdsurf.cli.files import check_output, print_note, read_frame, read_model, write_frames
from qdsurf.cli.verb_result import VerbResult
from qdsurf.elementary_steps.adsorption_poses import adsorbate, place_precursor, precursor_fragment
from qdsurf.elementary_steps.rigid_poses import rigid_poses
from qdsurf.errors import InputError, unknown
from qdsurf.ligands.mixtures import attach_mixture
from qdsurf.ligands.slab_ligands import anchor_distance, attach_ligands, iter_ligands
from qdsurf.records import library
from qdsurf.report.figures.structure import draw_structure
from qdsurf.report.figures.style import write_figure
from qdsurf.report.pages.viewer import write_structure_page
from qdsurf.surfaces.adsorption_sites import Site, find_sites
from qdsurf.surfaces.defects import make_defects
from qdsurf.surfaces.nanocrystal import EVERYWHERE, particle_area
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import list_terminations


def make_slab(arguments: Namespace) -> VerbResult:
    """Cut a slab and write it.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf slab`.

    Returns
    -------
    VerbResult
        Composition, size and charge of the slab, and all `terminations` of its plane.

    Raises
    ------
    InputError
        A name, the indices or an option is wrong.
    BalanceError
        The defects leave a charge, and --allow-charged is not given.
    BuildError
        No slab has this termination, number of layers or thickness.
    """
    check_output(arguments.output)
    material = library.material(arguments.material)
    facet = api.choose_facet(material, arguments.hkl, arguments.termination)
    shells = {name: round(layers) for name, layers in _read_amounts(arguments.shell, "--shell", "ZnS=4").items()}
    slab = api.slab(
        material,
        facet,
        layers=arguments.layers,
        thickness_A=arguments.thickness,
        supercell=arguments.supercell,
        vacuum_A=arguments.vacuum,
        bottom=arguments.bottom,
        mobile_layers=arguments.mobile_layers,
        shells=shells,
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
        "terminations": [asdict(termination) for termination in terminations],
        "defects": arguments.defect or [],
        "shells": annotation.noted(slab, "shells", ""),
    }
    line = f"{arguments.output}: {material.name} ({arguments.hkl}) {facet.termination}, {_composition(data)}"
    return VerbResult(data, [line])


def make_nanocrystal(arguments: Namespace) -> VerbResult:
    """Build a whole nanocrystal, charge-neutral with its ligands, and write it.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf nanocrystal`.

    Returns
    -------
    VerbResult
        Composition, size and charge of the particle, and numbers of ligands, passivating ions, ligands that did not
        fit (`without_room`) and surface atoms by facet.

    Raises
    ------
    InputError
        A name or an option is wrong, or surface energies or a coverage are missing.
    BuildError
        The particle cannot be built or covered.
    """
    check_output(arguments.output)
    material = library.material(arguments.material)
    particle, covered = api.bare_and_covered(
        material,
        arguments.diameter,
        dict(_facet_and_ligand(word) for word in arguments.ligand or ()),
        coverage_per_nm2=arguments.coverage,
        facets=_read_amounts(arguments.facets, "--facets", "111=1.1") or None,
        centre=arguments.centre,
        shells=_read_amounts(arguments.shell, "--shell", "ZnS=0.6"),
        passivation=arguments.passivating_ion,
        truncate_to_carbons=arguments.truncate_to_carbons,
        seed=arguments.seed,
    )
    surface_atoms = Counter(annotation.faces(particle)[annotation.layers(particle) == 1].tolist())
    area = particle_area(particle)
    write_frames(arguments.output, [covered])
    data = {
        "file": arguments.output,
        "material": material.name,
        "diameter_nm": arguments.diameter,
        "formula": covered.get_chemical_formula(),
        "atoms": len(covered),
        "surface_nm2": area,
        "surface_atoms_by_facet": dict(surface_atoms),
        **{key: int(annotation.noted(covered, key)) for key in ("ligands", "passivating_ions", "without_room")},
        "coverage_per_nm2": annotation.noted(covered, "ligands") / area,
        "charge": float(np.round(annotation.formal_charges(covered).sum(), 9)),
        "charge_balance": charge_balance(covered),
    }
    lines = [
        f"{arguments.output}: {material.name}, {data['atoms']} atoms, {area:.1f} nm^2; {data['charge_balance']}",
        f"  {data['ligands']} ligands ({data['coverage_per_nm2']:.2f} nm^-2), {data['passivating_ions']} passivating "
        f"ions, {data['without_room']} ligands did not fit",
        "  surface atoms: " + ", ".join(f"{facet} {count}" for facet, count in sorted(surface_atoms.items())),
    ]
    return VerbResult(data, lines)


def _read_pair(word: str, option: str, example: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, equals, value = word.rpartition("=")
    if not equals:
        raise InputError(f"{option} {word!r}: write NAME=VALUE, such as {example}")
    return name, value


def _facet_and_ligand(word: str) -> tuple[str, str]:
    """Read LIGAND or FACET=LIGAND."""
    facet, _, name = word.rpartition("=")
    return facet or EVERYWHERE, name


def _read_amounts(words: Sequence[str] | None, option: str, example: str) -> dict[str, float]:
    """Read NAME=NUMBER pairs."""
    pairs = [_read_pair(word, option, example) for word in words or ()]
    return {name: _read_number(amount, f"{option} {name}") for name, amount in pairs}


def _read_number(text: str, where: str) -> float:
    """Read a number of any sign."""
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{where}: {text!r} is not a number") from None


def list_sites(arguments: Namespace) -> VerbResult:
    """List the adsorption sites of a surface, and how many of them no molecule occupies.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf sites`.

    Returns
    -------
    VerbResult
        For each set of equivalent sites an object with the fields of `Site`.

    Raises
    ------
    InputError
        The file cannot be read, or the structure is not a slab or particle.
    """
    sites = find_sites(read_frame(arguments.file))
    lines = [f"{'name':<14} {'multiplicity':>12}  {'free':>4}  position (A)"]
    for site in sites:
        position = " ".join(f"{coordinate:8.3f}" for coordinate in site.position)
        lines.append(f"{site.name:<14} {site.multiplicity:>12}  {site.free:>4}  {position}")
    return VerbResult([asdict(site) for site in sites], lines)


def show_structure(arguments: Namespace) -> VerbResult:
    """Draw one structure into a file.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf show`.

    Returns
    -------
    VerbResult
        File and number of atoms.

    Raises
    ------
    InputError
        The structure cannot be read, or the suffix of the output is not .png, .svg or .html.
    """
    atoms = read_frame(arguments.file)
    path = Path(arguments.output)
    if path.suffix == ".html":
        write_structure_page({atoms.get_chemical_formula(): atoms}, path)
    else:
        sites = find_sites(atoms) if arguments.sites else ()
        path = write_figure(draw_structure(atoms, sites), path)
    return VerbResult({"file": str(path), "atoms": len(atoms)}, [f"{path}: drawing of {len(atoms)} atoms"])


def cover_slab(arguments: Namespace) -> VerbResult:
    """Attach one ligand in one binding mode, or a mixture of ligands, and write the covered slab.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf ligate`.

    Returns
    -------
    VerbResult
        Composition, size and charge of the covered slab, ligand, binding mode and coverage.

    Raises
    ------
    InputError
        The file, a name or an option is wrong, or the ligand does not bind to this surface.
    BuildError
        Not all ligands fit; the message states how many do.
    """
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
    line = (
        f"{arguments.output}: {data['ligands']} x {data['model']}, {data['binding_mode']} (modes that fit: "
        f"{', '.join(modes)}), anchors up to {data['anchor_distance_A']:.2f} A from the crystal, "
        f"{data['coverage_per_nm2']:.3f} nm^-2, {_composition(data)}"
    )
    return VerbResult(data, [line])


def _cover_with_mixture(arguments: Namespace) -> VerbResult:
    """Attach a mixture of ligands and write the covered slab."""
    pairs = [_read_pair(word, "LIGAND", "oleate=0.7,methylamine=0.3") for word in arguments.ligand.split(",")]
    shares = [(library.ligand(name), _read_number(share, f"LIGAND {name}")) for name, share in pairs]
    if arguments.mode is not None:
        raise InputError(
            "--mode is for one ligand; leave it out, because each ligand of a mixture binds in its first mode that fits"
        )
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
    line = f"{arguments.output}: {data['ligand']}, {data['coverage_per_nm2']:.3f} nm^-2, {_composition(data)}"
    return VerbResult(data, [line])


def _with_defects(covered: Atoms, arguments: Namespace) -> Atoms:
    """Make the defects that --defect names."""
    return make_defects(covered, arguments.defect, arguments.seed) if arguments.defect else covered


def place_molecule(arguments: Namespace) -> VerbResult:
    """Place a molecule and write its poses.

    On a role, the spring model brings a precursor to bonding distance of an atom with this role. Over a named site, a
    rigid molecule is lowered until it touches the surface.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf place`.

    Returns
    -------
    VerbResult
        Molecule, site and one object for each pose, with its distance from the surface in A.

    Raises
    ------
    InputError
        The file, the molecule or the site is wrong.
    BuildError
        No pose fits.
    """
    check_output(arguments.output, arguments.poses)
    surface = read_model(arguments.file, arguments.charge)
    roles = api.landing_roles()
    if arguments.site in roles:
        return _place_on_role(arguments, surface)
    # The first of several sites with one name is the one that is used.
    sites = {site.name: site for site in reversed(find_sites(surface))}
    if arguments.site not in sites:
        raise unknown("site", arguments.site, [*roles, *sites], "--site")
    return _place_over_site(arguments, surface, sites[arguments.site])


def _place_on_role(arguments: Namespace, surface: Atoms) -> VerbResult:
    """Place a precursor on atoms of one role with the spring model."""
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
        print_note(f"{arguments.poses} poses requested, but only {len(poses)} different ones fit on {arguments.site}")
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
    for pose in data["poses"]:
        lines.append(f"  {pose['pose']}  {pose['contact']} {pose['contact_A']:.2f} A, strain {pose['strain']:.2f}")
    return VerbResult(data, lines)


def _place_over_site(arguments: Namespace, surface: Atoms, site: Site) -> VerbResult:
    """Place a rigid molecule over a site."""
    molecule, anchor = adsorbate(arguments.molecule)
    poses, rejected = rigid_poses(
        surface,
        molecule,
        site.position,
        site.normal,
        anchor,
        api.ORIENTATIONS_PER_POSE * arguments.poses,
        arguments.seed,
    )
    poses = poses[: arguments.poses]
    write_frames(arguments.output, poses)
    data = {
        "file": arguments.output,
        "molecule": arguments.molecule,
        "site": site.name,
        "anchor": f"{molecule.symbols[anchor]}{anchor}",
        "poses": [
            {"pose": annotation.noted(pose, "pose"), "height_A": annotation.noted(pose, "height_A")} for pose in poses
        ],
        "rejected": rejected,
    }
    lines = [f"{arguments.output}: {arguments.molecule} over {site.name}, {len(poses)} pose(s)"]
    lines += [f"  {pose['pose']}  {data['anchor']} {pose['height_A']:.2f} A above the site" for pose in data["poses"]]
    lines.append(f"  {len(rejected)} orientations rejected; --json lists the reasons")
    return VerbResult(data, lines)


def _contact(pose: Atoms) -> dict[str, Any]:
    """Return name and length of the bond that the metal of the precursor forms."""
    target, metal = annotation.noted(pose, "formed")[0]
    return {
        "contact": f"{pose.symbols[metal]}{metal}-{pose.symbols[target]}{target}",
        "contact_A": float(pose.get_distance(metal, target, mic=True)),
    }


def _describe(atoms: Atoms, path: str) -> dict[str, Any]:
    """Return composition, size and charge of a slab."""
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


def _composition(data: Mapping[str, Any]) -> str:
    """Return formula, size and charge balance of a slab in one line."""
    return f"{data['formula']}, {data['atoms']} atoms, {data['area_nm2']:.3f} nm^2; {data['charge_balance']}"
