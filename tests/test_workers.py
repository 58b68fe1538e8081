"""Many runs at once: who runs which job, and what happens when processes die."""

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from zoo.course.definitions import Experiment
from zoo.course.experiments import run_experiments
from zoo.errors import ArgumentValueError, DatasetError, RunError, WorkerError
from zoo.training.seeds import train_seeds
from zoo.workers import claims as claims_module
from zoo.workers.claims import Claims
from zoo.workers.jobs import run_jobs
from zoo.workers.processes import threads_per_worker

ROOT = Path(__file__).parents[1]
JOBS = '''
import dataclasses, os, signal, sys, time
from pathlib import Path
from zoo.errors import DatasetError

@dataclasses.dataclass(frozen=True)
class Job:
    """Appends a line to a file each time that it runs, and then does what it is told."""

    name: str
    folder: Path
    code: str = ""
    kind: str = ""

    def is_finished(self):
        return (self.folder / f"{self.name}.done").exists()

    def times(self):
        path = self.folder / f"{self.name}.log"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def run(self, progress):
        with (self.folder / f"{self.name}.log").open("a") as file:
            print(os.getpid(), file=file)
        print("first line\\nsecond line", file=sys.stderr)
        exec(self.code)
        (self.folder / f"{self.name}.done").write_text(os.environ.get("TF_NUM_INTRAOP_THREADS", ""))
'''
DIE = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def make_jobs(tmp_path, monkeypatch):
    """Makes jobs whose module every process finds; each does what its code says."""
    (tmp_path / "told.py").write_text(JOBS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "told", raising=False)

    def make(*codes):
        from told import Job

        return [Job(f"job {number}", tmp_path, code) for number, code in enumerate(codes)]

    return make


def python(code, **options):
    return subprocess.Popen([sys.executable, "-c", code], text=True, **options)


def eventually(holds, seconds=300):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("options", [{}, {"workers": 2}, {"workers": 5, "threads": 3}])
def test_every_job_is_run_once_by_as_many_processes_as_asked(options, make_jobs, tmp_path):
    jobs = make_jobs("", "time.sleep(0.1)", "", "")
    (tmp_path / "job 2.done").touch()
    assert run_jobs(jobs, tmp_path, progress=False, **options) == {}
    assert [job.times() for job in jobs] == [1, 1, 0, 1]
    pids = {(tmp_path / f"job {number}.log").read_text() for number in (0, 1, 3)}
    assert len(pids) <= options.get("workers", 1)
    assert (f"{os.getpid()}\n" in pids) == (not options)
    if options:
        threads = options.get("threads", threads_per_worker(options["workers"]))
        assert (tmp_path / "job 0.done").read_text() == str(threads)
    assert [path.name for path in (tmp_path / "claims").iterdir()] == ["lock"]


@pytest.mark.parametrize("options", [{}, {"threads": 1}])
def test_long_jobs_come_before_short_ones_once_that_is_known(options, make_jobs, tmp_path):
    kinds = ("short", "long", "short", "long", "short")
    jobs = [
        dataclasses.replace(job, kind=kind)
        for job, kind in zip(make_jobs("", "time.sleep(0.3)", *[""] * 3), kinds, strict=True)
    ]
    run_jobs(jobs, tmp_path, progress=False, **options)
    order = sorted(range(5), key=lambda n: (tmp_path / f"job {n}.done").stat().st_mtime_ns)
    assert order == [0, 1, 3, 2, 4]


def test_a_worker_that_dies_is_replaced_and_its_job_run_again(make_jobs, tmp_path, capfd):
    jobs = make_jobs(f"if self.times() < 3: {DIE}", "", "")
    run_jobs(jobs, tmp_path, workers=2)
    assert [job.times() for job in jobs] == [3, 1, 1]
    lines = capfd.readouterr().err.splitlines()
    assert lines.count("job 0: its process died (signal 9, its log is empty); resuming") == 2
    for name in ("job 1", "job 2"):
        shown = [line for line in lines if line.startswith(name)]
        assert shown == [f"{name}: first line", f"{name}: second line"]


def test_a_job_that_kills_three_processes_is_given_up_in_a_line(make_jobs, tmp_path):
    (job,) = make_jobs(f"print('no memory', file=sys.__stderr__, flush=True); {DIE}")
    with pytest.raises(WorkerError) as it:
        run_jobs([job], tmp_path, threads=1, progress=False)
    assert str(it.value) == ("3 processes died while they ran job 0; the last: signal 9, no memory")
    assert job.times() == 3
    assert not list((tmp_path / "claims").glob("*.json"))


