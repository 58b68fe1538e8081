"""The ``zoo`` command: what scripts rely on, bad input, and shell completion."""

import csv
import errno
import functools
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.shell_completion import ShellComplete
from PIL import Image

import zoo
from zoo.cli import cli, output
from zoo.cli.runtime import quiet_tensorflow
from zoo.data import DATASETS
from zoo.errors import InputError
from zoo.pretrained.catalog import list_pretrained


def test_list(answer, command):
    models = answer("list")["models"]
    assert [model["name"] for model in models] == zoo.list_models()
    for model in models:
        assert set(model) == {"name", "task", "dataset", "parameters", "summary", "trained"}
    assert [m["name"] for m in answer("list", "--task", "binary_classification")["models"]] == [
        "perceptron", "two_layer_perceptron",
    ]  # fmt: skip
    _, out, _ = command("list")
    assert all(name in out for name in zoo.list_models())
    assert "669,706" in out


def test_no_verb_shows_the_help(command):
    code, out, err = command()
    assert code == 0
    assert "Commands:" in out
    assert err == ""


def test_odd_names_are_shown_as_they_are(capsys):
    output.print_table([{"input": "img[final].png [/b]", "label": "[red]"}])
    assert "img[final].png [/b]  [red]" in capsys.readouterr().out


def test_show(answer, command):
    document = answer("show", "mlp")
    assert document["arguments"]["units"] == 512
    assert document["recipe"]["batch_size"] == 128
    assert "Reference:" in document["documentation"]
    assert "learning_rate" in command("show", "mlp")[1]
    assert answer("show", "resnet18")["pretrained"]["imagenet"]["image_size"] == 224
    assert "with weights imagenet: scaling imagenet" in command("show", "resnet18")[1]


def test_datasets(answer):
    assert [row["name"] for row in answer("datasets")["datasets"]] == list(DATASETS)


@pytest.mark.exhaustive
def test_train_evaluate_predict_report_export(answer, command, tmp_path, data_dir, digits_run):
    run_dir = tmp_path / "run"
    options = ["--dataset", "digits", "--data-dir", data_dir, "--run-dir", run_dir]
    document = answer(
        "train", "mlp", *options, "--epochs", 3, "--batch-size", 64, "--learning-rate", 0.01,
        "--set", "units=16", "--set", "activation=tanh", "--set", "patience=2", "--seed", 7,
        "--set", "jit_compile=false",
    )  # fmt: skip
    assert set(document) == {
        "run_dir", "model", "dataset", "parameters", "epochs", "seconds", "metrics",
    }  # fmt: skip
    assert set(document["metrics"]) == {
        "val_loss", "val_accuracy", "test_loss", "test_accuracy", "test_balanced_accuracy",
        "test_macro_f1", "test_top_5_accuracy",
    }  # fmt: skip
    config = zoo.load_run(run_dir).config
    assert config["arguments"]["units"] == 16
    assert config["arguments"]["activation"] == "tanh"
    assert config["arguments"]["learning_rate"] == 0.01
    assert config["recipe"] | {"epochs": 3, "batch_size": 64, "patience": 2} == config["recipe"]
    assert config["seed"] == 7

    measured = answer("evaluate", run_dir, "--split", "validation")
    assert measured["metrics"]["val_accuracy"] == pytest.approx(document["metrics"]["val_accuracy"])

    picture = zoo.load_run(run_dir).predictions["raw"][0]
    Image.fromarray(picture[..., 0]).save(tmp_path / "digit.png")
    (prediction,) = answer("predict", run_dir, tmp_path / "digit.png")["predictions"]
    assert prediction["input"] == str(tmp_path / "digit.png")
    assert prediction["probability"] == max(prediction["probabilities"].values())
    assert prediction["label"] in command("predict", run_dir, tmp_path / "digit.png")[1]

    assert all(Path(path).exists() for path in answer("report", run_dir)["figures"])

    exported = answer("export", run_dir, "--output", tmp_path / "saved")
    assert exported["max_difference"] <= 1e-6
    assert (tmp_path / "saved" / "saved_model.pb").exists()
    asked = answer("predict", tmp_path / "saved", tmp_path / "digit.png")["predictions"]
    assert asked[0]["label"] == prediction["label"]
    options = ["--output", tmp_path / "saved", "--format", "onnx", "--overwrite"]
    again = answer("export", run_dir, *options)
    assert again.keys() == exported.keys() >= {"format", "output", "rows_compared", "bytes"}


