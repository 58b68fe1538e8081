"""The catalog of data sets, and the one door to them: `load_data`.

Rows are read by the module that a spec's `kind` names. Those modules import TensorFlow; this one
does not, so that a list of data sets costs nothing.
"""

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ArgumentValueError, DatasetError
from zoo.specs import (
    MOST,
    MOST_SEED,
    TARGETS,
    DatasetSpec,
    ImageOptions,
    TextOptions,
    require_choice,
    require_integer,
)

if TYPE_CHECKING:
    from zoo.data.pipeline import Data, Rows

DIGIT_NAMES = tuple("0123456789")
BIT_NAMES = ("0", "1")


def _truth_table(name: str, bits: int, summary: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        kind="truth_tables",
        input_shape=(bits,),
        class_names=BIT_NAMES,
        summary=summary,
        source="memory",
    )


DATASETS = {
    spec.name: spec
    for spec in (
        _truth_table("and", 2, "x0 AND x1: four rows"),
        _truth_table("or", 2, "x0 OR x1: four rows"),
        _truth_table("xor", 2, "x0 XOR x1: four rows, not linearly separable"),
        _truth_table("nand", 2, "NOT (x0 AND x1): four rows"),
        _truth_table("first_input", 3, "x0 of three bits: the rows 110, 100, 010 and 000"),
        _truth_table("xor_nand", 3, "NOT ((x0 XOR x1) AND x2): eight rows"),
        DatasetSpec(
            name="digits",
            kind="images",
            input_shape=(8, 8, 1),
            class_names=DIGIT_NAMES,
            summary="handwritten digits of 8x8 pixels, bundled with scikit-learn",
            source="digits:1.*.*",
            mirrors=False,
            reference="Alpaydin & Kaynak (1998), https://doi.org/10.24432/C50P49",
        ),
        DatasetSpec(
            name="mnist",
            kind="images",
            input_shape=(28, 28, 1),
            class_names=DIGIT_NAMES,
            summary="handwritten digits of 28x28 pixels",
            source="mnist:3.*.*",
            mirrors=False,
            reference="LeCun, Cortes & Burges (1998), http://yann.lecun.com/exdb/mnist/",
        ),
        DatasetSpec(
            name="fashion_mnist",
            kind="images",
            input_shape=(28, 28, 1),
            class_names=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            summary="pictures of clothes of 28x28 pixels",
            source="fashion_mnist:3.*.*",
            reference="Xiao, Rasul & Vollgraf (2017), https://arxiv.org/abs/1708.07747",
        ),
        DatasetSpec(
            name="cifar10",
            kind="images",
            input_shape=(32, 32, 3),
            class_names=(
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
            summary="photographs of ten kinds of things, 32x32 pixels",
            source="cifar10:3.*.*",
            reference="Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/cifar.html",
        ),
        DatasetSpec(
            name="imdb_reviews",
            kind="text",
            input_shape=(),
            class_names=("neg", "pos"),
            summary="reviews of films, against or for them",
            source="imdb_reviews:1.*.*",
            reference="Maas et al. (2011), https://aclanthology.org/P11-1015/",
            columns=("text",),
        ),
        DatasetSpec(
            name="ag_news_subset",
            kind="text",
            input_shape=(),
            class_names=("World", "Sports", "Business", "Sci/Tech"),
            summary="title and first sentence of news, by their section",
            source="ag_news_subset:1.*.*",
            reference="Zhang, Zhao & LeCun (2015), https://arxiv.org/abs/1509.01626",
            columns=("title", "description"),
        ),
        DatasetSpec(
            name="toy_reviews",
            kind="text",
            input_shape=(),
            class_names=("neg", "pos"),
            summary="synthetic: short reviews by a grammar in which the order of words decides",
            source="memory",
            columns=("text",),
        ),
    )
}


def get_dataset(name: str | Path, data_dir: str | Path | None = None) -> DatasetSpec:
    """Says what is known of a data set before it is read.

    Args:
        name: a data set of the zoo; or a folder with one sub-folder of images a class; or a
            ``.csv``, ``.jsonl`` or ``.parquet`` table with the columns ``text`` and ``label``, or
            a folder with one a split; or the name of any TFDS data set that has an image or a
            text, and a label.
        data_dir: where TFDS keeps its data; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if
            None.

    Returns:
        Its spec; derived from the folder or from the TFDS builder where it is not of the zoo.

    Raises:
        UnknownDatasetError: if there is no such data set; names the near miss.
        DatasetError: if a folder, table or TFDS data set is no classification of images or texts.

    Example:
        >>> from zoo.data import get_dataset
        >>> get_dataset("mnist").input_shape
        (28, 28, 1)
    """
    if name in DATASETS:
        return DATASETS[str(name)]
    from zoo.data import images, text, tfds_store

    path = Path(name)
    if text.is_table(path):
        return text.describe_table(path)
    if str(name) and path.is_dir():
        return images.describe_folder(path)
    builder = tfds_store.open_builder(str(name), data_dir)
    spec = images.describe_tfds(builder) or text.describe_tfds(builder)
    if spec is None:
        raise DatasetError(
            f"{name} is no classification of 8-bit images or of texts: TFDS gives it the features "
            f"{', '.join(builder.info.features)} and the supervised keys "
            f"{builder.info.supervised_keys}."
        )
    return dataclasses.replace(spec, name=str(name), source=str(name))


def load_data(
    name: str | Path | DatasetSpec,
    *,
    batch_size: int = 64,
    data_dir: str | Path | None = None,
    seed: int = 0,
    images: ImageOptions = ImageOptions(),
    text: TextOptions = TextOptions(),
    target: str = "label",
    fold: tuple[int, int] | None = None,
) -> "Data":
    """Reads a data set, and makes the pipelines that feed a model.

    The rows of validation are cut from the training rows, a tenth of every class; where a data
    set has no test split, so is that. The cut is drawn once and for all: it does not follow
    `seed`. Truth tables are whole in each split.

    Args:
        name: a data set of the zoo, a folder of images, a table of texts, a TFDS name, or a spec.
        batch_size: rows a batch.
        data_dir: where TFDS keeps its data; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if
            None.
        seed: of the order of the training rows, and of what augmentation does to them.
        images: how images are prepared, where the data set is one of images.
        text: how texts are, where it is one of texts.
        target: what the model is to give: the ``"label"`` of a row; or the ``"image"`` itself,
            without the noise that ``noise_stddev`` may add to the input; or the ``"image given
            label"``, which is then an input beside it.
        fold: ``(2, 5)`` takes the second fifth of the rows that are not for test as validation,
            and the other four to learn from; the usual cut if None.

    Returns:
        The batched splits ``train``, ``validation`` and ``test`` of what the model takes,
        ``(inputs, target)``, with the ``preprocessor`` from raw rows to those inputs.

    Raises:
        UnknownDatasetError: if there is no such data set; names the near miss.
        DatasetError: if it cannot be read: not prepared and out of reach, damaged, empty, or of
            fewer than two classes.
        ArgumentValueError: if `batch_size` or `seed` is no integer of its range, `target` is not
            for such data, or there are not as many rows as folds.

    Example:
        >>> import zoo
        >>> data = zoo.load_data("xor", batch_size=4)
        >>> inputs, labels = next(iter(data.test))
        >>> inputs.shape, labels.numpy().tolist()
        (TensorShape([4, 2]), [0, 1, 1, 0])
    """
    require_integer("batch_size", batch_size, 1, MOST)
    require_integer("seed", seed, 0, MOST_SEED)
    require_choice("target", target, TARGETS)
    spec = name if isinstance(name, DatasetSpec) else get_dataset(name, data_dir)
    _require_target(spec, images, target)
    reader = reader_of(spec)
    rows, version = reader.read(spec, data_dir)
    if fold:
        rows |= _folded(spec, rows, *fold)
    _require_every_class(spec, rows["train"])
    known = (spec, {"images": images, "text": text}.get(spec.kind), rows["train"].inputs)
    return reader.DATA(
        spec=spec,
        version=version,
        rows=rows,
        preprocessor=reader.preprocessor(*known),
        augmentation=reader.augmentation(*known),
        batch_size=batch_size,
        seed=seed,
        target=target,
        corruption=_corruption(images),
    )


def _folded(
    spec: DatasetSpec, rows: dict[str, "Rows"], number: int, folds: int
) -> dict[str, "Rows"]:
    from zoo.data.pipeline import concatenate_rows, split_fold

    if spec.kind == "truth_tables":
        raise ArgumentValueError(f"folds={folds}: a truth table such as {spec.name} stays whole.")
    both = concatenate_rows(rows["train"], rows["validation"])
    require_integer("folds", folds, 2, len(both))
    require_integer("fold", number, 1, folds)
    train, validation = split_fold(both, number, folds)
    return {"train": train, "validation": validation}


def _require_target(spec: DatasetSpec, images: ImageOptions, target: str) -> None:
    if target == "label":
        if images.noise_stddev:
            raise ArgumentValueError(
                f"noise_stddev={images.noise_stddev}: only a model that gives images clears noise."
            )
        return
    if spec.kind != "images":
        raise DatasetError(f"{spec.name} is a data set of {spec.kind}, and images are to be given.")
    if images.scaling != "fraction":
        raise ArgumentValueError(
            f"scaling={images.scaling!r}: images are given as fractions of full intensity, in "
            "[0, 1], which is scaling='fraction'."
        )


def _corruption(images: ImageOptions) -> Any:
    if not images.noise_stddev:
        return None
    from zoo.data.corruption import GaussianCorruption

    return GaussianCorruption(images.noise_stddev)


def _require_every_class(spec: DatasetSpec, train: "Rows") -> None:
    present = set(train.labels.tolist())
    missing = [name for number, name in enumerate(spec.class_names) if number not in present]
    if missing:
        raise DatasetError(f"{spec.name}: no training row is of class {missing[0]!r}.")


def reader_of(spec: DatasetSpec) -> Any:
    """Imports the module that reads a kind of data.

    Such a module has four functions: ``read(spec, data_dir)`` gives the raw rows of each split
    and the version of what was read, ``preprocessor(spec, options, train)`` the layer from raw
    rows to the model's input, ``augmentation(spec, options, train)`` the layers that alter raw
    training rows, and ``parse(spec, inputs)`` raw rows from what a user types or holds. Its
    constants ``INPUT_NAME``, ``INPUT_DTYPE`` and ``raw_shape(spec)`` describe the served input,
    and ``DATA`` is the class that makes batches of its rows.

    Args:
        spec: a data set of that kind.

    Returns:
        The module.
    """
    return importlib.import_module(f"zoo.data.{spec.kind}")
