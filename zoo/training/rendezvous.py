"""How the processes that train one model together find each other.

Each reads from the environment variables of `keras.distribution.initialize` how many there are,
which of them it is, and where process 0 listens. All others connect to process 0, which then
chooses a port for JAX's coordinator. The connections stay open: one that closes tells that the
process at its other end is gone. A message is a line of JSON. Like JAX's own connections, these
trust whoever reaches the port.
"""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from zoo.errors import ArgumentValueError, ClusterError
from zoo.specs import MAX_INT

ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"
PROCESS = "KERAS_DISTRIBUTION_PROCESS_ID"
TENSORFLOW_CLUSTER = "TF_CONFIG"
JOIN_SECONDS = 50.0  # less than a minute, so that no process waits longer for one that died
HELLO_SECONDS = 5.0
RETRY_SECONDS = 0.2
MAX_HELLO = 1_000
RELAY_BYTES = 65_536
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}  # a machine: 30 seconds


class Member(NamedTuple):
    """The place of a process among those that train a model together.

    Attributes:
        process: its number, from 0.
        processes: how many there are.
        host: the host of process 0.
        port: the port at which process 0 listens.
    """

    process: int
    processes: int
    host: str
    port: int

    @property
    def address(self) -> str:
        """The address of process 0."""
        return f"{self.host}:{self.port}"


def read_environment(environment: Mapping[str, str] = os.environ) -> Member | None:
    """Return the place that the environment gives to this process; None if it is the only one.

    Args:
        environment: the environment variables.

    Raises:
        ArgumentValueError: if they are incomplete or contradict each other.

    Example:
        >>> from zoo.training.rendezvous import read_environment
        >>> read_environment({"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"})
        Traceback (most recent call last):
        ...
        zoo.errors.ArgumentValueError: KERAS_DISTRIBUTION_PROCESS_ID is not set: must be the \
number of this process, from 0 to 1.
    """
    if not environment.get(PROCESSES):
        for name in (PROCESS, ADDRESSES):
            if environment.get(name):
                raise ArgumentValueError(f"{name} is set, so {PROCESSES} must be set, too.")
        return None
    processes = _read_number(environment, PROCESSES, range(1, MAX_INT), "a number, such as 2")
    if processes == 1:
        return None
    allowed = f"the number of this process, from 0 to {processes - 1}"
    process = _read_number(environment, PROCESS, range(processes), allowed)
    addresses = environment.get(ADDRESSES, "").split(",")
    host, _, port = addresses[0].strip().rpartition(":")
    if not host or not port.isdecimal() or len(addresses) not in (1, processes):
        raise ArgumentValueError(
            f"{_describe(environment, ADDRESSES)}: must be the address of process 0, such as "
            f"10.0.0.1:8476, or those of all {processes} processes, separated by commas."
        )
    return Member(process, processes, host.strip("[]"), int(port))


def _read_number(
    environment: Mapping[str, str], name: str, allowed: range, description: str
) -> int:
    text = environment.get(name, "")
    if text.isdecimal() and int(text) in allowed:
        return int(text)
    raise ArgumentValueError(f"{_describe(environment, name)}: must be {description}.")


def _describe(environment: Mapping[str, str], name: str) -> str:
    return f"{name}={environment[name]}" if environment.get(name) else f"{name} is not set"


def count_tensorflow_tasks(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many tasks the cluster in TensorFlow's variable has; 0 if there is none.

    Args:
        environment: the environment variables.
    """
    try:
        tasks = json.loads(environment.get(TENSORFLOW_CLUSTER, "{}")).get("cluster", {})
        return sum(map(len, tasks.values()))
    except (ValueError, AttributeError, TypeError):
        return 0


def meet(member: Member) -> tuple[dict[int, socket.socket], int]:
    """Connect this process with the others, or with process 0 if it is another.

    Args:
        member: the place of this process.

    Returns:
        The connections by number of the process at the other end, and the port for JAX's
        coordinator.

    Raises:
        ClusterError: if they are not all there after a minute, or disagree on how many they are.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    if member.process:
        connection, port = _connect(member, deadline)
        return {0: connection}, port
    peers = _accept(member, deadline)
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    for peer in peers.values():
        send(peer, {"port": port})
    return peers, port


def send(peer: socket.socket, message: Mapping[str, Any]) -> None:
    """Send a message, unless the connection is closed, which whoever reads from it notices.

    Args:
        peer: the connection.
        message: the message.
    """
    with contextlib.suppress(OSError):
        peer.sendall(json.dumps(message).encode() + b"\n")


def relay(host: str, port: int) -> int:
    """Relay connections to JAX's coordinator by way of a local port.

    When its connection to the coordinator closes, JAX aborts the process, with a page of text. The
    relay leaves it open, so that the process can end in an orderly way.

    Args:
        host: host of the coordinator.
        port: its port.

    Returns:
        The local port.
    """
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_relay, args=(server, (host, port)), name="relay", daemon=True).start()
    return int(server.getsockname()[1])