@pytest.mark.exhaustive
def test_standard_output_is_one_document_even_when_data_is_prepared(answer, tmp_path):
    options = ["--data-dir", tmp_path / "fresh", "--run-dir", tmp_path / "run", "--epochs", 1]
    options += ["--set", "jit_compile=false"]
    assert answer("train", "softmax_regression", *options)["epochs"] == 1


@pytest.mark.exhaustive
def test_images_are_reconstructed(answer, vae_run, tmp_path):
    Image.fromarray(vae_run.predictions["raw"][0, ..., 0]).save(tmp_path / "digit.png")
    (prediction,) = answer("predict", vae_run.directory, tmp_path / "digit.png")["predictions"]
    assert np.shape(prediction["reconstruction"]) == (8, 8, 1)
    assert len(prediction["code"]) == 2
    assert prediction["psnr"] == pytest.approx(-10 * np.log10(prediction["mse"]))


def test_rows_of_bits_are_predicted(answer, table_run):
    rows = answer("predict", table_run.directory, "110", "000")["predictions"]
    assert [row["input"] for row in rows] == ["110", "000"]
    assert rows[1]["probabilities"]["1"] == 0.5


@pytest.mark.exhaustive
def test_lines_and_folders_are_predicted(
    command, answer, text_run, digits_run, tmp_path, monkeypatch
):
    texts = ["the film was not bad .", "", "a \u00e9 b"]
    (tmp_path / "texts.txt").write_bytes("\r\n".join(texts).encode() + b"\n\xff\n")
    rows = answer("predict", text_run.directory, "--lines", tmp_path / "texts.txt")["predictions"]
    assert [row["input"] for row in rows] == [*texts, "\ufffd"]
    code, out, _ = command(
        "predict", text_run.directory, "--lines", tmp_path / "texts.txt", "--csv"
    )
    assert code == 0
    printed = list(csv.DictReader(out.splitlines()))
    for line, row in zip(printed, rows, strict=True):
        assert line["label"] == row["label"]
        assert float(line["p(pos)"]) == row["probabilities"]["pos"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the film was not bad .\n")))
    (single,) = answer("predict", text_run.directory, "--lines", "-")["predictions"]
    assert single["label"] == rows[0]["label"]

    monkeypatch.chdir(tmp_path)
    (tmp_path / "film").mkdir()
    assert answer("predict", text_run.directory, "film")["predictions"][0]["input"] == "film"

    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / ".DS_Store").write_bytes(b"no image")
    for number, picture in enumerate(digits_run.predictions["raw"][:3]):
        Image.fromarray(picture[..., 0]).save(tmp_path / "digits" / f"{number}.png")
    rows = answer("predict", digits_run.directory, tmp_path / "digits")["predictions"]
    assert [Path(row["input"]).name for row in rows] == ["0.png", "1.png", "2.png"]
    assert [row["label"] for row in rows] == [
        row["label"] for row in zoo.predict(digits_run, digits_run.predictions["raw"][:3])
    ]


