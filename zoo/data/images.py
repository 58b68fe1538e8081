"""Image classification datasets: TFDS datasets and folders of images."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.artifacts.reader import decode_image
from zoo.data.augmentation import Augmentation, augmentation_layers
from zoo.data.folders import MAX_SIDE, read_folder, resize_fn
from zoo.data.pipeline import Data, Rows, fill_missing_splits
from zoo.data.readers import reraise_reader_errors
from zoo.data.stored import (
    CACHE,
    MAX_BYTES_IN_MEMORY,
    StoredImages,
    require_space,
    write_images,
)
from zoo.data.tfds_store import (
    classification_keys,
    default_data_dir,
    ensure_prepared,
    open_builder,
    read_batches,
    read_splits,
    splits_of,
    summarize,
    with_labels,
)
from zoo.errors import DatasetError, InputError
from zoo.layers.image import AntialiasedResizing, Grayscale
from zoo.runs.files import atomic_write
from zoo.specs import DatasetSpec, ImageOptions

DATA = Data
INPUT_NAME = "image"
INPUT_DTYPE = "uint8"

MIN_VARIANCE = 1e-12
STATISTICS_BATCH_SIZE = 4096
LEVELS = 256
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def describe_image_builder(builder: Any) -> DatasetSpec | None:
    """Derive a dataset spec from the features of a TFDS builder.

    The dataset is prepared first, since the class names of some datasets are only known then.
    Images of varying size are resized to 64x64 pixels.

    Args:
        builder: TFDS builder.

    Returns:
        The spec; None if this is not a classification dataset of 8-bit images.

    Raises:
        DatasetError: if the dataset cannot be prepared.
    """
    import tensorflow_datasets as tfds

    keys, features = classification_keys(builder, tfds.features.Image), builder.info.features
    if (
        not keys
        or features[keys[0]].np_dtype != np.uint8
        or features[keys[0]].shape[2] not in (1, 3)
    ):
        return None
    height, width, channels = features[keys[0]].shape
    ensure_prepared(builder)
    return DatasetSpec(
        name=builder.info.full_name,
        kind="images",
        input_shape=(height or MAX_SIDE, width or MAX_SIDE, channels),
        class_names=tuple(features[keys[1]].names),
        summary=summarize(builder),
        source=builder.info.full_name,
        reference=builder.info.homepage or "",
    )


def read(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    """Read all splits as uint8 images of the spec's size: into memory, or into a file over 4 GiB.

    Args:
        spec: spec of the dataset.
        data_dir: TFDS data directory; the TFDS default if None.

    Returns:
        The rows of ``train``, ``validation`` and ``test``, and the dataset version.

    Raises:
        DatasetError: if the dataset cannot be read.
    """
    if spec.source == "folder":
        splits, version = read_folder(spec, data_dir)
    else:
        splits, version = _read_tfds(spec, data_dir)
    return fill_missing_splits(spec, splits), version


def raw_shape(spec: DatasetSpec) -> tuple[int | None, ...]:
    """Return the shape of a raw image, whose height and width may vary.

    Args:
        spec: spec of the dataset.
    """
    return (None, None, spec.input_shape[2])


def preprocessor(spec: DatasetSpec, options: ImageOptions, train: np.ndarray) -> keras.Layer:
    """Build the layer that resizes and scales raw images.

    Input ``(batch, height, width, channels)``, uint8; output ``(batch, *input_shape)``, intensities
    in [0, 1] or, with another scaling, standardized; one channel with the grayscale option.

    Args:
        spec: spec of the dataset.
        options: scaling, size and grayscale conversion.
        train: training images, used by the scaling ``"standardized"`` only.

    Raises:
        DatasetError: if the scaling is ``"imagenet"`` and the images have one channel.
    """
    height, width, channels = options.input_shape(spec.input_shape)
    layers = [
        keras.Input(raw_shape(spec), dtype=INPUT_DTYPE, name=INPUT_NAME),
        keras.layers.Rescaling(1 / 255, name="as_fraction"),
        AntialiasedResizing(height, width, name="resize"),
    ]
    if channels < spec.input_shape[2]:
        layers.append(Grayscale(options.grayscale, name="grayscale"))
    if options.scaling == "imagenet":
        if channels != len(IMAGENET_MEAN):
            raise DatasetError(
                f"scaling='imagenet' needs color images, and those of {spec.name} are grayscale."
            )
        layers.append(_standardization(np.array(IMAGENET_MEAN), np.square(IMAGENET_STD)))
    elif options.scaling == "standardized":
        convert = _to_gray_fn(options) if channels < spec.input_shape[2] else np.asarray
        statistics = channel_statistics(train, convert)
        layers.append(_standardization(*statistics))
    return keras.Sequential(layers, name="preprocessor")


def augmentation(
    spec: DatasetSpec, options: ImageOptions, train: np.ndarray
) -> tuple[Augmentation, ...]:
    """Build the functions that augment raw training images.

    Args:
        spec: spec of the dataset.
        options: names of the layers.
        train: training images, whose mean color fills a cutout.
    """
    if "cutout" not in options.augmentations:
        return augmentation_layers(options, spec.input_shape, ())
    color = np.round(255 * channel_statistics(train)[0]).astype(int).tolist()
    return augmentation_layers(options, spec.input_shape, color)


def channel_statistics(
    images: np.ndarray | StoredImages, convert: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and variance of each channel, for intensities scaled to [0, 1].

    Args:
        images: ``(rows, height, width, channels)``, uint8.
        convert: function of a part of the images, such as to grayscale.

    Returns:
        Two arrays ``(channels,)``.

    Example:
        >>> import numpy as np
        >>> from zoo.data.images import channel_statistics
        >>> mean, variance = channel_statistics(np.array([[[[0]], [[255]]]], "uint8"))
        >>> float(mean[0]), float(variance[0])
        (0.5, 0.25)
    """
    intensity = np.arange(LEVELS) / (LEVELS - 1)
    parts = (
        convert(images[start : start + STATISTICS_BATCH_SIZE])
        for start in range(0, len(images), STATISTICS_BATCH_SIZE)
    )
    counts = sum(
        np.array([np.bincount(c.ravel(), minlength=LEVELS) for c in np.moveaxis(part, -1, 0)])
        for part in parts
    )
    frequencies = counts / np.sum(counts, axis=1, keepdims=True)
    mean = frequencies @ intensity
    return mean, frequencies @ intensity**2 - mean**2


