"""Check files: the hash of every result, with which a damaged result is found before it is used."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdsurf.errors import InputError

SUFFIX = ".check"


@dataclass(frozen=True)
class Damage:
    """A file whose content differs from the content that was written.

    Attributes
    ----------
    path : Path
        The file.
    found, expected : str
        Present content and written content, such as `1 row` and `2 rows`.
    """

    path: Path
    found: str
    expected: str

    @property
    def advice(self) -> str:
        """What a user can do about the damage."""
        return f"Start snakemake again to compute it anew, or delete {check_file(self.path)} to use it as it is."

    def __str__(self) -> str:
        return f"{self.path}: {self.found} instead of {self.expected}; the file is damaged or was edited. {self.advice}"


def check_file(path: str | Path) -> Path:
    """Return the path of the check file of a result.

    Parameters
    ----------
    path : str or Path
        The result, such as `steps.csv`.

    Returns
    -------
    Path
        The check file in the same folder, such as `.steps.csv.check`.
    """
    path = Path(path)
    return path.with_name(f".{path.name}{SUFFIX}")


def check_text(path: str | Path, new: Path, **counts: int) -> str:
    """Return the content of the check file that is stored just before the file `new` replaces `path`.

    The check file contains the hash of the new content and, if `path` exists and is intact, the hash of the content
    that is replaced. If the process is killed between the two replacements, the file therefore still agrees with its
    check file, whether it is the old or the new one.

    Parameters
    ----------
    path : str or Path
        Result that is replaced.
    new : Path
        File with the new content.
    **counts : int
        Size of the new content, as `rows` or `frames`.

    Returns
    -------
    str
        One line of JSON.
    """
    entry: dict[str, Any] = {**counts, "sha256": _hash(new)}
    if Path(path).is_file() and find_damage(path) is None:
        previous = _hash(path)
        if previous != entry["sha256"]:
            entry["previous_sha256"] = previous
    return json.dumps(entry) + "\n"


def find_damage(path: str | Path) -> Damage | None:
    """Compare a file with its check file.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Damage or None
        The difference; None if both agree or if one of them is missing.
    """
    path = Path(path)
    for last_attempt in (False, True):  # between the two reads a running job may replace both files
        try:
            entry = json.loads(check_file(path).read_text(encoding="utf-8"))
            known = {entry["sha256"], entry.get("previous_sha256")}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            if last_attempt:
                return Damage(path, "an unreadable check file", "one with a hash")
            continue
        try:
            if _hash(path) in known:
                return None
        except FileNotFoundError:
            return None
    return _describe(path, entry)


def assert_intact(path: str | Path) -> None:
    """Assert that a file agrees with its check file, if it has one.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    InputError
        The file has changed since it was written. The message describes the difference and the remedy.
    """
    if damage := find_damage(path):
        raise InputError(str(damage))


def verify_folder(folder: str | Path) -> tuple[int, list[Damage]]:
    """Compare all files below a folder with their check files.

    Parameters
    ----------
    folder : str or Path
        Folder that is searched with all its subfolders.

    Returns
    -------
    count : int
        Number of files with a check file.
    damaged : list of Damage
        Damaged files in the order of their paths.
    """
    files = sorted(_checked_files(Path(folder)))
    return len(files), [damage for path in files if (damage := find_damage(path))]


def _checked_files(folder: Path) -> Iterator[Path]:
    """Find the files that have a check file; a check file without its file is ignored."""
    for check in folder.rglob(f".*{SUFFIX}"):
        path = check.with_name(check.name[1 : -len(SUFFIX)])
        if path.is_file():
            yield path


def _describe(path: Path, entry: dict[str, Any]) -> Damage:
    """Describe the difference between a file and the entry of its check file."""
    for unit, count in (("rows", _count_rows), ("frames", _count_frames)):
        if unit in entry and (found := count(path)) != entry[unit]:
            return Damage(path, _plural(found, unit), _plural(entry[unit], unit))
    return Damage(path, "other content", "the content that was written")


def _plural(number: int, unit: str) -> str:
    """Write a number with its unit, such as `1 row` or `2 rows`."""
    return f"{number} {unit[:-1] if number == 1 else unit}"


def _count_rows(path: Path) -> int:
    """Count the rows of a CSV file below its header."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    try:
        return max(0, sum(1 for _ in csv.reader(lines)) - 1)
    except csv.Error:  # A file that ends within quotes has one field that exceeds the limit of the csv module.
        return max(0, len(lines) - 1)


def _count_frames(path: Path) -> int:
    """Count the complete frames of an extended XYZ file."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    frames = 0
    line = 0
    while line < len(lines) and lines[line].strip().isdecimal():
        line += int(lines[line]) + 2  # the number of atoms, a comment, and one line for each atom
        if line <= len(lines):
            frames += 1
    return frames


def _hash(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
