"""Serving: the one law, in a process without zoo; names, refusals, and no half-written folder."""

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import run_python
from PIL import Image

import zoo
from zoo.artifacts import export
from zoo.artifacts.formats import FORMATS
from zoo.errors import ArgumentValueError, ExportError, InputError, RunError
from zoo.evaluation.reconstruction import deterministic_model


@pytest.fixture(scope="module")
def exported(request, tmp_path_factory):
    """Gives the SavedModel of a run by the name of its fixture."""
    folder = tmp_path_factory.mktemp("exports")
    return functools.cache(
        lambda run_name: zoo.export(request.getfixturevalue(run_name), folder / run_name)
    )


@pytest.fixture(scope="module")
def artifact(exported):
    return exported("digits_run")


def served(artifact, batches, folder):
    """Answers of a SavedModel to each batch, in a fresh process that does not import zoo."""
    np.savez(folder / "raw.npz", *batches)
    return json.loads(
        run_python(
            "import json, sys, numpy as np, tensorflow as tf\n"
            f"loaded = tf.saved_model.load({str(artifact)!r})\n"
            "serve = loaded.signatures['serving_default']\n"
            "(name,) = serve.structured_input_signature[1]\n"
            "batches = np.load('raw.npz').values()\n"
            "answers = [serve(**{name: tf.constant(batch)}) for batch in batches]\n"
            "assert 'zoo' not in sys.modules\n"
            "print(json.dumps([{'input': name,\n"
            "    'label': [label.decode() for label in answer['label'].numpy()],\n"
            "    'probabilities': answer['probabilities'].numpy().tolist()}\n"
            "    for answer in answers]))\n",
            folder,
        )
    )


@pytest.mark.exhaustive
def test_served_raw_equals_model_of_preprocessor_of_raw(artifact, digits_run, data_dir, tmp_path):
    raw = zoo.load_data("digits", data_dir=data_dir).rows["test"].inputs
    of_another_size = np.random.default_rng(0).integers(0, 256, (3, 30, 20, 1), np.uint8)
    batches = [raw[:1], raw[:37], of_another_size]
    for answer, batch in zip(served(artifact, batches, tmp_path), batches, strict=True):
        expected = digits_run.model.predict(digits_run.preprocessor(batch), verbose=0)
        assert answer["input"] == "image"
        assert np.abs(np.array(answer["probabilities"]) - expected).max() <= 1e-6
        assert answer["label"] == [str(digit) for digit in expected.argmax(axis=1)]


def test_truth_tables_are_served_with_a_column_a_class(table_run, exported, tmp_path):
    raw = table_run.predictions["raw"]
    (answer,) = served(exported("table_run"), [raw], tmp_path)
    expected = table_run.model.predict(table_run.preprocessor(raw), verbose=0)
    assert answer["input"] == "bits"
    np.testing.assert_allclose(
        answer["probabilities"], np.hstack([1 - expected, expected]), atol=1e-6
    )


@pytest.mark.exhaustive
def test_a_folder_of_pictures_goes_all_the_way(image_folder, tmp_path):
    run = zoo.train(
        "mlp", dataset=image_folder, units=32, batch_size=8, epochs=30, run_dir=tmp_path / "run",
        jit_compile=False, progress=False,
    )  # fmt: skip
    pictures = [image_folder / name / "0.png" for name in ("rust", "blue sky", "grün")]
    predicted = zoo.predict(run, pictures)
    assert [answer["label"] for answer in predicted] == ["rust", "blue sky", "grün"]
    artifact = zoo.export(run, tmp_path / "saved")
    raw = np.stack([np.asarray(Image.open(path)) for path in pictures])
    (answer,) = served(artifact, [raw], tmp_path)
    assert answer["label"] == ["rust", "blue sky", "grün"]
    names = json.loads((artifact / "zoo.json").read_text())["class_names"]
    assert names == ["blue sky", "grün", "rust"]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("simple_cnn", {"pool_size": "1-1-2"}),
        ("deep_cnn", {"pool_size": "1-1-1-1-1-2", "precision": "float32"}),
        ("resnet18", {"scaling": "imagenet", "image_size": 40, "stem": "imagenet"}),
    ],
)
def test_a_network_of_images_is_served_with_its_scaling_at_any_size(
    name, settings, image_folder, tmp_path
):
    run = zoo.train(
        name, dataset=image_folder, filters=4, batch_size=8, epochs=1, run_dir=tmp_path / "run",
        progress=False, **settings,
    )  # fmt: skip
    artifact = zoo.export(run, tmp_path / "saved")
    generator = np.random.default_rng(0)
    batches = [
        generator.integers(0, 256, (3, *shape, 3), np.uint8)
        for shape in ((10, 14), (33, 21), (1, 1))
    ]
    for answer, batch in zip(served(artifact, batches, tmp_path), batches, strict=True):
        expected = run.model.predict(run.preprocessor(batch), verbose=0)
        assert np.abs(np.array(answer["probabilities"]) - expected).max() <= 1e-5


