"""Truncated singular value decomposition as a pair of layers."""

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.layers.pca import principal_subspace


@keras.saving.register_keras_serializable(package="zoo")
class TruncatedSVD(keras.layers.Layer):
    """Projection of rows on the subspace nearest to the training rows.

    Input ``(batch, features)``; output ``(batch, rank)``. It has no trainable weights: `adapt`
    computes the subspace.

    Args:
        rank: dimension of the subspace.
        centered: whether its origin is the mean of the training rows instead of zero.

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

    def __init__(self, rank: int, centered: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank = rank
        self.centered = centered

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the origin and the directions, which are zero until `adapt` is called."""
        self._add_subspace(int(input_shape[-1] or 0))

    def _add_subspace(self, features: int) -> None:
        self.origin = self.add_weight(
            shape=(features,), initializer="zeros", trainable=False, name="origin"
        )
        self.directions = self.add_weight(
            shape=(features, self.rank), initializer="zeros", trainable=False, name="directions"
        )

    def adapt(self, rows: np.ndarray) -> None:
        """Compute the subspace from training rows.

        Args:
            rows: ``(rows, features)``, at least `rank` rows.

        Raises:
            DatasetError: if there are fewer than `rank` rows or features.
        """
        if not hasattr(self, "directions"):
            self.build(rows.shape)
        subspace = principal_subspace(rows, self.rank, centered=self.centered)
        self.origin.assign(subspace.origin)
        self.directions.assign(subspace.directions)

    def call(self, inputs: Any) -> Any:
        """Project the rows on the subspace."""
        return ops.matmul(inputs - self.origin, self.directions)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``(batch, rank)``."""
        return (*input_shape[:-1], self.rank)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "rank": self.rank, "centered": self.centered}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TruncatedSVD":
        """Create the layer from the output of `get_config`, the old key ``"centred"`` included."""
        return cls(**{"centered" if k == "centred" else k: v for k, v in config.items()})


@keras.saving.register_keras_serializable(package="zoo")
class InverseTruncatedSVD(TruncatedSVD):
    """Reconstruction of rows from their projection by a `TruncatedSVD`.

    Input ``(batch, rank)``; output ``(batch, features)``. It keeps its own copy of the subspace,
    computed by its own `adapt`, so the two layers can be saved and loaded separately.

    Args:
        rank: dimension of the subspace.
        features: number of features of a row.
        centered: whether the origin is the mean of the training rows instead of zero.

    Example:
        >>> import numpy as np
        >>> from zoo.layers import InverseTruncatedSVD, TruncatedSVD
        >>> rows = np.array([[3.0, 4.0], [6.0, 8.0]])
        >>> encoder, decoder = TruncatedSVD(1), InverseTruncatedSVD(1, 2)
        >>> encoder.adapt(rows), decoder.adapt(rows)
        (None, None)
        >>> decoder(encoder(rows)).numpy().round(4).tolist()
        [[3.0, 4.0], [6.0, 8.0]]

    Reference:
        Eckart & Young (1936), The approximation of one matrix by another of lower rank,
        https://doi.org/10.1007/BF02288367
    """

    def __init__(self, rank: int, features: int, centered: bool = False, **kwargs: Any) -> None:
        super().__init__(rank, centered, **kwargs)
        self.features = features

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the origin and the directions, which are zero until `adapt` is called."""
        self._add_subspace(self.features)

    def call(self, inputs: Any) -> Any:
        """Map points of the subspace back to rows."""
        return ops.matmul(inputs, ops.transpose(self.directions)) + self.origin

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``(batch, features)``."""
        return (*input_shape[:-1], self.features)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "features": self.features}
