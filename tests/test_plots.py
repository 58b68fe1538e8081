"""Figures: which are drawn, that they are pictures, and what stands in them."""

import shutil
from unittest import mock

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import zoo
from zoo import plots
from zoo.plots import autoencoder, classification, cnn, truth_table


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def drawn(panel, run):
    figure = Figure()
    panel(figure, run)
    figure.canvas.draw()
    return figure


def copied(run, tmp_path):
    return zoo.load_run(shutil.copytree(run.directory, tmp_path / "run"))


def names(paths):
    return [path.stem for path in paths]


@pytest.mark.exhaustive
def test_every_figure_of_a_classifier_of_images(digits_run, tmp_path):
    paths = plots.draw(copied(digits_run, tmp_path))
    assert names(paths) == [
        "learning_curves", "confusion_matrix", "samples", "mistakes", "weights", "sheet",
    ]  # fmt: skip
    for path in paths:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) >= 5.8 * plots.DPI  # inches
            assert np.asarray(picture).std() > 10


@pytest.mark.exhaustive
def test_every_figure_of_a_convolutional_network(cnn_run, tmp_path):
    run = copied(cnn_run, tmp_path)
    before = run.model.get_weights()
    paths = plots.draw(run)
    assert names(paths) == [
        "learning_curves", "confusion_matrix", "samples", "mistakes", "augmentations",
        "feature_maps", "grad_cam", "parameters", "filters_conv_1", "filters_conv_2",
        "filters_conv_3", "sheet",
    ]  # fmt: skip
    for path in paths:
        with Image.open(path) as picture:
            assert np.asarray(picture).std() > 10
    for ours, theirs in zip(run.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.exhaustive
def test_parameters_stand_beside_their_formulas(cnn_run):
    shown = texts(drawn(cnn.parameters, cnn_run))
    assert "3·3·1·4 = 36" in shown
    assert "(16 + 1)·10 = 170" in shown


def shown_on(figure):
    return {text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))}


def test_accuracy_against_a_quantity_has_a_point_a_network():
    figure = Figure()
    series = {
        "theirs": {"a": (300, 0.5), "b": (10, 0.7), "c": (2000, 0.6)},
        "ours": {"a": (300, 0.6), "b": (10, 0.8), "c": (2000, 0.7)},
    }
    classification.compare_accuracy(figure, "parameters", series)
    (axes,) = figure.axes
    theirs, ours = axes.lines
    assert theirs.get_xdata().tolist() == [10, 300, 2000]
    np.testing.assert_allclose(ours.get_ydata(), [80, 60, 70])
    assert {"a", "b", "c", "theirs", "ours", "parameters", "test accuracy [%]"} <= shown_on(figure)
    names_shown = [text.get_text() for text in axes.texts]
    assert sorted(names_shown) == ["a", "b", "c"]
    assert {text.xy[1] for text in axes.texts} == {60, 80, 70}


def test_losses_of_several_runs_are_compared():
    figure = Figure()
    series = {
        "plain": {"loss": [1.0, 0.1], "val_loss": [1.0, 2.0]},
        "stopped": {"loss": [0.9], "val_loss": [0.8]},
    }
    classification.compare_losses(figure, series)
    training, validation = figure.axes
    assert [line.get_ydata().tolist() for line in training.lines] == [[1.0, 0.1], [0.9]]
    assert [line.get_ydata().tolist() for line in validation.lines] == [[1.0, 2.0], [0.8]]
    assert {"plain", "stopped", "training", "validation"} <= shown_on(figure)


@pytest.mark.exhaustive
def test_every_figure_of_a_truth_table(table_run, tmp_path):
    assert names(plots.draw(copied(table_run, tmp_path))) == [
        "learning_curves", "decision_surface", "row_outputs", "sheet",
    ]  # fmt: skip


@pytest.mark.exhaustive
def test_figures_are_drawn_from_the_files_alone(digits_run, tmp_path, python):
    copied(digits_run, tmp_path)
    python(
        "import sys, zoo\n"
        "from zoo import plots\n"
        "assert len(plots.draw(zoo.load_run('run'))) == 6\n"
        "assert not {'tensorflow_datasets', 'zoo.training'} & set(sys.modules)\n"
    )


def test_axes_are_labeled_with_units(digits_run, table_run):
    for run in (digits_run, table_run):
        for name, panel in plots._panels_for(run).items():
            for axes in drawn(panel, run).axes:
                if axes.axison and axes.get_label() != "<colorbar>":
                    assert axes.get_xlabel(), name
                    assert axes.get_ylabel(), name
    shown = texts(drawn(classification.learning_curves, digits_run))
    assert "accuracy [%]" in shown
    assert "loss [nats" in shown


def test_the_confusion_matrix_counts_the_predictions(digits_run):
    answers = digits_run.predictions
    guesses = answers["probabilities"].argmax(axis=1)
    shown = drawn(classification.confusion_matrix, digits_run).axes[0].texts
    counts = np.array([int(text.get_text()) for text in shown]).reshape(10, 10)
    expected = [
        [((answers["labels"] == truth) & (guesses == guess)).sum() for guess in range(10)]
        for truth in range(10)
    ]
    assert counts.tolist() == expected


