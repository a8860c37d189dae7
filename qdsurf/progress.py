"""What a job prints, in the terminal and in its log."""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

EVERY_S = 30.0  # between two lines on a structure that is still walking


class _Tee(io.TextIOBase):
    """A text stream that writes to several others at once."""

    def __init__(self, *streams):
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Copy everything that is printed inside to a log file, line by line as it comes."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", buffering=1) as stream, redirect_stdout(_Tee(sys.stdout, stream)):
        yield


def duration(seconds: float) -> str:
    """Say a time in the unit that suits it: 12 s, 3 min, 2.5 h, 4.0 d."""
    for unit, size, decimals in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{decimals}f} {unit}"
    return f"{seconds:.0f} s"


class Progress:
    """Lines on a batch: how many are done, who is at work, what it cost, and how long the rest may take.

    Parameters
    ----------
    label : what the batch is.
    total : number of its members.
    """

    def __init__(self, label: str, total: int):
        self.label, self.total, self.done = label, total, 0
        self.started = self.spoken = time.monotonic()

    def walking(self, name: str, calls: int, max_force: float) -> None:
        """Say how far one member is, at most twice a minute."""
        if time.monotonic() - self.spoken > EVERY_S:
            self._say(name, f"{calls} force calls so far, max force {max_force:.3f} eV/A", self.done + 1)

    def finished(self, name: str, words: str) -> None:
        """Count one member and say what became of it; the rest is taken to be as slow as what is done."""
        self.done += 1
        left = (time.monotonic() - self.started) / self.done * (self.total - self.done)
        self._say(name, f"{words}; about {duration(left)} left" if self.done < self.total else words, self.done)

    def _say(self, name: str, words: str, number: int) -> None:
        self.spoken = time.monotonic()
        print(f"{self.label} {number}/{self.total} {name}: {words}", flush=True)
