"""Where training starts: at random, or from the weights and the preprocessing of another run."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.checks import require_choice
from zoo.data.pipeline import Data
from zoo.data.text import extend_vocabulary
from zoo.errors import ArgumentValueError
from zoo.pretrained.fine_tuning import FREEZES, digest_of_source, source_of
from zoo.pretrained.hub import is_reference, pin_revision
from zoo.registry import has_own_weights
from zoo.runs import Run
from zoo.specs import DatasetSpec, ModelSpec, Recipe, TextOptions

SETTINGS = ("weights", "freeze")


@dataclasses.dataclass(frozen=True)
class Start:
    """The weights that training starts from.

    Attributes:
        weights: as `zoo.build` takes them; None for random weights, or if the builder of the model
            has an argument of that name.
        freeze: the layers that are frozen.
    """

    weights: str | None = None
    freeze: str = "none"

    @classmethod
    def of(cls, spec: ModelSpec, overrides: Mapping[str, Any]) -> "Start":
        """Return the start that the overrides of a run ask for.

        Args:
            spec: spec of the model.
            overrides: as `zoo.train` takes them.

        Raises:
            ArgumentValueError: if a value is out of range, or nothing is left to train.
            HubError: if a model of the Hugging Face Hub cannot be read.
        """
        given = {key: overrides[key] for key in SETTINGS if key in overrides}
        if not given or has_own_weights(spec.load_builder()):
            return cls()
        weights, freeze = given.get("weights"), given.get("freeze", "none")
        require_choice("freeze", freeze, FREEZES)
        if weights is None:
            raise ArgumentValueError(f"freeze={freeze!r} requires weights, such as a dataset.")
        if is_reference(weights):
            return cls(pin_revision(weights), freeze)
        is_directory = Path(weights).is_dir()
        return cls(str(Path(weights).resolve()) if is_directory else str(weights), freeze)

    def source(self, model: str) -> Run | None:
        """Open the run that training starts from; None for random weights.

        Args:
            model: name of the model.

        Raises:
            WeightsError: if there is no such run, or it is of another model.
        """
        return source_of(model, self.weights) if self.weights else None


def recipe_like(source: Run, recipe: Recipe, dataset: DatasetSpec) -> Recipe:
    """Return a recipe that prepares inputs as another run does.

    Args:
        source: the run.
        recipe: recipe of the model, whose augmentation is kept.
        dataset: what is to be trained on; images of another size are resized.
    """
    images = dataclasses.replace(source.recipe.images, augmentation=recipe.images.augmentation)
    if dataset.kind == "images":
        height, width = source.config["arguments"]["input_shape"][:2]
        if height == width and images.input_shape(dataset.input_shape)[:2] != (height, width):
            images = dataclasses.replace(images, image_size=height)
    text = dataclasses.replace(source.recipe.text, word_vectors="random")
    return dataclasses.replace(recipe, images=images, text=text)


def require_vocabulary(source: Run, recipe: Recipe) -> None:
    """Refuse a vocabulary that lacks words of the one that weights were trained with.

    Args:
        source: the run with the weights.
        recipe: how texts are to be prepared.

    Raises:
        ArgumentValueError: if the vocabulary is to be smaller.
    """
    size = source.recipe.text.vocab_size
    if source.dataset.kind == "text" and recipe.text.vocab_size < size:
        raise ArgumentValueError(
            f"vocab_size={recipe.text.vocab_size}: the weights have a vocabulary of {size}, which "
            "can be kept or extended."
        )


def with_vocabulary(data: Data, source: Run, options: TextOptions) -> Data:
    """Return data whose vocabulary is that of a run, extended if it is to be larger.

    Args:
        data: what is to be trained on, prepared as the run prepares its inputs.
        source: the run.
        options: how texts are to be prepared.
    """
    if data.spec.kind != "text":
        return data
    extended = extend_vocabulary(source.preprocessor, options, data.rows["train"].inputs)
    return dataclasses.replace(data, preprocessor=extended)


def architecture_of(source: Run) -> dict[str, Any]:
    """Return the arguments of a run's builder that its dataset does not determine.

    Args:
        source: the run.
    """
    determined = source.dataset.model_arguments(source.recipe)
    return {k: v for k, v in source.config["arguments"].items() if k not in determined}


def weights_digest(model: str, start: Start, arguments: Mapping[str, Any]) -> str | None:
    """Return the SHA-256 digest of the weights file that a model starts from, if there is one.

    Args:
        model: name of the model.
        start: the trained weights that it starts from.
        arguments: arguments of the model's builder, which may name a file.
    """
    if source := start.source(model):
        return digest_of_source(source)
    path = _weights_file(arguments)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else None


def absolute_weights(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the argument ``weights`` as an absolute path, if it names a file.

    Args:
        arguments: arguments of the model's builder.
    """
    path = _weights_file(arguments)
    return {"weights": str(path.resolve())} if path else {}


def _weights_file(arguments: Mapping[str, Any]) -> Path | None:
    name = arguments.get("weights")
    return Path(name) if isinstance(name, str) and os.path.isfile(name) else None