def test_what_stands_beside_an_artifact(artifact, digits_run):
    known = json.loads((artifact / "zoo.json").read_text())
    assert known["model"] == "softmax_regression"
    assert known["max_difference"] <= known["tolerance"] == 1e-6
    assert known["metrics"] == digits_run.metrics
    with np.load(artifact / "golden.npz") as golden:
        raw = golden["serve/inputs/image"]
        assert known["rows"] == len(raw) >= 20
        assert raw.dtype == np.uint8


def test_each_weight_is_stored_once(artifact, digits_run):
    stored = tf.train.list_variables(str(artifact / "variables" / "variables"))
    sizes = [int(np.prod(shape)) for name, shape in stored if name.endswith("VARIABLE_VALUE")]
    seeds = sum(size for size in sizes if size == 2)
    assert sum(sizes) - seeds == digits_run.model.count_params()


def test_asking_an_artifact(artifact, digits_run):
    raw = digits_run.predictions["raw"][:4]
    asked, predicted = zoo.predict(artifact, raw), zoo.predict(digits_run, raw)
    for theirs, ours in zip(asked, predicted, strict=True):
        assert theirs["label"] == ours["label"]
        assert theirs["probability"] == pytest.approx(ours["probability"], abs=1e-6)


def test_an_existing_target_is_refused_without_overwrite(digits_run, artifact, tmp_path):
    shutil.copytree(artifact, tmp_path / "saved")
    (tmp_path / "saved" / "mine.txt").write_text("old")
    with pytest.raises(ExportError, match="already exists"):
        zoo.export(digits_run, tmp_path / "saved")
    assert (tmp_path / "saved" / "mine.txt").read_text() == "old"
    zoo.export(digits_run, tmp_path / "saved", overwrite=True)
    assert not (tmp_path / "saved" / "mine.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_nothing_but_an_artifact_is_ever_overwritten(digits_run, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(ExportError, match="is not an artifact of the zoo"):
        zoo.export(digits_run, tmp_path / "home", overwrite=True)
    assert (tmp_path / "home" / "thesis.tex").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize(("old", "difference"), [(True, 1e-5), (False, 1e-5), (False, np.nan)])
def test_an_artifact_that_does_not_reproduce_its_model_is_never_written(
    old, difference, digits_run, artifact, tmp_path, monkeypatch
):
    target = tmp_path / "out" / "saved"
    if old:
        shutil.copytree(artifact, target)
    honest = export._write_golden_rows

    def other_answers(endpoints, written, path):
        honest(endpoints, written, path)
        with np.load(path) as golden:
            rows = dict(golden)
        key = "serve/outputs/probabilities"
        np.savez(path, **rows | {key: rows[key] + difference})

    monkeypatch.setattr(export, "_write_golden_rows", other_answers)
    with pytest.raises(ExportError, match="does not reproduce the model: .* (1e-05|nan)"):
        zoo.export(digits_run, target, overwrite=old)
    assert target.exists() is old
    assert [path.name for path in target.parent.iterdir()] == ["saved"] * old


def test_an_artifact_that_does_not_load_is_never_written(digits_run, tmp_path, monkeypatch):
    honest = FORMATS["saved_model"]

    def cut(run, endpoints, folder):
        written = honest(run, endpoints, folder)
        (folder / "saved_model.pb").write_bytes(b"nonsense")
        return written

    monkeypatch.setitem(FORMATS, "saved_model", cut)
    with pytest.raises(ExportError, match="failed its check .* cannot be loaded"):
        zoo.export(digits_run, tmp_path / "saved")
    assert not list(tmp_path.iterdir())


def test_a_failure_at_the_last_moment_keeps_the_old_artifact(
    digits_run, artifact, tmp_path, monkeypatch
):
    target = tmp_path / "saved"
    shutil.copytree(artifact, target)
    real = Path.rename

    def rename(self, other):
        if self.name == "new":
            raise OSError("disk unplugged")
        return real(self, other)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="unplugged"):
        zoo.export(digits_run, target, overwrite=True)
    assert (target / "saved_model.pb").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_an_unknown_format_is_refused(digits_run, tmp_path):
    with pytest.raises(ArgumentValueError, match="format='h5': must be one of saved_model"):
        zoo.export(digits_run, tmp_path / "x", format="h5")


