"""Tables as CSV and results as JSON, written atomically with a check file (see `qdsurf.storage.check_files`)."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qdsurf.errors import InputError
from qdsurf.storage.check_files import assert_intact, check_file, check_text

if TYPE_CHECKING:
    import pandas as pd  # imported in the functions that need it, because most commands do without


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Write a file through a temporary one that replaces it in one step at the end.

    Another process that reads the file, or a resumed run, never finds half of it, even after a kill or on a full disk.

    Parameters
    ----------
    path : str or Path
        File that is written or replaced; its folder is created if needed.

    Yields
    ------
    Path
        Temporary file in the same folder, to which the content must be written. It is deleted after an error.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())  # a quota or a network disk may refuse the data only now
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: str | Path, text: str) -> None:
    """Write text in one step, so that no other process ever reads half of it.

    Parameters
    ----------
    path : str or Path
        File that is written or replaced.
    text : str
        Content.
    """
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def written_with_check(path: str | Path, checked: bool, **counts: int) -> Iterator[Path]:
    """Write a file as `written_whole` does, and replace its check file just before the file itself.

    Parameters
    ----------
    path : str or Path
        File that is written or replaced.
    checked : bool
        Whether to write a check file. Without it, the check file of an earlier version is deleted.
    **counts : int
        Size of the content, as `rows` or `frames`.

    Yields
    ------
    Path
        Temporary file to which the content must be written.
    """
    path = Path(path)
    with written_whole(path) as temporary:
        yield temporary
        if checked:
            write_atomically(check_file(path), check_text(path, temporary, **counts))
        else:
            check_file(path).unlink(missing_ok=True)


def write_json(path: str | Path, data: object, checked: bool = True) -> None:
    """Write plain data as JSON.

    Parameters
    ----------
    path : str or Path
        File that is written or replaced.
    data : object
        Numbers, strings, NumPy scalars and arrays, in lists and dictionaries.
    checked : bool, optional
        Whether to write a check file, so that `read_json` finds later damage.
    """
    text = json.dumps(data, indent=1, default=_to_list, allow_nan=True) + "\n"
    with written_with_check(path, checked) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _to_list(value: Any) -> Any:
    """Convert a NumPy scalar or array to plain numbers and lists."""
    return value.tolist()


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    object
        Plain data.

    Raises
    ------
    InputError
        The file is missing, is not JSON, or does not agree with its check file.
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
    """Write a table as CSV with ten significant digits; missing values are empty cells.

    Parameters
    ----------
    path : str or Path
        File that is written or replaced.
    table : DataFrame
        Columns; the index is not written.
    checked : bool, optional
        Whether to write a check file, so that `read_table` finds later damage.
    """
    text = table.to_csv(index=False, float_format="%.10g")
    with written_with_check(path, checked, rows=len(table)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a CSV file with a header; every number becomes the nearest floating-point number.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    DataFrame
        The table.

    Raises
    ------
    InputError
        The file is missing, is not CSV, or does not agree with its check file.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    assert_intact(path)
    # Before version 3.1 the default parser of pandas can be wrong in the last bit. Since then it is exact, and the
    # argument is deprecated.
    is_exact = tuple(int(number) for number in pd.__version__.split(".")[:2]) >= (3, 1)
    try:
        return pd.read_csv(path, **({} if is_exact else {"float_precision": "round_trip"}))
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not readable as CSV: {error}") from None