@pytest.mark.parametrize("threads", [None, 1])
def test_an_error_of_a_job_stops_all_unless_it_is_tolerated(threads, make_jobs, tmp_path):
    jobs = make_jobs("raise DatasetError('no such rows')", "")
    with pytest.raises(DatasetError, match="no such rows"):
        run_jobs(jobs, tmp_path, threads=threads, progress=False)
    assert jobs[1].times() == 0
    errors = run_jobs(
        jobs, tmp_path, threads=threads, progress=False, tolerated=(DatasetError,)
    )  # fmt: skip
    assert {name: str(error) for name, error in errors.items()} == {"job 0": "no such rows"}
    assert jobs[1].times() == 1


def test_errors_of_workers_arrive_with_their_traceback_or_in_a_line(make_jobs, tmp_path):
    jobs = make_jobs("[][0]", "open('none')")
    with pytest.raises(RuntimeError, match="IndexError: list index out of range") as it:
        run_jobs(jobs[:1], tmp_path, threads=1, progress=False)
    assert "[][0]" in it.value.__notes__[0] or "exec" in it.value.__notes__[0]
    with pytest.raises(OSError, match="No such file or directory: 'none'"):
        run_jobs(jobs[1:], tmp_path, threads=1, progress=False)


@pytest.mark.parametrize("options", [{"workers": 0}, {"threads": 0}, {"workers": 2.5}])
def test_numbers_that_are_none_are_refused(options, tmp_path):
    ((name, _),) = options.items()
    with pytest.raises(ArgumentValueError, match=name):
        run_jobs([], tmp_path / "new", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("train perceptron --workers 2", "--workers and --threads require --seeds."),
        ("train perceptron --seeds 2 --workers 0", "0 is not in the range x>=1"),
        ("train perceptron --seeds 0", "0 is not in the range x>=1"),
        ("train perceptron --seeds 2 --seed 4294967295", "must be an integer from 1 to 1."),
        ("train perceptron --seeds 2 --set workers=2", "workers"),
        ("course --workers 2", "require SYSTEM arguments or --all."),
        ("course hw1.two_layer --workers two", "'two' is not a valid integer"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_line(words, reason, command):
    code, out, err = command(*shlex.split(words))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert reason in err


@pytest.mark.exhaustive
def test_a_killed_process_leaves_no_worker_and_its_jobs_are_taken_at_once(make_jobs, tmp_path):
    jobs = make_jobs(*["if self.times() == 1: time.sleep(600)"] * 2)
    code = (
        "from pathlib import Path; from told import Job; from zoo.workers.jobs import run_jobs\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"jobs = [Job(f'job {{i}}', folder, {jobs[0].code!r}) for i in (0, 1)]\n"
        "run_jobs(jobs, folder, workers=2, progress=False)"
    )
    killed = python(code)
    eventually(lambda: [job.times() for job in jobs] == [1, 1])
    pids = [int((tmp_path / f"{job.name}.log").read_text()) for job in jobs]
    assert killed.pid not in pids
    killed.kill()
    killed.wait()
    eventually(lambda: not any(map(psutil.pid_exists, pids)))
    assert len(list((tmp_path / "claims").glob("*.json"))) == 2
    run_jobs(jobs, tmp_path, progress=False)
    assert [job.times() for job in jobs] == [2, 2]


@pytest.mark.exhaustive
def test_processes_that_share_a_directory_share_the_jobs(make_jobs, tmp_path):
    jobs = make_jobs(*["time.sleep(0.05)"] * 12)
    code = (
        "import sys; from pathlib import Path; from told import Job\n"
        "from zoo.workers.jobs import run_jobs\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"jobs = [Job(f'job {{i}}', folder, {jobs[0].code!r}) for i in range(12)]\n"
        "run_jobs(jobs, folder, progress=False)\n"
        "assert all(job.is_finished() for job in jobs)"
    )
    others = [python(code) for _ in range(2)]
    assert [other.wait(60) for other in others] == [0, 0]
    assert [job.times() for job in jobs] == [1] * 12
    pids = {(tmp_path / f"{job.name}.log").read_text() for job in jobs}
    assert len(pids) == 2


def write_claim(folder, name, **changes):
    with Claims(folder) as other:
        (folder / f"{name}.json").write_text(json.dumps({**other.owner, **changes}))


def test_a_claim_of_another_machine_is_taken_over_when_it_has_no_heartbeat(tmp_path, monkeypatch):
    write_claim(tmp_path, "job", host="elsewhere")
    with Claims(tmp_path) as mine:
        assert not mine.take("job")
        monkeypatch.setattr(claims_module, "SILENCE_SECONDS", 0.05)
        time.sleep(0.1)
        os.utime(tmp_path / "job.json", ns=(1, 1))  # by a clock that is decades behind
        assert not mine.take("job")
        time.sleep(0.1)
        assert mine.take("job")
    assert not (tmp_path / "job.json").exists()


def test_a_claim_of_this_machine_is_taken_over_when_its_process_is_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(claims_module, "SILENCE_SECONDS", 0.0)
    write_claim(tmp_path, "alive")
    write_claim(tmp_path, "another with its id", started=1.0)
    dead = python("pass")
    dead.wait()
    write_claim(tmp_path, "dead", pid=dead.pid)
    with Claims(tmp_path) as mine:
        taken = [mine.take(name) for name in ("alive", "another with its id", "dead")]
    assert taken == [False, True, True]


def test_heartbeats_keep_a_claim_and_a_process_that_lost_one_exits(tmp_path):
    code = (
        "import time; from pathlib import Path; from zoo.workers import claims\n"
        "claims.HEARTBEAT_SECONDS = 0.02\n"
        f"with claims.Claims(Path({str(tmp_path)!r})) as mine:\n"
        "    mine.take('job'); time.sleep(600)"
    )
    holder = python(code, stderr=subprocess.PIPE)
    path = tmp_path / "job.json"
    eventually(path.exists)
    before = path.stat().st_mtime_ns
    eventually(lambda: path.stat().st_mtime_ns > before)
    with Claims(tmp_path) as other:
        other_claim = json.dumps({**other.owner, "host": "elsewhere"})
    partial = tmp_path / "partial"
    partial.write_text(other_claim)
    partial.replace(path)
    assert holder.communicate(timeout=30)[1] == ("job was taken over by a process on elsewhere.\n")
    assert holder.returncode == 2
    assert path.read_text() == other_claim


QUICK = {"jit_compile": False, "epochs": 15}
EXPERIMENTS = [
    Experiment("t.or", "perceptron", "or", QUICK),
    Experiment("t.no_bias", "perceptron", "first_input", QUICK | {"use_bias": False}),
    Experiment("t.chosen", "perceptron", "and", QUICK | {"learning_rate": (0.1, 0.5)}),
]
COURSE = f"""
from pathlib import Path
from zoo.course.definitions import Experiment
from zoo.course.experiments import run_experiments
run_experiments({EXPERIMENTS!r}, Path("course"), seeds=2, workers=2)
"""
TIMES = {"seconds", "seconds_to_course", "finished"}


def without_times(content):
    if isinstance(content, list):
        return list(map(without_times, content))
    if isinstance(content, dict):
        return {key: without_times(content[key]) for key in content.keys() - TIMES}
    return content


def assert_same_runs(folder, other, count):
    runs = sorted(path.parent.relative_to(folder) for path in folder.rglob("metrics.json"))
    assert len(runs) == count
    for run in runs:
        assert (folder / run / "predictions.npz").read_bytes() == (
            other / run / "predictions.npz"
        ).read_bytes()
        weights = [
            zipfile.ZipFile(path / run / "model.keras").read("model.weights.h5")
            for path in (folder, other)
        ]
        assert weights[0] == weights[1]


def kill_a_worker(process, runs):
    """Kill a worker process of another process as soon as a run has a checkpoint."""
    eventually(lambda: list(runs.rglob("checkpoint.npz")), 120)
    worker, *_ = psutil.Process(process.pid).children()
    worker.kill()


@pytest.mark.exhaustive
def test_a_course_whose_worker_is_killed_ends_as_that_of_one_worker(tmp_path):
    both = python(COURSE, cwd=tmp_path, stderr=subprocess.PIPE)
    kill_a_worker(both, tmp_path / "course" / "runs")
    said = both.communicate(timeout=240)[1]
    assert both.returncode == 0, said
    assert said.count("its process died (signal 9") == 1
    run_experiments(EXPERIMENTS, tmp_path / "one", seeds=2, threads=threads_per_worker(2))
    results = [
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("course", "one")
    ]
    assert json.dumps(without_times(results[0])) == json.dumps(without_times(results[1]))
    assert len(results[0]["results"]) == 6
    assert_same_runs(tmp_path / "course" / "runs", tmp_path / "one" / "runs", 6)


@pytest.mark.exhaustive
def test_seeds_are_those_of_single_runs_and_are_resumed_with_the_same_settings(
    tmp_path, data_dir, answer, command
):
    words = ["train", "softmax_regression", "--data-dir", data_dir, "--epochs", 3, "--seed", 4]
    document = answer(*words, "--seeds", 3, "--workers", 2, "--run-dir", tmp_path / "s")
    assert [run["seed"] for run in document["seeds"]] == [4, 5, 6]
    scores = [run["metrics"]["test_accuracy"] for run in document["seeds"]]
    assert document["metrics"]["test_accuracy"] == pytest.approx(sum(scores) / 3)
    options = {"data_dir": data_dir, "epochs": 3, "progress": False}
    train_seeds(
        "softmax_regression", seeds=3, seed=4, directory=tmp_path / "one",
        threads=threads_per_worker(2), **options,
    )  # fmt: skip
    assert_same_runs(tmp_path / "s", tmp_path / "one", 3)
    again = answer(*words, "--seeds", 3, "--run-dir", tmp_path / "s", "--resume")
    assert again == document
    with pytest.raises(RunError, match="is another run: epochs=5"):
        train_seeds(
            "softmax_regression", seeds=3, seed=4, directory=tmp_path / "s", resume=True,
            **options | {"epochs": 5},
        )  # fmt: skip
    code, _, err = command(*words, "--seeds", 3, "--run-dir", tmp_path / "s")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "already exists" in err


@pytest.mark.exhaustive
def test_processes_that_need_a_dataset_at_once_prepare_it_once(tmp_path):
    code = (
        "from zoo.data.tfds_store import ensure_prepared, open_builder\n"
        f"builder = open_builder('digits', {str(tmp_path)!r})\n"
        "assert not builder.is_prepared()\n"
        "print('ready', flush=True); input()\n"
        "ensure_prepared(builder)\n"
        "print(builder.info.splits['train'].num_examples)"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [python(code, **pipes) for _ in range(3)]
    assert {process.stdout.readline() for process in processes} == {"ready\n"}
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120) for process in processes]
    assert [out for out, _ in said] == ["1437\n"] * 3, said
    assert sum("Downloading and preparing" in err for _, err in said) == 1


@pytest.mark.exhaustive
def test_measured_seeds_are_the_same_by_one_and_by_two_workers(tmp_path, data_dir, monkeypatch):
    pytest.importorskip("cpuinfo")
    from benchmarks import quality, tables

    words = ["softmax_regression", "--seeds", 2, "--set", "epochs=2", "--data-dir", data_dir]
    measured = []
    for number, options in enumerate((["--threads", 1], ["--workers", 2, "--threads", 1])):
        monkeypatch.setattr(tables, "FOLDER", tmp_path / str(number))
        result = CliRunner().invoke(quality.main, [*map(str, words), *map(str, options)])
        assert result.exit_code == 0, result.output
        measured.append(
            [
                {key: value for key, value in row.items() if "seconds" not in key}
                for row in tables.read_rows("quality")
            ]
        )
    assert measured[0] == measured[1]
    assert [(row["seed"], row["threads"]) for row in measured[0]] == [("0", "1"), ("1", "1")]


@pytest.mark.exhaustive
def test_an_interrupt_ends_all_workers_with_one_line(tmp_path):
    words = "train perceptron --epochs 1000000 --seeds 2 --workers 2 --run-dir s"
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", *shlex.split(words)],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: len(list(tmp_path.rglob("checkpoint.npz"))) == 2, 120)
    workers = [worker.pid for worker in psutil.Process(process.pid).children()]
    assert len(workers) == 2
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert said.splitlines()[-1] == "zoo: interrupted; resume with --run-dir s --resume"
    assert "Traceback" not in said
    assert not any(map(psutil.pid_exists, workers))
    assert not list((tmp_path / "s" / "claims").glob("*.json"))
