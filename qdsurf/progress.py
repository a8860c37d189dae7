"""What a job prints, in the terminal and in its log."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path


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
