"""Parser of the command line with all verbs. It imports nothing heavy, so that `--help` is quick."""

import argparse
from typing import TYPE_CHECKING

import qdsurf
from qdsurf import defaults
from qdsurf.cli.arguments import (
    FRAME,
    FRAMES,
    VerbParser,
    add_calculator,
    add_charge,
    add_output,
    add_seed,
    add_verb,
    integer_from,
    length_nm,
    positive_number,
)

if TYPE_CHECKING:
    from qdsurf.cli.arguments import Verbs

LISTS = ("materials", "facets", "ligands", "precursors", "coreactants", "reactions", "recipes", "calculators")
SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
Every verb has --help with examples, and --json for one JSON value on standard output.

exit codes:
    0    success
    1    `status --verify` has found damaged or inconsistent files
    2    error in the options, in the input or in a calculation; one line on standard error says what is accepted
    130  interrupted
Any other code, with a traceback, is a defect of qdsurf: please report it.
"""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line.

    Returns
    -------
    argparse.ArgumentParser
        Parser of all verbs. The attribute `run` of its result is `module:function` of the verb inside `qdsurf.cli`.
    """
    parser = argparse.ArgumentParser(
        prog="qdsurf",
        description="Compute what an ALD precursor reacts with first on a ligand-covered quantum dot: "
        "the crystal or the ligands.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"qdsurf {qdsurf.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=VerbParser)
    structures = (_list, _slab, _nanocrystal, _sites, _ligate, _place, _show)
    calculations = (_energy, _relax, _reactions, _qualify, _corrections)
    for add in (*structures, *calculations, _kinetics, _status, _trace, _completion):
        add(verbs)
    return parser


def _list(verbs: "Verbs") -> None:
    parser = add_verb(verbs, "list", "library:list_records", "list the records of the library", "facets")
    parser.add_argument("kind", choices=LISTS, metavar="KIND", help=", ".join(LISTS))


def _slab(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "slab",
        "structures:make_slab",
        "cut a slab with a given termination",
        "PbS 100 --layers 2 --supercell 3 3 -o slab.xyz",
        "CsPbBr3 1,0,0 --termination PbBr2 -o slab.xyz",
        "CdSe-wz 10-10 --layers 4 -o slab.xyz",
        "CsPbBr3 100 --defect V_CsBr --supercell 3 3 -o slab.xyz",
    )
    parser.add_argument("material", metavar="MATERIAL", help="name from `qdsurf list materials`")
    parser.add_argument("hkl", metavar="HKL", help="Miller or Miller-Bravais indices: 100, 1,0,0, 10-10 or 1,0,-1,0")
    parser.add_argument(
        "--termination",
        metavar="T",
        help="top layer, such as CsBr (default: the one on record, otherwise the one with the fewest broken bonds)",
    )
    parser.add_argument(
        "--shell",
        nargs="+",
        metavar="M=N",
        help="materials of the shell, from the inside out, with their numbers of layers, such as ZnS=4",
    )
    parser.add_argument(
        "--bottom", metavar="T", help="lowest layer (default: the one that follows from the number of layers)"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--layers", type=integer_from(1), metavar="N", help="number of atomic layers (default: 3)")
    size.add_argument(
        "--thickness",
        type=positive_number,
        metavar="A",
        help="distance from the lowest to the highest layer in A; must be that of a whole number of layers",
    )
    parser.add_argument(
        "--supercell",
        type=integer_from(1),
        nargs=2,
        default=(1, 1),
        metavar=("A", "B"),
        help="number of primitive surface cells along both vectors (default: 1 1)",
    )
    parser.add_argument(
        "--vacuum",
        type=positive_number,
        default=defaults.VACUUM_A,
        metavar="A",
        help=f"vacuum along c in A (default: {defaults.VACUUM_A:g})",
    )
    parser.add_argument(
        "--mobile-layers",
        type=integer_from(0),
        default=defaults.MOBILE_LAYERS,
        metavar="N",
        help=f"number of outermost layers that `relax` moves; it fixes the others (default: {defaults.MOBILE_LAYERS})",
    )
    parser.add_argument(
        "--passivating-ion",
        default=defaults.PASSIVATION,
        metavar="X",
        help=f"anion that balances a polar surface: a halide or OH (default: {defaults.PASSIVATION})",
    )
    parser.add_argument(
        "--defect",
        nargs="+",
        metavar="D",
        help="V_Br, V_PbBr2, O_S, O_on_S, ad_PbS or H2O; neutral in total, unless --allow-charged is given",
    )
    parser.add_argument(
        "--allow-charged",
        action="store_true",
        help="accept formal charges that do not add up to zero; the file records the total charge",
    )
    add_seed(parser, "mixed crystals and molecular ions")
    add_output(parser, "FILE", "slab, in any format that ASE writes; .xyz keeps the columns that other verbs need")


def _nanocrystal(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "nanocrystal",
        "structures:make_nanocrystal",
        "build a whole nanocrystal, charge-neutral with its ligands",
        "PbS --diameter 3nm --ligand oleate -o dot.xyz",
        "CdSe-wz --diameter 4nm --facets 10-10=1.0 0001=1.2 000-1=1.2 --ligand 10-10=acetate -o dot.xyz",
    )
    parser.add_argument("material", metavar="MATERIAL", help="name from `qdsurf list materials`")
    parser.add_argument(
        "--diameter",
        type=length_nm,
        required=True,
        metavar="D",
        help="diameter of the sphere of equal volume, with its unit, such as 3nm or 30angstrom",
    )
    parser.add_argument(
        "--ligand",
        nargs="+",
        metavar="L",
        action="extend",
        help="X-type ligand with charge -1 or +1, or FACET=LIGAND for single facets; L- and Z-type ligands may be "
        "added (default: passivating ions only)",
    )
    parser.add_argument(
        "--coverage",
        type=positive_number,
        metavar="nm^-2",
        help="coverage of L- and Z-type ligands, or of the X-type ligand if there are none (default: as many X-type "
        "ligands as balance the charge)",
    )
    parser.add_argument(
        "--facets", nargs="+", metavar="HKL=E", help="surface energies or their ratios (default: those on record)"
    )
    parser.add_argument(
        "--shell",
        nargs="+",
        metavar="M=NM",
        help="materials of the shell, from the inside out, with their thicknesses in nm, such as ZnS=0.6",
    )
    parser.add_argument(
        "--centre", metavar="ELEMENT", help="element of the central atom (default: the one that fits the diameter best)"
    )
    parser.add_argument(
        "--passivating-ion",
        default=defaults.PASSIVATION,
        metavar="X",
        help=f"anion where a ligand does not fit: a halide or OH (default: {defaults.PASSIVATION})",
    )
    parser.add_argument(
        "--truncate-to-carbons", type=integer_from(1), metavar="N", help="shorten alkyl chains to N carbon atoms"
    )
    add_seed(parser, "ligand sites and chain conformations")
    add_output(parser, "FILE", "nanocrystal, in any format that ASE writes; .xyz keeps the columns of other verbs")


def _sites(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs, "sites", "structures:list_sites", "list the adsorption sites of a slab or particle", "slab.xyz --json"
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)


def _ligate(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "ligate",
        "structures:cover_slab",
        "cover a slab with ligands",
        "slab.xyz oleate --truncate-to-carbons 2 -o ligated.xyz",
        "slab.xyz oleate --coverage 1.2 --mode bridging --pattern random --seed 3 -o ligated.xyz",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument(
        "ligand",
        metavar="LIGAND",
        help="name from `qdsurf list ligands`, or a mixture such as oleate=0.7,methylamine=0.3",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--count", type=integer_from(1), metavar="N", help="number of ligands in the cell (default: 1)")
    amount.add_argument(
        "--coverage", type=positive_number, metavar="nm^-2", help="ligands per area, rounded to a whole number"
    )
    parser.add_argument("--mode", metavar="M", help="binding mode (default: the first mode of the ligand that fits)")
    parser.add_argument(
        "--pattern",
        choices=("uniform", "random", "clustered"),
        default="uniform",
        help="distribution over the sites: uniform, random or clustered (default: uniform)",
    )
    parser.add_argument(
        "--seed",
        type=integer_from(0),
        metavar="S",
        help="random seed for the choice of sites (default: begin in the middle of the cell)",
    )
    add_charge(parser)
    parser.add_argument(
        "--truncate-to-carbons", type=integer_from(1), metavar="N", help="shorten alkyl chains to N carbon atoms"
    )
    parser.add_argument(
        "--defect", nargs="+", metavar="D", help="defects made after the ligands are attached, such as loss_1 or V_Br"
    )
    add_output(parser, "FILE", "covered slab")


def _place(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "place",
        "structures:place_molecule",
        "place a molecule on a surface or its ligands",
        "ligated.xyz TMA --poses 4 -o poses.xyz",
        "ligated.xyz TMA --site ligand.anchor -o pose.xyz",
        "slab.xyz H2O --site top:Pb -o pose.xyz",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument(
        "molecule",
        metavar="MOLECULE",
        help="precursor or co-reactant from `qdsurf list`, SMILES string, or structure file",
    )
    parser.add_argument(
        "--site",
        default=defaults.SITE,
        metavar="SITE",
        help="for a precursor, the role of the atom that its metal binds to: surface.anion, surface.cation, "
        "surface.counterion or ligand.anchor; for any molecule, a name from `qdsurf sites`, such as top:Pb "
        f"(default: {defaults.SITE})",
    )
    parser.add_argument(
        "--poses",
        type=integer_from(1),
        default=1,
        metavar="N",
        help="largest number of poses, those with the most free space first (default: 1)",
    )
    add_seed(parser, "orientations")
    add_charge(parser)
    add_output(parser, "FILE", "poses, one frame each")


def _energy(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "energy",
        "calculations:compute_energies",
        "compute energy, forces and stress of every structure of a file, without moving an atom",
        "relaxed.xyz --json",
        "slab.xyz --calculator sevennet --parameter model=7net-0 --parameter d3=none",
    )
    parser.description = (
        "Compute energy, forces and stress of every structure of a file, without moving an atom. With --json: a list "
        "with one object for each frame: energy_eV, forces_eV_per_A (one row for each atom), and stress_eV_per_A3 (xx, "
        "yy, zz, yz, xz, xy; positive under tension; null without a periodic cell)."
    )
    parser.add_argument("file", metavar="FILE", help=FRAMES)
    add_calculator(parser)


def _relax(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "relax",
        "calculations:relax",
        "relax every structure of a file",
        "poses.xyz -o relaxed.xyz",
        "poses.xyz --calculator tblite --method GFN2-xTB -o relaxed.xyz",
    )
    parser.add_argument("file", metavar="FILE", help=FRAMES)
    add_calculator(parser)
    parser.add_argument(
        "--fmax",
        type=positive_number,
        default=defaults.FMAX_EV_PER_A,
        metavar="F",
        help=f"largest force at convergence in eV/A (default: {defaults.FMAX_EV_PER_A:g})",
    )
    parser.add_argument(
        "--max-steps",
        type=integer_from(0),
        default=defaults.MAX_STEPS,
        metavar="N",
        help=f"largest number of steps for each structure; 0 is a single point (default: {defaults.MAX_STEPS})",
    )
    parser.add_argument(
        "--timeout",
        type=positive_number,
        metavar="S",
        help="longest time for each structure in s; the calculator then runs in a separate process, and only the "
        "structure for which it hangs or crashes is lost",
    )
    add_output(parser, "FILE", "relaxed structures, in the order of the input")


def _reactions(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "reactions",
        "library:match_reactions",
        "list which reaction templates apply to a structure, the atoms for each role, and why others do not apply",
        "ligated.xyz --precursor TMA --coreactant H2O",
        "slab.xyz --precursor H2O --templates my_templates",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument(
        "--precursor",
        required=True,
        metavar="P",
        help="name from `qdsurf list precursors`, or a co-reactant for a pulse without precursor",
    )
    parser.add_argument(
        "--coreactant",
        metavar="C",
        help="name from `qdsurf list coreactants`, or the by-product of a precursor such as HNMe2",
    )
    parser.add_argument("--templates", metavar="FOLDER", help="folder with your own templates, *.yaml, in addition")
    add_charge(parser)


def _qualify(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "qualify",
        "calculations:qualify_calculator",
        "test whether a calculator describes a crystal: geometries, relaxation of the substrate, reaction energies",
        "PbS",
        "PbS --calculator tblite --method GFN1-xTB",
    )
    parser.add_argument("material", metavar="MATERIAL", help="name from `qdsurf list materials`")
    add_calculator(parser)
    parser.add_argument(
        "--errors",
        metavar="FILE",
        help="table of the calculator's errors for the reference reactions (default: the table of a run in "
        "results/reference; if there is none, the errors are computed)",
    )


def _corrections(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "corrections",
        "calculations:measure_corrections",
        "fit bond corrections of a calculator to reactions with accurate reference energies",
        "--json",
        "--calculator tblite --method GFN2-xTB",
    )
    add_calculator(parser)


def _show(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "show",
        "structures:show_structure",
        "draw a structure from the side and from above, or write an interactive 3D page",
        "slab.xyz --sites -o slab.png",
        "dot.xyz -o dot.html",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    add_output(parser, "FILE", "picture (.png or .svg) or interactive page (.html)")
    parser.add_argument("--sites", action="store_true", help="label the adsorption sites in the view from above")


def _kinetics(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "kinetics",
        "kinetics:run_recipe",
        "simulate the cycles of a recipe for one system, from its tables or from a mechanism file",
        "config/mechanisms/alumina_OH.yaml --recipe alumina_thermal_40C --map -o alumina",
        "results/energetics/PbS_100_PbS~oleate~TMA --recipe alumina_thermal_40C -o cycle",
    )
    parser.add_argument(
        "file", metavar="FILE", help="mechanism in YAML, or a folder with states.csv, steps.csv and sites.csv"
    )
    parser.add_argument("--system", metavar="NAME", help="system to simulate, if the tables contain several")
    parser.add_argument(
        "--recipe", required=True, metavar="R", help="name from `qdsurf list recipes`, or a recipe in YAML"
    )
    parser.add_argument(
        "--temperature_K",
        type=positive_number,
        metavar="T",
        help="temperature of the surface in K (default: that of the recipe)",
    )
    parser.add_argument(
        "--pressure_Pa",
        type=positive_number,
        metavar="P",
        help="pressure of the precursor in Pa (default: that of the recipe)",
    )
    parser.add_argument(
        "--cycles", type=integer_from(1), default=1, metavar="N", help="number of cycles of the recipe (default: 1)"
    )
    parser.add_argument(
        "--samples",
        type=integer_from(1),
        default=512,
        metavar="N",
        help="number of energy samples, rounded up to a power of 2 (default: 512)",
    )
    add_seed(parser, "the energy samples")
    parser.add_argument(
        "--map", action="store_true", help="also compute a map over temperature and pressure, and the process window"
    )
    parser.add_argument(
        "--pore_nm",
        type=positive_number,
        metavar="D",
        help="also compute the penetration depth in a film with pores of this diameter in nm",
    )
    add_output(parser, "DIR", "folder for tables, figures and mechanism.yaml")


def _status(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "status",
        "results:show_status",
        "count the jobs of a run that are done, flagged, failed, unfinished or missing",
        "results",
        "results --verify",
    )
    parser.add_argument("folder", metavar="DIR", help="folder of a run, such as results")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="configuration of the run (default: DIR/config.json, which every run writes)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="instead, compare every file with the hash that was stored when it was written, and the kinetic tables of "
        "each system with one another; exit code 1 if a file is damaged or tables are inconsistent",
    )


def _trace(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "trace",
        "results:trace",
        "trace a row of a table back to the states, structures, records, calculator and versions that it was made from",
        "results/kinetics/selectivity.csv 0",
        "results/energetics/steps.csv system=PbS_100_PbS~oleate~TMA step=carboxylate_transfer",
    )
    parser.add_argument("table", metavar="TABLE", help="CSV file inside a folder of results")
    parser.add_argument(
        "row", nargs="+", metavar="ROW", help="number of the row, from 0, or COLUMN=VALUE pairs that select one row"
    )


def _completion(verbs: "Verbs") -> None:
    parser = add_verb(
        verbs,
        "completion",
        "completion:write_completion",
        "write a script with which a shell completes verbs, options and names",
        "bash > ~/.local/share/bash-completion/completions/qdsurf",
        "zsh > ~/.zfunc/_qdsurf",
        "fish > ~/.config/fish/completions/qdsurf.fish",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
