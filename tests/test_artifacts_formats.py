"""Formats: every model in ONNX and LiteRT against itself, raw text as numbers, and refusals."""

import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import run_python
from PIL import Image

import zoo
from zoo.artifacts import export
from zoo.artifacts.formats import FORMATS, write_onnx, write_vocabulary
from zoo.artifacts.reader import Artifact, ReaderError, TextVectorizer, digest_of, read_facts
from zoo.data import DATASETS, reader_of
from zoo.data.text import preprocessor
from zoo.data.tokens import standardize_text
from zoo.errors import ArtifactError, ExportError, InputError
from zoo.evaluation.reconstruction import deterministic_model
from zoo.specs import TextOptions
from zoo.tasks import class_probabilities, unwrap_single

HOSTILE = [
    "", " ", "...", "a", "A fine movie.<br /><br />Loved it!", "&quot;said&quot; quot;lost &#39;",
    "a<b and c>d", "it's 'so' bad?!?!", "\U0001f600\U0001f600 great \u2764\ufe0f", "電影很好 film",
    "ÀÉÎ Straße ΣΟΦΟΣ ΟΔΟΣ.", "İstanbul I", "e\u0301 a\u0308", "tab\tnew\nline\r\n\x01", "\ufffd",
    "٣ ½ Ⅷ", "word " * 300, b"caf\xe9 \xff\xfe ok", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98",
    b"\xc0\xaf \xf5\x80",
]  # fmt: skip


@pytest.fixture(scope="module")
def exported(request, tmp_path_factory):
    """Gives the artifact of a run, by the name of its fixture, in a format."""
    folder = tmp_path_factory.mktemp("exports")
    return functools.cache(
        lambda run_name, format: zoo.export(
            request.getfixturevalue(run_name), folder / f"{run_name}-{format}", format=format
        )
    )


def question_of(run, rows, labels):
    """Raw inputs of ``serve`` by name; and one of its outputs, by name, from the model itself."""
    prepared, task = run.preprocessor(rows), zoo.get_spec(run.config["model"]).task
    given = {reader_of(run.dataset).INPUT_NAME: rows}
    if task.endswith("classification"):
        return given, "probabilities", class_probabilities(run.model.predict(prepared, verbose=0))
    mean = deterministic_model(run.model)
    told = {"label": labels} if len(mean.inputs) > 1 else {}
    _, images = mean.predict(unwrap_single([prepared, *told.values()]), verbose=0)
    return given | told, "reconstruction", images


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", zoo.list_models())
def test_every_model_answers_raw_rows(name, small_run, tmp_path):
    run = small_run(name)
    raw, labels = (run.predictions[key] for key in ("raw", "labels"))
    labels = labels[run.predictions["index"]]
    for format in ("onnx", "litert"):
        artifact = Artifact(zoo.export(run, tmp_path / format, format=format))
        for count in (1, 32):
            given, key, expected = question_of(run, raw[:count], labels[:count])
            found = artifact.ask("serve", **given)[key]
            assert found.shape == expected.shape
            assert np.abs(found - np.asarray(expected)).max() <= 1e-5


def asked(folder, batches, tmp_path):
    """What an artifact answers to images in a process of its own, and the packages imported."""
    np.savez(tmp_path / "batches.npz", *batches)
    imported = run_python(
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "import json, numpy as np, reader\n"
        f"artifact = reader.Artifact({str(folder)!r})\n"
        "batches = np.load('batches.npz').values()\n"
        "answers = [artifact.ask('serve', image=batch)['probabilities'] for batch in batches]\n"
        "np.savez('answers.npz', *answers)\n"
        "print(json.dumps([name for name in sys.modules]))\n",
        tmp_path,
        modules=(),
    )
    with np.load(tmp_path / "answers.npz") as answers:
        return list(answers.values()), set(json.loads(imported))


@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_images_of_any_size_are_answered_without_tensorflow(format, cnn_run, exported, tmp_path):
    generator = np.random.default_rng(0)
    batches = [
        generator.integers(0, 256, (3, *size, 1), np.uint8) for size in ((8, 8), (1, 1), (31, 20))
    ]
    answers, imported = asked(exported("cnn_run", format), batches, tmp_path)
    assert not imported & {"zoo", "keras", "tensorflow"}
    for answer, batch in zip(answers, batches, strict=True):
        expected = cnn_run.model.predict(cnn_run.preprocessor(batch), verbose=0)
        assert np.abs(answer - expected).max() <= 1e-5


