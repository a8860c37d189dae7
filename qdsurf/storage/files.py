"""Files between the stages: tables as CSV, results as JSON; each is written whole or not at all.

A check file beside each result (see `qdsurf.storage.check_files`) shows later whether the result is still what was
written.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qdsurf.errors import InputError
from qdsurf.storage.check_files import assert_intact, check_file, check_text

if TYPE_CHECKING:
    import pandas as pd  # imported where it is used: most verbs of the command line do without


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Lend a path beside `path` to write to; what is there at the end takes the place of `path` in one step.

    A reader, or a resumed run, never sees half a file: neither after a kill, nor on a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())  # a quota or a network disk may refuse only now
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: str | Path, text: str) -> None:
    """Write text so that a reader, or a resumed run, never sees half of it."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def written_with_check(path: str | Path, checked: bool, **counts: int) -> Iterator[Path]:
    """Lend a path as `written_whole`; the check file is replaced just before the file itself."""
    path = Path(path)
    with written_whole(path) as temporary:
        yield temporary
        if checked:
            write_atomically(check_file(path), check_text(path, temporary, **counts))
        else:
            check_file(path).unlink(missing_ok=True)


def write_json(path: str | Path, data: object, checked: bool = True) -> None:
    """Write plain data (numbers, strings, NumPy scalars and arrays) as JSON.

    Parameters
    ----------
    checked : write a check file beside it, so that `read_json` finds later damage.
    """
    text = json.dumps(data, indent=1, default=lambda x: x.tolist(), allow_nan=True) + "\n"
    with written_with_check(path, checked) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path):
    """Read JSON.

    Raises
    ------
    InputError : the file is missing, is not JSON, or does not agree with its check file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None
    assert_intact(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON: {error}") from None


def write_table(path: str | Path, table: "pd.DataFrame", checked: bool = True) -> None:
    """Write a table as CSV; numbers keep ten significant digits, missing ones stay empty.

    Parameters
    ----------
    checked : write a check file beside it, so that `read_table` finds later damage.
    """
    text = table.to_csv(index=False, float_format="%.10g")
    with written_with_check(path, checked, rows=len(table)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a CSV file with a header.

    Raises
    ------
    InputError : the file is missing, is not CSV, or does not agree with its check file.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    assert_intact(path)
    try:
        return pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from None
