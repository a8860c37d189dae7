"""Run a function in a process of its own, so that a calculator that hangs or crashes loses one structure only."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from qdsurf.errors import CalculationError, KilledError

# Signals that a calculator does not send to itself: the process was ended from outside.
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGXCPU)
# A timer in the same process would not help: Python sees a signal only when the Fortran code that hangs has returned,
# and a segmentation fault ends the process. Forked rather than spawned: a worker starts in milliseconds.
_FORK = multiprocessing.get_context("fork")


class Worker:
    """Run a function in a child process that keeps what the function works with, such as a calculator.

    After a crash or a timeout the next call starts a new process. Leaving the context ends the process.

    Parameters
    ----------
    make : callable
        Builds what the function works with; called in the child process.
    work : callable
        Called in the child process as `work(made, *arguments, report)`. What it passes to `report` reaches the
        `report` of the caller at once.
    """

    def __init__(self, make: Callable[[], Any], work: Callable):
        self.make, self.work = make, work
        self._running: tuple[ForkProcess, Connection] | None = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, *arguments, timeout_s: float, report: Callable[..., None]) -> Any:
        """Call the function once.

        Raises
        ------
        CalculationError
            There was no result after `timeout_s` seconds, or the process died; the message says which.
        KilledError
            The process was ended from outside.
        """
        process, pipe = self._running or self._start()
        end = time.monotonic() + timeout_s
        try:
            pipe.send(arguments)
            while pipe.poll(max(0.0, end - time.monotonic())) and time.monotonic() < end:
                kind, value = pipe.recv()
                if kind == "result":
                    return value
                if kind == "error":
                    raise value
                report(*value)
        except (EOFError, ConnectionError):
            raise self._death(process) from None
        self.end()
        raise CalculationError(f"no result after {timeout_s:g} s; the process of the calculator was ended")

    def _death(self, process: ForkProcess) -> CalculationError | KilledError:
        """Error for a process that has died."""
        process.join()
        code = process.exitcode or 0
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
        """End the process and everything that it has started."""
        if self._running is None:
            return
        process, pipe = self._running
        if process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # in case it died, or was ended, before it had a process group
        process.join()
        pipe.close()
        self._running = None

    def _start(self) -> tuple[ForkProcess, Connection]:
        ours, theirs = _FORK.Pipe()
        process = _FORK.Process(target=self._serve, args=(ours, theirs))
        process.start()
        theirs.close()
        self._running = process, ours
        return self._running

    def _serve(self, callers_end: Connection, pipe: Connection) -> None:
        """Answer calls until the caller closes the pipe; runs in the child process."""
        os.setpgid(0, 0)
        callers_end.close()
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
    """End the process group when the caller is killed, whatever the calculator is doing."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
    os.killpg(0, signal.SIGKILL)
