"""Layers that Keras does not have. Importing it registers them, so that files with them load."""

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.attention import MultiHeadAttention
from zoo.linear import principal_subspace
from zoo.lookup import Embedding
from zoo.losses import kl_divergence


@keras.saving.register_keras_serializable(package="zoo")
class AntialiasedResizing(keras.layers.Layer):
    """Resizes images; costs nothing where they are known to have the size already.

    Input ``(batch, any height, any width, channels)`` or without the batch; output
    ``(batch, height, width, channels)``, floats. It is `tf.image.resize` with bilinear
    interpolation and antialiasing, computed as two products of matrices: every format of artefact
    has those, while ONNX and LiteRT know no antialiasing.

    Args:
        height: of the images given.
        width: of the images given.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import AntialiasedResizing
        >>> AntialiasedResizing(8, 8)(np.zeros((1, 20, 30, 3), "float32")).shape
        TensorShape([1, 8, 8, 3])
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def call(self, inputs: Any) -> Any:
        """Resizes what does not have the size."""
        if tuple(inputs.shape[-3:-1]) == (self.height, self.width):
            return inputs
        height, width = ops.shape(inputs)[-3:-1]
        narrowed = ops.matmul(self._weights(self.width, width), inputs)
        turned = ops.swapaxes(narrowed, -3, -2)
        return ops.swapaxes(ops.matmul(self._weights(self.height, height), turned), -3, -2)

    def _weights(self, size: int, old_size: Any) -> Any:
        """Gives what each old pixel adds to each new one: a triangle about its centre."""
        scale = ops.cast(old_size, self.compute_dtype) / size
        centres = (ops.arange(size, dtype=self.compute_dtype) + 0.5) * scale
        old_centres = ops.cast(ops.arange(old_size), self.compute_dtype) + 0.5
        distances = ops.abs(old_centres - centres[:, None]) / ops.maximum(scale, 1)
        triangles = ops.relu(1 - distances)
        return triangles / ops.sum(triangles, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, height, width, channels)``."""
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "height": self.height, "width": self.width}


SHARES = {"mean": (1 / 3, 1 / 3, 1 / 3), "luminance": (0.299, 0.587, 0.114)}


@keras.saving.register_keras_serializable(package="zoo")
class Greyscale(keras.layers.Layer):
    """Makes one channel of three.

    Input ``(batch, height, width, 3)``; output ``(batch, height, width, 1)``.

    Args:
        method: ``"mean"`` of the three; or ``"luminance"``, 0.299 red, 0.587 green and 0.114 blue,
            as ITU-R Recommendation BT.601 has it, https://www.itu.int/rec/R-REC-BT.601.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import Greyscale
        >>> Greyscale("mean")(np.array([[[[0.0, 0.5, 1.0]]]])).numpy().item()
        0.5
    """

    def __init__(self, method: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.method = method

    def call(self, inputs: Any) -> Any:
        """Weighs the channels."""
        weights = ops.convert_to_tensor(SHARES[self.method], self.compute_dtype)
        return ops.sum(ops.cast(inputs, self.compute_dtype) * weights, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "method": self.method}


@keras.saving.register_keras_serializable(package="zoo")
class MaskedMaxPooling1D(keras.layers.Layer):
    """The largest value over time of each channel, padding left out.

    Keras' own global max pooling counts padding in. Input ``(batch, time, channels)``, with a mask
    if there is padding; output ``(batch, channels)``.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import MaskedMaxPooling1D
        >>> x = np.array([[[-1.0], [5.0]]], "float32")
        >>> MaskedMaxPooling1D()(x, mask=np.array([[True, False]])).numpy().tolist()
        [[-1.0]]
    """

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Pools."""
        if mask is not None:
            lowest = ops.cast(-1e9 if inputs.dtype != "float16" else -6e4, inputs.dtype)
            inputs = ops.where(mask[:, :, None], inputs, lowest)
        return ops.max(inputs, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Ends the mask: there is no time any more."""

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, channels)``."""
        return (input_shape[0], input_shape[2])


@keras.saving.register_keras_serializable(package="zoo")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """Learned vectors of the words plus learned vectors of their places; 0 is padding.

    Input ``(batch, time)``, integers; output ``(batch, time, embedding_dim)``, with a mask.

    Args:
        vocab_size: words, padding included.
        sequence_length: places; no input may be longer.
        embedding_dim: length of each vector.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import TokenAndPositionEmbedding
        >>> TokenAndPositionEmbedding(10, 7, 4)(np.array([[3, 2, 0]])).shape
        TensorShape([1, 3, 4])

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self, vocab_size: int, sequence_length: int, embedding_dim: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.sequence_length = sequence_length
        self.embedding_dim = embedding_dim
        self.tokens = Embedding(vocab_size, embedding_dim, name="tokens")
        self.positions = Embedding(sequence_length, embedding_dim, name="positions")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the vectors."""
        self.tokens.build(input_shape)
        self.positions.build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Looks both up and adds them."""
        return self.tokens(inputs) + self.positions(ops.arange(ops.shape(inputs)[1]))

    def adapt(self, texts: np.ndarray) -> None:
        """Makes words alike that stand among the same words: see `zoo.lookup.Embedding.adapt`.

        Args:
            texts: ``(texts, time)``, numbers of words, 0 for padding.
        """
        self.tokens.adapt(texts)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Marks what is no padding."""
        return ops.not_equal(inputs, 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, time, embedding_dim)``."""
        return (*input_shape, self.embedding_dim)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {
            **super().get_config(),
            "vocab_size": self.vocab_size,
            "sequence_length": self.sequence_length,
            "embedding_dim": self.embedding_dim,
        }


