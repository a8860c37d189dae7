"""Work in a process of its own: what hangs or crashes there is ended, and the caller goes on."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qdsurf.errors import CalculationError, KilledError

FROM_OUTSIDE = (
    signal.SIGKILL,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGXCPU,
)  # a calculator does not do this to itself
# An alarm in the same process would not do: Python sees a signal only when the Fortran that hangs has returned, and
# nothing survives a segmentation fault. Forked rather than spawned: a worker starts in milliseconds.
_FORK = multiprocessing.get_context("fork")


class Worker:
    """Run a function in a child process that keeps what it works with, such as a warm calculator.

    After a crash or a timeout the next call starts a fresh process. Leaving the context ends it.

    Parameters
    ----------
    make : builds what the function works with; called in the child.
    work : called there as `work(made, *arguments, report)`; what it gives to `report` reaches the caller's at once.
    """

    def __init__(self, make: Callable[[], Any], work: Callable):
        self.make, self.work = make, work
        self._process = self._pipe = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self.end()

    def run(self, *arguments, timeout_s: float, report: Callable[..., None]) -> Any:
        """Work once.

        Raises
        ------
        CalculationError : no result after `timeout_s` seconds, or the process died; says which.
        KilledError : somebody else ended the process.
        """
        if self._process is None:
            self._start()
        end = time.monotonic() + timeout_s
        try:
            self._pipe.send(arguments)
            while self._pipe.poll(max(0.0, end - time.monotonic())) and time.monotonic() < end:
                kind, value = self._pipe.recv()
                if kind == "result":
                    return value
                if kind == "error":
                    raise value
                report(*value)
        except (EOFError, ConnectionError):
            raise self._epitaph() from None
        self.end()
        raise CalculationError(f"no result after {timeout_s:g} s; the process of the calculator was ended")

    def _epitaph(self) -> CalculationError | KilledError:
        """Word the error for a process that has died."""
        self._process.join()
        code = self._process.exitcode
        self.end()
        if code >= 0:
            return CalculationError(f"the process of the calculator ended with exit code {code}")
        name = signal.Signals(-code).name
        if -code in FROM_OUTSIDE:
            return KilledError(
                f"the process of the calculator was ended from outside by {name}; is there enough memory?"
            )
        return CalculationError(f"the process of the calculator ended by {name}")

    def end(self) -> None:
        """End the process and all that it has started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()  # where it died, or was ended, before it had a group of its own
        self._process.join()
        self._pipe.close()
        self._process = self._pipe = None

    def _start(self) -> None:
        self._pipe, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=self._serve, args=(theirs,))
        self._process.start()
        theirs.close()

    def _serve(self, pipe) -> None:
        os.setpgid(0, 0)
        self._pipe.close()  # the caller's end
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            made = self.make()
            while True:
                pipe.send(("result", self.work(made, *pipe.recv(), lambda *values: pipe.send(("report", values)))))
        except EOFError:
            return
        except Exception as error:
            pipe.send(("error", error))


def _end_with_parent() -> None:
    """Leave no process behind when the caller is killed, whatever the calculator is doing."""
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)
