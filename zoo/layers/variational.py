"""Layers of variational autoencoders: the reparameterization trick and the KL loss."""

from typing import Any

import keras
from keras import ops

from zoo.layers.losses import kl_divergence


@keras.saving.register_keras_serializable(package="zoo")
class Sampling(keras.layers.Layer):
    """Sampling of latent codes from diagonal normal distributions by the reparameterization trick.

    Input ``[z_mean, z_log_var]``, each ``(batch, latent_dim)``; output ``(batch, latent_dim)``,
    differentiable with respect to both. Every call draws new samples, in training and in inference
    alike; `restart` makes them repeatable.

    Args:
        seed: seed of the layer's generator; drawn from Keras' global generator if None.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import Sampling
        >>> mean, log_var = np.ones((2, 3)), np.full((2, 3), -np.inf)
        >>> Sampling()([mean, log_var]).numpy().tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]

    Reference:
        Kingma & Welling (2014), Auto-encoding variational Bayes, section 2.4,
        https://arxiv.org/abs/1312.6114
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def restart(self) -> None:
        """Reset the generator to the state of a new layer with ``seed=0``."""
        self.seed_generator.state.assign([0, 0])

    def call(self, inputs: Any) -> Any:
        """Return one sample per row."""
        z_mean, z_log_var = inputs
        noise = keras.random.normal(
            ops.shape(z_mean), dtype=self.compute_dtype, seed=self.seed_generator
        )
        return z_mean + ops.exp(z_log_var / 2) * noise

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        """Return ``(batch, latent_dim)``."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer, the seed included."""
        return {**super().get_config(), "seed": self.seed_generator.get_config()["seed"]}


@keras.saving.register_keras_serializable(package="zoo")
class KLDivergenceAddLoss(keras.layers.Layer):
    """Identity layer that adds the KL divergence of the latent codes from N(0, I) to the loss.

    Input and output ``[z_mean, z_log_var]``, each ``(batch, latent_dim)``. The added loss is `beta`
    times the divergence in nats, summed over dimensions and averaged over the batch. The divergence
    before weighting is reported as the metric ``kl_loss``, except on JAX, where Keras does not
    support metrics in layers.

    Args:
        beta: weight of the divergence; with 1 the loss is the negative evidence lower bound.
        warmup_steps: number of training steps over which the weight rises linearly from 0 to
            `beta`; evaluation always uses `beta`.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import KLDivergenceAddLoss
        >>> layer = KLDivergenceAddLoss(beta=2.0)
        >>> _ = layer([np.ones((5, 3)), np.zeros((5, 3))])
        >>> float(layer.losses[0]), float(layer.kl_loss.result())
        (3.0, 1.5)

    Reference:
        Higgins et al. (2017), beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl; warm-up:
        Sønderby et al. (2016), https://arxiv.org/abs/1602.02282
    """

    def __init__(self, beta: float = 1.0, warmup_steps: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta
        self.warmup_steps = warmup_steps
        is_jax = keras.config.backend() == "jax"
        self.kl_loss = None if is_jax else keras.metrics.Mean(name="kl_loss")
        if warmup_steps:
            self.step = self.add_weight(
                shape=(), initializer="zeros", trainable=False, dtype="float32", name="step"
            )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Add the loss and return the inputs."""
        nats = ops.sum(kl_divergence(*inputs), axis=-1)
        if self.kl_loss is not None:
            self.kl_loss.update_state(nats)
        self.add_loss(self._current_beta(training) * ops.mean(nats))
        return inputs

    def _current_beta(self, training: bool | None) -> Any:
        if not (training and self.warmup_steps):
            return self.beta
        self.step.assign_add(1)
        return self.beta * ops.minimum(self.step / self.warmup_steps, 1)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        """Return the input shapes."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "beta": self.beta, "warmup_steps": self.warmup_steps}
