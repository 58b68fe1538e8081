"""Pictures with a label: TFDS data sets, and a user's own folders."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.artifacts.reader import decode_image, open_image
from zoo.data import tfds_store
from zoo.data.augmentation import layers_for
from zoo.data.pipeline import Data, Rows, fill_missing_splits
from zoo.data.readers import reraise_reader_errors
from zoo.errors import DatasetError, InputError
from zoo.layers.image import AntialiasedResizing, Grayscale
from zoo.specs import DatasetSpec, ImageOptions

DATA = Data
INPUT_NAME = "image"
INPUT_DTYPE = "uint8"

LARGEST_SIDE = 64
LEAST_VARIANCE = 1e-12
GRAYED_AT_ONCE = 4096
LARGEST_SET = 4 * 2**30
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def describe_tfds(builder: Any) -> DatasetSpec | None:
    """Derives a spec from a TFDS builder's features.

    The data set is prepared first, since some learn the names of their classes by that. Pictures
    of varying size are resized to 64x64 pixels.

    Args:
        builder: of TFDS.

    Returns:
        The spec; None if the data set is no classification of 8-bit images.

    Raises:
        DatasetError: if it cannot be prepared.
    """
    import tensorflow_datasets as tfds

    keys, features = tfds_store.labeled(builder, tfds.features.Image), builder.info.features
    if (
        not keys
        or features[keys[0]].np_dtype != np.uint8
        or features[keys[0]].shape[2] not in (1, 3)
    ):
        return None
    height, width, channels = features[keys[0]].shape
    tfds_store.ensure_prepared(builder)
    name = builder.info.full_name
    return DatasetSpec(
        name=name,
        kind="images",
        input_shape=(height or LARGEST_SIDE, width or LARGEST_SIDE, channels),
        class_names=tuple(features[keys[1]].names),
        summary=f"TFDS data set {name}",
        source=name,
        reference=builder.info.homepage or "",
    )


def describe_folder(folder: Path) -> DatasetSpec:
    """Derives a spec from a folder with one sub-folder of images a class.

    Classes are the sub-folders' names, sorted. Every picture is resized to the commonest size,
    shrunk to at most 64 pixels a side; it is gray if all are, else of three channels.

    Args:
        folder: the folder.

    Returns:
        The spec.

    Raises:
        DatasetError: if there are fewer than two classes, a class is empty, or a file is not an
            image.
    """
    folder = folder.resolve()
    classes = _list_folder(folder)
    sizes: Counter[tuple[int, int]] = Counter()
    gray = True
    for path in (path for files in classes.values() for path in files):
        with reraise_reader_errors(DatasetError):
            image = open_image(path)
        sizes[image.size] += 1
        gray = gray and image.mode in ("1", "L", "LA", "I", "I;16")
    (width, height), _ = sizes.most_common(1)[0]
    scale = min(1.0, LARGEST_SIDE / max(width, height))
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
    """Reads every split into memory as uint8 of the spec's size.

    Args:
        spec: the data set.
        data_dir: TFDS data directory; its own default if None.

    Returns:
        The rows of ``train``, ``validation`` and ``test``, and the version of what was read.

    Raises:
        DatasetError: if it cannot be read, or would take more than 4 GiB.
    """
    if spec.source == "folder":
        rows = _read_folder(spec)
        splits, version = {"train": rows}, f"{Path(spec.name).name}/{_digest(rows)}"
    else:
        splits, version = _read_tfds(spec, data_dir)
    return fill_missing_splits(spec, splits), version


def raw_shape(spec: DatasetSpec) -> tuple[int | None, ...]:
    """Gives the shape of a raw picture: of any height and width.

    Args:
        spec: the data set.
    """
    return (None, None, spec.input_shape[2])


def preprocessor(spec: DatasetSpec, options: ImageOptions, train: np.ndarray) -> keras.Layer:
    """Makes the layer from pictures of any size to floats of the model's.

    Input ``(batch, height, width, channels)``, uint8; output ``(batch, *input shape)``: fractions
    of full intensity, or those with the mean subtracted and divided by the standard deviation;
    of one channel if the options ask for gray.

    Args:
        spec: the data set.
        options: scaling and size.
        train: the training split's images, of which alone ``"standardized"`` learns.

    Raises:
        DatasetError: if images of one channel are to be scaled as those of ImageNet.
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
            raise DatasetError(f"{spec.name} has gray images, and scaling='imagenet' needs color.")
        layers.append(_standardize(np.array(IMAGENET_MEAN), np.square(IMAGENET_DEVIATION)))
    elif options.scaling == "standardized":
        layers.append(_standardize(*channel_statistics(_in_channels(train, channels, options))))
    return keras.Sequential(layers, name="preprocessor")


