"""Folders of images: one subfolder per class, in the folder itself or in one per split."""

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image

from zoo.artifacts.reader import ReaderError, decode_image
from zoo.data.pipeline import Rows
from zoo.data.stored import (
    CACHE,
    MAX_BYTES_IN_MEMORY,
    StoredImages,
    require_space,
    select,
    write_images,
)
from zoo.data.tables import SPLIT_NAMES
from zoo.data.tfds_store import default_data_dir
from zoo.errors import DatasetError
from zoo.layers.image import AntialiasedResizing
from zoo.runs.files import write_json
from zoo.specs import DatasetSpec, FileOptions

SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif",
}  # fmt: skip
STRAY_NAMES = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "ehthumbs.db", "icon\r"}
MAX_SIDE = 64
FILES_AT_A_TIME = 2048
GRAY_MODES = ("1", "L", "LA", "I", "I;16")
MAX_NAMED = 5
FIRST_TURNED = 5  # of the EXIF orientations: width and height are swapped from it on


@dataclasses.dataclass(frozen=True)
class Listing:
    """The image files of a folder.

    Attributes:
        splits: the files of each class of each split.
        passed_over: files that systems leave in folders, such as ``Thumbs.db``.
        left_out: files that are not readable images, where these are skipped.
    """

    splits: dict[str, dict[str, list[Path]]]
    passed_over: int
    left_out: tuple[Path, ...] = ()

    @property
    def files(self) -> list[Path]:
        """All image files, split by split and class by class."""
        return [
            path for classes in self.splits.values() for files in classes.values() for path in files
        ]


def describe_folder(folder: Path, options: FileOptions = FileOptions()) -> DatasetSpec:
    """Derive a dataset spec from a folder of images.

    The classes are the sorted names of the subfolders. All images are resized to the most common
    size, scaled down to at most 64 pixels per side. The dataset is grayscale if all images are,
    and otherwise has three channels.

    Args:
        folder: a folder with one subfolder of images per class, or with folders ``train``,
            ``validation`` and ``test`` of that kind, of which all but ``train`` may be missing.
        options: whether files that are not readable images are left out.

    Returns:
        The spec.

    Raises:
        DatasetError: if there are fewer than two classes, a class is empty, or a file is not an
            image.
    """
    folder = folder.resolve()
    listing = list_images(folder, options.skip_unreadable)
    sizes: Counter[tuple[int, int]] = Counter()
    gray, unreadable = True, []
    for path in listing.files:
        try:
            size, mode = _read_header(path)
        except ReaderError as error:
            if not options.skip_unreadable:
                raise DatasetError(f"{error} Mend it, or pass --skip-unreadable.") from None
            unreadable.append(path)
            continue
        sizes[size] += 1
        gray = gray and mode in GRAY_MODES
    if not sizes:
        raise DatasetError(f"{folder} has no readable image.")
    (width, height), _ = sizes.most_common(1)[0]
    scale = min(1.0, MAX_SIDE / max(width, height))
    return DatasetSpec(
        name=str(folder),
        kind="images",
        input_shape=(max(1, round(height * scale)), max(1, round(width * scale)), 1 if gray else 3),
        class_names=tuple(listing.splits["train"]),
        summary=_summarize(folder, listing, unreadable),
        source="folder",
        skip_unreadable=options.skip_unreadable,
    )


def list_images(folder: Path, skip_unreadable: bool = False) -> Listing:
    """List the image files of a folder.

    Args:
        folder: the folder.
        skip_unreadable: whether to leave out files that are not images by their name.

    Raises:
        DatasetError: as `describe_folder` does.
    """
    passed_over: list[Path] = []
    left_out: list[Path] = []
    children = _visible(folder, passed_over)
    folders = [child for child in children if child.is_dir()]
    passed_over += [child for child in children if not child.is_dir()]
    by_split = {SPLIT_NAMES.get(child.name.lower()): child for child in folders}
    has_splits = (
        None not in by_split
        and len(by_split) == len(folders)
        and "train" in by_split
        and any(child.is_dir() for child in _visible(by_split["train"], []))
    )
    roots = {str(split): by_split[split] for split in by_split} if has_splits else {"train": folder}
    splits: dict[str, dict[str, list[Path]]] = {
        split: _list_classes(roots[split], passed_over, left_out, skip_unreadable)
        for split in ("train", "validation", "test")
        if split in roots
    }
    _require_classes(folder, splits, has_splits)
    return Listing(splits, len(passed_over), tuple(left_out))


