"""The verb completion: a script by which a shell completes verbs, options, names of records and files."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

import shtab

from qdsurf.calculators.registry import CODES
from qdsurf.cli.parser import build_parser
from qdsurf.records import library

# What stands for a name on record, and for a path, by its metavar.
RECORDS = {"MATERIAL": "materials", "LIGAND": "ligands", "MOLECULE": "precursors", "P": "precursors", "R": "recipes"}
PATHS = {"FILE": shtab.FILE, "TABLE": shtab.FILE, "DIR": shtab.DIRECTORY, "FOLDER": shtab.DIRECTORY}


def write_completion(arguments: Namespace) -> tuple[dict, list[str]]:
    """Make the script for one shell, with the records that exist now."""
    parser = build_parser()
    for action in _actions(parser):
        if action.metavar in RECORDS:
            action.choices = library.names(RECORDS[action.metavar])
        elif "--calculator" in action.option_strings:
            action.choices = list(CODES)
        elif action.metavar in PATHS:
            action.complete = PATHS[action.metavar]
    script = shtab.complete(parser, arguments.shell)
    return {"shell": arguments.shell, "script": script}, [script]


def _actions(parser: ArgumentParser) -> Iterator:
    """Every argument of every verb; argparse has no public way to its verbs."""
    verbs = parser._subparsers._group_actions[0].choices
    return (action for verb in verbs.values() for action in verb._actions)
