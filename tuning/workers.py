"""Workers of a search: processes that run its trials, by keras-tuner's chief-worker protocol."""

import contextlib
import functools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tuning.oracles import make_oracle
from tuning.plan import Plan, read_plan
from tuning.trials import MemoryGrowthError, ZooTuner
from zoo.data.pipeline import Data
from zoo.errors import ArgumentValueError, SearchError
from zoo.workers.processes import (
    Process,
    describe_exit,
    end_process,
    exit_with_parent,
    last_log_line,
    start_process,
    threads_per_worker,
)

HOST = "127.0.0.1"
CHIEF = "chief"
LOGS_FOLDER = "workers"
TRIALS_FILE = "trials.csv"  # exists if a session of the search has ended
TRIALS_RUN_VARIABLE = "ZOO_WORKER_TRIALS_RUN"
MAX_FAILED_STARTS = 3
POLL_SECONDS = 0.2
SHUTDOWN_SECONDS = 5.0
CHIEF_TIMEOUT = 600.0


def run_locally(
    plan: Plan, directory: Path, oracle: Any, data: Data, *, limit_memory: bool
) -> None:
    """Run the trials in this process.

    Args:
        plan: plan of the search.
        directory: directory of the search.
        oracle: oracle of the search.
        data: data of the first training run.
        limit_memory: whether to run the remaining trials in a subprocess once this process has
            grown by more than `tuning.trials.MAX_MEMORY_GROWTH`.
    """
    _requeue_ongoing_trials(oracle)
    tuner = ZooTuner(plan, directory, oracle)
    tuner.preload_data(data)
    if not limit_memory:
        tuner.max_memory_growth = 0
    try:
        tuner.search()
    except MemoryGrowthError:
        tuner.on_search_end()
        run_in_subprocesses(plan, directory, oracle, 1)


def run_in_subprocesses(plan: Plan, directory: Path, oracle: Any, workers: int) -> None:
    """Run the trials in subprocesses, and replace those that die.

    A subprocess exits when this process does, for whatever reason, since its standard input is
    closed then.

    Args:
        plan: plan of the search.
        directory: directory of the search.
        oracle: oracle of the search; this process is its chief.
        workers: number of subprocesses, which share the CPU cores.

    Raises:
        SearchError: if workers repeatedly die before they have received a trial.
    """
    _requeue_ongoing_trials(oracle)
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    spawn = functools.partial(_spawn_worker, directory, port, workers)
    processes: dict[str, Process] = {}
    with _serve_oracle(plan, directory, oracle, HOST, port):
        try:
            for number in range(workers):
                processes[f"worker-{number}"] = spawn(f"worker-{number}")
            _supervise_workers(processes, spawn, oracle, directory)
        finally:
            for process in processes.values():
                end_process(process)


def run_as_chief(plan: Plan, directory: Path, oracle: Any, address: str) -> None:
    """Serve trials to workers on other machines until the last one has ended.

    Args:
        plan: plan of the search.
        directory: directory of the search, which has the same path on every worker.
        oracle: oracle of the search.
        address: ``HOST:PORT`` to listen at.
    """
    host, port = parse_address(address)
    with _serve_oracle(plan, directory, oracle, host, port):
        while not oracle.is_finished:
            time.sleep(POLL_SECONDS)
            for name in oracle.silent_workers():
                oracle.reassign_trial(name)
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while oracle.tuner_ids and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def run_as_worker(directory: Path, address: str, name: str) -> dict[str, Any]:
    """Run the trials that a chief assigns until it has none left.

    A process that has used too much memory replaces itself by a new one with the same command.

    Args:
        directory: directory of the search.
        address: address of the chief, ``HOST:PORT``.
        name: name of this worker; a worker that replaces one that died should have its name.

    Returns:
        The ``directory`` of the search, the name of the ``worker`` and the number of ``trials``
        that it has run.

    Raises:
        SearchError: if the chief cannot be reached for ten minutes, and its search has not ended.
    """
    host, port = parse_address(address)
    trials_run = int(os.environ.pop(TRIALS_RUN_VARIABLE, 0))
    tuner, has_grown = None, False
    try:
        _wait_for_chief(host, port, directory)
        plan = read_plan(directory)
        with _tuner_environment(host, port, name):
            tuner = ZooTuner(plan, directory, make_oracle(plan, is_limited=False))
            tuner.oracle = _RetryingClient(tuner.oracle, host, port, directory)
            tuner.search()
    except _SearchEndedError:
        pass
    except MemoryGrowthError:
        has_grown = True
    trials_run += tuner.trials_run if tuner else 0
    if has_grown:
        os.environ[TRIALS_RUN_VARIABLE] = str(trials_run)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    return {"directory": str(directory), "worker": name, "trials": trials_run}


