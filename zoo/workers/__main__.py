"""A worker process: runs the jobs that standard input has, and reports on standard output.

It exits when standard input ends, which is when the process that started it is gone.
"""

import io
import os
import pickle
import queue
import sys
import threading
import traceback
from contextlib import redirect_stderr
from typing import Any

from zoo.errors import ZooError
from zoo.process import enable_batch_scheduling
from zoo.workers.claims import HEARTBEAT_SECONDS
from zoo.workers.pool import ALIVE, ENDED, LINE


class Reports:
    """Messages to the process that started this one, which take the place of standard output."""

    def __init__(self) -> None:
        self.pipe = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.lock = threading.Lock()

    def send(self, kind: str, content: Any = None) -> None:
        """Send a message."""
        with self.lock:
            pickle.dump((kind, content), self.pipe)
            self.pipe.flush()

    def send_heartbeats(self) -> None:
        """Send a sign of life at intervals."""
        stop = threading.Event()
        while not stop.wait(HEARTBEAT_SECONDS):
            self.send(ALIVE)


class Lines(io.TextIOBase):
    """A text stream whose lines are reported."""

    def __init__(self, reports: Reports) -> None:
        self.reports, self.rest = reports, ""

    def write(self, text: str) -> int:
        """Report the lines that `text` completes."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.reports.send(LINE, line)
        return len(text)


def receive_jobs(jobs: "queue.Queue[bytes]") -> None:
    """Queue the jobs that arrive, and exit when no more can."""
    try:
        while True:
            jobs.put(pickle.load(sys.stdin.buffer))
    except (EOFError, pickle.UnpicklingError):
        os._exit(1)


def run(pickled: bytes, lines: Lines) -> Exception | None:
    """Run a job, and return the error that it raised as one that can be sent."""
    try:
        with redirect_stderr(lines):
            pickle.loads(pickled).run(progress=True)
    except ZooError as error:
        return error
    except OSError as error:
        return OSError(str(error))
    except Exception as error:
        unexpected = RuntimeError(f"{type(error).__name__}: {error}")
        unexpected.add_note(traceback.format_exc())
        return unexpected
    return None


def main() -> None:
    """Run jobs until this process is killed or the one that started it is gone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    enable_batch_scheduling()
    reports = Reports()
    jobs: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=receive_jobs, args=(jobs,), daemon=True).start()
    threading.Thread(target=reports.send_heartbeats, daemon=True).start()
    lines = Lines(reports)
    while True:
        reports.send(ENDED, run(jobs.get(), lines))


if __name__ == "__main__":
    main()
