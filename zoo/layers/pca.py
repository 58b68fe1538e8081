"""The best that linear maps can do: the principal subspace, and the linear denoiser.

NumPy in double precision. A network that reconstructs images is measured against these.
"""

import dataclasses

import numpy as np

from zoo.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class Subspace:
    """An origin, and orthonormal directions from it, by how much rows vary along them.

    Attributes:
        origin: ``(features,)``: the mean of the rows, or zero.
        directions: ``(features, rank)``.
    """

    origin: np.ndarray
    directions: np.ndarray

    def errors(self, rows: np.ndarray) -> np.ndarray:
        """Gives the mean squared error of rows projected on the first directions.

        Args:
            rows: ``(rows, features)``.

        Returns:
            ``(rank + 1,)``: for no direction, for the first, for the first two, and so on.
        """
        shifted = rows.astype(np.float64) - self.origin
        kept = np.square(shifted @ self.directions).sum(axis=0).cumsum()
        lost = np.square(shifted).sum() - np.concatenate([[0.0], kept])
        return np.maximum(lost, 0) / rows.size


def principal_subspace(rows: np.ndarray, rank: int, *, centered: bool = True) -> Subspace:
    """Finds the subspace on which projecting the rows loses least.

    The directions are the right singular vectors of the rows, taken from the triangular factor of
    a QR decomposition, so that no condition number is squared as in the covariance matrix.

    Args:
        rows: ``(rows, features)``.
        rank: dimensions of the subspace, from 1 to the smaller side of `rows`.
        centered: whether its origin is the mean of the rows, as in principal component analysis,
            and not zero.

    Returns:
        The subspace.

    Raises:
        DatasetError: if the rows have no such rank.

    Example:
        >>> import numpy as np
        >>> from zoo.layers.pca import principal_subspace
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.1], [0.0, 0.0]])
        >>> principal_subspace(rows, 1).errors(rows).round(4).tolist()
        [0.3344, 0.0003]

    Reference:
        Eckart & Young (1936), The approximation of one matrix by another of lower rank,
        https://doi.org/10.1007/BF02288367
    """
    if rank > min(rows.shape):
        raise DatasetError(
            f"a subspace of {rank} dimensions cannot be found in {rows.shape[0]} rows of "
            f"{rows.shape[1]} values."
        )
    rows = rows.astype(np.float64)
    origin = rows.mean(axis=0) if centered else np.zeros(rows.shape[1])
    triangle = np.linalg.qr(rows - origin, mode="r")
    return Subspace(origin, np.linalg.svd(triangle)[2][:rank].T)


@dataclasses.dataclass(frozen=True)
class LinearDenoiser:
    """The affine map from noisy rows to clean ones of least squared error.

    Attributes:
        kernel: ``(features, features)``.
        bias: ``(features,)``.
    """

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Clears rows ``(rows, features)`` of noise."""
        return noisy @ self.kernel + self.bias


def linear_denoiser(noisy: np.ndarray, clean: np.ndarray) -> LinearDenoiser:
    """Fits the linear denoiser: the Wiener filter of rows that are not stationary.

    Args:
        noisy: ``(rows, features)``.
        clean: the same rows without noise.

    Returns:
        The map of least squared error on these rows.

    Example:
        >>> import numpy as np
        >>> from zoo.layers.pca import linear_denoiser
        >>> noisy = np.array([[0.0], [1.0], [2.0]])
        >>> linear_denoiser(noisy, 3 * noisy + 1)(np.array([[3.0]])).round(6).item()
        10.0

    Reference:
        Wiener (1949), Extrapolation, interpolation, and smoothing of stationary time series,
        https://doi.org/10.7551/mitpress/2946.001.0001
    """
    noisy, clean = noisy.astype(np.float64), clean.astype(np.float64)
    from_mean, to_mean = noisy.mean(axis=0), clean.mean(axis=0)
    noisy, clean = noisy - from_mean, clean - to_mean
    kernel = np.linalg.lstsq(noisy.T @ noisy, noisy.T @ clean, rcond=None)[0]
    return LinearDenoiser(kernel, to_mean - from_mean @ kernel)
