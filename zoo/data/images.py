"""Image classification datasets: TFDS datasets and folders of images."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.reader import decode_image, open_image
from zoo.data.augmentation import augmentation_layers
from zoo.data.pipeline import Data, Rows, fill_missing_splits
from zoo.data.readers import reraise_reader_errors
from zoo.data.tfds_store import (
    classification_keys,
    ensure_prepared,
    open_builder,
    read_splits,
    summarize,
)
from zoo.errors import DatasetError, InputError
from zoo.layers.image import AntialiasedResizing, Grayscale
from zoo.specs import DatasetSpec, ImageOptions

DATA = Data
INPUT_NAME = "image"
INPUT_DTYPE = "uint8"

MAX_SIDE = 64
MIN_VARIANCE = 1e-12
GRAYSCALE_BATCH_SIZE = 4096
MAX_DATASET_BYTES = 4 * 2**30
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


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


def describe_folder(folder: Path) -> DatasetSpec:
    """Derive a dataset spec from a folder with one subfolder of images per class.

    The classes are the sorted names of the subfolders. All images are resized to the most common
    size, scaled down to at most 64 pixels per side. The dataset is grayscale if all images are,
    and otherwise has three channels.

    Args:
        folder: path of the folder.

    Returns:
        The spec.

    Raises:
        DatasetError: if there are fewer than two classes, a class is empty, or a file is not an
            image.
    """
    folder = folder.resolve()
    classes = _list_classes(folder)
    sizes: Counter[tuple[int, int]] = Counter()
    gray = True
    for path in (path for files in classes.values() for path in files):
        with reraise_reader_errors(DatasetError):
            image = open_image(path)
        sizes[image.size] += 1
        gray = gray and image.mode in ("1", "L", "LA", "I", "I;16")
    (width, height), _ = sizes.most_common(1)[0]
    scale = min(1.0, MAX_SIDE / max(width, height))
    return DatasetSpec(
        name=str(folder),
        kind="images",
        input_shape=(
            max(1, round(height * scale)),
            max(1, round(width * scale)),
            1 if gray else 3,
        ),
        class_names=tuple(classes),
        summary=f"{sum(map(len, classes.values()))} images in {folder}",
        source="folder",
    )


def read(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    """Read all splits into memory, as uint8 images of the spec's size.

    Args:
        spec: spec of the dataset.
        data_dir: TFDS data directory; the TFDS default if None.

    Returns:
        The rows of ``train``, ``validation`` and ``test``, and the dataset version.

    Raises:
        DatasetError: if the dataset cannot be read or needs more than 4 GiB of memory.
    """
    if spec.source == "folder":
        rows = _read_folder(spec)
        splits, version = {"train": rows}, f"{Path(spec.name).name}/{_digest(rows)}"
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
        statistics = channel_statistics(_convert_channels(train, channels, options))
        layers.append(_standardization(*statistics))
    return keras.Sequential(layers, name="preprocessor")


def augmentation(
    spec: DatasetSpec, options: ImageOptions, train: np.ndarray
) -> tuple[keras.Layer, ...]:
    """Build the layers that augment raw training images.

    Args:
        spec: spec of the dataset.
        options: names of the layers.
        train: training images, whose mean color fills a cutout.
    """
    if "cutout" not in options.augmentations:
        return augmentation_layers(options, spec.input_shape, ())
    color = np.round(255 * channel_statistics(train)[0]).astype(int).tolist()
    return augmentation_layers(options, spec.input_shape, color)


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and variance of each channel, for intensities scaled to [0, 1].

    Args:
        images: ``(rows, height, width, channels)``, uint8.

    Returns:
        Two arrays ``(channels,)``.

    Example:
        >>> import numpy as np
        >>> from zoo.data.images import channel_statistics
        >>> mean, variance = channel_statistics(np.array([[[[0]], [[255]]]], "uint8"))
        >>> float(mean[0]), float(variance[0])
        (0.5, 0.25)
    """
    intensity = np.arange(256) / 255
    counts = [np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(images, -1, 0)]
    frequencies = np.array(counts) / images[..., 0].size
    mean = frequencies @ intensity
    return mean, frequencies @ intensity**2 - mean**2


