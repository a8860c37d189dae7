"""Check files: the hash of every result, stored beside it, so that a damaged result is found before it is used."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qdsurf.errors import InputError

SUFFIX = ".check"


@dataclass(frozen=True)
class Damage:
    """A file that is not as it was written.

    Attributes
    ----------
    path : the file.
    found, expected : what is there and what was written, such as `1 row` and `2 rows`.
    """

    path: Path
    found: str
    expected: str

    @property
    def advice(self) -> str:
        """What a user can do."""
        return f"Start snakemake again to compute it anew, or delete {check_file(self.path)} to use it as it is."

    def __str__(self) -> str:
        return f"{self.path}: {self.found} instead of {self.expected}; the file is damaged or was edited. {self.advice}"


def check_file(path: Path) -> Path:
    """Return the path of the check file of a result: `.steps.csv.check` for `steps.csv`, in the same folder."""
    path = Path(path)
    return path.with_name(f".{path.name}{SUFFIX}")


def check_text(path: Path, new: Path, **counts: int) -> str:
    """Return the content of the check file that is stored just before the file `new` takes the place of `path`.

    It holds the hash of the new content, and the hash of an intact file that is still there. A process that is killed
    between the two steps therefore leaves either file intact.

    Parameters
    ----------
    counts : what the new file holds, `rows` or `frames`.
    """
    entry: dict = {**counts, "sha256": _hash(new)}
    if Path(path).is_file() and find_damage(path) is None and (previous := _hash(path)) != entry["sha256"]:
        entry["previous_sha256"] = previous
    return json.dumps(entry) + "\n"


def find_damage(path: Path) -> Damage | None:
    """Compare a file with its check file; None if they agree, or if one of them is missing."""
    path = Path(path)
    for attempt in ("first", "last"):  # between two reads a running job may replace both files
        try:
            entry = json.loads(check_file(path).read_text(encoding="utf-8"))
            known = {entry["sha256"], entry.get("previous_sha256")}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            if attempt == "last":
                return Damage(path, "an unreadable check file", "one with a hash")
            continue
        try:
            if _hash(path) in known:
                return None
        except FileNotFoundError:
            return None
    return _describe(path, entry)


def assert_intact(path: Path) -> None:
    """Assert that a file agrees with its check file, if it has one.

    Raises
    ------
    InputError : the file has changed since it was written.
    """
    if damage := find_damage(path):
        raise InputError(str(damage))


def verify_folder(folder: Path) -> tuple[int, list[Damage]]:
    """Compare all files below a folder with their check files.

    Returns
    -------
    Number of files that have a check file, and the damaged ones in the order of their paths.
    """
    files = sorted(_checked_files(Path(folder)))
    return len(files), [damage for path in files if (damage := find_damage(path))]


def _checked_files(folder: Path) -> Iterator[Path]:
    """Files that have a check file; a check file whose file is gone means nothing."""
    for check in folder.rglob(f".*{SUFFIX}"):
        path = check.with_name(check.name[1 : -len(SUFFIX)])
        if path.is_file():
            yield path


def _describe(path: Path, entry: dict) -> Damage:
    """Put the difference between a file and its check file into words."""
    for unit, count in (("rows", _count_rows), ("frames", _count_frames)):
        if unit in entry and (found := count(path)) != entry[unit]:
            return Damage(path, _plural(found, unit), _plural(entry[unit], unit))
    return Damage(path, "other content", "the content that was written")


def _plural(number: int, unit: str) -> str:
    return f"{number} {unit[:-1] if number == 1 else unit}"


def _count_rows(path: Path) -> int:
    """Rows of a CSV file below its header."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    try:
        return max(0, sum(1 for _ in csv.reader(lines)) - 1)
    except csv.Error:  # an endless field, of a file that is cut within quotes
        return max(0, len(lines) - 1)


def _count_frames(path: Path) -> int:
    """Complete frames of an extended XYZ file."""
    lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    frames = at = 0
    while at < len(lines) and lines[at].strip().isdecimal():
        at += int(lines[at]) + 2
        frames += at <= len(lines)
    return frames


def _hash(path: Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