@pytest.mark.parametrize(
    "options",
    [
        TextOptions(vocab_size=40, sequence_length=30),
        TextOptions(vocab_size=400, sequence_length=50, ngrams=3, subwords=5),
        TextOptions(encoding="multi_hot", vocab_size=50),
        TextOptions(encoding="multi_hot", vocab_size=200, ngrams=2),
    ],
    ids=["words", "pieces", "multi-hot", "pairs"],
)
def test_texts_become_the_same_numbers_without_tensorflow(options, tmp_path):
    texts = [*HOSTILE, *random_texts(200)]
    raw = np.array([t.encode() if isinstance(t, str) else t for t in texts], object)
    layer = preprocessor(DATASETS["toy_reviews"], options, raw)
    write_vocabulary(layer, tmp_path)
    found = TextVectorizer(json.loads((tmp_path / "vocabulary.json").read_text("utf-8"))).encode(
        raw
    )
    expected = np.asarray(layer(raw))
    assert expected.shape[1] >= found.shape[1]
    padded = np.pad(found, ((0, 0), (0, expected.shape[1] - found.shape[1])))
    np.testing.assert_array_equal(padded, expected)
    assert (expected[: len(HOSTILE)] != expected[0]).any()


def test_texts_are_standardized_alike(tmp_path):
    texts = [*HOSTILE, *random_texts(2000)]
    raw = np.array([t.encode() if isinstance(t, str) else t for t in texts], object)
    write_vocabulary(preprocessor(DATASETS["toy_reviews"], TextOptions(), raw), tmp_path)
    words = TextVectorizer(json.loads((tmp_path / "vocabulary.json").read_text("utf-8")))
    for text, expected in zip(raw, standardize_text(raw).numpy(), strict=True):
        assert words.standardize(text) == expected.decode(), text


def random_texts(count):
    """Strings of characters of Unicode's first planes, half of them damaged as UTF-8."""
    generator = np.random.default_rng(0)
    for number in range(count):
        points = generator.choice([0x7F, 0x250, 0x600, 0x3400, 0x9FFF, 0x1FAFF], 12)
        characters = [chr(1 + generator.integers(1, point)) for point in points]
        text = "".join(c for c in characters if not 0xD800 <= ord(c) < 0xE000).encode()
        if number % 2:
            place = generator.integers(len(text))
            text = text[:place] + bytes([generator.integers(128, 256)]) + text[place + 1 :]
        yield text


@pytest.fixture(scope="module")
def in_onnx(exported):
    return exported("text_run", "onnx")


@pytest.mark.exhaustive
def test_an_artifact_is_asked_like_its_run(in_onnx, text_run):
    texts = ["the film was not bad .", "", "\U0001f600", b"\xff\xfe"]
    theirs, ours = zoo.predict(in_onnx, texts), zoo.predict(text_run, texts)
    for artifact, run in zip(theirs, ours, strict=True):
        assert artifact["label"] == run["label"]
        assert artifact["probabilities"] == pytest.approx(run["probabilities"], abs=1e-5)
    assert zoo.predict(in_onnx, []) == []