def _to_gray_fn(options: ImageOptions) -> Callable[[np.ndarray], np.ndarray]:
    gray = Grayscale(options.grayscale)
    return lambda images: np.asarray(gray(images)).round().astype(np.uint8)


def _standardization(mean: np.ndarray, variance: np.ndarray) -> keras.Layer:
    scale = 1 / np.sqrt(np.where(variance > MIN_VARIANCE, variance, 1))
    return keras.layers.Rescaling(scale.tolist(), (-mean * scale).tolist(), name="standardize")


def parse(spec: DatasetSpec, inputs: Sequence[Any] | np.ndarray) -> list[np.ndarray]:
    """Convert image files or uint8 arrays to raw images.

    Images are converted to the number of channels of the dataset and to 8 bits, transparency is
    composited on white, and the EXIF orientation is applied. The size is kept, since the
    preprocessor resizes.

    Args:
        spec: spec of the dataset.
        inputs: paths, or arrays ``(height, width)`` or ``(height, width, channels)`` with 1, 3 or 4
            channels.

    Returns:
        One array ``(height, width, channels)`` per input.

    Raises:
        InputError: if a file cannot be read or is not an image, or an array has another type.
    """
    if isinstance(inputs, str | Path):
        raise InputError(f"expected a list of images, got the single path {inputs}.")
    if isinstance(inputs, np.ndarray) and inputs.ndim != 4:
        raise InputError(
            f"expected a batch of images (batch, height, width, channels), got an array of shape "
            f"{inputs.shape}; pass a single image as image[None]."
        )
    with reraise_reader_errors(InputError):
        return [decode_image(item, spec.input_shape[2]) for item in inputs]


def _read_tfds(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    builder = open_builder(spec.source, data_dir)
    image_key, label_key = builder.info.supervised_keys
    ensure_prepared(builder)
    resize = resize_fn(spec)
    has_target_size = builder.info.features[image_key].shape == spec.input_shape

    def prepare_row(row: dict[str, Any]) -> tuple[Any, Any]:
        image = row[image_key]
        return (image if has_target_size else resize(image)), row[label_key]

    rows = sum(split.num_examples for split in builder.info.splits.values())
    if rows * int(np.prod(spec.input_shape)) <= MAX_BYTES_IN_MEMORY:
        return read_splits(builder, prepare_row), builder.info.full_name
    folder = Path(data_dir or default_data_dir()) / CACHE
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, spec.name, rows * int(np.prod(spec.input_shape)))
    splits = {
        split: _store_split(builder, split, prepare_row, spec, folder)
        for split in splits_of(builder)
    }
    return with_labels(splits), builder.info.full_name


def _store_split(
    builder: Any, split: str, prepare_row: Callable[..., Any], spec: DatasetSpec, folder: Path
) -> Rows:
    """Write the images of a split to a file, unless it is there."""
    size = "x".join(map(str, spec.input_shape))
    path = folder / f"{builder.info.full_name.replace('/', '-')}-{split}-{size}.pixels"
    labels_path = path.with_suffix(".npy")
    if not labels_path.exists():
        labels: list[np.ndarray] = []

        def images() -> Iterator[np.ndarray]:
            for batch, batch_labels in read_batches(builder, split, prepare_row):
                labels.append(batch_labels)
                yield batch

        write_images(path, images())
        with atomic_write(labels_path) as partial:
            np.save(partial, np.concatenate(labels))
    return Rows(StoredImages(path, spec.input_shape), np.load(labels_path))
