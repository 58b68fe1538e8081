"""The processes that train one model together, on one machine or on several.

Every process reads the same data, and computes its part of the rows of each batch: see
`zoo.training.devices`. Process 0 writes the run; the others wait for it at the end. When a process
ends before the run is finished, for whatever reason, all others end within seconds: none can train
without it.
"""

import atexit
import contextlib
import functools
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from zoo.errors import ArgumentValueError, ClusterError
from zoo.process import mute_stdout
from zoo.runs.files import exclusive_lock
from zoo.training import rendezvous
from zoo.training.rendezvous import Member

HEARTBEAT_SECONDS = 50  # after which JAX gives up a process that is suspended
SHUTDOWN_SECONDS = 20
SHARED_SECONDS = 60.0  # which a file on another machine may take to become visible
NOTICE_SECONDS = 3.0
LOST_CODE, ERROR_CODE, INTERRUPTED_CODE = 1, 2, 130


class Cluster:
    """The processes that train a model together, seen by one of them.

    Args:
        process: number of this process, from 0.
        processes: how many there are.
        peers: connections to others, by their numbers: of process 0 to all, of others to process 0.
    """

    def __init__(
        self, process: int = 0, processes: int = 1, peers: Mapping[int, socket.socket] | None = None
    ) -> None:
        self.process, self.processes = process, processes
        self.peers = dict(peers or {})
        self.directory: Path | None = None
        self.is_finished = False
        self.is_leaving = False
        self.lost: int | None = None
        self.exit_code = ERROR_CODE
        self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for number in self.peers:
            threading.Thread(target=self._watch, args=(number,), name="peer", daemon=True).start()

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run."""
        return self.process == 0

    def to_json(self) -> dict[str, Any]:
        """Return what ``config.json`` of a run holds of it: nothing for one process."""
        return {"processes": self.processes} if self.processes > 1 else {}

    def share(self, content: Any) -> Any:
        """Give what process 0 has to all processes; each must call this.

        Args:
            content: what JSON can hold; that of the other processes is ignored.

        Returns:
            That of process 0.
        """
        if not self.is_first:
            return self.messages.get()
        self._send({"content": content})
        return content

    def require_same(self, settings: Mapping[str, Any]) -> None:
        """Refuse processes that were started differently; each must call this.

        Args:
            settings: what must be equal in all, by name.

        Raises:
            ClusterError: on the processes that differ from process 0.
        """
        ours = json.loads(json.dumps(settings, default=str))
        theirs = self.share(ours)
        differences = [
            f"{key}={ours.get(key)!r} (process 0 has {theirs.get(key)!r})"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ]
        if differences:
            raise ClusterError(
                f"process {self.process} of {self.processes} was started differently: "
                f"{', '.join(differences)}."
            )

    @contextlib.contextmanager
    def working_in(self, directory: Path) -> Iterator[None]:
        """Train in the block; after it, process 0 has written a finished run.

        Args:
            directory: that of the run.

        Raises:
            RunError: if a process outside of this cluster works there.
        """
        self.directory = directory
        with exclusive_lock(directory) if self.is_first else contextlib.nullcontext():
            try:
                yield
            except BaseException as error:
                self.fail(error)
                raise
        self._finish(directory)

    def wait_for(self, path: Path) -> Path:
        """Wait until a file that process 0 has written is visible to this process.

        Args:
            path: the file.

        Returns:
            The same path.

        Raises:
            ClusterError: if it is not visible after a minute.
        """
        deadline = time.monotonic() + SHARED_SECONDS
        while not path.exists():
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{path}: process 0 has written it, and process {self.process} does not see "
                    "it: --run-dir must be on a file system that all machines share."
                )
            time.sleep(0.05)
        return path

    def begin(self) -> None:
        """Begin to train another model with the same processes.

        Raises:
            ClusterError: if one of them has ended.
        """
        if self.lost is not None:
            raise ClusterError(f"{self._describe_loss(self.lost)}; start all again.")
        self.is_finished = False

    def leave(self) -> None:
        """Close the connections: the other processes end if the run is not finished."""
        self.is_leaving = True
        if self.is_finished:
            self._send({"goodbye": True})
        for peer in self.peers.values():
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def fail(self, error: BaseException) -> None:
        """Leave because of an error.

        Args:
            error: the error, which may be due to the loss of another process.
        """
        if isinstance(error, KeyboardInterrupt):
            self.exit_code = INTERRUPTED_CODE
        elif self.peers:
            time.sleep(NOTICE_SECONDS)  # in which such a loss is noticed, and ends this process
        self.leave()

    def leave_at_exit(self) -> None:
        """Leave when this process exits, before JAX does.

        JAX would wait for the other processes, and abort this one if they are gone.
        """
        is_orderly = self.is_finished and self.exit_code != LOST_CODE
        self.leave()
        if not is_orderly:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.exit_code)

    def _finish(self, directory: Path) -> None:
        if self.is_first:
            self.is_finished = True
            self._send({"is_finished": True})
        else:
            self.messages.get()
            self.wait_for(directory / "metrics.json")

    def _watch(self, number: int) -> None:
        """Receive the messages of a process until its connection closes."""
        with contextlib.suppress(OSError), self.peers[number].makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "lost" in message:
                    self._lose(message["lost"])
                if "goodbye" in message:
                    self.lost = number
                    return
                if "is_finished" in message:
                    self.is_finished = True
                self.messages.put(message.get("content"))
        self._lose(number)

    def _lose(self, number: int) -> None:
        """End this process if it is training: it cannot do so without another."""
        self.lost = number
        if self.is_leaving:
            return
        self.exit_code = LOST_CODE
        if self.is_finished:
            return
        if self.is_first:
            self._send({"lost": number})
        resume = "start all again"
        if self.directory and (self.directory / "config.json").exists():
            resume = f"resume all with --run-dir {self.directory} --resume"
        print(f"zoo: {self._describe_loss(number)}; {resume}", file=sys.stderr, flush=True)
        os._exit(LOST_CODE)

    def _describe_loss(self, number: int) -> str:
        return f"process {number} of {self.processes} has ended or does not respond"

    def _send(self, message: Mapping[str, Any]) -> None:
        for peer in self.peers.values():
            rendezvous.send(peer, message)


ONE_PROCESS = Cluster()


def join() -> Cluster:
    """Join the processes that the environment names; each must do so before JAX computes.

    Returns:
        The cluster, which is the same each time.

    Raises:
        ArgumentValueError: if the environment contradicts itself, or names several processes and
            the backend is not JAX.
        ClusterError: if the processes do not find each other, or one has ended since.
    """
    member = rendezvous.read_environment()
    _require_jax(member)
    if member is None:
        return ONE_PROCESS
    cluster = _join_as(member)
    cluster.begin()
    return cluster


def _require_jax(member: Member | None) -> None:
    """Refuse several processes of TensorFlow, which would all write the same run."""
    tasks = rendezvous.count_tensorflow_tasks()
    is_jax = keras.config.backend() == "jax"
    if member and is_jax:
        return
    if member:
        received = f"{rendezvous.PROCESSES}={member.processes}"
    elif tasks > 1:
        received = f"{rendezvous.TENSORFLOW_CLUSTER} with {tasks} tasks"
    else:
        return
    raise ArgumentValueError(
        f"{received}: Keras does not support TensorFlow's MultiWorkerMirroredStrategy; on several "
        f"machines train with KERAS_BACKEND=jax and {rendezvous.PROCESSES}, on the devices of one "
        "with --devices all."
    )


@functools.cache
def _join_as(member: Member) -> Cluster:
    import jax
    from jax.experimental import multihost_utils

    peers, port = rendezvous.meet(member)
    cluster = Cluster(member.process, member.processes, peers)
    address = f"127.0.0.1:{port if cluster.is_first else rendezvous.relay(member.host, port)}"
    try:
        jax.distributed.initialize(
            address,
            member.processes,
            member.process,
            cluster_detection_method="deactivate",
            initialization_timeout=int(rendezvous.JOIN_SECONDS),
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
        with mute_stdout():  # Gloo writes there when devices meet for the first time
            multihost_utils.sync_global_devices("zoo")
    except (RuntimeError, ValueError) as error:
        cluster.fail(error)
        raise ClusterError(
            f"process {member.process} of {member.processes} cannot join the others: "
            f"{str(error).splitlines()[0]}"
        ) from error
    finally:
        atexit.register(cluster.leave_at_exit)
    return cluster
