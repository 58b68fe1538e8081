"""The Hugging Face Hub, both ways, against a stand-in for its HTTP interface."""

import json
import sys

import huggingface_hub
import numpy as np
import pytest
from hub_server import TOKEN, HubServer, Repository
from huggingface_hub import constants

import zoo
from zoo.errors import HubError, RunError, WeightsError
from zoo.pretrained import hub as references
from zoo.pretrained.catalog import CARD, FILES, RECORD, find, read_record
from zoo.pretrained.packing import pack
from zoo.runs import create_run
from zoo.training.starting import Start

NAME, REFERENCE = "ada/perceptron", "hf://ada/perceptron"
ROWS = ["110", "100", "010", "000"]
SOURCE = find("perceptron")
CLOSED = "http://127.0.0.1:9"


def connect(patch, endpoint):
    patch.setattr(constants, "ENDPOINT", endpoint)
    patch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setenv("HF_TOKEN", TOKEN)
    patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@pytest.fixture(scope="module")
def server():
    """A hub that holds a packed run, which has been pushed to it."""
    with HubServer() as server, pytest.MonkeyPatch.context() as patch:
        connect(patch, server.url)
        assert zoo.push("perceptron", NAME, license="mit", onnx=False) == f"{server.url}/{NAME}"
        server.first = server.repositories[NAME].refs["main"]
        yield server


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """The same hub, and an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    server.repositories[NAME].refs["main"] = server.first
    return server


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put(hub, name, files, private=False):
    hub.repositories[name] = Repository(private)
    hub.repositories[name].commit(files)


def test_a_pushed_run_is_read_back_bit_for_bit(hub, tmp_path):
    run, source = zoo.load(REFERENCE), zoo.load("perceptron")
    assert run.directory.is_relative_to(tmp_path / "cache")
    assert run.directory.name == hub.first
    assert {path.name for path in run.directory.iterdir()} == {*FILES, RECORD, CARD}
    for name in (*FILES, RECORD):
        assert (run.directory / name).read_bytes() == (SOURCE / name).read_bytes()
    assert run.metrics == source.metrics
    assert zoo.predict(REFERENCE, ROWS) == zoo.predict(source, ROWS)


def test_the_card_has_the_metadata_of_the_hub_above_the_card_of_the_run(hub):
    files = hub.repositories[NAME].commits[hub.first]
    card = huggingface_hub.ModelCard(files[CARD].decode())
    record = read_record(SOURCE)
    found = {result.metric_name: result for result in card.data.eval_results}
    assert {name: result.metric_value for name, result in found.items()} == record.rounded
    assert {(result.dataset_type, result.dataset_split) for result in found.values()} == {
        ("first_input", "test")
    }
    assert (card.data.library_name, card.data.license) == ("keras", "mit")
    assert card.data.pipeline_tag == "tabular-classification"
    before, _, _ = (SOURCE / CARD).read_text().partition("\n## Next steps\n")
    assert card.text.strip().startswith(before.strip())
    assert card.text.count("## Next steps") == 1
    assert f'zoo.load("{REFERENCE}")' in card.text


def test_a_branch_is_followed_and_a_commit_is_not(hub):
    files = hub.repositories[NAME].commits[hub.first]
    second = hub.repositories[NAME].commit(files | {"notes.txt": b""})
    assert references.download(REFERENCE).name == second
    assert references.download(f"{REFERENCE}@{hub.first}").name == hub.first
    sent = len(hub.requests)
    assert references.download(f"{REFERENCE}@{hub.first}").name == hub.first
    assert len(hub.requests) == sent
    assert Start.of(zoo.get_spec("perceptron"), {"weights": REFERENCE}).weights == (
        f"{REFERENCE}@{second}"
    )


def test_models_start_from_weights_of_the_hub(hub):
    model, source = zoo.build("perceptron", weights=REFERENCE), zoo.load("perceptron").model
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("how", ["HF_HUB_OFFLINE", "no network"])
def test_without_a_network_the_cache_is_read(hub, monkeypatch, how):
    first = references.download(REFERENCE)
    if how == "no network":
        connect(monkeypatch, CLOSED)
    else:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    sent = len(hub.requests)
    assert references.download(REFERENCE) == first
    assert len(hub.requests) == sent
    with pytest.raises(HubError, match=r"cannot reach \S+, and ada/other is not in the cache"):
        zoo.load("hf://ada/other")


def test_a_flipped_bit_in_the_cache_is_refused(hub):
    folder = references.download(REFERENCE)
    for name in FILES:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
        with pytest.raises(WeightsError, match=rf"{name} has been changed: its SHA-256 digest is"):
            zoo.load(REFERENCE)
        (folder / name).write_bytes(content)
    assert zoo.load(REFERENCE).directory == folder


def test_nothing_but_the_files_of_a_packed_run_is_downloaded(hub):
    files = files_of(SOURCE) | {"model.keras": b"PK", "sub/config.json": b"", "setup.py": b"1/0"}
    put(hub, "ada/more", files)
    folder = references.download("hf://ada/more")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert found == {*FILES, RECORD, CARD}


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "model.keras"])
def test_a_record_cannot_name_files_elsewhere(hub, name):
    record = json.loads((SOURCE / RECORD).read_text())
    record["files"][name] = record["files"].pop("weights.safetensors")
    put(hub, "ada/hostile", files_of(SOURCE) | {RECORD: json.dumps(record).encode()})
    with pytest.raises(WeightsError, match=r"record\.json is damaged: its files must be"):
        zoo.load("hf://ada/hostile")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("hf://ada/nothing", r"has no repository ada/nothing, or it is private"),
        (f"{REFERENCE}@v9", r"ada/perceptron has no revision 'v9'\."),
        ("hf://ada/text", r"hf://ada/text is not a packed run: it has no record\.json"),
        ("hf:/ada/x", r"must be hf://USER/NAME or \S+\. Did you mean 'hf://ada/x'\?"),
        ("https://huggingface.co/ada/x", r"Did you mean 'hf://ada/x'\?"),
        ("hf://ada", r"'hf://ada': must be hf://USER/NAME or hf://USER/NAME@REVISION\.$"),
        ("hf://../ada", r"must be hf://USER/NAME"),
        ("hf://ada/x@", r"must be hf://USER/NAME"),
        ("hf://ada/x@../../../x", r"must be hf://USER/NAME"),
    ],
)
def test_what_cannot_be_loaded_is_named_in_one_line(hub, reference, message):
    put(hub, "ada/text", {CARD: b"# Text"})
    with pytest.raises(HubError, match=message) as caught:
        zoo.load(reference)
    assert "\n" not in str(caught.value)


def test_a_model_of_the_hub_has_one_dataset():
    with pytest.raises(zoo.errors.ArgumentValueError, match="trained_on='mnist'"):
        zoo.load(REFERENCE, "mnist")


def test_a_private_repository_is_read_with_a_token_only(hub, monkeypatch):
    zoo.push("perceptron", "ada/private", private=True, onnx=False)
    assert hub.repositories["ada/private"].private
    references.download("hf://ada/private")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{constants.HF_HUB_CACHE}-2")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(HubError, match="or it is private and you are not logged in"):
        references.download("hf://ada/private")


def test_a_push_replaces_a_packed_run_and_deletes_the_artifact_of_earlier_weights(hub):
    zoo.push("perceptron", "ada/twice", onnx=False)
    repository = hub.repositories["ada/twice"]
    files = repository.commits[repository.refs["main"]]
    repository.commit(files | {"onnx/zoo.json": b"{}", "picture.png": b"png", RECORD: b"{}"})
    zoo.push("hf://ada/perceptron", "hf://ada/twice", onnx=False)
    assert set(repository.commits[repository.refs["main"]]) == {*files, "picture.png"}
    card = huggingface_hub.ModelCard(repository.commits[repository.refs["main"]][CARD].decode())
    assert card.data.license == "mit"  # that of the run that was pushed
    assert "hf://ada/twice" in card.text
    assert REFERENCE not in card.text


def test_what_is_not_ours_is_not_overwritten(hub):
    put(hub, "ada/bert", {"model.safetensors": b"weights"})
    before = dict(hub.repositories["ada/bert"].refs)
    with pytest.raises(HubError, match="holds no packed run, so it is not overwritten"):
        zoo.push("perceptron", "ada/bert", onnx=False)
    with pytest.raises(HubError, match="is public: make it private in its settings"):
        zoo.push("perceptron", NAME, private=True, onnx=False)
    assert hub.repositories["ada/bert"].refs == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repository": "perceptron"}, r"'perceptron': must be USER/NAME"),
        ({"repository": "bob/x"}, r"does not authorize you for bob/x: log in with"),
        ({"token": "hf_other"}, r"does not authorize you for ada/new: log in with"),
        ({"license": "apache"}, r'ada/new on http\S+: .*"license" must be one of'),
    ],
)
def test_a_refused_push_says_why_in_one_line(hub, options, message):
    with pytest.raises(HubError, match=message) as caught:
        zoo.push("perceptron", **{"repository": "ada/new", "onnx": False} | options)
    assert "\n" not in str(caught.value)


def test_a_push_without_token_network_or_package_is_refused_at_once(hub, monkeypatch):
    with monkeypatch.context() as patch:
        patch.delenv("HF_TOKEN")
        patch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
        with pytest.raises(HubError, match="you are not logged in"):
            zoo.push("perceptron", NAME)
    with monkeypatch.context() as patch:
        connect(patch, CLOSED)
        with pytest.raises(HubError, match=rf"cannot reach {CLOSED}\.$"):
            zoo.push("perceptron", NAME)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: zoo.push("perceptron", NAME), lambda: zoo.load(REFERENCE)):
        with pytest.raises(HubError, match=r'requires pip install "keras-model-zoo\[pretrained\]"'):
            call()


def test_an_unfinished_run_is_not_pushed(hub, tmp_path):
    create_run(tmp_path / "begun", zoo.load("perceptron").config)
    sent = len(hub.requests)
    with pytest.raises(RunError, match="the run is unfinished: resume it with --resume"):
        zoo.push(tmp_path / "begun", "ada/begun")
    assert len(hub.requests) == sent


def test_a_missing_onnx_converter_is_named(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(zoo.errors.ExportError, match=r"\[onnx\].*Without it: .*--no-onnx\.$"):
        zoo.push("perceptron", "ada/without")
    assert "ada/without" not in hub.repositories


@pytest.mark.exhaustive
def test_every_command_that_takes_a_run_takes_a_reference(hub, digits_run, answer, tmp_path):
    name, reference = "ada/digits", "hf://ada/digits"
    run_dir = str(digits_run.directory)
    assert answer("push", run_dir, name) == {"run_dir": run_dir, "url": f"{hub.url}/{name}"}
    assert answer("verify", reference)["measured"] is not None
    metrics = answer("evaluate", reference)["metrics"]
    assert metrics["test_accuracy"] == pytest.approx(digits_run.metrics["test_accuracy"], abs=5e-3)
    export = answer("export", reference, "--output", str(tmp_path / "artifact"))
    assert export["output"] == str(tmp_path / "artifact")
    assert answer("report", reference)["figures"][-1].endswith("sheet.png")


@pytest.mark.exhaustive
def test_another_process_reads_it_offline_and_its_artifact_answers_alike(
    hub, digits_run, bare_python, tmp_path
):
    pack(digits_run, tmp_path / "packed")
    zoo.push(tmp_path / "packed", "ada/digits")
    rows = digits_run.predictions["raw"]
    np.save(tmp_path / "rows.npy", rows)
    expected = [row["label"] for row in zoo.predict("hf://ada/digits", rows)]
    printed = bare_python(
        "import json, os\n"
        f"os.environ |= {{'HF_HUB_OFFLINE': '1', 'HF_HUB_CACHE': {constants.HF_HUB_CACHE!r}}}\n"
        "import numpy, zoo\n"
        "rows = numpy.load('rows.npy')\n"
        "answers = zoo.predict(zoo.load('hf://ada/digits'), rows)\n"
        "assert answers == zoo.predict('packed', rows)\n"
        "print(json.dumps([row['label'] for row in answers]))\n"
    )
    assert json.loads(printed.splitlines()[-1]) == expected
    repository = hub.repositories["ada/digits"]
    for name, content in repository.commits[repository.refs["main"]].items():
        if name.startswith("onnx/"):
            (tmp_path / "onnx").mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
    assert [row["label"] for row in zoo.predict(tmp_path / "onnx", rows)] == expected
