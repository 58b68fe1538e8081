"""Several processes at one search, by keras-tuner's own protocol: a chief, and its workers."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuning.oracles import make_oracle
from tuning.plan import Plan, read_plan
from tuning.trials import GrownError, ZooTuner
from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError, SearchError

HOST = "127.0.0.1"
CHIEF = "chief"
LOGS = "workers"
TABLE = "trials.csv"  # is there when a session of the search has ended
MOST_FALSE_STARTS = 3
LOOK = 0.2
TAIL = 2_000
FAREWELL = 5.0
CHIEF_PATIENCE = 600.0


def run_here(plan: Plan, directory: Path, oracle: Any, data: Data, *, to_the_end: bool) -> None:
    """Runs the trials in this process; those after it has grown much in another.

    Args:
        plan: of the search.
        directory: of the search.
        oracle: of the search.
        data: of its first training.
        to_the_end: whether this process runs them all, however much it grows.
    """
    _take_back(oracle)
    tuner = ZooTuner(plan, directory, oracle)
    tuner.know(data)
    if to_the_end:
        tuner.most_growth = 0
    try:
        tuner.search()
    except GrownError:
        tuner.on_search_end()
        run_in_processes(plan, directory, oracle, 1)


def run_in_processes(plan: Plan, directory: Path, oracle: Any, workers: int) -> None:
    """Runs the trials in processes of their own, and has those that die followed by others.

    The processes end with this one, whatever it dies of: they read its pipe, and it closes.

    Args:
        plan: of the search.
        directory: of the search.
        oracle: of the search; this process is its chief.
        workers: how many processes; they share the cores.

    Raises:
        SearchError: if a worker dies again and again before it has a trial.
    """
    _take_back(oracle)
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    crew: dict[str, subprocess.Popen[bytes]] = {}
    false_starts = 0
    with _serving(plan, directory, oracle, HOST, port):
        try:
            for number in range(workers):
                crew[f"worker-{number}"] = _hire(directory, port, f"worker-{number}", workers)
            while crew and not oracle.is_done:
                time.sleep(LOOK)
                for name in oracle.silent():
                    crew[name].kill()
                for name in [name for name in crew if crew[name].poll() is not None]:
                    code = _dismiss(crew.pop(name))
                    if code == 0:
                        continue
                    false_starts = 0 if name in oracle.ongoing_trials else false_starts + 1
                    if false_starts == MOST_FALSE_STARTS:
                        raise SearchError(f"workers do not start: {_last_words(directory, name)}")
                    oracle.bury(name, f"its worker died: {_cause(code)}")
                    crew[name] = _hire(directory, port, name, workers)
        finally:
            for process in crew.values():
                _dismiss(process)


def run_as_chief(plan: Plan, directory: Path, oracle: Any, address: str) -> None:
    """Serves trials to workers on other machines, until the last one has ended.

    Args:
        plan: of the search.
        directory: of the search, which every worker sees under the same path.
        oracle: of the search.
        address: ``HOST:PORT`` to listen at.
    """
    host, port = parse_address(address)
    with _serving(plan, directory, oracle, host, port):
        while not oracle.is_done:
            time.sleep(LOOK)
            for name in oracle.silent():
                oracle.pass_on(name)
        parting = time.monotonic() + FAREWELL
        while oracle.tuner_ids and time.monotonic() < parting:
            time.sleep(LOOK)


def run_as_worker(directory: Path, address: str, name: str) -> None:
    """Asks a chief for trials, and runs them, until it has none left.

    A process that has grown much begins anew in the same place, by the command that started it.

    Args:
        directory: of the search.
        address: of the chief, ``HOST:PORT``.
        name: of this worker; one that died is followed best by one of its name.

    Raises:
        SearchError: if the chief is not reached for ten minutes, and its search is not over.
    """
    host, port = parse_address(address)
    try:
        _reach(host, port, directory)
        plan = read_plan(directory)
        with _environment(host, port, name):
            tuner = ZooTuner(plan, directory, make_oracle(plan, is_limited=False))
            tuner.oracle = _Persistent(tuner.oracle, host, port, directory)
            tuner.search()
    except _OverError:
        return
    except GrownError:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def own_name() -> str:
    """Names this process among the workers of a search."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _take_back(oracle: Any) -> None:
    for name in list(oracle.ongoing_trials):
        oracle.take_back(name)