def default_worker_name() -> str:
    """Return a name for this process that no other worker of a search has."""
    return f"{socket.gethostname()}-{os.getpid()}"


def require_free_address(address: str) -> None:
    """Raise an error unless a chief can listen at an address.

    Args:
        address: ``HOST:PORT``.

    Raises:
        ArgumentValueError: if the address is malformed, or cannot be listened at.
    """
    host_and_port = parse_address(address)
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(host_and_port)
    except OSError as error:
        raise ArgumentValueError(f"address={address!r}: {error.strerror or error}.") from error


def parse_address(address: str) -> tuple[str, int]:
    """Parse the address of a chief.

    Args:
        address: ``HOST:PORT``.

    Returns:
        Host and port.

    Raises:
        ArgumentValueError: if the address is malformed.
    """
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
        raise ArgumentValueError(f"address={address!r}: must be HOST:PORT, such as 10.0.0.1:8000.")
    return host, int(port)


class _SearchEndedError(Exception):
    """The chief does not respond because its search has ended."""


class _RetryingClient:
    """keras-tuner's client of a chief, which waits while the chief is restarted."""

    def __init__(self, client: Any, *chief: Any) -> None:
        self.client, self.chief = client, chief

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.client, name)
        return self._retrying(attribute) if callable(attribute) else attribute

    def _retrying(self, method: Any) -> Any:
        import grpc

        def call(*args: Any, **kwargs: Any) -> Any:
            while True:
                _wait_for_chief(*self.chief)
                try:
                    return method(*args, **kwargs)
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.UNAVAILABLE:
                        raise
                    time.sleep(POLL_SECONDS)

        return call


def _requeue_ongoing_trials(oracle: Any) -> None:
    for name in list(oracle.ongoing_trials):
        oracle.requeue_trial(name)


@contextlib.contextmanager
def _serve_oracle(plan: Plan, directory: Path, oracle: Any, host: str, port: int) -> Iterator[None]:
    with _tuner_environment(host, port, CHIEF):
        tuner = ZooTuner(plan, directory, oracle)
        threading.Thread(target=tuner.search, name=CHIEF, daemon=True).start()
        try:
            _wait_for_chief(host, port, directory)
            yield
        finally:
            oracle.tuner_ids.clear()


@contextlib.contextmanager
def _tuner_environment(host: str, port: int, name: str) -> Iterator[None]:
    """Set the environment variables that keras-tuner reads its role from."""
    variables = {
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": str(port),
        "KERASTUNER_TUNER_ID": name,
    }
    os.environ.update(variables)
    try:
        yield
    finally:
        for key in variables:
            os.environ.pop(key, None)


def _supervise_workers(
    processes: dict[str, Process], spawn: Callable[[str], Process], oracle: Any, directory: Path
) -> None:
    """Replace workers that die or stop responding until the search has ended."""
    failed_starts = 0
    while processes and not oracle.is_finished:
        time.sleep(POLL_SECONDS)
        for name in oracle.silent_workers():
            processes[name].kill()
        for name in [name for name in processes if processes[name].poll() is not None]:
            code = end_process(processes.pop(name))
            if code == 0:
                continue
            failed_starts = 0 if name in oracle.ongoing_trials else failed_starts + 1
            if failed_starts == MAX_FAILED_STARTS:
                raise SearchError(f"workers do not start: {_last_line(directory, name)}")
            oracle.record_worker_death(name, f"its worker died: {describe_exit(code)}")
            processes[name] = spawn(name)


def _spawn_worker(directory: Path, port: int, workers: int, name: str) -> Process:
    log = directory / LOGS_FOLDER / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        return start_process(
            ["-m", "tuning.workers", str(directory), f"{HOST}:{port}", name],
            threads=threads_per_worker(workers),
            log=file,
            stdout=file,
        )


def _last_line(directory: Path, name: str) -> str:
    with (directory / LOGS_FOLDER / f"{name}.log").open("rb") as log:
        return last_log_line(log)


def _wait_for_chief(host: str, port: int, directory: Path) -> None:
    deadline = time.monotonic() + CHIEF_TIMEOUT
    while True:
        try:
            with socket.create_connection((host, port), timeout=POLL_SECONDS * 10):
                return
        except OSError as error:
            if (directory / TRIALS_FILE).exists():
                raise _SearchEndedError from error
            if time.monotonic() > deadline:
                raise SearchError(f"no chief responds at {host}:{port}.") from error
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    exit_with_parent()
    run_as_worker(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
