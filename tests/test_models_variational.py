"""Variational autoencoders: the bound, term by term; what survives a file; what codes are worth."""

import keras
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

import zoo
from zoo.evaluation.latent import active_units, kl_per_dimension, log_likelihood, most_likely_labels
from zoo.evaluation.reconstruction import deterministic_model
from zoo.layers.losses import BernoulliLoss, GaussianLoss, kl_divergence
from zoo.layers.variational import KLDivergenceAddLoss, Sampling

IMAGES = np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32")


def small(**settings):
    keras.utils.set_random_seed(0)
    model = zoo.build("vae", input_shape=(8, 8, 1), units="16-8", **settings)
    model.jit_compile = False
    return model


def test_divergence_is_that_of_monte_carlo():
    generator = np.random.default_rng(0)
    mean, log_var = generator.normal(size=4), generator.normal(size=4)
    deviation = np.exp(log_var / 2)
    z = mean + deviation * generator.standard_normal((200_000, 4))
    logs = norm.logpdf(z, mean, deviation) - norm.logpdf(z)
    error = logs.std(axis=0) / np.sqrt(len(z))
    found = np.asarray(kl_divergence(mean, log_var))
    assert (np.abs(found - logs.mean(axis=0)) < 5 * error).all()


def test_divergence_is_nothing_at_the_prior_and_grows_away_from_it():
    assert np.asarray(kl_divergence(np.zeros(3), np.zeros(3))).tolist() == [0, 0, 0]
    elsewhere = np.random.default_rng(0).normal(size=(2, 100)) + 0.01
    assert (np.asarray(kl_divergence(*elsewhere)) > 0).all()


def test_the_layer_adds_beta_times_the_mean_of_the_sum():
    mean, log_var = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    nats = np.asarray(kl_divergence(mean, log_var)).sum(axis=1).mean()
    for beta in (0.0, 1.0, 4.0):
        layer = KLDivergenceAddLoss(beta)
        passed = layer([mean, log_var])
        np.testing.assert_array_equal(passed[0], mean)
        assert float(layer.losses[0]) == pytest.approx(beta * nats, rel=1e-5)
        assert float(layer.kl_loss.result()) == pytest.approx(nats, rel=1e-5)


def test_warm_up_rises_to_beta_in_training_alone():
    layer = KLDivergenceAddLoss(2.0, warmup_steps=4)
    moments = [np.ones((1, 2), "float32"), np.zeros((1, 2), "float32")]
    seen = []
    for _ in range(6):
        layer(moments, training=True)
        seen.append(float(layer.losses[0]))
        layer(moments, training=False)
        assert float(layer.losses[0]) == 2.0
    assert seen == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0])


def test_draws_have_their_mean_and_variance_and_are_new():
    mean, log_var = np.full((100_000, 1), 3.0), np.full((100_000, 1), np.log(4.0))
    layer = Sampling(seed=1)
    one, two = (np.asarray(layer([mean, log_var])) for _ in range(2))
    assert (one != two).any()
    assert one.mean() == pytest.approx(3, abs=0.05)
    assert one.std() == pytest.approx(2, abs=0.05)
    layer.restart()
    again = np.asarray(layer([mean, log_var]))
    layer.restart()
    np.testing.assert_array_equal(again, layer([mean, log_var]))


