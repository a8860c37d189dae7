"""Logging of a job: progress lines on the terminal and in its log file.

The library logs through `logging.getLogger(__name__)`, below the logger `qdsurf`. It prints nothing unless a program
attaches a handler: the command line does so with `log_to_terminal`, the workflow with `log_to_file`.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = logging.getLogger("qdsurf")
LOGGER = logging.getLogger(__name__)
REPORT_EVERY_S = 30.0  # time between two lines on a structure whose relaxation has not ended


@contextmanager
def log_to_terminal(level: int = logging.INFO) -> Iterator[None]:
    """Write log lines of this level and above to standard error.

    Parameters
    ----------
    level : int
        `logging.WARNING` for --quiet, `logging.DEBUG` for --verbose.
    """
    with _handled_by(logging.StreamHandler(sys.stderr), level):
        yield


@contextmanager
def log_to_file(path: str | Path) -> Iterator[None]:
    """Write log lines to the log file of a job and to the terminal; an error ends up in both.

    Parameters
    ----------
    path : str or Path
        File that is created, with its folder.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with (
        _handled_by(logging.FileHandler(path, mode="w", encoding="utf-8"), logging.INFO),
        _handled_by(logging.StreamHandler(sys.stdout), logging.INFO),
    ):
        try:
            yield
        except Exception as error:
            LOGGER.error("%s: %s", type(error).__name__, error)
            raise


@contextmanager
def _handled_by(handler: logging.Handler, level: int) -> Iterator[None]:
    """Attach a handler to the logger of the package for a while."""
    before = ROOT.level
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(level)
    ROOT.addHandler(handler)
    ROOT.setLevel(level)
    try:
        yield
    finally:
        ROOT.removeHandler(handler)
        ROOT.setLevel(before)
        handler.close()


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it: 12 s, 3 min, 2.5 h, 4.0 d."""
    for unit, size, decimals in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{decimals}f} {unit}"
    return f"{seconds:.0f} s"


class Progress:
    """Progress lines of a batch: `relax PbS_111_Pb~acetate~TMA 3/24: 41 calls, -312.402 eV, converged, 3.1 s`.

    Parameters
    ----------
    label : str
        What is done to what, such as `relax PbS_111_Pb~acetate~TMA`.
    total : int
        Number of members of the batch.
    """

    def __init__(self, label: str, total: int):
        self.label, self.total, self.done = label, total, 0
        self.started = self.last_line = time.monotonic()

    def running(self, name: str, calls: int, max_force: float) -> None:
        """Report on a member that takes long, at most once in 30 s."""
        if time.monotonic() - self.last_line > REPORT_EVERY_S:
            self._log(self.done + 1, name, f"{calls} calls, largest force {max_force:.3f} eV/A, running")

    def finished(self, name: str, summary: str) -> None:
        """Count one member; the remaining time assumes that the others take as long."""
        self.done += 1
        remaining = (time.monotonic() - self.started) / self.done * (self.total - self.done)
        rest = f", about {duration(remaining)} left" if self.done < self.total else ""
        self._log(self.done, name, summary + rest)

    def _log(self, number: int, name: str, words: str) -> None:
        self.last_line = time.monotonic()
        LOGGER.info("%s %d/%d%s: %s", self.label, number, self.total, f" {name}" if name else "", words)
