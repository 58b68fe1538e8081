"""Optimal linear maps: principal component analysis and the linear denoiser.

Both are computed by NumPy in double precision. They are the baselines of models that reconstruct
images.
"""

import dataclasses

import numpy as np

from zoo.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class Subspace:
    """An affine subspace with an orthonormal basis sorted by explained variance.

    Attributes:
        origin: ``(features,)``, the mean of the rows or zero.
        directions: ``(features, rank)``, the principal axes, one per column.
    """

    origin: np.ndarray
    directions: np.ndarray

    def errors(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean squared error of projecting rows on the first 0, 1, ..., rank directions.

        Args:
            rows: ``(rows, features)``.

        Returns:
            ``(rank + 1,)``; the first entry is the error of replacing every row by the origin.
        """
        centered = rows.astype(np.float64) - self.origin
        explained = np.square(centered @ self.directions).sum(axis=0).cumsum()
        residual = np.square(centered).sum() - np.concatenate([[0.0], explained])
        return np.maximum(residual, 0) / rows.size


def principal_subspace(rows: np.ndarray, rank: int, *, centered: bool = True) -> Subspace:
    """Return the subspace with the least squared projection error.

    The directions are the right singular vectors of the rows, computed from the triangular factor
    of a QR decomposition; unlike the covariance matrix, it does not square the condition number.

    Args:
        rows: ``(rows, features)``.
        rank: dimension of the subspace, from 1 to the smaller side of `rows`.
        centered: whether the origin is the mean of the rows, as in principal component analysis,
            instead of zero.

    Returns:
        The subspace.

    Raises:
        DatasetError: if `rank` exceeds the number of rows or of features.

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
            f"rank={rank}: must be at most {min(rows.shape)} for {rows.shape[0]} rows of "
            f"{rows.shape[1]} features."
        )
    rows = rows.astype(np.float64)
    origin = rows.mean(axis=0) if centered else np.zeros(rows.shape[1])
    triangular_factor = np.linalg.qr(rows - origin, mode="r")
    return Subspace(origin, np.linalg.svd(triangular_factor)[2][:rank].T)


@dataclasses.dataclass(frozen=True)
class LinearDenoiser:
    """An affine map from noisy rows to estimates of the clean ones.

    Attributes:
        kernel: ``(features, features)``.
        bias: ``(features,)``.
    """

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Denoise rows ``(rows, features)``."""
        return noisy @ self.kernel + self.bias


def linear_denoiser(noisy: np.ndarray, clean: np.ndarray) -> LinearDenoiser:
    """Fit the least-squares affine denoiser, the Wiener filter of non-stationary rows.

    Args:
        noisy: ``(rows, features)``.
        clean: the same rows without noise.

    Returns:
        The affine map with the least squared error on these rows.

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
    noisy_mean, clean_mean = noisy.mean(axis=0), clean.mean(axis=0)
    noisy, clean = noisy - noisy_mean, clean - clean_mean
    kernel = np.linalg.lstsq(noisy.T @ noisy, noisy.T @ clean, rcond=None)[0]
    return LinearDenoiser(kernel, clean_mean - noisy_mean @ kernel)