def require_free(address: str) -> None:
    """Makes sure that a chief can listen at an address.

    Args:
        address: ``HOST:PORT``.

    Raises:
        ArgumentValueError: if it is none, or cannot be listened at.
    """
    place = parse_address(address)
    try:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(place)
    except OSError as error:
        raise ArgumentValueError(f"address={address!r}: {error.strerror or error}.") from error


def parse_address(address: str) -> tuple[str, int]:
    """Reads the address of a chief.

    Args:
        address: ``HOST:PORT``.

    Returns:
        Host and port.

    Raises:
        ArgumentValueError: if it is none.
    """
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise ArgumentValueError(f"address={address!r}: must be HOST:PORT, such as 10.0.0.1:8000.")
    return host, int(port)


class _OverError(Exception):
    """No chief answers since there is no more to do."""


class _Persistent:
    """keras-tuner's client of a chief, which waits for a chief that is being started again."""

    def __init__(self, client: Any, *chief: Any) -> None:
        self.client, self.chief = client, chief

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.client, name)
        return self._insisting(found) if callable(found) else found

    def _insisting(self, call: Any) -> Any:
        import grpc

        def insist(*args: Any, **kwargs: Any) -> Any:
            while True:
                _reach(*self.chief)
                try:
                    return call(*args, **kwargs)
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.UNAVAILABLE:
                        raise
                    time.sleep(LOOK)

        return insist


@contextlib.contextmanager
def _serving(plan: Plan, directory: Path, oracle: Any, host: str, port: int) -> Iterator[None]:
    with _environment(host, port, CHIEF):
        tuner = ZooTuner(plan, directory, oracle)
        threading.Thread(target=tuner.search, name=CHIEF, daemon=True).start()
        try:
            _reach(host, port, directory)
            yield
        finally:
            oracle.tuner_ids.clear()


@contextlib.contextmanager
def _environment(host: str, port: int, name: str) -> Iterator[None]:
    """Tells keras-tuner, in the way it wants to be told, who is who."""
    told = {
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": str(port),
        "KERASTUNER_TUNER_ID": name,
    }
    os.environ.update(told)
    try:
        yield
    finally:
        for key in told:
            os.environ.pop(key, None)


def _hire(directory: Path, port: int, name: str, workers: int) -> "subprocess.Popen[bytes]":
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    share = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
    }
    log = directory / LOGS / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "tuning.workers", str(directory), f"{HOST}:{port}", name],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            env={**os.environ, **share},
            start_new_session=True,
        )


def _dismiss(process: "subprocess.Popen[bytes]") -> int:
    """Ends a worker if it lives, and gives its exit code."""
    process.kill()
    process.communicate()
    return process.returncode


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _last_words(directory: Path, name: str) -> str:
    lines = (directory / LOGS / f"{name}.log").read_text(errors="replace")[-TAIL:].splitlines()
    return lines[-1] if lines else "it said nothing"


def _reach(host: str, port: int, directory: Path) -> None:
    """Waits until a chief listens."""
    until = time.monotonic() + CHIEF_PATIENCE
    while True:
        try:
            with socket.create_connection((host, port), timeout=LOOK * 10):
                return
        except OSError as error:
            if (directory / TABLE).exists():
                raise _OverError from error
            if time.monotonic() > until:
                raise SearchError(f"no chief answers at {host}:{port}.") from error
            time.sleep(LOOK)


def _end_with_parent() -> None:
    """Ends this process when the one that holds the other end of its standard input is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):  # takes no lock that Python wants when it ends
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    run_as_worker(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