def augmentation(
    spec: DatasetSpec, options: ImageOptions, train: np.ndarray
) -> tuple[keras.Layer, ...]:
    """Makes the layers that alter raw training images.

    Args:
        spec: the data set.
        options: which layers.
        train: the training split's images; a cutout has their mean color.
    """
    if "cutout" not in options.augmentations:
        return layers_for(options, spec.input_shape, ())
    color = np.round(255 * channel_statistics(train)[0]).astype(int).tolist()
    return layers_for(options, spec.input_shape, color)


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gives mean and variance of each channel, of fractions of full intensity.

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
    shares = np.array(counts) / images[..., 0].size
    mean = shares @ intensity
    return mean, shares @ intensity**2 - mean**2


def _in_channels(images: np.ndarray, channels: int, options: ImageOptions) -> np.ndarray:
    if images.shape[-1] == channels:
        return images
    gray = Grayscale(options.grayscale)
    batches = np.array_split(images, -(-len(images) // GRAYED_AT_ONCE))
    return np.concatenate([np.asarray(gray(batch)).round().astype(np.uint8) for batch in batches])


def _standardize(mean: np.ndarray, variance: np.ndarray) -> keras.Layer:
    scale = 1 / np.sqrt(np.where(variance > LEAST_VARIANCE, variance, 1))
    return keras.layers.Rescaling(scale.tolist(), (-mean * scale).tolist(), name="standardize")


def parse(spec: DatasetSpec, inputs: Sequence[Any] | np.ndarray) -> list[np.ndarray]:
    """Turns image files or uint8 arrays into raw pictures.

    Color becomes gray, or gray color, as the data set has it; transparency is laid on white;
    sixteen bits become eight; the camera's orientation mark is obeyed. The size is left alone,
    since resizing is the preprocessor's part.

    Args:
        spec: the data set.
        inputs: paths, or arrays ``(height, width)`` or ``(height, width, 1, 3 or 4)``.

    Returns:
        One array ``(height, width, channels)`` an input.

    Raises:
        InputError: if a file cannot be read or is no image, or an array is of another type.
    """
    if isinstance(inputs, str | Path):
        raise InputError(f"{inputs}: give a list of images, even of one.")
    if isinstance(inputs, np.ndarray) and inputs.ndim != 4:
        raise InputError(
            f"an array of shape {inputs.shape} is no batch of images: "
            "give (batch, height, width, channels), and one image as image[None]."
        )
    with reraise_reader_errors(InputError):
        return [decode_image(item, spec.input_shape[2]) for item in inputs]


def _list_folder(folder: Path) -> dict[str, list[Path]]:
    classes = {
        child.name: sorted(path for path in child.iterdir() if not path.name.startswith("."))
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    if len(classes) < 2:
        raise DatasetError(
            f"{folder} has {len(classes)} sub-folders ({', '.join(classes) or 'none'}): "
            "a data set needs one for each class, and at least two."
        )
    for name, files in classes.items():
        strangers = [path for path in files if path.suffix.lower() not in SUFFIXES]
        if strangers:
            raise DatasetError(
                f"{strangers[0]} is no image file: a class's folder holds only "
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
        raise DatasetError(f"{folder}: there is no such folder any more.")
    classes = _list_folder(folder)
    if tuple(classes) != spec.class_names:
        raise DatasetError(f"{folder} has the classes {', '.join(classes)}, not those of the run.")
    _require_memory(spec, sum(map(len, classes.values())))
    resize = _resizer(spec)
    pictures, labels = [], []
    for label, files in enumerate(classes.values()):
        for path in files:
            with reraise_reader_errors(DatasetError):
                pixels = decode_image(path, channels)
            if pixels.shape != spec.input_shape:
                pixels = np.asarray(resize(pixels))
            pictures.append(pixels)
            labels.append(label)
    return Rows(np.stack(pictures), np.array(labels, np.int64))


def _resizer(spec: DatasetSpec) -> Callable[[Any], Any]:
    """Resizes a picture as the preprocessor does, but for rounding to whole gray levels."""
    height, width, _ = spec.input_shape
    layer = AntialiasedResizing(height, width)
    return lambda decode_image: tf.cast(
        tf.round(layer(tf.cast(decode_image, tf.float32))), tf.uint8
    )


def _digest(rows: Rows) -> str:
    return hashlib.sha256(rows.inputs.tobytes() + rows.labels.tobytes()).hexdigest()[:12]


def _read_tfds(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    builder = tfds_store.open_builder(spec.source, data_dir)
    image_key, label_key = builder.info.supervised_keys
    tfds_store.ensure_prepared(builder)
    _require_memory(spec, sum(split.num_examples for split in builder.info.splits.values()))
    resize = _resizer(spec)
    of_one_size = builder.info.features[image_key].shape == spec.input_shape

    def prepare_row(row: dict[str, Any]) -> tuple[Any, Any]:
        image = row[image_key]
        return (image if of_one_size else resize(image)), row[label_key]

    return tfds_store.read_splits(builder, prepare_row), builder.info.full_name


def _require_memory(spec: DatasetSpec, rows: int) -> None:
    needed = rows * int(np.prod(spec.input_shape))
    if needed > LARGEST_SET:
        raise DatasetError(
            f"{spec.name} takes {needed / 2**30:.1f} GiB in memory as {rows} images of "
            f"{spec.input_shape}; at most {LARGEST_SET / 2**30:.0f} GiB are read."
        )