@keras.saving.register_keras_serializable(package="zoo")
class TransformerEncoderBlock(keras.layers.Layer):
    """Self-attention and a two-layer network, each normalised before and added to its input.

    Padding is attended by nobody. Input and output ``(batch, time, channels)``; the mask is kept.

    Args:
        num_heads: of the attention; must divide the channels.
        intermediate_dim: units between the two layers of the network.
        dropout: fraction dropped of what is added, while training; as in the paper, none of the
            attention itself, where it would cost more than all the rest.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import TransformerEncoderBlock
        >>> TransformerEncoderBlock(2, 16)(np.ones((1, 3, 8), "float32")).shape
        TensorShape([1, 3, 8])

    Reference:
        Vaswani et al. (2017), Attention is all you need, https://arxiv.org/abs/1706.03762; with
        normalisation first: Xiong et al. (2020), https://arxiv.org/abs/2002.04745
    """

    supports_masking = True

    def __init__(
        self, num_heads: int, intermediate_dim: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the layers for the input's channels."""
        channels = int(input_shape[-1] or 0)
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="attention_norm")
        self.attention = MultiHeadAttention(
            self.num_heads, channels // self.num_heads, name="attention"
        )
        self.network_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="network_norm")
        self.intermediate = keras.layers.Dense(
            self.intermediate_dim, activation="relu", name="intermediate"
        )
        self.output_projection = keras.layers.Dense(channels, name="output_projection")
        self.drop = keras.layers.Dropout(self.dropout, name="drop")
        for layer in (self.attention_norm, self.network_norm, self.intermediate):
            layer.build(input_shape)
        self.attention.build(input_shape, input_shape)
        self.output_projection.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Attends, then computes."""
        x = self.attention_norm(inputs)
        attended = None if mask is None else mask[:, None, :]
        x = self.attention(x, x, attention_mask=attended, training=training)
        x = inputs + self.drop(x, training=training)
        y = self.output_projection(self.intermediate(self.network_norm(x)))
        return x + self.drop(y, training=training)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable(package="zoo")
class TruncatedSVD(keras.layers.Layer):
    """Where rows lie in the subspace of `rank` dimensions that is nearest to the training rows.

    Input ``(batch, features)``; output ``(batch, rank)``. Nothing in it trains; `adapt` finds the
    subspace.

    Args:
        rank: dimensions of the subspace.
        centred: whether its origin is the mean of the training rows, and not zero.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import TruncatedSVD
        >>> svd = TruncatedSVD(1)
        >>> svd.adapt(np.array([[3.0, 4.0], [6.0, 8.0]]))
        >>> abs(float(svd(np.array([[3.0, 4.0]]))[0, 0]))
        5.0

    Reference:
        Eckart & Young (1936), The approximation of one matrix by another of lower rank,
        https://doi.org/10.1007/BF02288367
    """

    def __init__(self, rank: int, centred: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank = rank
        self.centred = centred

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the origin and the directions; all zero before `adapt`."""
        self._add_subspace(int(input_shape[-1] or 0))

    def _add_subspace(self, features: int) -> None:
        self.origin = self.add_weight(
            shape=(features,), initializer="zeros", trainable=False, name="origin"
        )
        self.directions = self.add_weight(
            shape=(features, self.rank), initializer="zeros", trainable=False, name="directions"
        )

    def adapt(self, rows: np.ndarray) -> None:
        """Finds the subspace.

        Args:
            rows: ``(rows, features)``, at least `rank` of them.

        Raises:
            DatasetError: if the rows are too few.
        """
        if not hasattr(self, "directions"):
            self.build(rows.shape)
        found = principal_subspace(rows, self.rank, centred=self.centred)
        self.origin.assign(found.origin)
        self.directions.assign(found.directions)

    def call(self, inputs: Any) -> Any:
        """Projects."""
        return ops.matmul(inputs - self.origin, self.directions)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, rank)``."""
        return (*input_shape[:-1], self.rank)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "rank": self.rank, "centred": self.centred}


@keras.saving.register_keras_serializable(package="zoo")
class InverseTruncatedSVD(TruncatedSVD):
    """From places in the subspace of a `TruncatedSVD` back to rows.

    Input ``(batch, rank)``; output ``(batch, features)``. Its subspace is a copy, found by its own
    `adapt`, so that the way there and the way back can be saved and loaded apart.

    Args:
        rank: dimensions of the subspace.
        features: of a row.
        centred: whether its origin is the mean of the training rows, and not zero.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import InverseTruncatedSVD, TruncatedSVD
        >>> rows = np.array([[3.0, 4.0], [6.0, 8.0]])
        >>> there, back = TruncatedSVD(1), InverseTruncatedSVD(1, 2)
        >>> there.adapt(rows), back.adapt(rows)
        (None, None)
        >>> back(there(rows)).numpy().round(4).tolist()
        [[3.0, 4.0], [6.0, 8.0]]

    Reference:
        Eckart & Young (1936), The approximation of one matrix by another of lower rank,
        https://doi.org/10.1007/BF02288367
    """

    def __init__(self, rank: int, features: int, centred: bool = False, **kwargs: Any) -> None:
        super().__init__(rank, centred, **kwargs)
        self.features = features

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the origin and the directions; all zero before `adapt`."""
        self._add_subspace(self.features)

    def call(self, inputs: Any) -> Any:
        """Goes back."""
        return ops.matmul(inputs, ops.transpose(self.directions)) + self.origin

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, features)``."""
        return (*input_shape[:-1], self.features)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "features": self.features}


@keras.saving.register_keras_serializable(package="zoo")
class Sampling(keras.layers.Layer):
    """Draws codes from diagonal normal distributions, so that gradients reach mean and variance.

    Takes ``[z_mean, z_log_var]``, each ``(batch, latent_dim)``; gives ``(batch, latent_dim)``. It
    draws anew at each call, in training and out of it, until `restart`.

    Args:
        seed: of its generator; drawn from Keras' own if None.

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
        """Makes the draws that follow those that a new layer makes whose seed is 0."""
        self.seed_generator.state.assign([0, 0])

    def call(self, inputs: Any) -> Any:
        """Draws."""
        z_mean, z_log_var = inputs
        noise = keras.random.normal(
            ops.shape(z_mean), dtype=self.compute_dtype, seed=self.seed_generator
        )
        return z_mean + ops.exp(z_log_var / 2) * noise

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        """Gives ``(batch, latent_dim)``."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again, and the same draws."""
        return {**super().get_config(), "seed": self.seed_generator.get_config()["seed"]}


