"""What the zoo knows of a model, a data set, a task and a recipe: frozen, and plain data."""

import dataclasses
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

from zoo.errors import ArgumentValueError

SCHEDULES = ("constant", "cosine", "one_cycle")
PRECISIONS = ("float32", "mixed_bfloat16")
SCALINGS = ("fraction", "standardized", "imagenet")
ENCODINGS = ("sequence", "multi_hot")
WORD_VECTORS = ("random", "cooccurrence")
AUGMENTATIONS = ("flip", "crop", "cutout")
GRAYSCALES = ("none", "mean", "luminance")
TARGETS = ("label", "image", "image given label")
MOST = 2**31 - 1
LARGEST_IMAGE = 1024
MOST_SEED = 2**32 - 1


def require_integer(name: str, value: Any, least: int, most: int) -> None:
    """Refuses what is no integer of a range.

    Args:
        name: of the argument.
        value: what was received.
        least: smallest value allowed.
        most: largest value allowed.

    Raises:
        ArgumentValueError: if the value is of another type or out of range.
    """
    if type(value) is not int or not least <= value <= most:
        raise ArgumentValueError(f"{name}={value!r}: must be an integer from {least} to {most}.")


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuses what is none of the words allowed.

    Args:
        name: of the argument.
        value: what was received.
        choices: the words.

    Raises:
        ArgumentValueError: if the value is another.
    """
    if value not in choices:
        raise ArgumentValueError(f"{name}={value!r}: must be one of {', '.join(choices)}.")


def require_number(name: str, value: Any) -> None:
    """Refuses what is no finite number of at least 0.

    Args:
        name: of the argument.
        value: what was received.

    Raises:
        ArgumentValueError: if the value is of another type or out of range.
    """
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise ArgumentValueError(f"{name}={value!r}: must be a number of at least 0.")


def as_tuple(value: Any) -> Any:
    """Turns a list, as JSON gives it for a tuple, back into one; leaves other values alone.

    Args:
        value: any.
    """
    return tuple(value) if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """How images are prepared for a model.

    Attributes:
        scaling: what becomes of pixels: ``"fraction"`` of full intensity, in [0, 1];
            ``"standardized"``: mean 0 and variance 1 in each channel of the training split; or
            ``"imagenet"``: the same with ImageNet's mean and variance.
        augmentation: what is done to training images, anew in each epoch and to no others:
            ``"none"``, or any of ``flip`` (left to right, by the toss of a coin), ``crop`` (moved
            by up to an eighth of its side) and ``cutout`` (a square of a quarter of its side
            covered with the mean color), joined by ``+``.
        image_size: side in pixels that images are resized to; 0 leaves them at the data set's.
        grayscale: what becomes of colors: ``"none"`` of them is lost; or one channel is left, the
            ``"mean"`` of the three, or their ``"luminance"`` as ITU-R BT.601 weighs them.
        noise_stddev: standard deviation of the Gaussian noise added to the fractions that a model
            is to clear of it, which are cut off at 0 and 1 again; 0 for none.

    Raises:
        ArgumentValueError: if a value is of the wrong type or out of range.
    """

    scaling: str = "fraction"
    augmentation: str = "none"
    image_size: int = 0
    grayscale: str = "none"
    noise_stddev: float = 0.0

    def __post_init__(self) -> None:
        """Checks every value."""
        require_choice("scaling", self.scaling, SCALINGS)
        words = self.augmentations
        if not set(words) <= set(AUGMENTATIONS) or len(set(words)) < len(words):
            raise ArgumentValueError(
                f"augmentation={self.augmentation!r}: must be none, or one or more of "
                f"{', '.join(AUGMENTATIONS)}, joined by '+', each once."
            )
        require_integer("image_size", self.image_size, 0, LARGEST_IMAGE)
        require_choice("grayscale", self.grayscale, GRAYSCALES)
        require_number("noise_stddev", self.noise_stddev)

    def without(self, augmentation: str) -> str:
        """Gives `augmentation` with one of the words left out.

        Args:
            augmentation: the word.
        """
        return "+".join(word for word in self.augmentations if word != augmentation) or "none"

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The names that `augmentation` joins."""
        if self.augmentation == "none":
            return ()
        return tuple(str(self.augmentation).split("+"))

    def input_shape(self, raw: tuple[int, ...]) -> tuple[int, ...]:
        """Gives the shape in which images reach the model.

        Args:
            raw: ``(height, width, channels)`` as the data set has them.
        """
        height, width = (self.image_size,) * 2 if self.image_size else raw[:2]
        return (height, width, raw[2] if self.grayscale == "none" else 1)


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """How texts are prepared for a model, and what vectors its words begin with.

    Attributes:
        encoding: what becomes of a text: ``"sequence"``: the numbers of its words, in order; or
            ``"multi_hot"``: for each word of the vocabulary, whether the text has it.
        vocab_size: words known, the commonest of the training split, with the two that stand for
            padding and for all others; at least 3.
        sequence_length: tokens of a text that are read: all its words from its beginning, then
            its pairs of words and so on, then the pieces of words.
        ngrams: 1 for words alone, 2 for pairs of neighbors too, and so on to 5.
        subwords: most characters in the pieces of words that are read beside them, from 3 to 9;
            0 for no pieces.
        word_vectors: what those are, where texts are sequences: drawn at ``"random"``, or found by
            `zoo.data.cooccurrence` in the training split, without its labels.

    Raises:
        ArgumentValueError: if a value is of the wrong type or out of range.
    """

    encoding: str = "sequence"
    vocab_size: int = 10_000
    sequence_length: int = 500
    ngrams: int = 1
    subwords: int = 0
    word_vectors: str = "random"

    def __post_init__(self) -> None:
        """Checks every value."""
        require_choice("encoding", self.encoding, ENCODINGS)
        require_integer("vocab_size", self.vocab_size, 3, MOST)
        require_integer("sequence_length", self.sequence_length, 1, MOST)
        require_integer("ngrams", self.ngrams, 1, 5)
        if type(self.subwords) is not int or self.subwords not in (0, *range(3, 10)):
            raise ArgumentValueError(f"subwords={self.subwords!r}: must be 0 or from 3 to 9.")
        require_choice("word_vectors", self.word_vectors, WORD_VECTORS)