def test_an_unfinished_run_has_nothing_to_serve(digits_run, tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(digits_run.directory / "config.json", tmp_path / "run")
    with pytest.raises(RunError, match="unfinished"):
        zoo.export(tmp_path / "run", tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_predictions_name_every_class(digits_run):
    answers = zoo.predict(digits_run, digits_run.predictions["raw"])
    expected = digits_run.predictions["probabilities"][digits_run.predictions["index"]]
    for answer, row in zip(answers, expected, strict=True):
        np.testing.assert_allclose(list(answer["probabilities"].values()), row, atol=1e-6)
        assert answer["label"] == list(answer["probabilities"])[row.argmax()]
        assert answer["probability"] == max(answer["probabilities"].values())


def test_pictures_of_several_sizes_are_answered_in_their_order(digits_run):
    raw = digits_run.predictions["raw"]
    mixed = [raw[0], np.kron(raw[1], np.ones((2, 2, 1), np.uint8)), raw[2]]
    answers = zoo.predict(digits_run, mixed)
    for picture, answer in zip(mixed, answers, strict=True):
        assert zoo.predict(digits_run, [picture])[0]["label"] == answer["label"]


def test_predicting_nothing_answers_nothing(digits_run):
    assert zoo.predict(digits_run, []) == []


def test_predicting_what_is_no_input_is_refused(digits_run, table_run):
    with pytest.raises(InputError, match="no such file"):
        zoo.predict(digits_run, ["none.png"])
    with pytest.raises(InputError, match="not a row of 3 bits"):
        zoo.predict(table_run, ["01"])


def asked(artifact, questions, folder):
    """What endpoints of a SavedModel answer in a fresh process, each asked twice."""
    arrays = {
        f"{number}/{key}": rows
        for number, (_, inputs) in enumerate(questions)
        for key, rows in inputs.items()
    }
    np.savez(folder / "inputs.npz", **arrays)
    run_python(
        "import sys, numpy as np, tensorflow as tf\n"
        f"loaded = tf.saved_model.load({str(artifact)!r})\n"
        "arrays, answers = np.load('inputs.npz'), []\n"
        f"for number, name in enumerate({[name for name, _ in questions]!r}):\n"
        "    inputs = {key.partition('/')[2]: tf.constant(arrays[key]) for key in arrays\n"
        "              if key.startswith(f'{number}/')}\n"
        "    for _ in range(2):\n"
        "        answers += loaded.signatures[name](**inputs).values()\n"
        "assert 'zoo' not in sys.modules\n"
        "np.savez('outputs.npz', *answers)\n",
        folder,
    )
    with np.load(folder / "outputs.npz") as outputs:
        answers = list(outputs.values())
    return list(zip(answers[::2], answers[1::2], strict=True))


@pytest.mark.exhaustive
@pytest.mark.parametrize("run_name", ["denoiser_run", "vae_run"])
def test_a_model_of_images_is_served_alike_twice(run_name, request, exported, tmp_path):
    run, artifact = request.getfixturevalue(run_name), exported(run_name)
    known = json.loads((artifact / "zoo.json").read_text())
    assert known["compared"] == ["decode", "encode", "reconstruct", "serve"]
    questions, expected = [], []
    for shape in ((8, 8), (20, 13)):
        raw = np.random.default_rng(0).integers(0, 256, (5, *shape, 1), np.uint8)
        codes, images = deterministic_model(run.model).predict(run.preprocessor(raw), verbose=0)
        questions += [(name, {"image": raw}) for name in ("reconstruct", "serving_default")]
        questions += [("encode", {"image": raw}), ("decode", {"code": codes})]
        expected += [images, images, codes, images]
    for answers, right in zip(asked(artifact, questions, tmp_path), expected, strict=True):
        np.testing.assert_array_equal(*answers)
        assert np.abs(answers[0] - right).max() <= 1e-5


@pytest.mark.exhaustive
def test_what_is_sampled_is_of_the_decoder_and_new_each_time(exported, tmp_path):
    questions = [("sample", {"count": np.int32(7)})]
    ((one, two),) = asked(exported("vae_run"), questions, tmp_path)
    assert one.shape == (7, 8, 8, 1)
    assert ((one >= 0) & (one <= 1)).all()
    assert (one != two).any()


@pytest.mark.exhaustive
def test_a_model_that_is_told_labels_is_served_with_them(data_dir, tmp_path):
    run = zoo.train(
        "cvae", dataset="digits", data_dir=data_dir, units=32, epochs=2, run_dir=tmp_path / "run",
        jit_compile=False, progress=False,
    )  # fmt: skip
    artifact = zoo.export(run, tmp_path / "saved")
    raw, labels = run.predictions["raw"][:5], np.arange(5)
    questions = [("sample", {"label": labels}), ("reconstruct", {"image": raw, "label": labels})]
    drawn, given_back = asked(artifact, questions, tmp_path)
    assert drawn[0].shape == (5, 8, 8, 1)
    assert (drawn[0] != drawn[1]).any()
    _, expected = deterministic_model(run.model).predict((run.preprocessor(raw), labels), verbose=0)
    np.testing.assert_array_equal(*given_back)
    assert np.abs(given_back[0] - expected).max() <= 1e-5
    assert {answer["label"] for answer in zoo.predict(run, raw)} <= set(run.dataset.class_names)


def test_an_image_is_answered_with_its_code_and_its_reconstruction(vae_run):
    raw = vae_run.predictions["raw"][:3]
    answers = zoo.predict(vae_run, raw)
    clean = np.asarray(vae_run.preprocessor(raw))
    for answer, image in zip(answers, clean, strict=True):
        given_back = np.array(answer["reconstruction"])
        assert answer["mse"] == pytest.approx(np.square(given_back - image).mean(), rel=1e-4)
        assert len(answer["code"]) == 2
    json.dumps(answers)
