"""Python interface: functions on `ase.Atoms` that take names or records, offered as `qdsurf.slab` and so on.

All arguments after the second are given by keyword. Names contain units. Defaults are those of the command line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from ase import Atoms

from qdsurf import defaults
from qdsurf.atomistic import annotation
from qdsurf.atomistic.molecules import build_molecule
from qdsurf.atomistic.point_sampling import Pattern
from qdsurf.calculators.single_point import SinglePoint, single_point
from qdsurf.elementary_steps.adsorption_poses import adsorbate, place_precursor, precursor_fragment
from qdsurf.elementary_steps.rigid_poses import rigid_poses
from qdsurf.errors import InputError, unknown
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.ligands.mixtures import attach_mixture
from qdsurf.ligands.neutral_shell import attach_dative
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.records.miller import parse_miller_index, reduce_miller_index
from qdsurf.records.models import BindingMode, CalculatorSpec, Facet, Ligand, Material, Precursor, Recipe
from qdsurf.records.reaction_templates import Reaction, Role
from qdsurf.records.systems import find_facet
from qdsurf.relaxation.result import RelaxationResult
from qdsurf.saddles.result import SaddleResult
from qdsurf.storage.structures import read_structures, write_structures
from qdsurf.surfaces.adsorption_sites import Site, find_sites
from qdsurf.surfaces.defects import make_defects
from qdsurf.surfaces.external import annotate_external
from qdsurf.surfaces.nanocrystal import EVERYWHERE, build_nanocrystal
from qdsurf.surfaces.passivation import PassivatingIons
from qdsurf.surfaces.site_density import surface_area
from qdsurf.surfaces.slab import cut_slab, list_terminations

if TYPE_CHECKING:
    import pandas as pd

    from qdsurf.microkinetics.network.mechanism import Mechanism

ORIENTATIONS_PER_POSE = 16  # orientations of a rigid molecule over a site that are tried for each pose


@dataclass(frozen=True)
class ReactionMatch:
    """Whether a reaction template applies to a structure.

    Attributes
    ----------
    name, equation, reaction_class : str
        Of the template.
    applies : bool
        Whether the structure has the atoms that it needs.
    reason : str
        Why it does not apply; empty where it does.
    roles : mapping
        Indices of the atoms that can take each role.
    """

    name: str
    equation: str
    reaction_class: str
    applies: bool
    reason: str
    roles: Mapping[Role, np.ndarray]


def slab(
    material: str | Material,
    facet: str | Facet,
    *,
    termination: str | None = None,
    layers: int | None = None,
    thickness_A: float | None = None,
    supercell: tuple[int, int] = (1, 1),
    vacuum_A: float = defaults.VACUUM_A,
    bottom: str | None = None,
    mobile_layers: int = defaults.MOBILE_LAYERS,
    shells: Mapping[str, int] | None = None,
    passivation: str = defaults.PASSIVATION,
    defects: Sequence[str] = (),
    allow_charged: bool = False,
    seed: int = 0,
) -> Atoms:
    """Cut a slab with a named top, neutral by formal charges.

    Parameters
    ----------
    material : str or Material
        Name or record; `library.names("materials")` lists the names.
    facet : str or Facet
        Miller indices such as "100", "1,0,0" or "10-10", or a record.
    termination : str or None
        Composition of the top layer, such as "CsBr". None takes the first one on record with these indices,
        else the cut with the fewest broken bonds.
    layers, thickness_A : int or None
        Number of atomic layers, or distance between the lowest and the highest one; one of the two.
    supercell : tuple[int, int]
        Repetitions of the primitive surface cell.
    vacuum_A : float
        Empty space along the normal.
    bottom : str or None
        Composition of the lowest layer; None takes what the number of layers gives.
    mobile_layers : int
        Outermost layers that may move; the others are fixed.
    shells : mapping or None
        Other crystals on top and their numbers of layers, from the inside out, such as {"ZnS": 4}.
    passivation : str
        Anion that balances a polar side: a halide or OH.
    defects : sequence of str
        Such as "V_Br", "V_PbBr2", "O_S" or "H2O"; several may balance one another.
    allow_charged : bool
        Accept formal charges that do not add up to zero.
    seed : int
        Seed of the places in mixed crystals and of the orientations of molecular ions.

    Returns
    -------
    ase.Atoms
        Surface along z, periodic in x and y. Its columns (`role`, `layer`, `formal_charge`) are those that all other
        functions use.

    Raises
    ------
    InputError, BuildError, BalanceError
        A name is unknown, no such cut exists, or the slab is charged.

    Examples
    --------
    >>> import qdsurf
    >>> atoms = qdsurf.slab("PbS", "100", layers=2, supercell=(2, 2))
    >>> atoms.get_chemical_formula()
    'Pb8S8'
    """
    record = _record("material", material, Material, library.material)
    surface = cut_slab(
        record,
        facet if isinstance(facet, Facet) else choose_facet(record, facet, termination),
        layers,
        (supercell[0], supercell[1]),
        vacuum_A,
        bottom,
        mobile_layers,
        allow_charged,
        thickness_A,
        PassivatingIons(passivation),
        seed,
        [(library.material(name), count) for name, count in (shells or {}).items()],
    )
    return make_defects(surface, list(defects), charged=allow_charged) if defects else surface


def nanocrystal(
    material: str | Material,
    diameter_nm: float,
    *,
    ligands: str | Mapping[str, str] | None = None,
    coverage_per_nm2: float | None = None,
    facets: Mapping[str, float] | None = None,
    centre: str | None = None,
    shells: Mapping[str, float] | None = None,
    passivation: str = defaults.PASSIVATION,
    truncate_to_carbons: int | None = None,
    seed: int = 0,
) -> Atoms:
    """Build a whole nanocrystal as a Wulff shape, neutral with its ligands.

    Parameters
    ----------
    material : str or Material
        Name or record.
    diameter_nm : float
        Of the sphere of the same volume.
    ligands : str or mapping or None
        Name of one ligand for all facets, or names by facet. Neutral ligands need a coverage.
    coverage_per_nm2 : float or None
        Ligands per nm^2; None takes as many charged ligands as balance the particle.
    facets : mapping or None
        Ratios of surface energies, such as {"100": 1.0, "111": 1.1}; None takes those on record.
    centre : str or None
        Element of the atom in the middle; None takes the middle of the cell.
    shells : mapping or None
        Other crystals and their numbers of layers, from the inside out.
    passivation : str
        Anion on the places without a ligand: a halide or OH.
    truncate_to_carbons : int or None
        Length of the ligand chains; None keeps them.
    seed : int
        Seed of the orientations of ligands and of the places in mixed crystals.

    Raises
    ------
    InputError, BuildError, BalanceError
        A name is unknown, the facets close no volume, or the particle cannot be neutral.

    Examples
    --------
    >>> import qdsurf
    >>> dot = qdsurf.nanocrystal("PbS", 1.6, ligands="acetate")
    >>> round(float(dot.arrays["formal_charge"].sum()), 6)
    0.0
    """
    return bare_and_covered(
        material,
        diameter_nm,
        {EVERYWHERE: ligands} if isinstance(ligands, str) else dict(ligands or {}),
        coverage_per_nm2=coverage_per_nm2,
        facets=facets,
        centre=centre,
        shells=shells,
        passivation=passivation,
        truncate_to_carbons=truncate_to_carbons,
        seed=seed,
    )[1]


def ligate(
    atoms: Atoms,
    ligand: str | Ligand | Mapping[str, float],
    *,
    count: int | None = None,
    coverage_per_nm2: float | None = None,
    mode: BindingMode | None = None,
    pattern: Pattern = "uniform",
    truncate_to_carbons: int | None = None,
    defects: Sequence[str] = (),
    seed: int | None = None,
) -> Atoms:
    """Attach ligands to a slab or particle.

    Parameters
    ----------
    atoms : Atoms
        Slab or particle; it is not changed.
    ligand : str or Ligand or mapping
        Name or record of one ligand, or shares of several, such as {"acetate": 0.8, "hydroxide": 0.2}.
    count, coverage_per_nm2 : int or None
        Number of ligands in the cell, or per area; one of the two, default one ligand.
    mode : BindingMode or None
        Binding mode; None takes the first one of the ligand that fits.
    pattern : Pattern
        `uniform`, `random` or `clustered` choice of sites.
    truncate_to_carbons : int or None
        Length of the ligand chains; None keeps them.
    defects : sequence of str
        Defects of the covered surface, such as "loss_1".
    seed : int or None
        Seed of the choice of sites; None begins in the middle of the cell.

    Raises
    ------
    InputError, BuildError, BalanceError
        A name is unknown, or the ligands have no room or cannot be balanced.

    Examples
    --------
    >>> import qdsurf
    >>> covered = qdsurf.ligate(qdsurf.slab("PbS", "100", layers=2, supercell=(3, 2)), "acetate")
    >>> covered.info["binding_mode"] in ("monodentate", "bridging", "chelating")
    True
    """
    surface = annotated(atoms)
    if count is not None and coverage_per_nm2 is not None:
        raise InputError("count and coverage_per_nm2 are both given; give one of them")
    number = count or ligands_for_coverage(coverage_per_nm2, surface_area(surface))
    if isinstance(ligand, Mapping):
        if mode is not None:
            raise InputError("mode is for one ligand; those of a mixture each take their first mode that fits")
        shares = [(library.ligand(name), share) for name, share in ligand.items()]
        covered = attach_mixture(surface, shares, number, truncate_to_carbons, pattern, seed)
    else:
        record = _record("ligand", ligand, Ligand, library.ligand)
        if mode is not None and mode not in record.binding_modes:
            raise unknown(f"binding mode of {record.name}", mode, record.binding_modes, "mode")
        modes: list[BindingMode] | None = [mode] if mode else None
        covered = attach_ligands(surface, record, number, truncate_to_carbons, modes, pattern, seed)[0]
    return make_defects(covered, list(defects), seed) if defects else covered


def sites(atoms: Atoms) -> list[Site]:
    """Find the adsorption sites of a slab or particle, one of each set of equivalent ones.

    Parameters
    ----------
    atoms : Atoms
        Slab with its surface along z, or particle without a cell.

    Returns
    -------
    list of Site
        Sites of the crystal first, then vacancies and the anchors of ligands.

    Raises
    ------
    BuildError
        The structure is neither a slab with its surface along z nor a particle.

    Examples
    --------
    >>> import qdsurf
    >>> [site.name for site in qdsurf.sites(qdsurf.slab("PbS", "100", layers=2))]
    ['top:Pb', 'top:S', 'bridge:Pb-S', 'hollow:4']
    """
    return find_sites(atoms)


def place(
    atoms: Atoms,
    molecule: str | Precursor,
    *,
    site: str = defaults.SITE,
    poses: int = 1,
    seed: int = 0,
) -> list[Atoms]:
    """Place a molecule on a surface or on its ligands.

    Parameters
    ----------
    atoms : Atoms
        Slab or particle, with or without ligands; it is not changed.
    molecule : str or Precursor
        Name or record of a precursor; over a named site also a co-reactant, a SMILES string or a file.
    site : str
        Role on which the metal of a precursor lands (`surface.anion`, `surface.cation`, `surface.counterion`,
        `ligand.anchor`), or the name of a site from `sites`.
    poses : int
        Largest number of poses, those with the most space first.
    seed : int
        Seed of the orientations.

    Returns
    -------
    list of ase.Atoms
        Fewer than asked for where fewer fit.

    Raises
    ------
    InputError, BuildError
        The molecule or the site is unknown, or the molecule has no room.

    Examples
    --------
    >>> import qdsurf
    >>> surface = qdsurf.slab("PbS", "100", layers=2, supercell=(3, 3))
    >>> (pose,) = qdsurf.place(surface, "TMA")
    >>> pose.get_chemical_formula()
    'C3H9AlPb18S18'
    """
    surface = annotated(atoms)
    if site in landing_roles():
        record = _record("precursor", molecule, Precursor, library.precursor)
        adduct = adduct_template(surface, site)
        fragment = precursor_fragment(build_molecule(record.molecule), record)
        return place_precursor(surface, fragment, site, poses, seed, adduct.breaks if adduct else ())
    found = {one.name: one for one in reversed(find_sites(surface))}
    if site not in found:
        raise unknown("site", site, [*landing_roles(), *found], "site")
    body, anchor = adsorbate(molecule if isinstance(molecule, str) else molecule.name)
    where = found[site]
    fitting, _ = rigid_poses(surface, body, where.position, where.normal, anchor, ORIENTATIONS_PER_POSE * poses, seed)
    return fitting[:poses]


def relax(
    structures: Atoms | Sequence[Atoms],
    calculator: str | CalculatorSpec = defaults.CALCULATOR,
    *,
    parameters: Mapping[str, Any] | None = None,
    fmax_eV_per_A: float = defaults.FMAX_EV_PER_A,
    max_steps: int = defaults.MAX_STEPS,
    timeout_s: float | None = None,
) -> RelaxationResult | list[RelaxationResult]:
    """Relax one structure or several; a failure is recorded, and the other structures are still relaxed.

    Parameters
    ----------
    structures : Atoms or sequence of Atoms
        One structure or several; constraints are kept.
    calculator : str or CalculatorSpec
        Name or record of a calculator; `qdsurf list calculators` lists the names.
    parameters : mapping or None
        Parameters of the calculator, such as {"model": "7net-0"}.
    fmax_eV_per_A : float
        Largest force on a free atom at convergence.
    max_steps : int
        Largest number of optimiser steps for each structure; 0 is a single point.
    timeout_s : float or None
        Longest time for one structure; the calculator then runs in a separate process.

    Returns
    -------
    RelaxationResult or list of RelaxationResult
        One for each structure.

    Raises
    ------
    InputError, UnsupportedElementError
        Before anything runs.

    Examples
    --------
    >>> import qdsurf
    >>> from ase.build import molecule
    >>> water = qdsurf.relax(molecule("H2O"))
    >>> water.converged, f"{water.atoms.get_distance(0, 1):.2f} A"
    (True, '0.98 A')
    """
    from qdsurf.relaxation.relax import relax_batch

    several = [structures] if isinstance(structures, Atoms) else list(structures)
    spec = _calculator(calculator, parameters)
    results = relax_batch(several, spec, fmax_eV_per_A, max_steps, label="relax", timeout_s=timeout_s)
    return results[0] if isinstance(structures, Atoms) else results


def energy(
    atoms: Atoms,
    calculator: str | CalculatorSpec = defaults.CALCULATOR,
    *,
    parameters: Mapping[str, Any] | None = None,
) -> SinglePoint:
    """Compute energy, forces and stress of a structure as it is.

    Parameters
    ----------
    atoms : Atoms
        Molecule, slab, particle or bulk crystal.
    calculator : str or CalculatorSpec
        Name or record of a calculator; `qdsurf list calculators` lists the names.
    parameters : mapping or None
        Parameters of the calculator, such as {"model": "7net-0"}.

    Returns
    -------
    SinglePoint
        With `energy_eV`, `forces_eV_per_A` of shape (n, 3), and `stress_eV_per_A3` in Voigt order, positive under
        tension; None for structures without a periodic cell.

    Raises
    ------
    InputError, UnsupportedElementError, CalculationError
        The calculator is unknown, has no parameters for an element, or failed.

    Examples
    --------
    >>> import qdsurf
    >>> from ase.build import bulk
    >>> point = qdsurf.energy(bulk("PbS", "rocksalt", 5.94))
    >>> round(point.energy_eV, 1), point.forces_eV_per_A.shape, point.stress_eV_per_A3.shape
    (-9.6, (2, 3), (6,))
    """
    from qdsurf.calculators.registry import assert_supported, make_calculator

    spec = _calculator(calculator, parameters)
    assert_supported(spec, atoms.symbols)
    return single_point(atoms, make_calculator(spec))


def reactions(atoms: Atoms, precursor: str, *, coreactant: str | None = None) -> list[ReactionMatch]:
    """Find the reaction templates that apply to a structure, and the reasons why the others do not.

    Parameters
    ----------
    atoms : Atoms
        Slab or particle with its ligands, without a precursor.
    precursor : str
        Name of a precursor, or of a co-reactant in its place.
    coreactant : str or None
        Name of a co-reactant, or of a by-product such as HNMe2.

    Raises
    ------
    InputError, BalanceError
        A name is unknown, a precursor is there already, or the structure is charged.

    Examples
    --------
    >>> import qdsurf
    >>> surface = qdsurf.slab("PbS", "100", layers=2, supercell=(3, 2))
    >>> {match.name: match.applies for match in qdsurf.reactions(surface, "TMA")}["dissociation_surface"]
    True
    """
    from qdsurf.elementary_steps.matching import infer_entry, match_templates, offered_molecules, without_molecules

    surface = without_molecules(annotated(atoms), "the structure")
    templates = library.reactions()
    matches = match_templates(surface, infer_entry(surface), templates, offered_molecules(precursor, coreactant))
    return [
        ReactionMatch(
            name, templates[name].equation, templates[name].reaction_class, not match.reason, match.reason, match.roles
        )
        for name, match in matches.items()
    ]


def find_saddle(
    initial: Atoms,
    final: Atoms,
    *,
    calculator: str | CalculatorSpec = defaults.CALCULATOR,
    parameters: Mapping[str, Any] | None = None,
    fmax_eV_per_A: float = defaults.FMAX_EV_PER_A,
    max_calls: int = 100,
) -> SaddleResult:
    """Find the saddle point between two minima, and verify it by its modes and by relaxing into both of them.

    Parameters
    ----------
    initial, final : Atoms
        Minima with the same atoms in the same order; they are relaxed first if necessary.
    calculator : str or CalculatorSpec
        Name or record of a calculator.
    parameters : mapping or None
        Parameters of the calculator.
    fmax_eV_per_A : float
        Largest force at minima and saddle point.
    max_calls : int
        Largest number of force calls of one search.

    Raises
    ------
    InputError
        The two structures are not the same atoms in the same cell.

    Examples
    --------
    >>> import qdsurf
    >>> from ase.build import add_adsorbate, fcc100
    >>> initial = fcc100("Al", (2, 2, 2), vacuum=8.0)
    >>> final = initial.copy()
    >>> add_adsorbate(initial, "Au", 1.7, "hollow")
    >>> add_adsorbate(final, "Au", 1.7, "hollow", offset=(1, 0))
    >>> saddle = qdsurf.find_saddle(initial, final, calculator="emt")
    >>> saddle.status, round(saddle.barrier_eV, 1)
    ('verified', 0.4)
    """
    from qdsurf.calculators.registry import make_calculator
    from qdsurf.saddles import search

    made = make_calculator(_calculator(calculator, parameters))
    return search.find_saddle(initial, final, made, fmax_eV_per_A, max_calls)


def kinetics(
    mechanism: "str | Path | Mechanism",
    recipe: str | Recipe,
    *,
    temperature_K: float | None = None,
    pressure_Pa: float | None = None,
    cycles: int = 1,
    samples: int = 512,
    seed: int = 0,
) -> "dict[str, pd.DataFrame]":
    """Simulate a recipe with a mechanism.

    Parameters
    ----------
    mechanism : str or Path or Mechanism
        YAML file or record; see docs/tutorial/kinetics-of-your-own-energies.md.
    recipe : str or Recipe
        Name or record of a recipe.
    temperature_K, pressure_Pa : float or None
        Temperature, and pressure of the precursor, instead of those of the recipe.
    cycles : int
        Number of cycles of the recipe.
    samples : int
        Number of samples of the energies, for probabilities; rounded up to a power of two.
    seed : int
        Seed of the samples.

    Returns
    -------
    dict of pandas.DataFrame
        coverages, selectivity, control, ledger, growth, saturation and dose; see docs/reference/tables.md.

    Raises
    ------
    InputError, BalanceError, CalculationError
        The mechanism is wrong or does not balance, or the integration failed.

    Examples
    --------
    >>> import qdsurf
    >>> tables = qdsurf.kinetics("config/mechanisms/alumina_OH.yaml", "alumina_thermal_40C", samples=2)
    >>> sorted(tables)
    ['control', 'coverages', 'dose', 'growth', 'ledger', 'saturation', 'selectivity']
    """
    from qdsurf.microkinetics.network.mechanism import read_mechanism, tabulate_mechanism
    from qdsurf.microkinetics.simulate_cycle import Conditions, simulate_cycle

    if isinstance(mechanism, str | Path):
        system, tables = read_mechanism(Path(mechanism))
    else:
        system, tables = mechanism.system, tabulate_mechanism(mechanism)
    record = _record("recipe", recipe, Recipe, library.recipe)
    return simulate_cycle(Conditions(system, tables, record, None, temperature_K, pressure_Pa, cycles, samples, seed))


def read(path: str | Path) -> Atoms | list[Atoms]:
    """Read a structure file of any format that ASE knows.

    Parameters
    ----------
    path : str or Path
        Structure file.

    Returns
    -------
    Atoms or list of Atoms
        A list if the file has several frames.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.

    Examples
    --------
    >>> import qdsurf
    >>> len(qdsurf.read("docs/tutorial/dot.xyz"))
    16
    """
    frames = read_structures(Path(path))
    return frames[0] if len(frames) == 1 else frames


def write(path: str | Path, structures: Atoms | Sequence[Atoms]) -> None:
    """Write structures as extended XYZ, which keeps all annotations; the file is replaced in one step.

    Parameters
    ----------
    path : str or Path
        File to write.
    structures : Atoms or sequence of Atoms
        One structure or several.

    Examples
    --------
    >>> import qdsurf, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "slab.xyz"
    >>> qdsurf.write(path, qdsurf.slab("PbS", "100", layers=2))
    >>> "layer" in qdsurf.read(path).arrays
    True
    """
    write_structures(Path(path), structures, checked=False)


def show(atoms: Atoms, path: str | Path, *, sites: bool = False) -> Path:
    """Draw a structure into a file.

    Parameters
    ----------
    atoms : Atoms
        Structure.
    path : str or Path
        File with the ending .png, .svg or .html; an HTML page shows a structure that can be turned.
    sites : bool
        Whether to label the adsorption sites in the view from above.

    Returns
    -------
    Path
        The file.

    Examples
    --------
    >>> import qdsurf, tempfile
    >>> qdsurf.show(qdsurf.slab("PbS", "100", layers=2), f"{tempfile.mkdtemp()}/slab.png").name
    'slab.png'
    """
    from qdsurf.report.figures.structure import draw_structure
    from qdsurf.report.figures.style import write_figure
    from qdsurf.report.pages.viewer import write_structure_page

    if Path(path).suffix == ".html":
        write_structure_page({atoms.get_chemical_formula(): atoms}, Path(path))
        return Path(path)
    return Path(write_figure(draw_structure(atoms, find_sites(atoms) if sites else ()), str(path)))


def bare_and_covered(
    material: str | Material,
    diameter_nm: float,
    ligands: Mapping[str, str],
    *,
    coverage_per_nm2: float | None,
    facets: Mapping[str, float] | None,
    centre: str | None,
    shells: Mapping[str, float] | None,
    passivation: str,
    truncate_to_carbons: int | None,
    seed: int,
) -> tuple[Atoms, Atoms]:
    """The crystal of `nanocrystal` without and with what covers it; ligands by facet."""
    record = _record("material", material, Material, library.material)
    records = {face: library.ligand(name) for face, name in ligands.items()}
    charged = {face: ligand for face, ligand in records.items() if ligand.charge}
    neutral = {face: ligand for face, ligand in records.items() if not ligand.charge}
    if neutral and coverage_per_nm2 is None:
        names = ", ".join(ligand.name for ligand in neutral.values())
        raise InputError(f"coverage: give the number of {names} per nm^2")
    grown = [(library.material(name), amount) for name, amount in (shells or {}).items()]
    particle, dangling = build_nanocrystal(record, diameter_nm, facets and dict(facets), centre, seed, grown)
    coverage = None if neutral else coverage_per_nm2
    covered = cap_nanocrystal(
        particle, dangling, record, charged, PassivatingIons(passivation), truncate_to_carbons, seed, coverage
    )
    if neutral and coverage_per_nm2 is not None:
        covered = attach_dative(covered, neutral, coverage_per_nm2, truncate_to_carbons, seed)
    return particle, covered


def choose_facet(material: Material, hkl: str, termination: str | None = None) -> Facet:
    """Find a facet among those of a material on record, or describe a new one.

    Parameters
    ----------
    termination : str or None
        None takes the first facet on record with these indices, else the cut with the fewest broken bonds.

    Raises
    ------
    InputError
        No cut has this termination.
    """
    miller_index = parse_miller_index(hkl)
    recorded: dict[str, Facet] = {}
    for facet in material.facets:
        if reduce_miller_index(facet.miller_index) == miller_index:
            recorded.setdefault(facet.termination, facet)
    if termination is None and recorded:
        return next(iter(recorded.values()))
    if termination in recorded:
        return recorded[termination]
    possible = [one.name for one in list_terminations(material, miller_index)]
    if termination is not None and termination not in possible:
        raise unknown("termination", termination, {*possible, *recorded}, f"{material.name} {miller_index}")
    return find_facet(f"{material.name}_{hkl.replace(' ', '')}_{termination or possible[0]}")[1]


def ligands_for_coverage(coverage_per_nm2: float | None, area_nm2: float) -> int:
    """Number of ligands for a coverage, to the nearest integer; one where none is given.

    Raises
    ------
    InputError
        The coverage is less than half a ligand.
    """
    if coverage_per_nm2 is None:
        return 1
    count = round(coverage_per_nm2 * area_nm2)
    if count < 1:
        raise InputError(
            f"a coverage of {coverage_per_nm2:g} nm^-2 is less than one ligand on {area_nm2:.3f} nm^2; one ligand is "
            f"{1 / area_nm2:.3f} nm^-2: give more, or cut a larger slab with a supercell"
        )
    return count


def landing_roles() -> list[str]:
    """Roles of surfaces and ligands on which a precursor can land."""
    return [role for role in get_args(Role) if role.startswith(("surface.", "ligand.")) and role != "ligand.proton"]


def adduct_template(surface: Atoms, role: str) -> Reaction | None:
    """The template of a precursor's adduct on a role of this surface, which names the bonds that give way."""
    entry = annotation.noted(surface, "ligand_entry", "none")
    for template in library.reactions().values():
        if template.takes == "precursor" and template.arrival[1] == role and entry in template.ligand_entry:
            return template
    return None


def annotated(atoms: Atoms) -> Atoms:
    """A structure with the columns that all functions use; one from elsewhere gets them from its bonds.

    Raises
    ------
    InputError
        The argument is not a structure, or an element has no formal charge on record.
    """
    if not isinstance(atoms, Atoms):
        raise InputError(f"{type(atoms).__name__} is not a structure; give ase.Atoms, or read a file with qdsurf.read")
    return annotate_external(atoms)


def _record(kind: str, given, record: type, find):
    """A record, or the one on record with this name."""
    if isinstance(given, record):
        return given
    if isinstance(given, str):
        return find(given)
    example = library.names(f"{kind}s")[0]
    raise InputError(f"{kind}: {given!r} is neither a name, such as {example!r}, nor a {record.__name__}")


def _calculator(calculator: str | CalculatorSpec, parameters: Mapping[str, Any] | None) -> CalculatorSpec:
    if isinstance(calculator, CalculatorSpec):
        if parameters:
            raise InputError("parameters: the calculator is a record and has its own; give its name instead")
        return calculator
    return library.validate(CalculatorSpec, {"name": calculator, "parameters": dict(parameters or {})}, "calculator")
