"""Several machines: how processes find each other, train as one, and end together."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import yaml

import zoo
from benchmarks import cluster as killing
from benchmarks.cluster import run_command
from zoo import training
from zoo.errors import ArgumentValueError, ClusterError
from zoo.training import cluster as cluster_module
from zoo.training import rendezvous
from zoo.training.cluster import ONE_PROCESS, Cluster, join
from zoo.training.rendezvous import Member, meet, read_environment

EXAMPLES = Path(__file__).parents[1] / "examples"
VARIABLES = (rendezvous.PROCESSES, rendezvous.PROCESS, rendezvous.ADDRESSES)


def environment_of(process, processes, port):
    values = (processes, process, f"127.0.0.1:{port}")
    return {name: str(value) for name, value in zip(VARIABLES, values, strict=True)}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    ("processes", "process", "addresses", "said"),
    [
        ("two", "0", "a:1", "NUM_PROCESSES=two: must be a number, such as 2"),
        ("0", "0", "a:1", "NUM_PROCESSES=0: must be a number"),
        ("2", "2", "a:1", "PROCESS_ID=2: must be the number of this process, from 0 to 1"),
        ("2", "-1", "a:1", "PROCESS_ID=-1: must be the number of this process, from 0 to 1"),
        ("2", "", "a:1", "PROCESS_ID is not set"),
        ("2", "0", "", "JOB_ADDRESSES is not set: must be the address of process 0"),
        ("2", "0", "a", "JOB_ADDRESSES=a: must be the address of process 0, such as"),
        ("2", "0", "a:b", "JOB_ADDRESSES=a:b: must be"),
        ("3", "0", "a:1,b:1", "JOB_ADDRESSES=a:1,b:1: .* or those of all 3 processes"),
        ("", "0", "", "PROCESS_ID is set, so KERAS_DISTRIBUTION_NUM_PROCESSES must be"),
        ("", "", "a:1", "JOB_ADDRESSES is set, so KERAS_DISTRIBUTION_NUM_PROCESSES must be"),
    ],
)
def test_what_the_environment_must_say(processes, process, addresses, said):
    values = dict(zip(VARIABLES, (processes, process, addresses), strict=True))
    with pytest.raises(ArgumentValueError, match=f"^KERAS_DISTRIBUTION_{said}"):
        read_environment(values)


def test_the_place_of_a_process():
    assert read_environment({}) is None
    assert read_environment(environment_of(0, 1, 9)) is None
    assert read_environment(environment_of(1, 2, 9)) == Member(1, 2, "127.0.0.1", 9)
    values = environment_of(1, 2, 9) | {rendezvous.ADDRESSES: "[::1]:8,10.0.0.2:8"}
    assert read_environment(values) == Member(1, 2, "::1", 8)


TWO_TASKS = json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker"}})


@pytest.mark.parametrize(
    ("variables", "received"),
    [
        (environment_of(1, 2, 9), "KERAS_DISTRIBUTION_NUM_PROCESSES=2"),
        ({"TF_CONFIG": TWO_TASKS}, "TF_CONFIG with 2 tasks"),
    ],
)
def test_several_machines_of_tensorflow_are_refused(variables, received, monkeypatch, tmp_path):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = f"^{received}: .*MultiWorkerMirroredStrategy; .*KERAS_BACKEND=jax.*--devices all"
    with pytest.raises(ArgumentValueError, match=said):
        zoo.train("perceptron", run_dir=tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "config", ["", "{", "[]", '{"cluster": 3}', '{"cluster": {"chief": ["a:1"]}}']
)
def test_one_task_of_tensorflow_is_one_process(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    assert join() is ONE_PROCESS


def in_threads(*functions):
    """Calls functions at once; returns what each returned or raised."""
    results = [None] * len(functions)

    def call(number):
        try:
            results[number] = functions[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=call, args=(n,)) for n in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_processes_meet_whoever_comes_first_and_strangers_are_ignored():
    port = free_port()

    def stranger():
        time.sleep(0.3)
        for said in (b"GET / HTTP/1.1\r\n\r\n", b"", b"3\n"):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(said)

    def late(process):
        time.sleep(0.5 * (process < 2))
        return meet(Member(process, 3, "127.0.0.1", port))

    *met, _ = in_threads(*(lambda p=process: late(p) for process in range(3)), stranger)
    assert [sorted(peers) for peers, _ in met] == [[1, 2], [0], [0]]
    assert len({chosen for _, chosen in met}) == 1
    for peers, _ in met:
        for peer in peers.values():
            peer.close()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([(0, 2), (1, 3)], "process 1 of 3 has connected to process 0 of 2: each needs"),
        ([(0, 3), (1, 3), (1, 3)], "process 1 of 3 has connected to process 0 of 3 twice: each"),
    ],
)
def test_processes_that_contradict_each_other_are_refused(members, said, monkeypatch):
    monkeypatch.setattr(rendezvous, "JOIN_SECONDS", 2.0)
    port = free_port()
    errors = in_threads(*(lambda m=m: meet(Member(*m, "127.0.0.1", port)) for m in members))
    assert said in str(errors[0])
    assert all(isinstance(error, ClusterError) for error in errors)


def test_a_process_that_does_not_come_is_not_waited_for_forever(monkeypatch):
    monkeypatch.setattr(rendezvous, "JOIN_SECONDS", 0.3)
    port = free_port()
    with pytest.raises(ClusterError, match=r"^process 1 of 2 has not connected to 127.0.0.1:\d+ "):
        meet(Member(0, 2, "127.0.0.1", port))
    with pytest.raises(ClusterError, match=r"^process 0 cannot be reached at 127.0.0.1:.*refused"):
        meet(Member(1, 2, "127.0.0.1", port))
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ClusterError, match="process 0 cannot listen there: Address already in use"),
    ):
        meet(Member(0, 2, "127.0.0.1", port))


def close(*clusters):
    for cluster in clusters:
        cluster.is_leaving = True  # so that none ends this process
    for cluster in clusters:
        cluster.leave()
        for peer in cluster.peers.values():
            peer.close()


@pytest.fixture
def pair():
    """Both processes of a cluster of two."""
    first, second = socket.socketpair()
    clusters = Cluster(0, 2, {1: first}), Cluster(1, 2, {0: second})
    yield clusters
    close(*clusters)


@pytest.fixture
def exits(monkeypatch):
    """Where processes that end themselves leave their exit codes."""
    codes = []
    monkeypatch.setattr(cluster_module.os, "_exit", codes.append)
    return codes


def eventually(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_have_what_process_0_shares(pair):
    first, second = pair
    assert (first.is_first, second.is_first) == (True, False)
    for content in (0.1 + 0.2, {"a": [1, None]}, "x"):
        assert first.share(content) == second.share("ignored") == content
    first.require_same({"units": (64, 32), "epochs": 2})
    second.require_same({"units": [64, 32], "epochs": 2})
    first.require_same({"units": 64, "epochs": 2})
    with pytest.raises(ClusterError, match=r"^process 1 of 2 .*: epochs=3 \(process 0 has 2\), x="):
        second.require_same({"units": 64, "epochs": 3, "x": 0})


def test_a_single_process_shares_with_itself():
    assert ONE_PROCESS.share(3) == 3
    ONE_PROCESS.require_same({"a": 1})
    assert ONE_PROCESS.to_json() == {}


def test_all_end_when_one_does(tmp_path, capfd, exits):
    sockets = [socket.socketpair() for _ in (1, 2)]
    first = Cluster(0, 3, {number: pair[0] for number, pair in enumerate(sockets, 1)})
    second = Cluster(1, 3, {0: sockets[0][1]})
    second.directory = tmp_path
    sockets[1][1].close()
    eventually(lambda: len(exits) == 2)
    assert exits == [1, 1]
    lines = capfd.readouterr().err.splitlines()
    lost = "zoo: process 2 of 3 has ended or does not respond; start all again"
    assert lines == [lost, lost]
    assert first.lost == second.lost == 2
    close(first, second)


def test_who_has_begun_to_write_is_told_to_resume(pair, tmp_path, capfd, exits):
    first, second = pair
    (tmp_path / "config.json").touch()
    second.directory = tmp_path
    first.leave()
    eventually(lambda: exits)
    assert exits == [1]
    assert f"; resume all with --run-dir {tmp_path} --resume" in capfd.readouterr().err


def test_nobody_ends_after_the_run_is_finished(pair, tmp_path, exits):
    first, second = pair
    with second.working_in(tmp_path), first.working_in(tmp_path):
        (tmp_path / "metrics.json").touch()
    first.leave()
    eventually(lambda: second.lost == 0)
    assert not exits
    with pytest.raises(ClusterError, match="process 0 of 2 has ended .*; start all again"):
        second.begin()


def test_an_error_on_one_process_ends_the_others(pair, tmp_path, exits, capfd, monkeypatch):
    monkeypatch.setattr(cluster_module, "NOTICE_SECONDS", 0.0)
    first, second = pair
    with pytest.raises(ArgumentValueError), first.working_in(tmp_path):
        raise ArgumentValueError("wrong")
    eventually(lambda: exits)
    assert exits == [1]
    assert "process 0 of 2 has ended" in capfd.readouterr().err
    assert second.lost == 0


def test_a_directory_that_others_do_not_see_is_refused(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "SHARED_SECONDS", 0.1)
    with pytest.raises(ClusterError, match=r"config.json: .* file system that all machines share"):
        pair[1].wait_for(tmp_path / "config.json")
    (tmp_path / "config.json").touch()
    assert pair[1].wait_for(tmp_path / "config.json").exists()


SRUN = """#!/bin/bash
[ "$1" = --kill-on-bad-exit=1 ] && shift
for ((task = 0; task < SLURM_NTASKS; task++)); do
    SLURM_PROCID=$task "$@" &
    tasks+=($!)
