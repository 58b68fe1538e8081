"""Images in a file, for datasets that are larger than memory: only the rows asked for are read."""

import copy
import hashlib
import mmap
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import DatasetError
from zoo.runs.files import atomic_write

CACHE = "keras-model-zoo-images"  # in the TFDS data directory
MAX_BYTES_IN_MEMORY = 4 * 2**30
MAX_BYTES_READ = 1 << 22  # between releases: each page that is read maps its neighbors, too


class StoredImages:
    """Images ``(rows, height, width, channels)`` in a file, indexed like an array.

    Args:
        path: file with the pixels of one image after the other, uint8.
        shape: shape of an image.

    Example:
        >>> import numpy as np
        >>> from zoo.data.stored import StoredImages, write_images
        >>> images = np.arange(24, dtype="uint8").reshape(2, 2, 2, 3)
        >>> _ = write_images(tmp / "pixels", [images])
        >>> stored = StoredImages(tmp / "pixels", (2, 2, 3))
        >>> bool((stored[np.array([1, 0])] == images[::-1]).all())
        True
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._file = _MappedFile(path, shape)
        self._image_shape = shape
        self._index = np.arange(len(self._file.images))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, height, width and channels."""
        return len(self._index), *self._image_shape

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._index)

    def subset(self, index: Any) -> "StoredImages":
        """Select images without reading them.

        Args:
            index: a slice, integers or a mask.
        """
        return self._at(self._index[index])

    def joined(self, other: "StoredImages") -> "StoredImages":
        """Return the images of this and of another selection of the same file.

        Args:
            other: the images that follow.
        """
        return self._at(np.concatenate([self._index, other._index]))

    def __getitem__(self, index: Any) -> np.ndarray:
        """Read images into an array."""
        return self._file.read(self._index[index])

    def _at(self, index: np.ndarray) -> "StoredImages":
        selected = copy.copy(self)
        selected._index = index
        return selected


class _MappedFile:
    """A file of images in virtual memory, of which little is resident at a time."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.images = np.frombuffer(self._map, np.uint8).reshape(-1, *shape)
        self._bytes_read = 0

    def read(self, numbers: np.ndarray) -> np.ndarray:
        images = self.images.take(numbers, axis=0)
        self._bytes_read += images.nbytes
        if self._bytes_read > MAX_BYTES_READ:
            self._bytes_read = 0
            self._map.madvise(mmap.MADV_DONTNEED)
        return images


def select(images: Any, index: Any) -> Any:
    """Select rows of an array, or of stored images without reading them.

    Args:
        images: array or `StoredImages`.
        index: a slice, integers or a mask.
    """
    return images.subset(index) if isinstance(images, StoredImages) else images[index]


def require_space(folder: Path, dataset: str, needed: int) -> None:
    """Check that the images of a dataset fit on the disk.

    Args:
        folder: where they are to be stored.
        dataset: name of the dataset.
        needed: their size in bytes.

    Raises:
        DatasetError: if they do not fit.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{dataset} needs {needed / 2**30:.1f} GiB in {folder}, which has "
            f"{free / 2**30:.1f} GiB: pass another data_dir (--data-dir)."
        )


def write_images(path: Path, batches: Iterable[np.ndarray]) -> Any:
    """Write images to a file, whole or not at all.

    Args:
        path: the file.
        batches: images ``(rows, height, width, channels)``, uint8.

    Returns:
        The SHA-256 hash of the pixels, to be updated with what else belongs to them.
    """
    digest = hashlib.sha256()
    with atomic_write(path) as partial, partial.open("wb") as file:
        for images in batches:
            pixels = np.ascontiguousarray(images)
            file.write(pixels.data)
            digest.update(pixels.data)
    return digest