@pytest.fixture
def scene(tmp_path, monkeypatch, digits_run, table_run, image_folder, data_dir):
    """A folder with the files that `BAD_INPUT` names."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(digits_run.directory, "run")
    shutil.copytree(table_run.directory, "table")
    shutil.copytree("run", "old")
    Path("old/config.json").write_text('{"format": 0, "zoo": "0.0.1"}')
    shutil.copytree("run", "unfinished")
    Path("unfinished/metrics.json").unlink()
    shutil.copytree("run", "damaged")
    Path("damaged/model.keras").write_bytes(b"PK nonsense")
    Path("text.png").write_text("no picture")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("digit.png")
    Path("cut.png").write_bytes(Path("digit.png").read_bytes()[:40])
    Path("thesis").mkdir()
    Path("thesis/main.tex").write_text("years of work")
    Path("empty").mkdir()
    for number, name in enumerate(["one", "two"]):
        Path("few", name).mkdir(parents=True)
        shutil.copy("digit.png", Path("few", name, f"{number}.png"))
    Path("single/cat").mkdir(parents=True)
    shutil.copy("digit.png", "single/cat")
    for name in ("one", "two"):
        Path("dots", name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(f"dots/{name}/{number}.png")
    Path("odd.csv").write_text("texts,label\none,1\ntwo,2\n")
    Path("half.pth").write_bytes(b"PK nonsense")
    return data_dir


PROGRESS = ("run directory: ", "epoch ")

BAD_INPUT = {
    "unknown command": ("trian mlp", "trian"),
    "no such option": ("train mlp --epoch 3", "--epoch"),
    "missing argument": ("train", "NAME"),
    "unknown model": ("train mpl", "Did you mean 'mlp'?"),
    "unknown model shown": ("show mpl", "Did you mean 'mlp'?"),
    "unknown task": ("list --task clasification", "unknown task: 'clasification'"),
    "unknown data set": ("train mlp --dataset mnits", "Did you mean 'mnist'?"),
    "unknown argument": ("train mlp --set unit=3", "Did you mean 'units'?"),
    "argument of the wrong type": ("train mlp --set units=many", "units='many'"),
    "argument out of range": ("train mlp --set dropout=1.5", "dropout=1.5: must be less than 1"),
    "setting without a value": ("train mlp --set units", "KEY=VALUE"),
    "setting given twice": ("train mlp --epochs 2 --set epochs=3", "already set by its own option"),
    "setting that is none": ("train mlp --set progress=false", "not an argument of"),
    "setting that is an option": ("train mlp --set seed=3", "not an argument of"),
    "width beyond measure": ("train mlp --set units=100000000000", "units=100000000000"),
    "network beyond memory": ("train mlp --set units=90000000", "does not fit into memory"),
    "batch size beyond measure": ("train mlp --batch-size 99999999999", "batch_size=99999999999"),
    "setting that follows from the data": (
        "train mlp --dataset digits --set num_classes=3", "follows from the dataset digits",
    ),
    "zero epochs": ("train mlp --epochs 0", "0 is not in the range"),
    "fractional batch size": ("train mlp --batch-size 1.5", "'1.5' is not a valid integer"),
    "negative seed": ("train mlp --seed -1", "-1 is not in the range"),
    "learning rate that is no number": ("train mlp --learning-rate fast", "'fast'"),
    "learning rate nan": ("train mlp --dataset digits --learning-rate nan", "learning_rate=nan"),
    "bad recipe": ("train mlp --set schedule=linear", "schedule='linear'"),
    "data of another task": ("train perceptron --dataset digits", "digits has 10"),
    "TFDS data of another kind": ("train mlp --dataset coco", "not a classification dataset of"),
    "loss that diverges": (
        "train mlp --dataset digits --learning-rate 1e30", "training diverged",
    ),
    "existing run directory": ("train perceptron --run-dir thesis", "already exists"),
    "run directory that is a file": ("train perceptron --run-dir digit.png", "already exists"),
    "resume without a directory": ("train perceptron --resume", "--run-dir"),
    "resume of nothing": ("train perceptron --resume --run-dir none", "not a run directory"),
    "resume of another run": (
        "train softmax_regression --resume --run-dir run --set l2=0.5", "l2=0.5 (the run has",
    ),
    "list of another length": ("train simple_cnn --set filters=8-8", "has values for 2 layers"),
    "list that is none": ("train simple_cnn --set filters=8,8,8", "filters='8,8,8': must be"),
    "layers beyond measure": ("train simple_cnn --set filter_growth=1e300", "at most 65536"),
    "images of one pixel": (
        "train simple_cnn --dataset ./dots", "images of 1x1 pixels are too small for pool_size=",
    ),
    "images too small for the pools": (
        "train simple_cnn --dataset digits --set pool_size=3", "images of 8x8 pixels are too small",
    ),
    "unknown augmentation": (
        "train simple_cnn --set augmentation=flip+flop", "augmentation='flip+flop': must be none",
    ),
    "unknown scaling": ("train simple_cnn --set scaling=minmax", "scaling='minmax'"),
    "negative image size": ("train simple_cnn --set image_size=-1", "image_size=-1"),
    "unknown precision": ("train simple_cnn --set precision=float8", "precision='float8'"),
    "gray images scaled as ImageNet's": (
        "train simple_cnn --dataset digits --set scaling=imagenet", "needs color",
    ),
    "weights that are missing": (
        "train resnet18 --dataset digits --set weights=none.pth", "there is no such file",
    ),
    "weights of another kind": (
        "train resnet18 --dataset digits --set weights=digit.png", "ends in .keras, .pth",
    ),
    "weights that are a list": ("train resnet18 --set weights=[1]", "weights=(1,): must be"),
    "a head from nowhere": ("train resnet18 --set keep_head=true", "requires pretrained weights"),
    "weights that are damaged": (
        "train resnet18 --dataset digits --set weights=half.pth", "truncated",
    ),
    "texts for a network of images": ("train mlp --dataset toy_reviews", "mlp takes data such as"),
    "images for a network of texts": ("train gru --dataset digits", "gru takes data such as"),
    "option of another kind": ("train mlp --set ngrams=2", "mnist is not a dataset of text"),
    "table that is missing": ("train gru --dataset none.csv", "no such file"),
    "table of other columns": (
        "train gru --dataset odd.csv --text-column text", "Did you mean 'texts'?",
    ),
    "encoding of another network": (
        "train gru --dataset toy_reviews --set encoding=multi_hot", "gru takes sequence",
    ),
    "folder of one class": ("train mlp --dataset ./single", "has 1 class subfolders (cat)"),
    "folder of no class": ("train mlp --dataset ./empty", "has 0 class subfolders"),
    "folder of too few": ("train mlp --dataset ./few", "needs at least 3"),
    "no run directory": ("evaluate thesis", "not a run directory"),
    "run of another version": ("evaluate old", "run format 0, written by zoo 0.0.1"),
    "unfinished run": ("predict unfinished digit.png", "unfinished"),
    "damaged run": ("evaluate damaged", "model.keras is damaged"),
    "unknown split": ("evaluate run --split tests", "'tests' is not one of"),
    "input that is missing": ("predict run none.png", "no such file"),
    "input that is no image": ("predict run text.png", "cannot be read as an image"),
    "input that is cut off": ("predict run cut.png", "cannot be read as an image"),
    "input that is a folder": ("predict run thesis", "main.tex cannot be read as an image"),
    "no input": ("predict run", "INPUT"),
    "folder without input": ("predict run empty", "folder empty contains no files"),
    "neither run nor artifact": ("predict thesis digit.png", "no config.json and no zoo.json"),
    "file of lines that is missing": ("predict run --lines none.txt", "none.txt"),
    "two outputs": ("predict run digit.png --csv --json", "cannot be combined"),
    "bits of another number": ("predict table 1101", "not a row of 3 bits"),
    "unknown format": ("export run --format onx --output new", "Did you mean 'onnx'?"),
    "existing target": ("export run --output thesis", "already exists"),
    "target that is no artifact": (
        "export run --output thesis --overwrite", "is not an artifact of the zoo",
    ),
}  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_input_is_one_line_and_writes_nothing(kind, scene, command, monkeypatch):
    words, message = BAD_INPUT[kind]
    monkeypatch.setenv("TFDS_DATA_DIR", str(scene))
    where = ["--data-dir", scene] if words.startswith("train") else []
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    code, out, err = command(*words.split(), *where)
    assert code == 2
    assert out == ""
    assert message in err
    lines = [line for line in err.splitlines() if not line.startswith(PROGRESS)]
    assert len(lines) == 1, err
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def test_a_full_disk_is_one_line(command, tmp_path, monkeypatch):
    from zoo import runs

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs.tempfile, "mkstemp", full)
    code, _, err = command("train", "perceptron", "--epochs", 1, "--run-dir", tmp_path / "run")
    assert code == 2
    assert err.splitlines() == ["zoo: [Errno 28] No space left on device"]
    assert not list(tmp_path.iterdir())


def test_no_permission_is_one_line(command, tmp_path, table_run, monkeypatch):
    def forbidden(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", "/root/runs")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    code, _, err = command("export", table_run.directory, "--output", tmp_path / "x" / "y")
    assert code == 2
    assert err.count("\n") == 1
    assert "Permission denied: '/root/runs'" in err


def test_being_offline_is_reported_within_seconds(command, tmp_path, monkeypatch):
    from zoo.data import tfds_store

    def unreachable(url, timeout):
        assert timeout <= 5
        raise tfds_store.requests.ConnectionError

    monkeypatch.setattr(tfds_store.requests, "head", unreachable)
    code, _, err = command("train", "mlp", "--data-dir", tmp_path / "none")
    assert code == 2
    assert err.count("\n") == 1
    assert "11.1 MiB" in err


@pytest.mark.exhaustive
def test_standard_error_is_quiet_and_an_interrupt_says_how_to_resume(tmp_path):
    words = ["train", "two_layer_perceptron", "--epochs", "5000", "--run-dir", "run", "--json"]
    victim = subprocess.Popen(
        [sys.executable, "-m", "zoo", *words],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs may ignore it
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not (tmp_path / "run" / "history.csv").exists():
        assert victim.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    victim.send_signal(signal.SIGINT)
    out, err = victim.communicate(timeout=60)
    assert victim.returncode == 130
    assert out == ""
    *progress, last = err.splitlines()
    assert all(line.startswith(PROGRESS) for line in progress)
    assert last == "zoo: interrupted; resume with --run-dir run --resume"
    assert not list((tmp_path / "run").glob(".*"))
    assert zoo.load_run(tmp_path / "run").history["epoch"][0] == 1


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux alone has the policy")
@pytest.mark.parametrize(("policy", "expected"), [("OTHER", "BATCH"), ("IDLE", "IDLE")])
def test_the_command_is_a_batch_job_unless_another_policy_is_set(policy, expected):
    run = (
        "import os, sys; from zoo import cli; "
        f"os.sched_setscheduler(0, os.SCHED_{policy}, os.sched_param(0)); "
        "sys.argv = ['zoo', '--version']; "
        "import atexit; atexit.register(lambda: print(os.sched_getscheduler(0))); cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) == getattr(os, f"SCHED_{expected}")


def test_expected_errors_do_not_show_what_was_hidden_and_others_do(capfd):
    for error, is_shown in ((InputError("bad"), False), (ZeroDivisionError(), True)):
        with pytest.raises(type(error)), quiet_tensorflow():
            os.write(2, b"noise from C++")
            raise error
        assert ("noise from C++" in capfd.readouterr().err) == is_shown


def completions(*words):
    """Return the types and values that complete the last word."""
    *arguments, incomplete = words
    completer = ShellComplete(cli, {}, "zoo", "_ZOO_COMPLETE")
    found = completer.get_completions(arguments, incomplete)
    return [(item.type, item.value) for item in found]


def plain(*values):
    return [("plain", value) for value in values]


def test_names_are_completed():
    assert completions("tr") == plain("train")
    assert completions("train", "ml") == plain("mlp")
    for command in ("show", "tune", "benchmark"):
        assert completions(command, "") == plain(*zoo.list_models())
    assert completions("list", "--task", "bin") == plain("binary_classification")
    assert completions("train", "mlp", "--dataset", "fashion") == plain("fashion_mnist")
    assert completions("train", "mlp", "--dataset", "./pict") == [("file", "./pict")]
    assert completions("course", "hw1.perc") == plain("hw1.perceptron")


def test_run_directories_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ["runs/mlp-1/config.json", "runs/vae-1/config.json", "mine/config.json"]
    for file in (*files, "exports/mlp/zoo.json", "other/file"):
        Path(file).parent.mkdir(parents=True)
        Path(file).touch()
    for command in ("evaluate", "report", "export"):
        models = [record.model for record in list_pretrained()]
        assert completions(command, "") == plain("mine", "runs/mlp-1", "runs/vae-1", *models)
        assert completions(command, "exports/") == [("dir", "exports/")]
    assert completions("evaluate", "ml") == plain("runs/mlp-1", "mlp")
    assert completions("evaluate", "runs/v") == plain("runs/vae-1")
    assert completions("evaluate", f"{tmp_path}/mi") == plain(str(tmp_path / "mine"))
    assert completions("evaluate", "oth") == [("dir", "oth")]
    assert completions("predict", "exports/") == plain("exports/mlp")


@pytest.mark.parametrize("program", [["zoo"], [sys.executable, "-m", "zoo"]])
def test_the_shell_completes(program):
    if not shutil.which(program[0]):
        pytest.skip("the console script is not on the path")
    run = functools.partial(subprocess.run, program, capture_output=True, text=True, check=True)
    words = {"COMP_WORDS": "zoo train ml", "COMP_CWORD": "2"}
    completed = run(env=os.environ | words | {"_ZOO_COMPLETE": "bash_complete"})
    assert completed.stdout == "plain,mlp\n"
    assert completed.stderr == ""
    source = run(env=os.environ | {"_ZOO_COMPLETE": "bash_source"}).stdout
    assert "complete -o nosort -F _zoo_completion zoo" in source


def test_help_says_how_to_enable_completion(command):
    code, out, _ = command("--help")
    assert code == 0
    assert 'eval "$(_ZOO_COMPLETE=bash_source zoo)"' in out


def test_every_command_has_json():
    groups = [command for command in cli.commands.values() if isinstance(command, click.Group)]
    commands = {**cli.commands, **{k: v for group in groups for k, v in group.commands.items()}}
    for command in (each for each in commands.values() if each not in groups):
        assert "--json" in {name for parameter in command.params for name in parameter.opts}


def test_a_worker_prints_what_it_did(answer, command, tmp_path, monkeypatch):
    from tuning import workers

    def run_as_worker(directory, address, name):
        return {"directory": str(directory), "worker": name, "trials": 3}

    monkeypatch.setattr(workers, "run_as_worker", run_as_worker)
    words = ["tune", "mlp", "--role", "worker", "--address", "localhost:1"]
    words += ["--directory", tmp_path, "--worker-name", "w1"]
    assert answer(*words) == {"directory": str(tmp_path), "worker": "w1", "trials": 3}
    assert "trials     3" in command(*words)[1]


@pytest.mark.exhaustive
def test_quickstart(answer, tmp_path, data_dir):
    document = answer("quickstart", "--data-dir", data_dir, "--run-dir", tmp_path / "quick")
    assert document["metrics"]["test_accuracy"] > 0.95
    assert document["prediction"]["label"] == document["prediction"]["truth"]
    for key in ("figures", "saved_model"):
        assert Path(document[key]).exists()