OPTIONS: dict[str, type] = {"images": ImageOptions, "text": TextOptions}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained: everything that `train` needs beside the compiled model.

    Attributes:
        epochs: passes over the training split, at least 1.
        batch_size: rows a step, at least 1.
        schedule: ``"constant"``; ``"cosine"``: the learning rate falls to zero along half a
            cosine (Loshchilov & Hutter, 2017, https://arxiv.org/abs/1608.03983); or
            ``"one_cycle"``: it rises for a fifth of the epochs and falls to zero over the rest,
            both linearly (Smith, 2018, https://arxiv.org/abs/1803.09820). One step an epoch.
        patience: epochs without improvement of the task's monitored quantity after which
            training stops and the best epoch's weights are restored; 0 trains all epochs and
            keeps the last.
        jit_compile: whether XLA compiles the training step.
        steps_per_execution: steps that run between two returns to Python, at least 1.
        precision: ``"float32"``, or ``"mixed_bfloat16"``: training computes in bfloat16 and keeps
            float32 weights (Micikevicius et al., 2018, https://arxiv.org/abs/1710.03740). The
            trained model computes in float32 either way. Unless it is asked for, bfloat16 is left
            alone on machines that have no GPU and, as far as Linux tells, no instructions for it.
        images: how images are prepared, where the data set is one of images.
        text: how texts are, where it is one of texts.

    Raises:
        ArgumentValueError: if a value is of the wrong type or out of range.
    """

    epochs: int
    batch_size: int
    schedule: str = "constant"
    patience: int = 0
    jit_compile: bool = True
    steps_per_execution: int = 1
    precision: str = "float32"
    images: ImageOptions = ImageOptions()
    text: TextOptions = TextOptions()

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Recipe":
        """Makes a recipe of what JSON has kept of one."""
        nested = {kind: OPTIONS[kind](**fields[kind]) for kind in OPTIONS}
        return cls(**{**fields, **nested})

    def settings(self) -> dict[str, Any]:
        """Gives every setting by the name it has for a user: those of `images` and `text`, too."""
        fields = dataclasses.asdict(self)
        nested = {name: value for kind in OPTIONS for name, value in fields.pop(kind).items()}
        return {**fields, **nested}

    def replace(self, **settings: Any) -> "Recipe":
        """Gives the same recipe with other values for some of its `settings`.

        Args:
            **settings: those values, by the names they have for a user.

        Raises:
            ArgumentValueError: if a value is of the wrong type or out of range.
        """
        changed = {}
        for kind, options in OPTIONS.items():
            theirs = {f.name for f in dataclasses.fields(options)} & settings.keys()
            values = {name: settings.pop(name) for name in theirs}
            changed[kind] = dataclasses.replace(getattr(self, kind), **values)
        return dataclasses.replace(self, **changed, **settings)

    def __post_init__(self) -> None:
        """Checks every value."""
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("patience", 0),
            ("steps_per_execution", 1),
        ):
            require_integer(name, getattr(self, name), least, MOST)
        require_choice("schedule", self.schedule, SCHEDULES)
        require_choice("precision", self.precision, PRECISIONS)
        if type(self.jit_compile) is not bool:
            raise ArgumentValueError(f"jit_compile={self.jit_compile!r}: must be true or false.")


@dataclasses.dataclass(frozen=True)
class Task:
    """What a model is asked to do, and how its answer is judged.

    Attributes:
        summary: one line.
        losses: the losses that fit, by Keras' names; the first is the default.
        metrics: reported beside the loss, by Keras' names.
        monitor: the quantity of the history by which epochs and trials are compared.
        direction: ``"max"`` or ``"min"``: which way `monitor` improves.
        target: what the model is to give for an image: its ``"label"``, or the ``"image"``, or the
            ``"image given label"``, which is then an input, too.
    """

    summary: str
    losses: tuple[str, ...]
    metrics: tuple[str, ...]
    monitor: str
    direction: str
    target: str = "label"


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """What is known of a data set before a row of it is read.

    Attributes:
        name: what the user types: a name of the zoo, a TFDS name, or a folder's path.
        kind: the module of `zoo.data` that reads it: ``"images"``, ``"text"`` or
            ``"truth_tables"``.
        input_shape: shape of one raw row, ``(height, width, channels)``, ``(bits,)``, or ``()``
            for a text.
        class_names: one a class, in the order of the labels.
        summary: one line.
        source: where the rows come from: a TFDS name, or ``"folder"``, ``"file"`` or
            ``"memory"``.
        reference: author, year and URL.
        columns: what a text is joined of, in this order.
        mirrors: whether an image's mirror image is of the same class.
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

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "DatasetSpec":
        """Makes a spec of what JSON has kept of one; its lists become tuples again."""
        return cls(**{key: as_tuple(value) for key, value in fields.items()})

    def model_arguments(self, recipe: "Recipe | None" = None) -> dict[str, Any]:
        """Gives the arguments of a builder that follow from the data.

        Args:
            recipe: how they are prepared; as by default if None.
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
    """A row of the catalog: a builder and all that belongs to it.

    Attributes:
        builder: where the builder is, as ``"package.module:function"``. The function's name is
            the model's name everywhere.
        task: key of `zoo.tasks.TASKS`.
        dataset: name of the data set the model is trained on unless told otherwise.
        parameters: trainable and frozen weights that the builder's defaults make.
        summary: one line.
        recipe: how it is trained unless told otherwise.
        pretrained: for each name that the builder's argument ``weights`` knows, how images were
            prepared when those weights were made: the recipe's `images` where they are used.
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
        """The model's name: its builder's."""
        return self.builder.rpartition(":")[2]

    def load_builder(self) -> Callable[..., Any]:
        """Imports the builder, and with it Keras."""
        return pkgutil.resolve_name(self.builder)
