"""Words that the command line understands. Nothing heavy is imported here, so that `--help` is quick."""

import argparse

import qdsurf
from qdsurf import defaults
from qdsurf.cli.arguments import FRAME, calculator, charge, length_nm, output, positive, seed, verb, whole

LISTS = ("materials", "facets", "ligands", "precursors", "coreactants", "reactions", "recipes", "calculators")
SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
Every verb has --help with examples, and --json for one JSON value on standard output.

exit codes:
    0    done
    1    `status --verify` has found a damaged file, or tables that disagree
    2    words, input or calculation refused; one line on standard error says what would be accepted
    130  interrupted
Any other code, with a traceback, is a defect of qdsurf: please report it.
"""


def build_parser() -> argparse.ArgumentParser:
    """Assemble the parser; `run` of its result names module and function of the verb."""
    parser = argparse.ArgumentParser(
        prog="qdsurf",
        description="What an ALD precursor attacks first on a ligand-covered quantum dot: the crystal or the ligands.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"qdsurf {qdsurf.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    structures = (_list, _slab, _nanocrystal, _sites, _ligate, _place, _show)
    calculations = (_energy, _relax, _reactions, _qualify, _corrections)
    for add in (*structures, *calculations, _kinetics, _status, _trace, _completion):
        add(verbs)
    return parser


def _list(verbs) -> None:
    parser = verb(verbs, "list", "library:list_records", "list what the library holds", "facets")
    parser.add_argument("kind", choices=LISTS, metavar="KIND", help=", ".join(LISTS))


def _slab(verbs) -> None:
    parser = verb(
        verbs,
        "slab",
        "structures:make_slab",
        "cut a slab with a named top",
        "PbS 100 --layers 2 --supercell 3 3 -o slab.xyz",
        "CsPbBr3 1,0,0 --termination PbBr2 -o slab.xyz",
        "CdSe-wz 10-10 --layers 4 -o slab.xyz",
        "CsPbBr3 100 --defect V_CsBr --supercell 3 3 -o slab.xyz",
    )
    parser.add_argument("material", metavar="MATERIAL", help="see `qdsurf list materials`")
    parser.add_argument("hkl", metavar="HKL", help="100, 1,0,0, 10-10 or 1,0,-1,0")
    parser.add_argument(
        "--termination", metavar="T", help="top layer, such as CsBr; default: on record, else fewest broken bonds"
    )
    parser.add_argument(
        "--shell", nargs="+", metavar="M=N", help="other crystals on top and their layers, such as ZnS=4; inside out"
    )
    parser.add_argument("--bottom", metavar="T", help="lowest layer; default: whatever the number of layers gives")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--layers", type=whole(1), metavar="N", help="atomic layers (default 3)")
    size.add_argument(
        "--thickness", type=positive, metavar="A", help="from the lowest to the highest layer in A, met exactly"
    )
    parser.add_argument(
        "--supercell",
        type=whole(1),
        nargs=2,
        default=(1, 1),
        metavar=("A", "B"),
        help="primitive surface cells (default 1 1)",
    )
    parser.add_argument(
        "--vacuum",
        type=positive,
        default=defaults.VACUUM_A,
        metavar="A",
        help=f"empty space along c in A (default {defaults.VACUUM_A:g})",
    )
    parser.add_argument(
        "--mobile-layers",
        type=whole(0),
        default=defaults.MOBILE_LAYERS,
        metavar="N",
        help=f"outermost layers that may move in `relax`, the others are fixed (default {defaults.MOBILE_LAYERS})",
    )
    parser.add_argument(
        "--passivating-ion",
        default=defaults.PASSIVATION,
        metavar="X",
        help="anion that balances a polar side: a halide or OH (default Cl)",
    )
    parser.add_argument(
        "--defect",
        nargs="+",
        metavar="D",
        help="V_Br, V_PbBr2, O_S, O_on_S, ad_PbS or H2O; several may balance one another",
    )
    parser.add_argument(
        "--allow-charged", action="store_true", help="accept formal charges that do not add up to zero, and note them"
    )
    seed(parser, "of mixed crystals and molecular ions")
    output(parser, "FILE", "slab, in any format ASE writes; .xyz keeps the columns that other verbs need")


def _nanocrystal(verbs) -> None:
    parser = verb(
        verbs,
        "nanocrystal",
        "structures:make_nanocrystal",
        "build a whole nanocrystal, neutral with its ligands",
        "PbS --diameter 3nm --ligand oleate -o dot.xyz",
        "CdSe-wz --diameter 4nm --facets 10-10=1.0 0001=1.2 000-1=1.2 --ligand 10-10=acetate -o dot.xyz",
    )
    parser.add_argument("material", metavar="MATERIAL", help="see `qdsurf list materials`")
    parser.add_argument(
        "--diameter",
        type=length_nm,
        required=True,
        metavar="D",
        help="of the sphere of the same volume, with its unit, such as 3nm or 30angstrom",
    )
    parser.add_argument(
        "--ligand",
        nargs="+",
        metavar="L",
        action="extend",
        help="X-type ligand of charge one, or FACET=LIGAND for each facet, and L- or Z-type ones beside it; "
        "without one, stand-ins",
    )
    parser.add_argument(
        "--coverage",
        type=positive,
        metavar="nm^-2",
        help="of L- and Z-type ligands; without these of the X-type one (default: as many as the charge asks for)",
    )
    parser.add_argument(
        "--facets", nargs="+", metavar="HKL=E", help="surface energies or their ratios (default: those on record)"
    )
    parser.add_argument(
        "--shell", nargs="+", metavar="M=NM", help="other crystals and thicknesses in nm, such as ZnS=0.6; inside out"
    )
    parser.add_argument("--centre", metavar="ELEMENT", help="atom in the middle (default: whichever meets the size)")
    parser.add_argument(
        "--passivating-ion",
        default=defaults.PASSIVATION,
        metavar="X",
        help="anion where no ligand has room: a halide or OH (default Cl)",
    )
    parser.add_argument("--truncate-to-carbons", type=whole(1), metavar="N", help="shorten the chains to a model")
    seed(parser, "of the choice of places and chains")
    output(parser, "FILE", "particle")


def _sites(verbs) -> None:
    parser = verb(verbs, "sites", "structures:list_sites", "list the adsorption sites of any slab", "slab.xyz --json")
    parser.add_argument("file", metavar="FILE", help=FRAME)


def _ligate(verbs) -> None:
    parser = verb(
        verbs,
        "ligate",
        "structures:cover_slab",
        "cover a slab with ligands",
        "slab.xyz oleate --truncate-to-carbons 2 -o ligated.xyz",
        "slab.xyz oleate --coverage 1.2 --mode bridging --pattern random --seed 3 -o ligated.xyz",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument(
        "ligand", metavar="LIGAND", help="see `qdsurf list ligands`; a mixture is oleate=0.7,methylamine=0.3"
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--count", type=whole(1), metavar="N", help="ligands in the cell (default 1)")
    amount.add_argument(
        "--coverage", type=positive, metavar="nm^-2", help="ligands per area, to the nearest whole ligand"
    )
    parser.add_argument("--mode", metavar="M", help="binding mode; default: the ligand's first one that fits")
    parser.add_argument(
        "--pattern",
        choices=("uniform", "random", "clustered"),
        default="uniform",
        help="which sites are taken (default uniform)",
    )
    parser.add_argument(
        "--seed", type=whole(0), metavar="S", help="of the sites (default: the middle of the cell first)"
    )
    charge(parser)
    parser.add_argument("--truncate-to-carbons", type=whole(1), metavar="N", help="shorten the chain to a model")
    parser.add_argument("--defect", nargs="+", metavar="D", help="made when all are there, such as loss_1 or V_Br")
    output(parser, "FILE", "covered slab")


def _place(verbs) -> None:
    parser = verb(
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
        "molecule", metavar="MOLECULE", help="a precursor or coreactant of `qdsurf list`, a SMILES string, or a file"
    )
    parser.add_argument(
        "--site",
        default=defaults.SITE,
        metavar="SITE",
        help="a role for a precursor's metal (surface.anion, the default, surface.cation, surface.counterion, "
        "ligand.anchor), or for any molecule a name that `qdsurf sites` lists, such as top:Pb",
    )
    parser.add_argument(
        "--poses", type=whole(1), default=1, metavar="N", help="at most this many, roomiest first (default 1)"
    )
    seed(parser, "of the orientations")
    charge(parser)
    output(parser, "FILE", "poses, one frame each")


def _energy(verbs) -> None:
    parser = verb(
        verbs,
        "energy",
        "calculations:compute_energies",
        "compute energy, forces and stress of every structure of a file, without moving an atom",
        "relaxed.xyz --json",
        "slab.xyz --calculator sevennet --parameter model=7net-0 --parameter d3=none",
    )
    parser.description += (
        " With --json: a list with one object for each frame: energy_eV, forces_eV_per_A (one row for each atom), and "
        "stress_eV_per_A3 (xx, yy, zz, yz, xz, xy; positive under tension; null without a periodic cell)."
    )
    parser.add_argument("file", metavar="FILE", help="structure file that ASE reads; all its frames, or FILE@N")
    calculator(parser)


def _relax(verbs) -> None:
    parser = verb(
        verbs,
        "relax",
        "calculations:relax",
        "relax every structure of a file",
        "poses.xyz -o relaxed.xyz",
        "poses.xyz --calculator tblite --method GFN2-xTB -o relaxed.xyz",
    )
    parser.add_argument("file", metavar="FILE", help="structure file that ASE reads; all its frames, or FILE@N")
    calculator(parser)
    parser.add_argument(
        "--fmax",
        type=positive,
        default=defaults.FMAX_EV_PER_A,
        metavar="F",
        help=f"largest force in eV/A (default {defaults.FMAX_EV_PER_A:g})",
    )
    parser.add_argument(
        "--max-steps",
        type=whole(0),
        default=defaults.MAX_STEPS,
        metavar="N",
        help=f"for each structure; 0 is a single point (default {defaults.MAX_STEPS})",
    )
    parser.add_argument(
        "--timeout",
        type=positive,
        metavar="S",
        help="longest time for each structure in seconds; the calculator then has a process of its own, and one that "
        "hangs or crashes loses that structure only",
    )
    output(parser, "FILE", "relaxed structures, in the order of the input")


def _reactions(verbs) -> None:
    parser = verb(
        verbs,
        "reactions",
        "library:match_reactions",
        "say which reaction templates apply to a structure, who plays their roles, and why the others do not",
        "ligated.xyz --precursor TMA --coreactant H2O",
        "slab.xyz --precursor H2O --templates my_templates",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument("--precursor", required=True, metavar="P", help="a precursor, or a co-reactant in its place")
    parser.add_argument("--coreactant", metavar="C", help="a co-reactant, or a by-product such as HNMe2")
    parser.add_argument("--templates", metavar="FOLDER", help="templates of your own, *.yaml, besides those on record")
    charge(parser)


def _qualify(verbs) -> None:
    parser = verb(
        verbs,
        "qualify",
        "calculations:qualify_calculator",
        "test what a calculator is fit for on a crystal: geometries, a substrate that moves, reaction energies",
        "PbS",
        "PbS --calculator tblite --method GFN1-xTB",
    )
    parser.add_argument("material", metavar="MATERIAL", help="see `qdsurf list materials`")
    calculator(parser)
    parser.add_argument(
        "--errors",
        metavar="FILE",
        help="the calculator's errors on the reference reactions (default: those of a run in results/reference, else "
        "they are computed)",
    )


def _corrections(verbs) -> None:
    parser = verb(
        verbs,
        "corrections",
        "calculations:measure_corrections",
        "fit the errors of a calculator, bond by bond, to gas-phase reactions with trusted energies",
        "--json",
        "--calculator tblite --method GFN2-xTB",
    )
    calculator(parser)


def _show(verbs) -> None:
    parser = verb(
        verbs,
        "show",
        "structures:show_structure",
        "draw a structure from the side and from above, or as a page in which it can be turned",
        "slab.xyz --sites -o slab.png",
        "dot.xyz -o dot.html",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="picture to write: .png, .svg or .html")
    parser.add_argument("--sites", action="store_true", help="label the adsorption sites in the view from above")


def _kinetics(verbs) -> None:
    parser = verb(
        verbs,
        "kinetics",
        "kinetics:run_recipe",
        "run the cycles of a recipe on one system, from its tables or from a mechanism written by hand",
        "config/mechanisms/alumina_OH.yaml --recipe alumina_thermal_40C --map -o alumina",
        "results/energetics/PbS_100_PbS~oleate~TMA --recipe alumina_thermal_40C -o cycle",
    )
    parser.add_argument(
        "file", metavar="FILE", help="mechanism in YAML, or a folder with states.csv, steps.csv, sites.csv"
    )
    parser.add_argument("--system", metavar="NAME", help="which one, where the tables hold several")
    parser.add_argument("--recipe", required=True, metavar="R", help="a name of `qdsurf list recipes`, or a YAML file")
    parser.add_argument("--temperature_K", type=positive, metavar="T", help="of the surface (default: the recipe's)")
    parser.add_argument("--pressure_Pa", type=positive, metavar="P", help="of the precursor (default: the recipe's)")
    parser.add_argument(
        "--cycles", type=whole(1), default=1, metavar="N", help="how often the recipe is run (default 1)"
    )
    parser.add_argument(
        "--samples", type=whole(1), default=512, metavar="N", help="energy samples, a power of 2 (default 512)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S", help="of the samples (default 0)")
    parser.add_argument(
        "--map", action="store_true", help="also a map over temperature and pressure, and the process window"
    )
    parser.add_argument(
        "--pore_nm", type=positive, metavar="D", help="also how deep it reaches into a film with pores of this diameter"
    )
    output(parser, "DIR", "folder for tables, figures and mechanism.yaml")


def _status(verbs) -> None:
    parser = verb(
        verbs, "status", "results:show_status", "say what of a run is done, failed, flagged or missing", "results",
        "results --verify",
    )  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="folder of results, such as results")
    parser.add_argument(
        "--config", metavar="FILE", help="what was asked for (default: DIR/config.json, which every run writes)"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="instead, compare every file with the hash that was stored when it was written, and the kinetic tables of "
        "each system with one another; exit code 1 if something is wrong",
    )


def _trace(verbs) -> None:
    parser = verb(
        verbs,
        "trace",
        "results:trace",
        "follow a row of a table back to the states, structures, inputs, calculator and versions that it came from",
        "results/kinetics/selectivity.csv 0",
        "results/energetics/steps.csv system=PbS_100_PbS~oleate~TMA step=carboxylate_transfer",
    )
    parser.add_argument("table", metavar="TABLE", help="CSV file inside a folder of results")
    parser.add_argument("row", nargs="+", metavar="ROW", help="number from 0, or COLUMN=VALUE until one row is left")


def _completion(verbs) -> None:
    parser = verb(
        verbs,
        "completion",
        "completion:write_completion",
        "write the script by which a shell completes verbs, options and names",
        "bash > ~/.local/share/bash-completion/completions/qdsurf",
        "zsh > ~/.zfunc/_qdsurf",
        "fish > ~/.config/fish/completions/qdsurf.fish",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