def _relay(server: socket.socket, address: tuple[str, int]) -> None:
    while True:
        near, _ = server.accept()
        try:
            far = socket.create_connection(address, timeout=HELLO_SECONDS)
        except OSError:  # not there yet: JAX tries again
            near.close()
            continue
        far.settimeout(None)
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_copy, args=(source, sink), name="relay", daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(RELAY_BYTES):
            sink.sendall(data)


def _accept(member: Member, deadline: float) -> dict[int, socket.socket]:
    peers: dict[int, socket.socket] = {}
    with _listen(member) as server, contextlib.ExitStack() as connections:
        while len(peers) < member.processes - 1:
            server.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                peer, _ = server.accept()
            except TimeoutError:
                missing = min({*range(1, member.processes)} - peers.keys())
                raise ClusterError(
                    f"process {missing} of {member.processes} has not connected to "
                    f"{member.address} within {JOIN_SECONDS:g} seconds."
                ) from None
            connections.enter_context(peer)
            hello = _receive(peer, HELLO_SECONDS)
            if not {"process", "processes"} <= hello.keys():  # of something else
                peer.close()
                continue
            number = hello["process"]
            if hello["processes"] != member.processes or number in peers:
                reason = (
                    f"process {number} of {hello['processes']} has connected to process 0 of "
                    f"{member.processes}{' twice' if number in peers else ''}"
                )
                send(peer, {"error": reason})
                raise ClusterError(f"{reason}: each needs a {PROCESS} of its own.")
            _keep_alive(peer)
            peers[number] = peer
        connections.pop_all()
    return peers


def _listen(member: Member) -> socket.socket:
    is_dual = socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            ("", member.port),
            family=socket.AF_INET6 if is_dual else socket.AF_INET,
            dualstack_ipv6=is_dual,
            backlog=member.processes,
        )
    except OSError as error:
        raise ClusterError(
            f"{ADDRESSES}={member.address}: process 0 cannot listen there: {error.strerror}."
        ) from None


def _connect(member: Member, deadline: float) -> tuple[socket.socket, int]:
    while True:
        try:
            peer = socket.create_connection((member.host, member.port), timeout=HELLO_SECONDS)
            if peer.getsockname() != peer.getpeername():  # TCP may connect a port with itself
                break
            peer.close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"process 0 cannot be reached at {member.address} within {JOIN_SECONDS:g} "
                    f"seconds: {error.strerror or error}."
                ) from None
        time.sleep(RETRY_SECONDS)
    _keep_alive(peer)
    send(peer, {"process": member.process, "processes": member.processes})
    welcome = _receive(peer, JOIN_SECONDS)
    if "port" not in welcome:
        peer.close()
        raise ClusterError(welcome.get("error", "process 0 has ended before all others came") + ".")
    return peer, welcome["port"]


def _receive(peer: socket.socket, seconds: float) -> dict[str, Any]:
    """Return the next message; an empty one if none comes, or something else."""
    peer.settimeout(seconds)
    try:
        with peer.makefile("rb") as lines:
            message = json.loads(lines.readline(MAX_HELLO))
    except (OSError, ValueError):
        return {}
    peer.settimeout(None)
    return message if isinstance(message, dict) else {}


def _keep_alive(peer: socket.socket) -> None:
    """Let the connection close when the machine at its other end does not respond."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