@keras.saving.register_keras_serializable(package="zoo")
class KLDivergenceAddLoss(keras.layers.Layer):
    """Adds to the loss how far codes are from the standard normal distribution, and passes them on.

    Takes and gives ``[z_mean, z_log_var]``, each ``(batch, latent_dim)``. What it adds is `beta`
    times the divergence in nats, summed over dimensions, of the mean image; the divergence itself
    is the metric ``kl_loss``, but on JAX, where Keras lets no layer keep a metric.

    Args:
        beta: weight of the divergence; with 1 the loss is the negative evidence lower bound.
        warmup_steps: training steps over which the weight rises from 0 to `beta`; evaluation
            takes `beta` from the first.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import KLDivergenceAddLoss
        >>> layer = KLDivergenceAddLoss(beta=2.0)
        >>> _ = layer([np.ones((5, 3)), np.zeros((5, 3))])
        >>> float(layer.losses[0]), float(layer.kl_loss.result())
        (3.0, 1.5)

    Reference:
        Higgins et al. (2017), beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl; the warm-up is
        of Sønderby et al. (2016), https://arxiv.org/abs/1602.02282
    """

    def __init__(self, beta: float = 1.0, warmup_steps: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta
        self.warmup_steps = warmup_steps
        on_jax = keras.config.backend() == "jax"
        self.kl_loss = None if on_jax else keras.metrics.Mean(name="kl_loss")
        if warmup_steps:
            self.step = self.add_weight(
                shape=(), initializer="zeros", trainable=False, dtype="float32", name="step"
            )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Adds the loss."""
        nats = ops.sum(kl_divergence(*inputs), axis=-1)
        if self.kl_loss is not None:
            self.kl_loss.update_state(nats)
        self.add_loss(self._weight(training) * ops.mean(nats))
        return inputs

    def _weight(self, training: bool | None) -> Any:
        if not (training and self.warmup_steps):
            return self.beta
        self.step.assign_add(1)
        return self.beta * ops.minimum(self.step / self.warmup_steps, 1)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        """Gives the shapes of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same layer again."""
        return {**super().get_config(), "beta": self.beta, "warmup_steps": self.warmup_steps}