def _convert_channels(images: np.ndarray, channels: int, options: ImageOptions) -> np.ndarray:
    if images.shape[-1] == channels:
        return images
    gray = Grayscale(options.grayscale)
    batches = np.array_split(images, -(-len(images) // GRAYSCALE_BATCH_SIZE))
    return np.concatenate([np.asarray(gray(batch)).round().astype(np.uint8) for batch in batches])


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


def _list_classes(folder: Path) -> dict[str, list[Path]]:
    classes = {
        child.name: sorted(path for path in child.iterdir() if not path.name.startswith("."))
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    if len(classes) < 2:
        raise DatasetError(
            f"{folder} has {len(classes)} class subfolders ({', '.join(classes) or 'none'}): "
            "an image dataset needs one per class, and at least two."
        )
    for name, files in classes.items():
        unsupported = [path for path in files if path.suffix.lower() not in SUFFIXES]
        if unsupported:
            raise DatasetError(
                f"{unsupported[0]} is not an image file: a class folder may only contain "
                f"{', '.join(sorted(SUFFIXES))}."
            )
        if len(files) < 3:
            raise DatasetError(
                f"{folder / name} has {len(files)} images: a class needs at least 3, "
                "for training, validation and test."
            )
    return classes


def _read_folder(spec: DatasetSpec) -> Rows:
    channels = spec.input_shape[2]
    folder = Path(spec.name)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: the folder no longer exists.")
    classes = _list_classes(folder)
    if tuple(classes) != spec.class_names:
        raise DatasetError(
            f"{folder} has the classes {', '.join(classes)}; expected "
            f"{', '.join(spec.class_names)}."
        )
    _require_memory(spec, sum(map(len, classes.values())))
    resize = _resize_fn(spec)
    images, labels = [], []
    for label, files in enumerate(classes.values()):
        for path in files:
            with reraise_reader_errors(DatasetError):
                pixels = decode_image(path, channels)
            if pixels.shape != spec.input_shape:
                pixels = np.asarray(resize(pixels))
            images.append(pixels)
            labels.append(label)
    return Rows(np.stack(images), np.array(labels, np.int64))


def _resize_fn(spec: DatasetSpec) -> Callable[[Any], Any]:
    """Return a function that resizes like the preprocessor and rounds to uint8."""
    height, width, _ = spec.input_shape
    layer = AntialiasedResizing(height, width)
    return lambda image: tf.cast(tf.round(layer(tf.cast(image, tf.float32))), tf.uint8)


def _digest(rows: Rows) -> str:
    return hashlib.sha256(rows.inputs.tobytes() + rows.labels.tobytes()).hexdigest()[:12]


def _read_tfds(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    builder = open_builder(spec.source, data_dir)
    image_key, label_key = builder.info.supervised_keys
    ensure_prepared(builder)
    _require_memory(spec, sum(split.num_examples for split in builder.info.splits.values()))
    resize = _resize_fn(spec)
    has_target_size = builder.info.features[image_key].shape == spec.input_shape

    def prepare_row(row: dict[str, Any]) -> tuple[Any, Any]:
        image = row[image_key]
        return (image if has_target_size else resize(image)), row[label_key]

    return read_splits(builder, prepare_row), builder.info.full_name


def _require_memory(spec: DatasetSpec, rows: int) -> None:
    needed = rows * int(np.prod(spec.input_shape))
    if needed > MAX_DATASET_BYTES:
        raise DatasetError(
            f"{spec.name} needs {needed / 2**30:.1f} GiB of memory as {rows} images of shape "
            f"{spec.input_shape}; the limit is {MAX_DATASET_BYTES / 2**30:.0f} GiB."
        )
