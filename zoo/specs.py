"""Frozen dataclasses that describe models, datasets, tasks and training recipes."""

import dataclasses
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from zoo.checks import require_choice, require_fraction, require_integer, require_number
from zoo.errors import ArgumentValueError

SCHEDULES = ("constant", "cosine", "one_cycle")
PRECISIONS = ("float32", "mixed_bfloat16")
SCALINGS = ("fraction", "standardized", "imagenet")
ENCODINGS = ("sequence", "multi_hot")
WORD_VECTORS = ("random", "cooccurrence")
AUGMENTATIONS = ("flip", "crop", "cutout", "elastic")
GRAYSCALES = ("none", "mean", "luminance")
TARGETS = ("label", "image", "class-conditional image")
CLASS_WEIGHTS = ("none", "balanced")
EXECUTIONS = ("measured", "recipe")
COLUMN_JOINER = "+"
MAX_INT = 2**31 - 1
MAX_IMAGE_SIZE = 1024
MAX_SEED = 2**32 - 1


def list_to_tuple(value: Any) -> Any:
    """Convert a list to a tuple, for values that were read from JSON.

    Args:
        value: any value; returned unchanged if it is not a list.
    """
    return tuple(value) if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """Preprocessing and augmentation of images.

    Attributes:
        scaling: how pixels are scaled: ``"fraction"``, to [0, 1]; ``"standardized"``, to zero mean
            and unit variance in each channel, with the statistics of the training split; or
            ``"imagenet"``, likewise with ImageNet's statistics.
        augmentation: random transformations of training images: ``"none"``, or one or more of
            ``flip`` (horizontally, with probability 1/2), ``crop`` (after padding by an eighth of
            the side), ``cutout`` (a square with a quarter of the side is filled with the mean
            color) and ``elastic`` (smooth displacement of the pixels), joined by ``+``.
        image_size: side in pixels to which images are resized; 0 keeps their size.
        grayscale: conversion to one channel: ``"none"``; the ``"mean"`` of the channels; or the
            ``"luminance"`` of ITU-R BT.601.
        noise_stddev: standard deviation of the Gaussian noise added to input images in [0, 1],
            which are then clipped to that range; only for models that output images; 0 for none.

    Raises:
        ArgumentValueError: if a value has the wrong type or is out of range.
    """

    scaling: str = "fraction"
    augmentation: str = "none"
    image_size: int = 0
    grayscale: str = "none"
    noise_stddev: float = 0.0

    def __post_init__(self) -> None:
        """Validate every field."""
        require_choice("scaling", self.scaling, SCALINGS)
        names = self.augmentations
        if not set(names) <= set(AUGMENTATIONS) or len(set(names)) < len(names):
            raise ArgumentValueError(
                f"augmentation={self.augmentation!r}: must be none, or one or more of "
                f"{', '.join(AUGMENTATIONS)}, joined by '+' and not repeated."
            )
        require_integer("image_size", self.image_size, 0, MAX_IMAGE_SIZE)
        require_choice("grayscale", self.grayscale, GRAYSCALES)
        require_number("noise_stddev", self.noise_stddev)

    def without(self, augmentation: str) -> str:
        """Return the value of `augmentation` without one of the transformations.

        Args:
            augmentation: name of the transformation to leave out.
        """
        return "+".join(name for name in self.augmentations if name != augmentation) or "none"

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The names of the transformations in `augmentation`."""
        if self.augmentation == "none":
            return ()
        return tuple(str(self.augmentation).split("+"))

    def input_shape(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a preprocessed image.

        Args:
            raw: shape of an image in the dataset, ``(height, width, channels)``.
        """
        height, width = (self.image_size,) * 2 if self.image_size else raw[:2]
        return (height, width, raw[2] if self.grayscale == "none" else 1)


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """Preprocessing of texts, and the initial word embeddings.

    Attributes:
        encoding: ``"sequence"``: a text becomes a sequence of token ids; or ``"multi_hot"``: it
            becomes a vector with a 1 for each token of the vocabulary that occurs in it.
        vocab_size: size of the vocabulary: the most frequent tokens of the training split, the
            padding token and the out-of-vocabulary token; at least 3.
        sequence_length: maximum number of tokens per text. Words come first, then the n-grams of
            each higher order, then subwords; the rest is truncated.
        ngrams: order of the longest word n-grams, from 1 (words only) to 5.
        subwords: length in characters of the longest subwords, from 3 to 9; 0 for no subwords.
        word_vectors: initial word embeddings of models that take sequences: ``"random"``, or
            ``"cooccurrence"``, the PPMI-SVD embeddings that `zoo.data.cooccurrence` computes from
            the training split without its labels.

    Raises:
        ArgumentValueError: if a value has the wrong type or is out of range.
    """

    encoding: str = "sequence"
    vocab_size: int = 10_000
    sequence_length: int = 500
    ngrams: int = 1
    subwords: int = 0
    word_vectors: str = "random"

    def __post_init__(self) -> None:
        """Validate every field."""
        require_choice("encoding", self.encoding, ENCODINGS)
        require_integer("vocab_size", self.vocab_size, 3, MAX_INT)
        require_integer("sequence_length", self.sequence_length, 1, MAX_INT)
        require_integer("ngrams", self.ngrams, 1, 5)
        if type(self.subwords) is not int or self.subwords not in (0, *range(3, 10)):
            raise ArgumentValueError(f"subwords={self.subwords!r}: must be 0 or from 3 to 9.")
        require_choice("word_vectors", self.word_vectors, WORD_VECTORS)


