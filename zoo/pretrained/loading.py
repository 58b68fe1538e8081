"""The verb `zoo.load`."""

from zoo.errors import ArgumentValueError
from zoo.pretrained.catalog import find
from zoo.pretrained.hub import is_reference
from zoo.runs import Run, load_run


def load(name: str, trained_on: str | None = None) -> Run:
    """Load a trained model of the package, or of the Hugging Face Hub, as a finished run.

    Its files are compared with the digests in their record. Weights are stored in half precision.

    Args:
        name: name of the model; or ``hf://USER/NAME`` or ``hf://USER/NAME@REVISION``, a repository
            of the hub that `zoo.push` has written.
        trained_on: name of the dataset; the model's own if None.

    Returns:
        The run: ``run.model``, ``run.preprocessor``, ``run.metrics`` and the rest.

    Raises:
        UnknownModelError: if there is no such model; the message suggests the closest name.
        WeightsError: if it does not come trained, not on that dataset, or a file has been changed.
        HubError: if a model of the hub cannot be read.
        ArgumentValueError: if `trained_on` is given for a model of the hub.

    Example:
        >>> import zoo
        >>> run = zoo.load("two_layer_perceptron")
        >>> [row["label"] for row in zoo.predict(run, ["110", "100"])]
        ['1', '1']
    """
    if not is_reference(name):
        return load_run(find(name, trained_on))
    if trained_on is not None:
        raise ArgumentValueError(
            f"trained_on={trained_on!r}: {name} has one model, so that it must be None."
        )
    return load_run(name)