@pytest.mark.exhaustive
def test_the_reader_is_a_command_of_its_own(in_onnx, text_run, tmp_path):
    def says(*words):
        command = [sys.executable, "-P", str(in_onnx / "reader.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    ((answer,), (expected,)) = (
        json.loads(says("a fine film").stdout),
        zoo.predict(text_run, ["a fine film"]),
    )
    assert answer["label"] == expected["label"]
    assert json.loads(says("--check").stdout)["max_difference"] <= 1e-5


@pytest.mark.exhaustive
@pytest.mark.parametrize("foreign", ["zoo", "keras", "tensorflow"])
def test_a_check_that_imported_what_the_format_does_without_is_void(in_onnx, foreign, tmp_path):
    """So that every export above has answered without TensorFlow."""
    code = (
        "import runpy, sys, types\n"
        f"sys.modules[{foreign!r}] = types.ModuleType({foreign!r})\n"
        "sys.argv = ['reader.py', '--check']\n"
        f"runpy.run_path({str(in_onnx / 'reader.py')!r}, run_name='__main__')\n"
    )
    command = [sys.executable, "-P", "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 1
    assert f"{foreign} was imported, which invalidates the check" in found.stderr


@pytest.mark.exhaustive
def test_images_are_given_back_by_an_artifact(vae_run, exported):
    folder = exported("vae_run", "litert")
    raw = vae_run.predictions["raw"][:3]
    for artifact, run in zip(zoo.predict(folder, raw), zoo.predict(vae_run, raw), strict=True):
        np.testing.assert_allclose(artifact["code"], run["code"], atol=1e-5)
        np.testing.assert_allclose(artifact["reconstruction"], run["reconstruction"], atol=1e-5)
    assert "sample" not in read_facts(folder)["endpoints"]


@pytest.mark.exhaustive
def test_weights_of_eight_bits_are_judged_on_validation(digits_run, data_dir, exported):
    folder = exported("digits_run", "litert_int8")
    judged = read_facts(folder)["judged"]
    rows = zoo.load_data("digits", data_dir=data_dir).rows["validation"]
    right = [
        a["label"] == str(t)
        for a, t in zip(zoo.predict(folder, rows.inputs), rows.labels, strict=True)
    ]
    assert judged == {
        "rows": len(rows), "metric": "accuracy", "value": pytest.approx(np.mean(right)),
        "before": pytest.approx(digits_run.metrics["val_accuracy"]),
    }  # fmt: skip


@pytest.mark.exhaustive
def test_weights_of_eight_bits_that_lose_too_much_are_refused(digits_run, tmp_path, monkeypatch):
    monkeypatch.setitem(export.MAX_DEGRADATION, "accuracy", -1.0)
    with pytest.raises(ExportError, match="on 142 rows its accuracy is"):
        zoo.export(digits_run, tmp_path / "artifact", format="litert_int8")
    assert not list(tmp_path.iterdir())


def test_a_format_that_gives_other_numbers_is_refused(digits_run, tmp_path, monkeypatch):
    class Louder(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 1.01

    def louder(run, endpoints, folder):
        other = zoo.load_run(run.directory)
        vars(other)["model"] = keras.Sequential([run.model, Louder()])
        return write_onnx(other, endpoints, folder)

    monkeypatch.setitem(FORMATS, "onnx", louder)
    with pytest.raises(ExportError, match="does not reproduce the model: outputs differ"):
        zoo.export(digits_run, tmp_path / "artifact", format="onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("format", "module", "extra"),
    [("onnx", "tf2onnx", "onnx"), ("litert", "ai_edge_litert", "litert")],
)
def test_a_converter_that_is_missing_is_named(
    format, module, extra, digits_run, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExportError, match=rf"needs {module}, .*keras-model-zoo\[{extra}\]"):
        zoo.export(digits_run, tmp_path / "artifact", format=format)
    assert not list(tmp_path.iterdir())


def cut(folder):
    content = (folder / "serve.onnx").read_bytes()
    (folder / "serve.onnx").write_bytes(content[: len(content) // 2])


def alter_vocabulary(folder):
    path = folder / "vocabulary.json"
    path.write_text(path.read_text("utf-8").replace("good", "evil"), "utf-8")


def alter_facts(folder):
    path = folder / "zoo.json"
    path.write_text(path.read_text().replace('"neg"', '"pos"'))


def cut_facts(folder):
    (folder / "zoo.json").write_text((folder / "zoo.json").read_text()[:100])


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "serve.onnx was modified after it was written"),
        (alter_vocabulary, "vocabulary.json was modified"),
        (alter_facts, "zoo.json was truncated or modified"),
        (cut_facts, "zoo.json was truncated or modified"),
        (
            lambda folder: (folder / "zoo.json").write_text("[]"),
            "zoo.json was truncated or modified",
        ),
        (lambda folder: (folder / "serve.onnx").unlink(), "is incomplete: serve.onnx is missing"),
    ],
)
def test_a_damaged_artifact_is_refused(damage, message, in_onnx, tmp_path):
    shutil.copytree(in_onnx, tmp_path / "artifact")
    damage(tmp_path / "artifact")
    with pytest.raises(ArtifactError, match=message) as refusal:
        zoo.predict(tmp_path / "artifact", ["a film"])
    assert "\n" not in str(refusal.value)


@pytest.mark.exhaustive
def test_an_artifact_of_another_version_says_which(in_onnx, tmp_path):
    shutil.copytree(in_onnx, tmp_path / "artifact")
    facts = json.loads((in_onnx / "zoo.json").read_text())
    del facts["digest"]
    later = facts | {"version": 99, "zoo": "9.9"}
    (tmp_path / "artifact" / "zoo.json").write_text(
        json.dumps(later | {"digest": digest_of(later)})
    )
    with pytest.raises(ArtifactError, match="version 99, written by zoo 9.9; this reader"):
        zoo.predict(tmp_path / "artifact", ["a film"])


@pytest.mark.exhaustive
def test_a_card_may_be_edited(in_onnx, tmp_path):
    shutil.copytree(in_onnx, tmp_path / "artifact")
    (tmp_path / "artifact" / "README.md").write_text("mine")
    assert zoo.predict(tmp_path / "artifact", ["a film"])


@pytest.mark.exhaustive
def test_a_runtime_that_is_missing_is_named(in_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ArtifactError, match="needs onnxruntime: pip install onnxruntime"):
        zoo.predict(in_onnx, ["a film"])


@pytest.mark.exhaustive
def test_what_an_artifact_cannot_answer_is_refused(in_onnx):
    with pytest.raises(InputError, match="3 is not a text"):
        zoo.predict(in_onnx, [3])
    artifact = Artifact(in_onnx)
    with pytest.raises(ReaderError, match="no endpoint 'encode'; available: serve"):
        artifact.ask("encode", text=["a film"])
    with pytest.raises(ReaderError, match="inference failed"):
        artifact.ask("serve", image=np.zeros((1, 8, 8, 1), np.uint8))


@pytest.mark.exhaustive
def test_one_input_is_not_taken_for_several(in_onnx):
    with pytest.raises(InputError, match="expected a list of inputs"):
        zoo.predict(in_onnx, "a film")


@pytest.mark.exhaustive
def test_a_class_conditional_model_says_so(tmp_path, small_run):
    run = small_run("cvae")
    folder = zoo.export(run, tmp_path / "artifact", format="onnx")
    with pytest.raises(InputError, match="cvae is class-conditional"):
        zoo.predict(folder, run.predictions["raw"][:1])


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["text", "images"])
def test_tensorflows_own_command_answers_raw_input(kind, text_run, digits_run, exported, tmp_path):
    run = text_run if kind == "text" else digits_run
    folder = exported("text_run" if kind == "text" else "digits_run", "saved_model")
    command = Path(sys.executable).with_name("saved_model_cli")
    options = ["--dir", folder, "--tag_set", "serve", "--signature_def", "serving_default"]
    if kind == "text":
        raw = np.array(["the film was not bad ."], object)
        given = ["--input_exprs", 'text=["the film was not bad ."]']
    else:
        raw = digits_run.predictions["raw"][:2]
        np.save(tmp_path / "batch.npy", raw)
        given = ["--inputs", f"image={tmp_path / 'batch.npy'}"]
    subprocess.run(
        [command, "run", *options, *given, "--outdir", tmp_path / "out"],
        check=True, capture_output=True,
    )  # fmt: skip
    _, _, expected = question_of(run, raw, None)
    found = np.load(tmp_path / "out" / "probabilities.npy")
    assert np.abs(found - np.asarray(expected)).max() <= 1e-6


@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["saved_model", "onnx", "litert_int8"])
def test_a_card_says_how_to_call_it_and_what_it_is(format, digits_run, exported):
    folder = exported("digits_run", format)
    card, facts = (folder / "README.md").read_text("utf-8"), read_facts(folder)
    assert card.startswith(f"# softmax_regression on digits, as {format}\n")
    assert f"{digits_run.metrics['test_accuracy']:.6g} ±" in card
    assert f"{facts['max_difference']:.2g}" in card
    assert ("curl -d" in card) == (format == "saved_model")
    assert ('{"instances": [{"image": [[[0]]]}]}' in card) == (format == "saved_model")