def test_the_worst_mistakes_are_mistakes_and_the_worst(digits_run):
    answers = digits_run.predictions
    wrong = answers["probabilities"].argmax(axis=1) != answers["labels"]
    titles = [axes.get_title() for axes in drawn(classification.mistakes, digits_run).axes]
    captions = [title for title in titles if title]
    assert len(captions) == min(20, wrong.sum())
    assert all(", is " in caption for caption in captions)
    share = answers["probabilities"][np.arange(len(wrong)), answers["labels"]]
    worst = int(np.argmin(np.where(wrong, share, 1)))
    assert captions[0].endswith(f"is {answers['labels'][worst]}")


def test_the_all_zero_row_is_explained(table_run):
    shown = texts(drawn(truth_table.row_outputs, table_run))
    assert "without a bias its weighted sum is 0" in shown
    assert "000 → 0" in shown


@pytest.mark.exhaustive
def test_the_surface_of_two_inputs_is_one_panel(tmp_path):
    run = zoo.train(
        "two_layer_perceptron", dataset="xor", epochs=3, jit_compile=False,
        run_dir=tmp_path / "run", progress=False,
    )  # fmt: skip
    figure = drawn(truth_table.decision_surface, run)
    assert [axes.get_xlabel() for axes in figure.axes][:1] == ["x0"]
    assert len(figure.axes) == 2


@pytest.mark.exhaustive
def test_every_figure_of_a_variational_autoencoder(vae_run, tmp_path):
    paths = plots.draw(copied(vae_run, tmp_path))
    assert names(paths) == [
        "loss_curves", "reconstructions", "latent_scatter", "manifold", "prior_samples",
        "interpolation", "traversal", "code_use", "rank_curve", "sheet",
    ]  # fmt: skip
    for path in paths:
        with Image.open(path) as picture:
            assert np.asarray(picture).std() > 5


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_codes_of_few_images_are_joined(rows, vae_run):
    kept = {**vae_run.predictions, "codes": vae_run.predictions["codes"][:rows]}
    few = mock.Mock(predictions=kept, model=vae_run.model, config=vae_run.config)
    lines = (rows + 1) // 2
    axes = drawn(autoencoder.interpolation, few).axes
    assert len(axes) == autoencoder.STEPS * lines


@pytest.mark.exhaustive
def test_every_figure_of_a_denoiser(denoiser_run, tmp_path):
    run = copied(denoiser_run, tmp_path)
    assert names(plots.draw(run)) == ["loss_curves", "reconstructions", "sheet"]
    said = texts(drawn(autoencoder.reconstructions, run))
    for key in ("test_mse", "test_wiener_mse", "test_noisy_mse"):
        assert f"{run.metrics[key]:.5f}" in said
    for name in ("original", "noisy", "linear denoiser", "model", "absolute error"):
        assert name in said


@pytest.mark.exhaustive
def test_a_subspace_lies_on_the_curve_of_ranks(svd_run, tmp_path):
    run = copied(svd_run, tmp_path)
    assert names(plots.draw(run)) == ["reconstructions", "rank_curve", "sheet"]
    axes = drawn(autoencoder.rank_curve, run).axes[0]
    curve, point = (line.get_xydata() for line in axes.lines)
    assert point[0].tolist() == [8, run.metrics["test_mse"]]
    assert curve[7][1] == run.metrics["test_pca_mse"]


def test_each_class_has_a_color_of_its_own_in_the_scatter(vae_run):
    axes = drawn(autoencoder.latent_scatter, vae_run).axes[0]
    assert [line.get_label() for line in axes.lines] == [str(digit) for digit in range(10)]
    assert len({tuple(line.get_color()) for line in axes.lines}) == 10
    assert sum(len(line.get_xdata()) for line in axes.lines) == 360


@pytest.mark.exhaustive
def test_many_classes_are_shown_by_recall_and_confusion(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (300, 6, 6), np.uint8)
    run = zoo.train(
        "softmax_regression", dataset=(images, np.arange(300) % 25), epochs=1, jit_compile=False,
        run_dir=tmp_path / "run", progress=False,
    )  # fmt: skip
    counts = np.zeros((25, 25), int)
    answers = run.predictions["probabilities"].argmax(axis=1)
    np.add.at(counts, (run.predictions["labels"], answers), 1)
    left, right = drawn(classification.confusion_matrix, run).axes
    assert sum(bar.get_height() for bar in left.patches) == 25
    widths = [bar.get_width() for bar in right.patches]
    off_diagonal = np.sort(counts[~np.eye(25, dtype=bool)])[::-1]
    assert widths == [count for count in off_diagonal[:20] if count]
    assert "one of 25 classes (0, 1, 2" in (run.directory / "README.md").read_text()
