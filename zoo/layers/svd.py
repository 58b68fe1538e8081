"""Truncated singular value decomposition as a pair of layers."""

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.layers.pca import principal_subspace


@keras.saving.register_keras_serializable(package="zoo")
class TruncatedSVD(keras.layers.Layer):
    """Where rows lie in the subspace of `rank` dimensions that is nearest to the training rows.

    Input ``(batch, features)``; output ``(batch, rank)``. Nothing in it trains; `adapt` finds the
    subspace.

    Args:
        rank: dimensions of the subspace.
        centered: whether its origin is the mean of the training rows, and not zero.

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
        found = principal_subspace(rows, self.rank, centered=self.centered)
        self.origin.assign(found.origin)
        self.directions.assign(found.directions)

    def call(self, inputs: Any) -> Any:
        """Projects."""
        return ops.matmul(inputs - self.origin, self.directions)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives ``(batch, rank)``."""
        return (*input_shape[:-1], self.rank)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal layer."""
        return {**super().get_config(), "rank": self.rank, "centered": self.centered}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TruncatedSVD":
        """Make the layer from what `get_config` returned, under its earlier name too."""
        return cls(**{"centered" if k == "centred" else k: v for k, v in config.items()})


@keras.saving.register_keras_serializable(package="zoo")
class InverseTruncatedSVD(TruncatedSVD):
    """From places in the subspace of a `TruncatedSVD` back to rows.

    Input ``(batch, rank)``; output ``(batch, features)``. Its subspace is a copy, found by its own
    `adapt`, so that the way there and the way back can be saved and loaded apart.

    Args:
        rank: dimensions of the subspace.
        features: of a row.
        centered: whether its origin is the mean of the training rows, and not zero.

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

    def __init__(self, rank: int, features: int, centered: bool = False, **kwargs: Any) -> None:
        super().__init__(rank, centered, **kwargs)
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
