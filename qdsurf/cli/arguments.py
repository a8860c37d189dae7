"""Parts that several verbs share: the parser of a verb, readers of values, and common options.

The module imports nothing heavy, so that `--help` is quick.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from qdsurf import defaults
from qdsurf.errors import FORMER_NAMES, InputError

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction["VerbParser"]

FRAME = "structure file in any format that ASE reads; FILE@N selects frame N, counted from 0 (default: the last frame)"
FRAMES = "structure file in any format that ASE reads; FILE@N selects frame N, counted from 0 (default: all frames)"


class VerbParser(argparse.ArgumentParser):
    """Parser of one verb, which suggests a name for an unknown option and accepts values such as -3nm or -1,1,0."""

    def __init__(self, *args: Any, **keywords: Any):
        super().__init__(*args, **keywords)
        # This is the pattern of Python 3.14. Earlier versions take -3nm for an option.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]  # typeshed has overloads
        """Reject an unknown option, then parse as usual.

        The order matters: argparse itself reports a missing argument first, although the unknown option explains it.

        Parameters
        ----------
        args : sequence of str, optional
            Words after the verb.
        namespace : argparse.Namespace, optional
            Object that receives the values.

        Returns
        -------
        namespace : argparse.Namespace
            Values of the arguments.
        rest : list of str
            Words that belong to no argument.
        """
        for word in args or ():
            if word == "--":  # All words that follow are positional arguments.
                break
            if word.startswith("-") and word != "-" and not self._negative_number_matcher.match(word):
                self._assert_known(word)
        return super().parse_known_args(args, namespace)

    def _assert_known(self, word: str) -> None:
        """End with a message if a word such as --vacuum=15 or -oFILE does not name an option of this verb."""
        options = self._option_string_actions
        name = word.partition("=")[0]
        if name in options or (not word.startswith("--") and word[:2] in options):
            return
        if FORMER_NAMES.get(name) in options:
            self.error(f"{name} is now called {FORMER_NAMES[name]}")
        close = get_close_matches(name, options, n=1)
        advice = f"did you mean {close[0]}?" if close else f"`{self.prog} --help` lists the options"
        self.error(f"unknown option {name}; {advice}")


def add_verb(verbs: "Verbs", name: str, run: str, summary: str, *examples: str) -> VerbParser:
    """Add a verb with the options that all verbs have.

    Parameters
    ----------
    verbs : result of `argparse.ArgumentParser.add_subparsers`
        Verbs to which this one is added.
    name : str
        Verb as the user types it.
    run : str
        `module:function` inside `qdsurf.cli`; the module is imported when the verb is run.
    summary : str
        One line for the list of verbs, beginning with a lower-case imperative.
    *examples : str
        Arguments of working examples for the help of the verb.

    Returns
    -------
    VerbParser
        Parser to which the verb's own arguments are added.
    """
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
    verbosity = parser.add_mutually_exclusive_group()
    verbosity.add_argument("--quiet", action="store_true", help="print no progress lines on standard error")
    verbosity.add_argument(
        "--verbose", action="store_true", help="print details on standard error, such as the traceback of an error"
    )
    return parser


def integer_from(least: int) -> Callable[[str], int]:
    """Make a reader of integers for argparse.

    Parameters
    ----------
    least : int
        Smallest integer that the reader accepts.

    Returns
    -------
    callable
        Reader that raises `argparse.ArgumentTypeError` for any other text.
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {least}, not {text!r}")
        return value

    return read


def positive_number(text: str) -> float:
    """Read a finite number above 0.

    Parameters
    ----------
    text : str
        Word from the command line.

    Returns
    -------
    float

    Raises
    ------
    argparse.ArgumentTypeError
        The text is not such a number.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def length_nm(text: str) -> float:
    """Read a length above 0 with its unit.

    Parameters
    ----------
    text : str
        Word from the command line, such as 3nm or 30angstrom.

    Returns
    -------
    float
        Length in nm.

    Raises
    ------
    argparse.ArgumentTypeError
        The text is not such a length.
    """
    from qdsurf.quantities import parse_quantity  # --help does not need it

    example = "3nm or 30angstrom"
    try:
        value = parse_quantity(text, "nm", example)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, such as {example}, not {text!r}")
    return value


def key_and_value(text: str) -> tuple[str, bool | int | float | str]:
    """Read KEY=VALUE, with the value interpreted as YAML.

    Parameters
    ----------
    text : str
        Word from the command line, such as model=weights.pth.

    Returns
    -------
    key : str
        Name of the parameter.
    value : bool, int, float or str
        Its value.

    Raises
    ------
    argparse.ArgumentTypeError
        The key is not an identifier, or the value is empty, a list or a mapping.
    """
    import yaml  # --help does not need it

    key, _, word = text.partition("=")
    try:
        value = yaml.safe_load(word)
    except yaml.YAMLError:
        value = None
    if not key.isidentifier() or not isinstance(value, bool | int | float | str):
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE with one value, such as model=weights.pth, not {text!r}")
    return key, value


def add_output(parser: VerbParser, metavar: str, content: str) -> None:
    """Add the required option -o.

    Parameters
    ----------
    parser : VerbParser
        Parser of the verb.
    metavar : str
        FILE or DIR.
    content : str
        What the verb writes there, for the help.
    """
    parser.add_argument("-o", "--output", required=True, metavar=metavar, help=content)


def add_calculator(parser: VerbParser) -> None:
    """Add --calculator, --method and --parameter.

    Parameters
    ----------
    parser : VerbParser
        Parser of the verb.
    """
    parser.add_argument(
        "--calculator",
        default=defaults.CALCULATOR,
        metavar="NAME",
        help=f"name from `qdsurf list calculators`, or module:Class (default: {defaults.CALCULATOR})",
    )
    parser.add_argument("--method", metavar="M", help="method of the calculator, such as GFN2-xTB")
    parser.add_argument(
        "--parameter",
        type=key_and_value,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other parameter of the calculator, as in the configuration, such as model=7net-0; may be repeated",
    )


def add_seed(parser: VerbParser, random_part: str) -> None:
    """Add --seed with the default 0.

    Parameters
    ----------
    parser : VerbParser
        Parser of the verb.
    random_part : str
        What is chosen at random, for the help.
    """
    parser.add_argument(
        "--seed", type=integer_from(0), default=0, metavar="S", help=f"random seed for {random_part} (default: 0)"
    )


def add_charge(parser: VerbParser) -> None:
    """Add --charge.

    Parameters
    ----------
    parser : VerbParser
        Parser of the verb.
    """
    parser.add_argument(
        "--charge",
        nargs="+",
        default=(),
        metavar="EL=Q",
        help="formal charges in e, such as Pb=2, for elements without a charge on record or with a different one",
    )