done
for task in "${tasks[@]}"; do
    wait "$task" || code=$?
done
exit "${code:-0}"
"""
SCONTROL = '#!/bin/bash\n[ "$*" = "show hostnames n[1-2]" ] && printf "127.0.0.1\\nn2\\n"\n'
WRITES_WHAT_IT_IS_GIVEN = """#!/bin/bash
printf "%s\\n" "$@" > "zoo-$KERAS_DISTRIBUTION_PROCESS_ID"
env | grep ^KERAS_ | sort >> "zoo-$KERAS_DISTRIBUTION_PROCESS_ID"
"""
KEEPS_ITS_WEIGHTS = f"""#!{sys.executable}
import os
import numpy as np
from zoo import training
from zoo.cli import main

def fit(run, model, *args, **options):
    checkpoint = original(run, model, *args, **options)
    number = os.environ["KERAS_DISTRIBUTION_PROCESS_ID"]
    np.savez(f"weights-{{number}}.npz", *model.get_weights())
    return checkpoint

original, training.fit = training.fit, fit
main()
"""


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """Puts programs where a shell finds them."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def put(**programs):
        for name, text in programs.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)

    return put


def start_slurm_job(folder, number, *arguments):
    slurm = {"SLURM_JOB_ID": number, "SLURM_NTASKS": "2", "SLURM_JOB_NODELIST": "n[1-2]"}
    return subprocess.Popen(
        ["bash", EXAMPLES / "slurm.sh", *arguments], cwd=folder, env=os.environ | slurm,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_example_for_slurm_starts_a_process_on_each_machine(tmp_path, on_path):
    on_path(srun=SRUN, scontrol=SCONTROL, zoo=WRITES_WHAT_IT_IS_GIVEN)
    directives = [
        line.split()[1].partition("=")[::2]
        for line in (EXAMPLES / "slurm.sh").read_text().splitlines()
        if line.startswith("#SBATCH ")
    ]
    assert dict(directives)["--ntasks-per-node"] == "1"
    run_dir = tmp_path / "runs" / "slurm-12345"
    for resume in ([], ["--resume"]):
        job = start_slurm_job(tmp_path, "12345", "mlp", "--set", "units=64-32 # a")
        assert job.communicate() == ("", "")
        assert job.returncode == 0
        for process in (0, 1):
            lines = (tmp_path / f"zoo-{process}").read_text().splitlines()
            assert lines == [
                "train", "mlp", "--set", "units=64-32 # a", "--devices", "all", "--run-dir",
                "runs/slurm-12345", *resume, "KERAS_BACKEND=jax",
                "KERAS_DISTRIBUTION_JOB_ADDRESSES=127.0.0.1:22345",
                "KERAS_DISTRIBUTION_NUM_PROCESSES=2", f"KERAS_DISTRIBUTION_PROCESS_ID={process}",
            ]  # fmt: skip
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "config.json").touch()