def test_the_python_on_a_card_runs(digits_run, exported, tmp_path):
    folder = shutil.copytree(exported("digits_run", "onnx"), tmp_path / "digits_run-onnx")
    (code,) = [
        part.removeprefix("python\n")
        for part in (folder / "README.md").read_text("utf-8").split("```")
        if part.startswith("python\n")
    ]
    image = digits_run.predictions["raw"][0]
    Image.fromarray(image[..., 0]).save(tmp_path / "picture.png")
    printed = run_python(code, tmp_path, modules=())
    expected = digits_run.model.predict(digits_run.preprocessor(image[None]), verbose=0)
    found = [float(number) for number in re.findall(r"\d\.\d*e[+-]\d+|\d\.\d+", printed)]
    np.testing.assert_allclose(found, expected[0], rtol=1e-4)


@pytest.mark.exhaustive
def test_a_card_knows_an_autoencoder_from_a_classifier(denoiser_run, exported):
    errors = denoiser_run.predictions["errors"]
    card = (denoiser_run.directory / "README.md").read_text("utf-8")
    assert f"± {errors.std() / len(errors) ** 0.5:.2g} |" in card
    assert "classes" not in card
    served = (exported("vae_run", "saved_model") / "README.md").read_text("utf-8")
    assert '{"signature_name": "sample", "inputs": {"count": 7}}' in served


def test_a_run_has_a_card(digits_run):
    card = (digits_run.directory / "README.md").read_text("utf-8")
    assert card.startswith("# softmax_regression on digits\n")
    assert f"{digits_run.metrics['test_accuracy']:.6g}" in card
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in card