def read_folder(spec: DatasetSpec, data_dir: str | Path | None) -> tuple[dict[str, Rows], str]:
    """Read the images of a folder, into memory or, if they are too large, into a file.

    Args:
        spec: spec of the folder.
        data_dir: TFDS data directory; the file is in its folder ``keras-model-zoo-images``.

    Returns:
        The rows of each split that the folder has, and the dataset version.

    Raises:
        DatasetError: if an image cannot be read, or the folder has other classes than the spec.
    """
    folder = Path(spec.name)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: the folder no longer exists.")
    listing = list_images(folder, spec.skip_unreadable)
    names = tuple(listing.splits["train"])
    if names != spec.class_names:
        raise DatasetError(
            f"{folder} has the classes {', '.join(names)}; expected {', '.join(spec.class_names)}."
        )
    needed = len(listing.files) * int(np.prod(spec.input_shape))
    read: Any = _read_to_memory if needed <= MAX_BYTES_IN_MEMORY else _read_to_file
    images, kept, digest = read(spec, listing, Path(data_dir or default_data_dir()))
    splits, start, first = {}, 0, 0
    for split, classes in listing.splits.items():
        labels = np.repeat(np.arange(len(classes)), list(map(len, classes.values())))
        labels = labels[kept[first : first + len(labels)]].astype(np.int64)
        first += sum(map(len, classes.values()))
        splits[split] = Rows(select(images, slice(start, start + len(labels))), labels)
        start += len(labels)
        digest.update(labels.tobytes())
    return splits, f"{folder.name}/{digest.hexdigest()[:12]}"


def resize_fn(spec: DatasetSpec) -> Callable[[Any], Any]:
    """Return a function that resizes like the preprocessor and rounds to uint8.

    Args:
        spec: spec of the dataset, whose `input_shape` images are to have.
    """
    height, width, _ = spec.input_shape
    layer = AntialiasedResizing(height, width)
    return lambda image: tf.cast(tf.round(layer(tf.cast(image, tf.float32))), tf.uint8)


def _read_header(path: Path) -> tuple[tuple[int, int], str]:
    """Return width and height, as the EXIF orientation has them, and the mode."""
    if not path.is_file():
        raise ReaderError(f"{path}: not a regular file.")
    try:
        with Image.open(path) as image:
            is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= FIRST_TURNED
            width, height = image.size
            return ((height, width) if is_turned else (width, height)), image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
        raise ReaderError(f"{path} cannot be read as an image: {problem}.") from None


def _read_to_memory(spec: DatasetSpec, listing: Listing, data_dir: Path) -> tuple[Any, Any, Any]:
    """Return images, a mask of the files that were read, and the digest of the pixels."""
    kept: list[bool] = []
    images = np.empty((len(listing.files), *spec.input_shape), np.uint8)
    count = 0
    for batch in _decode_in_batches(spec, listing.files, kept):
        images[count : count + len(batch)] = batch
        count += len(batch)
    images = images[:count]
    return images, np.array(kept), hashlib.sha256(images.data)


def _read_to_file(spec: DatasetSpec, listing: Listing, data_dir: Path) -> tuple[Any, Any, Any]:
    folder = data_dir / CACHE
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{Path(spec.name).name}-{_key(spec, listing)}.pixels"
    facts_path = path.with_suffix(".json")
    if not facts_path.exists():
        require_space(folder, spec.name, len(listing.files) * int(np.prod(spec.input_shape)))
        kept: list[bool] = []
        write_images(path, _decode_in_batches(spec, listing.files, kept))
        left_out = [number for number, is_kept in enumerate(kept) if not is_kept]
        write_json(facts_path, {"left_out": left_out})
    mask = np.ones(len(listing.files), bool)
    mask[json.loads(facts_path.read_text())["left_out"]] = False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    return StoredImages(path, spec.input_shape), mask, digest


