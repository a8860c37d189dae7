"""The command line, `qdsurf VERB ...`, for single steps without a workflow.

Each verb is a function that takes the parsed arguments, calls the same functions as the Python interface, and returns
a `VerbResult`. Its module is imported when the verb is run, so that `--help` is quick.
"""

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module

from qdsurf.cli.parser import build_parser
from qdsurf.errors import QDSurfError
from qdsurf.logs import log_to_terminal

LOGGER = logging.getLogger(__name__)
SUCCESS, CHECK_FAILED = 0, 1
REFUSED = 2  # as for errors that argparse reports
INTERRUPTED = 130  # 128 + SIGINT, as in shells


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Standard output contains the result only. Everything that is printed during the calculation goes to standard error.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after `qdsurf`. None uses the arguments of the process.

    Returns
    -------
    int
        Exit code: 0 for success; 1 if `status --verify` has found damaged or inconsistent files; 2 for an error in the
        input or in a calculation, which is printed in one line; 130 after Ctrl-C.
    """
    arguments = build_parser().parse_args(argv)
    with log_to_terminal(_log_level(arguments)):
        try:
            return _run_verb(arguments)
        except (QDSurfError, OSError) as error:
            LOGGER.debug("traceback of the error:", exc_info=True)
            print(f"qdsurf: error: {'; '.join(str(error).splitlines())}", file=sys.stderr)
            return REFUSED
        except KeyboardInterrupt:
            print("qdsurf: interrupted", file=sys.stderr)
            return INTERRUPTED


def _run_verb(arguments: Namespace) -> int:
    """Run the verb of the parsed arguments, print its result, and return the exit code."""
    module, _, function = arguments.run.partition(":")
    with redirect_stdout(sys.stderr):
        result = getattr(import_module(f"qdsurf.cli.{module}"), function)(arguments)
    try:
        print(result.as_json() if arguments.json else result.as_text(), flush=True)
    except BrokenPipeError:  # The reader, such as `head`, has closed its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return SUCCESS if result.passed else CHECK_FAILED


def _log_level(arguments: Namespace) -> int:
    """Return the lowest level of the log lines that go to standard error."""
    if arguments.quiet:
        return logging.WARNING
    return logging.DEBUG if arguments.verbose else logging.INFO
