"""Words that the command line understands. Nothing heavy is imported here, so that `--help` is quick."""

import argparse
from collections.abc import Callable

import qdsurf

LISTS = ("materials", "facets", "ligands", "precursors", "coreactants", "reactions", "recipes", "calculators")
FRAME = "structure file that ASE reads; FILE@N takes frame N of several, otherwise the last is taken"


def build_parser() -> argparse.ArgumentParser:
    """Assemble the parser; `run` of its result names module and function of the verb."""
    parser = argparse.ArgumentParser(
        prog="qdsurf",
        description="What an ALD precursor attacks first on a ligand-covered quantum dot: the crystal or the ligands.",
        epilog="Every verb has --help with an example, and --json for one JSON value on standard output.",
    )
    parser.add_argument("--version", action="version", version=f"qdsurf {qdsurf.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for add in (_list, _slab, _sites, _ligate, _place, _relax, _reactions, _qualify, _corrections, _kinetics, _show):
        add(verbs)
    return parser


def _verb(verbs, name: str, run: str, summary: str, *examples: str) -> argparse.ArgumentParser:
    """Add a verb with its examples and --json."""
    parser = verbs.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="example:\n" + "\n".join(f"  qdsurf {name} {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON value on standard output")
    return parser


def whole(least: int) -> Callable[[str], int]:
    """Make a reader of integers not below `least`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text.strip()!r} is no integer of {least} or more")
        return value

    return read


def positive(text: str) -> float:
    """Read a number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is no number above 0")
    return value


def _output(parser: argparse.ArgumentParser, metavar: str, words: str) -> None:
    parser.add_argument("-o", "--output", required=True, metavar=metavar, help=words)


def _calculator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calculator", required=True, metavar="NAME", help="see `qdsurf list calculators`, or module:Class"
    )
    parser.add_argument("--method", metavar="M", help="method of the calculator, such as GFN2-xTB")


def _list(verbs) -> None:
    parser = _verb(verbs, "list", "library:list_records", "list what the library holds", "facets")
    parser.add_argument("kind", choices=LISTS, metavar="KIND", help=", ".join(LISTS))


def _slab(verbs) -> None:
    parser = _verb(
        verbs,
        "slab",
        "structures:make_slab",
        "cut a slab with a named top",
        "PbS 100 --layers 2 --supercell 3 3 -o slab.xyz",
        "CsPbBr3 1,0,0 --termination PbBr2 -o slab.xyz",
        "CdSe-wz 10-10 --layers 4 -o slab.xyz",
    )
    parser.add_argument("material", metavar="MATERIAL", help="see `qdsurf list materials`")
    parser.add_argument("hkl", metavar="HKL", help="100, 1,0,0, 10-10 or 1,0,-1,0")
    parser.add_argument("--termination", metavar="T", help="top layer, such as CsBr; needed where several are possible")
    parser.add_argument("--bottom", metavar="T", help="lowest layer; default: whatever the number of layers gives")
    parser.add_argument("--layers", type=whole(1), default=3, metavar="N", help="atomic layers (default 3)")
    parser.add_argument(
        "--supercell",
        type=whole(1),
        nargs=2,
        default=(1, 1),
        metavar=("A", "B"),
        help="primitive surface cells (default 1 1)",
    )
    parser.add_argument(
        "--vacuum", type=positive, default=20.0, metavar="A", help="empty space along c in A (default 20)"
    )
    parser.add_argument(
        "--mobile-layers",
        type=whole(0),
        default=1,
        metavar="N",
        help="outermost layers that may move in `relax`, the others are fixed (default 1)",
    )
    parser.add_argument("--charged", action="store_true", help="accept formal charges that do not add up to zero")
    _output(parser, "FILE", "slab, in any format ASE writes; .xyz keeps the columns that other verbs need")


def _sites(verbs) -> None:
    parser = _verb(verbs, "sites", "structures:list_sites", "list the adsorption sites of any slab", "slab.xyz --json")
    parser.add_argument("file", metavar="FILE", help=FRAME)