def test_losses_are_minus_the_log_likelihood():
    generator = np.random.default_rng(0)
    coins, shares = generator.integers(0, 2, (3, 4, 4, 1)), generator.random((3, 4, 4, 1))
    expected = -np.log(np.where(coins == 1, shares, 1 - shares)).sum(axis=(1, 2, 3))
    found = BernoulliLoss(reduction=None)(coins.astype("float32"), shares.astype("float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    clean, means = generator.random((2, 3, 4, 4, 1)).astype("float32")
    expected = -norm.logpdf(clean, means, 0.3).sum(axis=(1, 2, 3))
    found = GaussianLoss(0.3, reduction=None)(clean, means)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_an_image_that_no_coin_can_give_has_no_likelihood():
    half = np.full((1, 2, 2, 1), 0.5, "float32")
    for value in (-0.1, 1.1):
        assert np.isnan(float(BernoulliLoss()(np.full((1, 2, 2, 1), value, "float32"), half)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("settings", [{}, {"beta": 3.0}, {"likelihood": "gaussian"}])
def test_the_loss_is_the_sum_of_its_parts(settings):
    model = small(**settings)
    found = model.evaluate(IMAGES, IMAGES, verbose=0, return_dict=True)
    beta = settings.get("beta", 1.0)
    assert found["loss"] == pytest.approx(
        found["reconstruction_loss"] + beta * found["kl_loss"], rel=1e-5
    )
    mean, log_var = model.get_layer("encoder").predict(IMAGES, verbose=0)
    expected = np.asarray(kl_divergence(mean, log_var)).sum(axis=1).mean()
    assert found["kl_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize("settings", [{}, {"likelihood": "gaussian"}])
def test_the_rows_of_a_short_batch_count_no_more_than_others(settings):
    model = small(**settings)
    model.get_layer("encoder").get_layer("z_log_var").set_weights(
        [np.zeros((8, 2), "float32"), np.full(2, -60, "float32")]  # no chance
    )
    figures = [
        model.evaluate(IMAGES, IMAGES, batch_size=size, verbose=0, return_dict=True)
        for size in (6, 5)
    ]
    for key, value in figures[0].items():
        assert figures[1][key] == pytest.approx(value, rel=1e-6), key


def test_without_beta_it_is_the_plain_autoencoder():
    model = small(beta=0.0)
    found = model.evaluate(IMAGES, IMAGES, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(found["reconstruction_loss"], rel=1e-6)
    assert found["kl_loss"] > 0
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    plain = keras.Model(encoder.inputs, decoder(encoder(encoder.inputs[0])[0]))
    plain.compile(loss=BernoulliLoss())
    encoder.get_layer("z_log_var").set_weights(
        [np.zeros((8, 2), "float32"), np.full(2, -60, "float32")]  # no chance left
    )
    drawn = model.evaluate(IMAGES, IMAGES, verbose=0, return_dict=True)["loss"]
    assert drawn == pytest.approx(plain.evaluate(IMAGES, IMAGES, verbose=0), rel=1e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["vae", "conv_vae", "cvae"])
def test_a_reloaded_model_goes_on_with_the_same_loss(name, tmp_path):
    keras.utils.set_random_seed(0)
    given = (IMAGES, np.arange(6) % 3) if name == "cvae" else IMAGES
    model = zoo.build(name, input_shape=(8, 8, 1), units=8, warmup_steps=4)
    model.jit_compile = False
    model.fit(given, IMAGES, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.jit_compile = False
    losses = []
    for each in (model, loaded):
        each.get_layer("z").restart()
        history = each.fit(given, IMAGES, epochs=3, verbose=0, shuffle=False).history
        losses.append(history["loss"] + history["kl_loss"])
    np.testing.assert_array_equal(*losses)


@pytest.mark.exhaustive
def test_a_run_has_the_same_figures_each_time_it_is_measured(vae_run):
    one, two = zoo.evaluate(vae_run), zoo.evaluate(vae_run)
    assert one == two
    for key, value in one.items():
        assert vae_run.metrics[f"test_{key}"] == pytest.approx(value, rel=1e-6)
    assert one["loss"] == pytest.approx(one["reconstruction_loss"] + one["kl_loss"], rel=1e-6)
    assert {"reconstruction_loss", "kl_loss", "val_kl_loss"} <= set(vae_run.history)


def test_training_finds_codes_that_tell_something(vae_run, data_dir):
    assert vae_run.metrics["test_active_units"] == 2
    losses = vae_run.history["val_loss"]
    assert losses[-1] < 0.9 * losses[0]
    data = zoo.load_data("digits", data_dir=data_dir, target="image")
    nats = kl_per_dimension(vae_run.model, data.test)
    assert nats.shape == (360, 2)
    assert nats.sum(axis=1).mean() == pytest.approx(vae_run.metrics["test_kl_loss"], rel=1e-4)
    np.testing.assert_allclose(vae_run.predictions["divergences"], nats.mean(axis=0), rtol=1e-5)


def test_a_collapsed_code_has_no_active_unit():
    assert active_units(np.full((10, 3), 0.7)) == 0
    assert active_units(np.random.default_rng(0).normal(size=(100, 3))) == 3


def test_weighing_more_codes_tightens_the_bound_to_the_likelihood():
    """A linear Gaussian model, whose likelihood is known: x = W z + b + noise."""
    keras.utils.set_random_seed(0)
    model = zoo.build("vae", input_shape=(4, 1, 1), units=3, num_layers=1, activation="linear",
                      likelihood="gaussian", stddev=0.5)  # fmt: skip
    for name, value in (("z_mean", 0.2), ("z_log_var", 0.3)):  # near the prior, so that it is found
        layer = model.get_layer("encoder").get_layer(name)
        layer.set_weights([np.zeros((3, 2), "float32"), np.full(2, value, "float32")])
    images = np.random.default_rng(0).random((5, 4, 1, 1)).astype("float32")
    decoder = model.get_layer("decoder")
    bias = decoder.predict(np.zeros((1, 2)), verbose=0).ravel()
    columns = decoder.predict(np.eye(2), verbose=0).reshape(2, 4) - bias
    covariance = columns.T @ columns + 0.25 * np.eye(4)
    exact = multivariate_normal(bias, covariance).logpdf(images.reshape(5, 4))
    one = log_likelihood(model, images, images, samples=1)
    copies = np.repeat(images, 30, axis=0)  # 30 times 100 codes an image are 3000
    parts = log_likelihood(model, copies, copies, samples=100).reshape(5, 30)
    many = np.logaddexp.reduce(parts, axis=1) - np.log(30)
    np.testing.assert_allclose(many, exact, atol=0.1)
    assert one.mean() < many.mean() + 0.05
    repeated = np.repeat(images, 2000, axis=0)
    elbo = log_likelihood(model, repeated, repeated, samples=1)
    measured = model.evaluate(repeated, repeated, batch_size=1000, verbose=0)
    assert np.mean(elbo) == pytest.approx(-measured[0], abs=0.3)
    assert np.mean(elbo) < exact.mean()


def test_the_likeliest_label_is_that_whose_bound_is_best(data_dir):
    keras.utils.set_random_seed(0)
    model = zoo.build("cvae", input_shape=(8, 8, 1), num_classes=3, units=8)
    found = most_likely_labels(model, IMAGES, 3)
    bounds = []
    for label in range(3):
        labels = np.full(6, label)
        mean, log_var = model.get_layer("encoder").predict((IMAGES, labels), verbose=0)
        shares = model.get_layer("decoder").predict((mean, labels), verbose=0)
        nats = IMAGES * np.log(shares) + (1 - IMAGES) * np.log1p(-shares)
        divergence = (np.exp(log_var) + mean**2 - 1 - log_var).sum(axis=1) / 2
        bounds.append(nats.sum(axis=(1, 2, 3)) - divergence)
    np.testing.assert_array_equal(found, np.argmax(bounds, axis=0))


def test_at_the_mean_there_is_no_chance():
    model = small()
    one, two = (model.predict(IMAGES, verbose=0) for _ in range(2))
    assert (one != two).any()
    mean = deterministic_model(model)
    one, two = (mean.predict(IMAGES, verbose=0)[1] for _ in range(2))
    np.testing.assert_array_equal(one, two)