OPTIONS: dict[str, type] = {"images": ImageOptions, "text": TextOptions}


@dataclasses.dataclass(frozen=True)
class FileOptions:
    """How the files of a user's dataset are read.

    Attributes:
        text_column: column of a table that holds the texts, or several joined by ``+``, such as
            ``title+body``; detected if empty.
        label_column: column of a table that holds the labels; detected if empty.
        file_encoding: encoding of a table; UTF-8, or the UTF that its first bytes tell, if empty.
        skip_unreadable: whether to leave out the files of an image folder that are not readable
            images, instead of refusing the folder.
    """

    text_column: str = ""
    label_column: str = ""
    file_encoding: str = ""
    skip_unreadable: bool = False

    def __post_init__(self) -> None:
        """Validate every field."""
        for name in ("text_column", "label_column", "file_encoding"):
            if not isinstance(getattr(self, name), str):
                raise ArgumentValueError(f"{name}={getattr(self, name)!r}: must be a string.")
        if type(self.skip_unreadable) is not bool:
            raise ArgumentValueError(
                f"skip_unreadable={self.skip_unreadable!r}: must be true or false."
            )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Training settings: everything that `train` needs besides a compiled model.

    Attributes:
        epochs: number of epochs, at least 1.
        batch_size: rows per training step, at least 1.
        schedule: learning rate schedule, updated once per epoch: ``"constant"``; ``"cosine"``, a
            cosine decay to zero (Loshchilov & Hutter, 2017, https://arxiv.org/abs/1608.03983); or
            ``"one_cycle"``, a linear increase over the first fifth of the epochs and a linear
            decrease to zero over the rest (Smith, 2018, https://arxiv.org/abs/1803.09820).
        patience: epochs without improvement of the task's monitored metric before early stopping,
            which restores the weights of the best epoch; 0 disables early stopping and keeps the
            weights of the last epoch.
        execution: whether a training run keeps `jit_compile` and `precision`, ``"recipe"``, or may
            replace both by what takes less time on the machine, ``"measured"``: see
            `zoo.training.execution`.
        jit_compile: whether to compile the training step with XLA.
        steps_per_execution: training steps per call of the compiled function, at least 1.
        precision: ``"float32"``, or ``"mixed_bfloat16"``: training computes in bfloat16 and keeps
            float32 weights (Micikevicius et al., 2018, https://arxiv.org/abs/1710.03740). The
            trained model computes in float32 either way. As a default, bfloat16 is replaced by
            float32 on machines without a GPU whose CPU does not report bfloat16 instructions.
        ema_momentum: momentum of an exponential moving average of the weights over the training
            steps, in [0, 1), such as 0.999 (Polyak & Juditsky, 1992,
            https://doi.org/10.1137/0330046). Validation measures the averaged weights, and training
            ends with them; 0 for no average.
        teacher: a trained classifier, as `zoo.load_run` takes it, from whose probabilities for the
            training rows, without augmentation, the model learns besides the labels (Hinton et al.,
            2015, https://arxiv.org/abs/1503.02531); or ``"none"``.
        teacher_weight: weight of the teacher's probabilities, in [0, 1); the labels have the rest.
        teacher_temperature: temperature by which the teacher's logits are divided, more than 0.
        class_weight: weight of a training row in the loss of a classifier: ``"none"``, or
            ``"balanced"``, inversely proportional to the number of rows of its class (King & Zeng,
            2001, https://doi.org/10.1093/oxfordjournals.pan.a004868).
        images: preprocessing of images, for image datasets.
        text: preprocessing of texts, for text datasets.

    Raises:
        ArgumentValueError: if a value has the wrong type or is out of range.
    """

    epochs: int
    batch_size: int
    schedule: str = "constant"
    patience: int = 0
    execution: str = "measured"
    jit_compile: bool = True
    steps_per_execution: int = 1
    precision: str = "float32"
    ema_momentum: float = 0.0
    teacher: str = "none"
    teacher_weight: float = 0.9
    teacher_temperature: float = 4.0
    class_weight: str = "none"
    images: ImageOptions = ImageOptions()
    text: TextOptions = TextOptions()

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Recipe":
        """Return the recipe that was stored as JSON."""
        nested = {kind: OPTIONS[kind](**fields[kind]) for kind in OPTIONS}
        return cls(**{**fields, **nested})

    def settings(self) -> dict[str, Any]:
        """Return all settings by name, those of `images` and `text` included."""
        fields = dataclasses.asdict(self)
        nested = {name: value for kind in OPTIONS for name, value in fields.pop(kind).items()}
        return {**fields, **nested}

    def replace(self, **settings: Any) -> "Recipe":
        """Return a copy of the recipe with some settings changed.

        Args:
            **settings: new values, by the names that `settings` returns.

        Raises:
            ArgumentValueError: if a value has the wrong type or is out of range.
        """
        nested = {}
        for kind, options in OPTIONS.items():
            names = {f.name for f in dataclasses.fields(options)} & settings.keys()
            values = {name: settings.pop(name) for name in names}
            nested[kind] = dataclasses.replace(getattr(self, kind), **values)
        return dataclasses.replace(self, **nested, **settings)

    def __post_init__(self) -> None:
        """Validate every field."""
        for name, minimum in (
            ("epochs", 1),
            ("batch_size", 1),
            ("patience", 0),
            ("steps_per_execution", 1),
        ):
            require_integer(name, getattr(self, name), minimum, MAX_INT)
        for name in ("ema_momentum", "teacher_weight"):
            require_fraction(name, getattr(self, name))
        if not isinstance(self.teacher, str):
            raise ArgumentValueError(f"teacher={self.teacher!r}: must be a string.")
        require_number("teacher_temperature", self.teacher_temperature)
        if not self.teacher_temperature:
            raise ArgumentValueError("teacher_temperature=0: must be more than 0.")
        require_choice("schedule", self.schedule, SCHEDULES)
        require_choice("precision", self.precision, PRECISIONS)
        require_choice("class_weight", self.class_weight, CLASS_WEIGHTS)
        require_choice("execution", self.execution, EXECUTIONS)
        if type(self.jit_compile) is not bool:
            raise ArgumentValueError(f"jit_compile={self.jit_compile!r}: must be true or false.")


@dataclasses.dataclass(frozen=True)
class Task:
    """A kind of learning problem: its losses, its metrics and the metric to optimize.

    Attributes:
        summary: one-line description.
        losses: names of the valid losses; the first is the default.
        metrics: names of the metrics reported besides the loss.
        monitor: key of the training history by which epochs and trials are compared.
        direction: whether a higher `monitor` is better, ``"max"``, or a lower one, ``"min"``.
        target: what the model is trained to output: the ``"label"``, the ``"image"``, or the
            ``"class-conditional image"``, with the label as a second input.
    """

    summary: str
    losses: tuple[str, ...]
    metrics: tuple[str, ...]
    monitor: str
    direction: str
    target: str = "label"


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """Description of a dataset.

    Attributes:
        name: a name of the zoo, a TFDS name, or a path.
        kind: name of the module of `zoo.data` that reads the dataset: ``"images"``, ``"text"`` or
            ``"truth_tables"``.
        input_shape: shape of one raw row: ``(height, width, channels)``, ``(bits,)``, or ``()``
            for a text.
        class_names: names of the classes, in the order of the labels.
        summary: one-line description.
        source: a TFDS name; ``"folder"``, ``"file"`` or ``"given"`` (rows in memory) for a user's
            data; or ``"memory"`` for datasets that the zoo generates.
        reference: author, year and URL.
        columns: columns that are joined to form a text, in this order.
        mirrors: whether horizontal flips preserve the class of an image.
        label_column: column of a table that holds the labels.
        encoding: encoding of a table; detected if empty.
        skip_unreadable: whether the files of a folder that are not readable images are left out.
    """

    name: str
    kind: str
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    summary: str
    source: str
    reference: str = ""
    columns: tuple[str, ...] = ()
    mirrors: bool = True
    label_column: str = "label"
    encoding: str = ""
    skip_unreadable: bool = False

    @property
    def is_users(self) -> bool:
        """Whether the data are a user's own, rather than the zoo's or those of TFDS."""
        return self.source in ("file", "folder", "given")

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "DatasetSpec":
        """Return the spec that was stored as JSON."""
        return cls(**{key: list_to_tuple(value) for key, value in fields.items()})

    def model_arguments(self, recipe: "Recipe | None" = None) -> dict[str, Any]:
        """Return the builder arguments that the data determines.

        Args:
            recipe: recipe with the preprocessing; the default preprocessing if None.
        """
        options = getattr(recipe or Recipe(1, 1), self.kind, None)
        classes = {"num_classes": len(self.class_names)}
        if isinstance(options, TextOptions):
            sizes = {"vocab_size", "sequence_length"}
            return {**classes, **{name: getattr(options, name) for name in sizes}}
        if isinstance(options, ImageOptions):
            return {**classes, "input_shape": options.input_shape(self.input_shape)}
        return {**classes, "input_shape": self.input_shape}


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """Entry of the model catalog.

    Attributes:
        builder: location of the builder, ``"package.module:function"``. The name of the function
            is the name of the model.
        task: key of `zoo.tasks.TASKS`.
        dataset: name of the default training dataset.
        parameters: number of weights of the default model, non-trainable ones included.
        summary: one-line description.
        recipe: default training recipe.
        pretrained: preprocessing that goes with the pretrained weights: for each name that the
            builder's ``weights`` argument accepts, the recipe's `images`.
    """

    builder: str
    task: str
    dataset: str
    parameters: int
    summary: str
    recipe: Recipe
    pretrained: Mapping[str, ImageOptions] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the model, which is that of its builder."""
        return self.builder.rpartition(":")[2]

    def load_builder(self) -> Callable[..., Any]:
        """Import the builder, and Keras with it, and return it."""
        return pkgutil.resolve_name(self.builder)
