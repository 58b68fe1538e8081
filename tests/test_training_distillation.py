"""Learning from a teacher: its targets re-derived, and what a student takes from them."""

import numpy as np
import pytest

import zoo
from zoo.errors import ArgumentValueError, RunError
from zoo.training.callbacks import Checkpoint
from zoo.training.distillation import probabilities, soft_labels, soften

SETTINGS = {
    "batch_size": 32, "learning_rate": 0.003, "units": 64, "progress": False, "jit_compile": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, data_dir):
    directory = tmp_path_factory.mktemp("runs") / "teacher"
    options = {"dataset": "digits", "data_dir": data_dir, "run_dir": directory, "epochs": 12}
    return zoo.train("mlp", **SETTINGS | options)


@pytest.fixture(scope="module")
def data(data_dir):
    return zoo.load_data("digits", data_dir=data_dir)


def test_a_temperature_divides_the_logits():
    logits = np.random.default_rng(0).normal(size=(5, 4))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for temperature in (0.5, 1.0, 3.0):
        divided = np.exp(logits / temperature)
        expected = divided / divided.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(soften(softmax, temperature), expected, rtol=1e-6)
    np.testing.assert_allclose(soften(np.array([[1.0, 0.0]]), 4.0), [[1, 0]], atol=1e-8)


def test_targets_are_the_mean_of_labels_and_probabilities(teacher, data):
    recipe = teacher.recipe.replace(teacher="any", teacher_weight=0.7, teacher_temperature=2.0)
    targets = soft_labels(teacher, data, recipe)
    images = data.rows["train"].inputs
    answers = zoo.predict(teacher, list(images[:50]))
    for row, answer in enumerate(answers):
        roots = np.sqrt(list(answer["probabilities"].values()))
        expected = 0.7 * roots / roots.sum()
        expected[data.rows["train"].labels[row]] += 0.3
        np.testing.assert_allclose(targets["train"][row], expected, atol=1e-5)
    np.testing.assert_array_equal(targets["validation"], np.eye(10)[data.rows["validation"].labels])
    assert len(probabilities(teacher, data)) == len(images)


def test_a_student_learns_from_the_teacher_what_its_labels_do_not_say(teacher, data, tmp_path):
    generator = np.random.default_rng(0)
    splits = {split: (rows.inputs, rows.labels) for split, rows in data.rows.items()}
    splits["train"] = (splits["train"][0], generator.integers(0, 10, len(splits["train"][0])))
    options = {"dataset": splits, "epochs": 12, **SETTINGS}
    alone = zoo.train("mlp", run_dir=tmp_path / "alone", **options)
    student = zoo.train(
        "mlp", run_dir=tmp_path / "student", teacher=str(teacher.directory),
        teacher_weight=0.99, teacher_temperature=1.0, **options,
    )  # fmt: skip
    assert alone.metrics["test_accuracy"] < 0.3
    assert student.metrics["test_accuracy"] > 0.85


def test_figures_of_a_student_are_those_of_the_labels(teacher, data_dir, tmp_path):
    run = zoo.train(
        "mlp", dataset="digits", data_dir=data_dir, run_dir=tmp_path / "run", epochs=2,
        teacher=str(teacher.directory), **SETTINGS,
    )  # fmt: skip
    labels, found = run.predictions["labels"], run.predictions["probabilities"]
    loss = -np.log(found[np.arange(len(labels)), labels]).mean()
    assert run.metrics["test_loss"] == pytest.approx(loss, rel=1e-4)
    assert run.metrics["test_accuracy"] == pytest.approx((found.argmax(1) == labels).mean())
    assert run.metrics["val_accuracy"] == pytest.approx(run.history["val_accuracy"][-1])
    assert run.model.loss == "sparse_categorical_crossentropy"
    assert "Categorical" not in (run.directory / "config.json").read_text()


def test_a_head_on_frozen_features_has_a_teacher_that_reads_the_images(teacher, data_dir, tmp_path):
    options = {"dataset": "digits", "data_dir": data_dir, "epochs": 2, **SETTINGS}
    run = zoo.train(
        "mlp", run_dir=tmp_path / "run", weights=str(teacher.directory), freeze="backbone",
        teacher=str(teacher.directory), **options | {"epochs": 3},
    )  # fmt: skip
    assert run.metrics["test_accuracy"] > teacher.metrics["test_accuracy"] - 0.05


def test_without_weight_a_teacher_changes_nothing(teacher, data_dir, tmp_path):
    options = {"dataset": "digits", "data_dir": data_dir, "epochs": 1, **SETTINGS}
    alone = zoo.train("mlp", run_dir=tmp_path / "alone", **options)
    student = zoo.train(
        "mlp", run_dir=tmp_path / "student", teacher=str(teacher.directory), teacher_weight=0.0,
        **options,
    )  # fmt: skip
    for ours, theirs in zip(student.model.weights, alone.model.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-4)


@pytest.mark.exhaustive
def test_a_resumed_student_ends_with_the_same_bits(teacher, data_dir, tmp_path, monkeypatch):
    options = {"dataset": "digits", "data_dir": data_dir, "epochs": 4, **SETTINGS}
    monkeypatch.chdir(teacher.directory.parent)
    named = {"teacher": teacher.directory.name}
    whole = zoo.train("mlp", run_dir=tmp_path / "whole", **options, **named)
    on_epoch_end = Checkpoint.on_epoch_end

    def interrupted(self, number, logs=None):
        on_epoch_end(self, number, logs)
        if number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "on_epoch_end", interrupted)
        zoo.train("mlp", run_dir=tmp_path / "cut", **options, **named)
    monkeypatch.chdir(tmp_path)
    resumed = zoo.train("mlp", run_dir=tmp_path / "cut", resume=True, data_dir=data_dir)
    for ours, theirs in zip(resumed.model.weights, whole.model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        ("mlp", {"dataset": "mnist_like"}, "has other classes than digits"),
        ("mlp", {"class_weight": "balanced"}, "class_weight='balanced': must be none"),
        ("mlp", {"teacher_weight": 1.0}, r"teacher_weight=1.0: must be a number in \[0, 1\)"),
        ("mlp", {"teacher_temperature": 0.0}, "teacher_temperature=0: must be more than 0"),
        ("mlp", {"teacher": 5}, "teacher=5: must be a string"),
        ("mlp", {"teacher": "bilstm"}, "has other classes than imdb_reviews"),
        ("linear_autoencoder", {"grayscale": "none"}, "only a classifier with an output for each"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(model, settings, message, teacher, data, data_dir, tmp_path):
    options = {"dataset": "digits", "teacher": str(teacher.directory), **SETTINGS, **settings}
    if options["dataset"] == "mnist_like":
        inputs, labels = data.rows["train"].inputs[:200], data.rows["train"].labels[:200]
        options["dataset"] = (inputs, labels % 3)
    if model != "mlp":
        del options["units"]
    with pytest.raises(ArgumentValueError, match=message) as caught:
        zoo.train(model, data_dir=data_dir, run_dir=tmp_path / "run", epochs=1, **options)
    assert "\n" not in str(caught.value)


def test_a_teacher_that_is_not_there_is_named(data_dir, tmp_path):
    with pytest.raises(RunError, match="no/such/teacher"):
        zoo.train(
            "mlp", dataset="digits", data_dir=data_dir, run_dir=tmp_path / "run", epochs=1,
            teacher="no/such/teacher", **SETTINGS,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
