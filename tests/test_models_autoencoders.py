"""Autoencoders and their bounds: against scikit-learn, closed forms and loops; noise; refusals."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from sklearn.decomposition import PCA, TruncatedSVD

import zoo
from zoo import ImageOptions, layers
from zoo.data.corruption import GaussianCorruption
from zoo.errors import ArgumentValueError, DatasetError
from zoo.evaluation.reconstruction import psnr, structural_similarity
from zoo.layers.pca import linear_denoiser, principal_subspace

ROWS = np.random.default_rng(0).random((60, 12)) @ np.random.default_rng(1).random((12, 12))
GRAY = {"grayscale": "none", "progress": False, "jit_compile": False}


@pytest.fixture(scope="module")
def digits(data_dir):
    return zoo.load_data("digits", data_dir=data_dir, target="image", batch_size=100)


def images_of(data, split):
    return data.rows[split].inputs.reshape(len(data.rows[split]), -1) / 255


@pytest.mark.parametrize("rank", [1, 5, 12])
def test_the_subspace_is_that_of_scikit_learn(rank):
    for centered, theirs in (
        (True, PCA(rank, svd_solver="full")),
        (False, TruncatedSVD(rank, algorithm="arpack" if rank < 12 else "randomized")),
    ):
        theirs.fit(ROWS)
        back = theirs.inverse_transform(theirs.transform(ROWS))
        expected = np.square(ROWS - back).mean()
        found = principal_subspace(ROWS, rank, centered=centered)
        assert found.errors(ROWS)[rank] == pytest.approx(expected, abs=1e-6)
        ours = (ROWS - found.origin) @ found.directions @ found.directions.T + found.origin
        np.testing.assert_allclose(ours, back, atol=1e-6)


def test_errors_fall_to_nothing_at_full_rank():
    errors = principal_subspace(ROWS, 12).errors(ROWS)
    assert len(errors) == 13
    assert (np.diff(errors) <= 0).all()
    assert errors[0] == pytest.approx(np.var(ROWS, axis=0).mean())
    assert errors[-1] == pytest.approx(0, abs=1e-12)


def test_no_subspace_has_more_dimensions_than_there_are_rows():
    with pytest.raises(DatasetError, match="rank=5: must be at most 4 for 4 rows of 12 features"):
        principal_subspace(ROWS[:4], 5)


def test_no_other_projection_loses_less():
    generator = np.random.default_rng(2)
    least = principal_subspace(ROWS, 4, centered=False).errors(ROWS)[4]
    for _ in range(50):
        basis = np.linalg.qr(generator.standard_normal((12, 4)))[0]
        assert np.square(ROWS - ROWS @ basis @ basis.T).mean() > least


def test_the_linear_denoiser_is_least_squares():
    generator = np.random.default_rng(0)
    noisy = ROWS + generator.standard_normal(ROWS.shape)
    with_ones = np.hstack([noisy, np.ones((60, 1))])
    expected = with_ones @ np.linalg.lstsq(with_ones, ROWS, rcond=None)[0]
    np.testing.assert_allclose(linear_denoiser(noisy, ROWS)(noisy), expected, atol=1e-8)


@pytest.mark.exhaustive
@pytest.mark.parametrize("centered", [True, False])
def test_truncated_svd_trains_to_scikit_learns_error(centered, digits, data_dir, tmp_path):
    run = zoo.train(
        "truncated_svd", dataset="digits", data_dir=data_dir, rank=8, centered=centered,
        run_dir=tmp_path / "run", **GRAY,
    )  # fmt: skip
    theirs = PCA(8) if centered else TruncatedSVD(8, algorithm="arpack")
    theirs.fit(images_of(digits, "train"))
    test = images_of(digits, "test")
    expected = np.square(test - theirs.inverse_transform(theirs.transform(test))).mean()
    assert run.metrics["test_mse"] == pytest.approx(expected, abs=1e-6)
    assert zoo.evaluate(run)["mse"] == pytest.approx(expected, abs=1e-6)
    assert run.metrics["epochs"] == 1
    bound = PCA(8).fit(images_of(digits, "train"))
    expected = np.square(test - bound.inverse_transform(bound.transform(test))).mean()
    assert run.metrics["test_pca_mse"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.exhaustive
def test_a_finished_svd_is_returned_as_it_is(svd_run):
    again = zoo.train("truncated_svd", run_dir=svd_run.directory, resume=True, progress=False)
    assert again.metrics == svd_run.metrics


@pytest.mark.exhaustive
def test_the_subspace_bounds_a_linear_autoencoder_that_comes_near(svd_run, data_dir, tmp_path):
    run = zoo.train(
        "linear_autoencoder", dataset="digits", data_dir=data_dir, latent_dim=8, epochs=60,
        batch_size=64, learning_rate=0.02, run_dir=tmp_path / "run", **GRAY,
    )  # fmt: skip
    on_train = zoo.evaluate(run, "train")["mse"]
    bound = principal_subspace(training_rows(data_dir), 8).errors(training_rows(data_dir))[8]
    assert bound <= on_train * (1 + 1e-6)
    assert on_train <= 1.05 * bound


def training_rows(data_dir):
    return images_of(zoo.load_data("digits", data_dir=data_dir), "train")


@pytest.mark.parametrize("method", ["mean", "luminance"])
def test_gray_is_of_three_colors(method):
    images = np.random.default_rng(0).random((2, 4, 5, 3), np.float32)
    expected = images.mean(-1) if method == "mean" else images @ [0.299, 0.587, 0.114]
    found = layers.Grayscale(method)(images)
    assert found.shape == (2, 4, 5, 1)
    np.testing.assert_allclose(found[..., 0], expected, rtol=1e-5)


@pytest.mark.exhaustive
def test_a_folder_of_colors_is_given_back_gray(image_folder, tmp_path):
    run = zoo.train(
        "linear_autoencoder", dataset=image_folder, latent_dim=3, epochs=2, batch_size=8,
        grayscale="luminance", run_dir=tmp_path / "run", jit_compile=False, progress=False,
    )  # fmt: skip
    assert run.model.output_shape == (None, 10, 14, 1)
    assert run.predictions["reconstructed"].shape[1:] == (10, 14, 1)
    assert zoo.predict(run, [image_folder / "rust" / "0.png"])[0]["mse"] > 0


def noisy_and_clean(split, data_dir, seed=0, **settings):
    data = zoo.load_data(
        "digits", data_dir=data_dir, target="image", batch_size=100, seed=seed,
        images=ImageOptions(noise_stddev=0.3), **settings,
    )  # fmt: skip
    return [np.concatenate(parts) for parts in zip(*getattr(data, split), strict=True)]


def test_noise_is_of_its_size_and_cut_off_at_the_ends():
    gray = np.full((200, 8, 8, 1), 0.5, np.float32)
    seeds = np.stack([np.zeros(200), np.arange(200)], axis=1).astype(np.int64)
    noisy = np.asarray(GaussianCorruption(0.1)(gray, seeds))
    assert noisy.std() == pytest.approx(0.1, rel=0.05)
    assert noisy.mean() == pytest.approx(0.5, abs=0.005)
    wide = np.asarray(GaussianCorruption(5.0)(gray, seeds))
    assert (wide.min(), wide.max()) == (0, 1)


def test_noise_of_a_row_does_not_depend_on_its_batch():
    images = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
    seeds = np.stack([np.zeros(6), np.arange(6)], axis=1).astype(np.int64)
    corrupt = GaussianCorruption(0.3)
    together = np.asarray(corrupt(images, seeds))
    apart = np.concatenate([corrupt(images[[i]], seeds[[i]]) for i in range(6)])
    np.testing.assert_array_equal(together, apart)
    for one, other in itertools.combinations(together - images, 2):
        assert (one != other).any()


@pytest.mark.exhaustive
def test_noise_of_validation_and_test_is_the_same_always(data_dir):
    for split in ("validation", "test"):
        one, clean = noisy_and_clean(split, data_dir)
        other, _ = noisy_and_clean(split, data_dir, seed=5)
        np.testing.assert_array_equal(one, other)
        assert (one != clean).any()


def test_noise_of_training_is_new_in_each_epoch(data_dir):
    data = zoo.load_data(
        "digits", data_dir=data_dir, target="image", images=ImageOptions(noise_stddev=0.3)
    )
    number = tf.Variable(0, dtype=tf.int64)
    passes = []
    for value in (0, 1, 0):
        number.assign(value)
        noise = [
            np.sort((given - clean).ravel())
            for given, clean in data.train_in_epoch(number).as_numpy_iterator()
        ]
        passes.append(np.concatenate(noise))
    np.testing.assert_array_equal(passes[0], passes[2])
    assert (passes[0] != passes[1]).any()


@pytest.mark.exhaustive
def test_bounds_of_a_denoiser_are_those_of_its_own_noise(denoiser_run, data_dir):
    given, clean = (rows.reshape(len(rows), -1) for rows in noisy_and_clean("test", data_dir))
    metrics = denoiser_run.metrics
    assert metrics["test_noisy_mse"] == pytest.approx(np.square(given - clean).mean(), rel=1e-5)
    assert metrics["test_mse"] < metrics["test_noisy_mse"]
    assert metrics["test_wiener_mse"] < metrics["test_noisy_mse"]
    kept = denoiser_run.predictions
    np.testing.assert_array_equal(kept["given"].reshape(20, -1), given[:20])


def test_signal_to_noise_and_similarity_of_the_same_image():
    images = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)
    np.testing.assert_allclose(structural_similarity(images, images), 1, atol=1e-6)
    np.testing.assert_allclose(psnr(images, images), 100)
    assert (structural_similarity(images, 1 - images) < 0.5).all()
    other = np.clip(images + 0.1, 0, 1)
    expected = -10 * np.log10(np.square(other - images).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(psnr(images, other), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "error", "says"),
    [
        ("truncated_svd", {"rank": 65}, ArgumentValueError, "rank=65: must be at most 64"),
        ("linear_autoencoder", {"latent_dim": 0}, ArgumentValueError, "latent_dim=0: must be"),
        ("vae", {"latent_dim": 0}, ArgumentValueError, "latent_dim=0: must be"),
        ("vae", {"beta": -1.0}, ArgumentValueError, "beta=-1.0: must be"),
        ("vae", {"scaling": "standardized"}, ArgumentValueError, "scaling='standardized'"),
        ("vae", {"likelihood": "poisson"}, ArgumentValueError, "likelihood='poisson'"),
        ("vae", {"stddev": 0.0}, ArgumentValueError, "stddev=0.0: must be"),
        ("conv_vae", {"num_layers": 4}, ArgumentValueError, "16 must divide height and width"),
        ("conv_vae", {"dataset": "xor"}, DatasetError, "takes data such as mnist"),
        ("mlp", {"noise_stddev": 0.1}, ArgumentValueError, "only models that output images"),
        ("vae", {"noise_stddev": -0.1}, ArgumentValueError, "noise_stddev=-0.1"),
        ("vae", {"grayscale": "green"}, ArgumentValueError, "grayscale='green'"),
        ("vae", {"dataset": "xor"}, DatasetError, "takes data such as mnist"),
        ("vae", {"dataset": "toy_reviews"}, DatasetError, "takes data such as mnist"),
    ],
)
def test_what_is_refused_leaves_nothing(name, settings, error, says, data_dir, tmp_path):
    options = {"dataset": "digits", "grayscale": "none"} | settings
    if options["dataset"] != "digits":
        del options["grayscale"]
    with pytest.raises(error, match=says):
        zoo.train(name, data_dir=data_dir, run_dir=tmp_path / "run", progress=False, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["conv_autoencoder", "conv_vae"])
def test_convolutions_want_an_image(name):
    with pytest.raises(ArgumentValueError, match=r"input_shape=\(8, 8\): must be \(height, width"):
        zoo.build(name, input_shape=(8, 8))


def test_more_convolutions_at_each_size_have_the_weights_they_should():
    model = zoo.build("conv_autoencoder", num_convs=3, filters="8-4", batch_normalization=True)
    maps = [1, 8, 8, 8, 4, 4, 4]
    back = [64, 4, 4, 4, 8, 8, 8, 1]
    kernels = sum(9 * before * after + after for before, after in itertools.pairwise(maps))
    kernels += sum(9 * before * after + after for before, after in itertools.pairwise(back))
    normalized = 4 * (sum(maps[1:]) + sum(back[1:-1]))
    assert model.count_params() == kernels + (4 * 64 + 64) + normalized
    assert model.output_shape == (None, 32, 32, 1)