def test_the_example_for_kubernetes_starts_a_process_in_each_pod(tmp_path, on_path):
    service, job = yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text())
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"]
    assert pod["restartPolicy"] in ("OnFailure", "Never")  # all that a Job allows
    name, subdomain = job["metadata"]["name"], pod["subdomain"]
    assert service["metadata"]["name"] == subdomain
    assert service["spec"]["clusterIP"] == "None"  # headless, so that pods have names
    assert service["spec"]["selector"] == {"job-name": name}
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} <= {
        volume["name"] for volume in pod["volumes"]
    }
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    assert all(isinstance(value, str) for value in given.values())
    on_path(zoo=WRITES_WHAT_IT_IS_GIVEN)
    run_dir = tmp_path / given["RUN_DIR"]
    for resume in ([], ["--resume"]):
        for index in range(spec["completions"]):
            subprocess.run(
                [*container["command"], *container["args"]], cwd=tmp_path, check=True,
                env=os.environ | given | {"JOB_COMPLETION_INDEX": str(index)},
            )  # fmt: skip
            lines = (tmp_path / f"zoo-{index}").read_text().splitlines()
            assert lines[:2] == ["train", "mlp"]
            assert lines[lines.index("--run-dir") + 1 : -4] == [given["RUN_DIR"], *resume]
            variables = dict(line.split("=", 1) for line in lines[-4:])
            assert variables.pop("KERAS_BACKEND") == "jax"
            assert read_environment(variables) == Member(
                index, spec["completions"], f"{name}-0.{subdomain}", 8476
            )
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "config.json").touch()


def run_and_keep_weights(arguments, variables, log):
    """Runs the command, and leaves beside the log the weights that this process has trained."""

    def fit(run, model, *args, **options):
        checkpoint = original(run, model, *args, **options)
        np.savez(log.with_suffix(".npz"), *model.get_weights())
        return checkpoint

    original, training.fit = training.fit, fit
    run_command(arguments, variables, log)


@pytest.mark.exhaustive
def test_two_processes_train_as_one_and_end_with_the_same_bits_when_killed(
    tmp_path, data_dir, monkeypatch
):
    pytest.importorskip("jax")
    monkeypatch.setattr(killing, "run_command", run_and_keep_weights)
    with mock.patch.dict(os.environ):
        killing.prepare(tmp_path / "compiled")
        *_, row = killing.measure(2, str(data_dir), tmp_path)
    assert 0 < row["max_difference"] < 1e-5
    assert row["same_bits"] == row["kills"] == 2
    assert row["processes_left"] == 0
    first, second = (np.load(tmp_path / f"two-{process}.npz") for process in (0, 1))
    assert len(first.files) == len(second.files) > 0
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name])
    assert zoo.load_run(tmp_path / "two").config["processes"] == 2
    assert "processes" not in zoo.load_run(tmp_path / "one").config
