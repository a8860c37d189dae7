"""Options for the compilation of the loops, and a lock for processes that compile at the same time."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMPILED: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "boundscheck": False,
    "fastmath": {"reassoc", "nsz", "arcp", "contract"},  # sums may be reordered; NaN and infinity keep their meaning
}


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process of this user compiles.

    numba updates the index of its cache without a lock. Without this lock, two processes that compile for different
    precisions could overwrite the entries of each other. With it, the second process uses the result of the first.
    """
    try:
        import fcntl
    except ImportError:  # not a Unix system
        yield
        return
    folder = Path(os.environ.get("NUMBA_CACHE_DIR", tempfile.gettempdir()))
    with open(folder / f"qdsurf-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
