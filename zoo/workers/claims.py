"""Claims on jobs: which of the machines that share a directory runs which job."""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from zoo.runs.files import shared_lock, write_json

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 60.0
TAKEN_OVER = 2

Owner = Mapping[str, Any]


class Claims:
    """The claims of this process on jobs, one file per job, with a heartbeat while it lives.

    A claim is taken over if its process is dead, on the same machine, or if its file has not been
    touched for `SILENCE_SECONDS`, as measured by the clock of whoever waits. A process that has
    lost a claim, since it was suspended for so long, exits.

    Args:
        directory: directory of the claims, which the machines share; created if missing. Its file
            system must have locks, as NFS 4 has.

    Example:
        >>> from zoo.workers.claims import Claims
        >>> with Claims(tmp / "claims") as mine, Claims(tmp / "claims") as other:
        ...     mine.take("job"), other.take("job"), other.take("second")
        (True, False, True)
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        process = psutil.Process()
        self.owner = {
            "host": socket.gethostname(),
            "pid": process.pid,
            "started": process.create_time(),
            "token": uuid.uuid4().hex,
        }
        self.held: set[str] = set()
        self.last_beats: dict[str, tuple[Any, float]] = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._beat, name="claims", daemon=True)

    def __enter__(self) -> "Claims":
        self.directory.mkdir(parents=True, exist_ok=True)
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop.set()
        self.thread.join()
        for name in list(self.held):
            self.release(name)

    def take(self, name: str) -> bool:
        """Claim a job, unless another process that lives has claimed it.

        Args:
            name: name of the job.

        Returns:
            Whether this process has the claim.
        """
        with shared_lock(self.directory):
            owner = self._owner_of(name)
            if owner not in (None, self.owner) and not self._is_abandoned(name, owner):
                return False
            write_json(self._path(name), self.owner)
            self.held.add(name)
        return True

    def release(self, name: str) -> None:
        """Give up a claim.

        Args:
            name: name of a job that this process has claimed.
        """
        with shared_lock(self.directory):
            self.held.discard(name)
            if self._owner_of(name) == self.owner:
                self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def _owner_of(self, name: str) -> Owner | None:
        try:
            return json.loads(self._path(name).read_text())
        except FileNotFoundError:
            return None

    def _is_abandoned(self, name: str, owner: Owner) -> bool:
        if owner["host"] == self.owner["host"]:
            return not _is_alive(owner)
        beat, now = (owner, self._path(name).stat().st_mtime_ns), time.monotonic()
        last, since = self.last_beats.get(name, (None, now))
        if beat != last:
            since = now
        self.last_beats[name] = (beat, since)
        return now - since > SILENCE_SECONDS

    def _beat(self) -> None:
        while not self.stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError), shared_lock(self.directory):
                for name in self.held:
                    self._renew(name)

    def _renew(self, name: str) -> None:
        owner = self._owner_of(name)
        if owner == self.owner:
            os.utime(self._path(name))
        elif owner is None:
            write_json(self._path(name), self.owner)
        else:
            print(f"{name} was taken over by a process on {owner['host']}.", file=sys.stderr)
            os._exit(TAKEN_OVER)


def _is_alive(owner: Owner) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(owner["pid"])
        return process.create_time() == owner["started"] and (
            process.status() != psutil.STATUS_ZOMBIE
        )
    return False
