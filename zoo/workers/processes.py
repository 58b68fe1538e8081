"""Worker processes: their share of the cores, their start and their end."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO

from zoo.process import usable_cores

LOG_TAIL = 2_000

Process = subprocess.Popen[bytes]


def threads_per_worker(workers: int) -> int:
    """Return how many threads each of several workers has: its share of the cores, at least 1.

    Args:
        workers: number of worker processes on this machine.

    Example:
        >>> from zoo.workers.processes import threads_per_worker
        >>> threads_per_worker(10_000)
        1
    """
    return max(1, usable_cores() // workers)


def start_process(
    arguments: Sequence[str], *, threads: int, log: IO[bytes], stdout: int | IO[bytes]
) -> Process:
    """Start a Python process that an interrupt from the keyboard does not reach.

    Its standard input is a pipe: see `exit_with_parent`.

    Args:
        arguments: arguments of the Python interpreter.
        threads: number of threads of TensorFlow and NumPy.
        log: file of its standard error.
        stdout: its standard output, as `subprocess.Popen` takes it.
    """
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=log,
        env={**os.environ, **dict.fromkeys(names, str(threads))},
        start_new_session=True,
    )


def end_process(process: Process) -> int:
    """Kill a process if it is alive, and return its exit code.

    Args:
        process: the process.
    """
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return process.wait()


def exit_with_parent() -> None:
    """Exit when the process that holds the other end of standard input is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):  # sys.stdin.read would hold a lock that exit needs
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def describe_exit(code: int) -> str:
    """Return what ended a process.

    Args:
        code: its exit code, negative for a signal.

    Example:
        >>> from zoo.workers.processes import describe_exit
        >>> describe_exit(-9), describe_exit(1)
        ('signal 9', 'exit code 1')
    """
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def last_log_line(log: IO[bytes]) -> str:
    """Return the last line that a process wrote to its log.

    Args:
        log: the log, open to be read.
    """
    log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
    lines = log.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else "its log is empty"
