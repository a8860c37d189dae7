"""The verb completion: a script with which a shell completes verbs, options, names of records and files."""

import argparse
from collections.abc import Iterator

import shtab

from qdsurf.calculators.registry import CODES
from qdsurf.cli.parser import build_parser
from qdsurf.cli.verb_result import VerbResult
from qdsurf.records import library

# Kind of record, or kind of path, by the metavar of an argument.
RECORDS = {"MATERIAL": "materials", "LIGAND": "ligands", "MOLECULE": "precursors", "P": "precursors", "R": "recipes"}
PATHS = {"FILE": shtab.FILE, "TABLE": shtab.FILE, "DIR": shtab.DIRECTORY, "FOLDER": shtab.DIRECTORY}


def write_completion(arguments: argparse.Namespace) -> VerbResult:
    """Write the script for one shell, with the records that exist at present.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of `qdsurf completion`.

    Returns
    -------
    VerbResult
        Shell and script.
    """
    parser = build_parser()
    for argument in _arguments_of_verbs(parser):
        metavar = str(argument.metavar)
        if metavar in RECORDS:
            argument.choices = library.names(RECORDS[metavar])
        elif "--calculator" in argument.option_strings:
            argument.choices = list(CODES)
        elif metavar in PATHS:
            argument.complete = PATHS[metavar]  # type: ignore[attr-defined]  # shtab reads this attribute
    script = shtab.complete(parser, arguments.shell)
    return VerbResult({"shell": arguments.shell, "script": script}, [script])


def _arguments_of_verbs(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Iterate over the arguments of all verbs; argparse has no public access to them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from verb._actions
