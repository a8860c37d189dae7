"""What several verbs of the command line share: their frame, readers of numbers, common options."""

import argparse
from collections.abc import Callable

from qdsurf import defaults
from qdsurf.errors import InputError

FRAME = "structure file that ASE reads; FILE@N takes frame N of several, otherwise the last is taken"


def verb(verbs, name: str, run: str, summary: str, *examples: str) -> argparse.ArgumentParser:
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


def length_nm(text: str) -> float:
    """Read a length above zero with its unit, in nm."""
    from qdsurf.quantities import parse_quantity

    try:
        value = parse_quantity(text.strip(), "nm", "3nm or 30angstrom")
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is not a length above 0")
    return value


def key_and_value(text: str) -> tuple[str, bool | int | float | str]:
    """A parameter and its value, read as YAML reads it."""
    import yaml  # help needs none

    key, _, word = text.partition("=")
    value = yaml.safe_load(word)
    if not key.isidentifier() or not isinstance(value, bool | int | float | str):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE with one value, such as model=weights.pth")
    return key, value


def output(parser: argparse.ArgumentParser, metavar: str, words: str) -> None:
    """Add -o."""
    parser.add_argument("-o", "--output", required=True, metavar=metavar, help=words)


def calculator(parser: argparse.ArgumentParser) -> None:
    """Add --calculator, --method and --parameter."""
    parser.add_argument(
        "--calculator",
        default=defaults.CALCULATOR,
        metavar="NAME",
        help=f"see `qdsurf list calculators`, or module:Class (default: {defaults.CALCULATOR})",
    )
    parser.add_argument("--method", metavar="M", help="method of the calculator, such as GFN2-xTB")
    parser.add_argument(
        "--parameter",
        type=key_and_value,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another parameter of the calculator, as in the configuration, such as model=7net-0; may be repeated",
    )


def seed(parser: argparse.ArgumentParser, words: str) -> None:
    """Add --seed."""
    parser.add_argument("--seed", type=whole(0), default=0, metavar="S", help=f"{words} (default 0)")


def charge(parser: argparse.ArgumentParser) -> None:
    """Add --charge."""
    parser.add_argument(
        "--charge",
        nargs="+",
        default=(),
        metavar="EL=Q",
        help="formal charges, for a structure from elsewhere whose elements have none on record",
    )
