"""The command line, `qdsurf VERB ...`, for people who want no workflow; each verb is a thin layer over the API."""

import json
import math
import os
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module

from qdsurf.cli.parser import build_parser
from qdsurf.errors import QDSurfError

SUCCESS, DISAGREES, REFUSED, INTERRUPTED = 0, 1, 2, 130  # 2 as argparse; 128 + SIGINT as shells


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Whatever a verb prints while it works goes to standard error, so that standard output holds the result only.

    Parameters
    ----------
    argv : words after `qdsurf`; None takes those of the process.

    Returns
    -------
    Exit code: 0 for success, 1 if `status --verify` has found something, 2 for an error that a user can mend, which is
    printed as one line, 130 after Ctrl-C.
    """
    words = sys.argv[1:] if argv is None else argv
    arguments = build_parser().parse_args([_shield(word) for word in words])
    module, _, verb = arguments.run.partition(":")
    try:
        with redirect_stdout(sys.stderr):
            data, lines = getattr(import_module(f"qdsurf.cli.{module}"), verb)(arguments)
        print(json.dumps(_plain(data), allow_nan=False) if arguments.json else "\n".join(lines), flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (QDSurfError, OSError) as error:
        print(f"qdsurf: error: {'; '.join(str(error).splitlines())}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("qdsurf: interrupted", file=sys.stderr)
        return INTERRUPTED
    return DISAGREES if isinstance(data, dict) and data.get("passed") is False else SUCCESS


def _shield(word: str) -> str:
    """Keep argparse from taking an index such as -1,1,0 for an option."""
    return f" {word}" if re.fullmatch(r"-\d[\d,-]*", word) else word


def _plain(value: object) -> object:
    """Turn a result into what JSON knows; a number that does not exist becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