def _ligate(verbs) -> None:
    parser = _verb(
        verbs,
        "ligate",
        "structures:cover_slab",
        "cover a slab with ligands",
        "slab.xyz oleate --truncate-to-carbons 2 -o ligated.xyz",
        "slab.xyz oleate --coverage 1.2 --mode bridging -o ligated.xyz",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument("ligand", metavar="LIGAND", help="see `qdsurf list ligands`")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--count", type=whole(1), metavar="N", help="ligands in the cell (default 1)")
    amount.add_argument(
        "--coverage", type=positive, metavar="nm^-2", help="ligands per area, to the nearest whole ligand"
    )
    parser.add_argument("--mode", metavar="M", help="binding mode; default: the ligand's first one that fits")
    parser.add_argument("--truncate-to-carbons", type=whole(1), metavar="N", help="shorten the chain to a model")
    _output(parser, "FILE", "covered slab")


def _place(verbs) -> None:
    parser = _verb(
        verbs,
        "place",
        "structures:place_molecule",
        "place a precursor on a slab or its ligands",
        "ligated.xyz TMA --poses 4 -o poses.xyz",
        "ligated.xyz TMA --site ligand.anchor -o pose.xyz",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument("precursor", metavar="PRECURSOR", help="see `qdsurf list precursors`")
    parser.add_argument(
        "--site",
        default="surface.anion",
        metavar="ROLE",
        help="what its metal meets: surface.anion (default), surface.cation, surface.counterion or ligand.anchor",
    )
    parser.add_argument(
        "--poses", type=whole(1), default=1, metavar="N", help="at most this many, roomiest first (default 1)"
    )
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S", help="of the orientations (default 0)")
    _output(parser, "FILE", "poses, one frame each")


def _relax(verbs) -> None:
    parser = _verb(
        verbs,
        "relax",
        "calculations:relax",
        "relax every structure of a file",
        "poses.xyz --calculator tblite --method GFN2-xTB -o relaxed.xyz",
    )
    parser.add_argument("file", metavar="FILE", help="structure file that ASE reads; all its frames, or FILE@N")
    _calculator(parser)
    parser.add_argument("--fmax", type=positive, default=0.05, metavar="F", help="largest force in eV/A (default 0.05)")
    parser.add_argument(
        "--max-steps",
        type=whole(0),
        default=200,
        metavar="N",
        help="for each structure; 0 is a single point (default 200)",
    )
    _output(parser, "FILE", "relaxed structures, in the order of the input")


def _reactions(verbs) -> None:
    parser = _verb(
        verbs,
        "reactions",
        "library:match_reactions",
        "say which reaction templates apply to a covered slab, and why the others do not",
        "ligated.xyz --precursor TMA",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument("--precursor", required=True, metavar="P", help="see `qdsurf list precursors`")


def _qualify(verbs) -> None:
    parser = _verb(
        verbs,
        "qualify",
        "calculations:qualify_calculator",
        "test whether a calculator may move a crystal",
        "PbS --calculator tblite --method GFN1-xTB",
    )
    parser.add_argument("material", metavar="MATERIAL", help="see `qdsurf list materials`")
    _calculator(parser)


def _corrections(verbs) -> None:
    parser = _verb(
        verbs,
        "corrections",
        "calculations:measure_corrections",
        "measure the errors of a calculator on gas-phase reactions with trusted energies",
        "--calculator tblite --method GFN2-xTB",
    )
    _calculator(parser)


def _show(verbs) -> None:
    parser = _verb(
        verbs,
        "show",
        "structures:show_structure",
        "draw a structure from the side and from above",
        "slab.xyz -o slab.png",
    )
    parser.add_argument("file", metavar="FILE", help=FRAME)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="picture to write, .png or .svg")


def _kinetics(verbs) -> None:
    parser = _verb(
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
    _output(parser, "DIR", "folder for tables, figures and mechanism.yaml")