def _key(spec: DatasetSpec, listing: Listing) -> str:
    """Return a digest of the names, sizes and times of the files."""
    digest = hashlib.sha256(repr((spec.name, spec.input_shape, spec.skip_unreadable)).encode())
    for path in listing.files:
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _decode_in_batches(
    spec: DatasetSpec, files: list[Path], kept: list[bool]
) -> Iterator[np.ndarray]:
    resize, channels = resize_fn(spec), spec.input_shape[2]

    def decode(path: Path) -> np.ndarray | None:
        try:
            pixels = decode_image(path, channels)
        except ReaderError as error:
            if spec.skip_unreadable:
                return None
            raise DatasetError(f"{error} Mend it, or pass --skip-unreadable.") from None
        return pixels if pixels.shape == spec.input_shape else np.asarray(resize(pixels))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), FILES_AT_A_TIME):
            images = list(pool.map(decode, files[start : start + FILES_AT_A_TIME]))
            kept += [image is not None for image in images]
            decoded = [image for image in images if image is not None]
            if decoded:
                yield np.stack(decoded)


def _list_classes(
    root: Path, passed_over: list[Path], left_out: list[Path], skip_unreadable: bool
) -> dict[str, list[Path]]:
    classes = {}
    for child in _visible(root, passed_over):
        if not child.is_dir():
            passed_over += [] if child in passed_over else [child]
            continue
        files = _visible(child, passed_over)
        others = [path for path in files if path.suffix.lower() not in SUFFIXES or path.is_dir()]
        if others and not skip_unreadable:
            raise DatasetError(
                f"{others[0]} is not an image file: a class folder may only contain "
                f"{', '.join(sorted(SUFFIXES))}; pass --skip-unreadable to leave out "
                f"{'it' if len(others) == 1 else f'the {len(others)} other files'}."
            )
        left_out += others
        classes[child.name] = sorted(set(files) - set(others))
    return classes


def _visible(folder: Path, passed_over: list[Path]) -> list[Path]:
    """Return the content of a folder, sorted, without hidden files and what systems leave."""
    children = sorted(folder.iterdir())
    stray = [child for child in children if child.name.lower() in STRAY_NAMES]
    passed_over += stray
    passed_over += [child for child in children if child.name == ".DS_Store"]
    return [child for child in children if child not in stray and child.name[0] != "."]


def _require_classes(
    folder: Path, splits: dict[str, dict[str, list[Path]]], has_splits: bool
) -> None:
    names = list(splits["train"])
    if len(names) < 2:
        raise DatasetError(
            f"{folder} has {len(names)} class subfolders ({', '.join(names) or 'none'}): "
            "an image dataset needs one per class, and at least two."
        )
    for split, classes in splits.items():
        unknown = sorted(set(classes) - set(names))
        if unknown:
            raise DatasetError(
                f"{folder}: {split} has the class {unknown[0]!r}, which train does not have; its "
                f"classes are {', '.join(names)}."
            )
        for name in names:
            classes.setdefault(name, [])
        splits[split] = {name: classes[name] for name in names}
    needed = 1 if has_splits else 3
    for name, files in splits["train"].items():
        if len(files) < needed:
            purpose = "" if has_splits else ", for training, validation and test"
            raise DatasetError(
                f"{folder / name} has {len(files)} images: a class needs at least {needed}"
                f"{purpose}."
            )


def _summarize(folder: Path, listing: Listing, unreadable: list[Path]) -> str:
    left_out = [*listing.left_out, *unreadable]
    parts = [f"{len(listing.files) - len(unreadable):,} images in {folder}"]
    if listing.passed_over:
        parts.append(f"passed over {listing.passed_over} files that are not in a class")
    if left_out:
        shown = ", ".join(str(path.relative_to(folder)) for path in left_out[:MAX_NAMED])
        more = ", ..." if len(left_out) > MAX_NAMED else ""
        parts.append(f"left out {len(left_out)} that are not readable images: {shown}{more}")
    return "; ".join(parts)
