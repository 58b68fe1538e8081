"""The verb `zoo.load`."""

from zoo.pretrained.catalog import find
from zoo.runs import Run, load_run


def load(name: str, trained_on: str | None = None) -> Run:
    """Load a trained model of the package as a finished run.

    Its files are compared with the digests in their record. Weights are stored in half precision.

    Args:
        name: name of the model.
        trained_on: name of the dataset; the model's own if None.

    Returns:
        The run: ``run.model``, ``run.preprocessor``, ``run.metrics`` and the rest.

    Raises:
        UnknownModelError: if there is no such model; the message suggests the closest name.
        WeightsError: if it does not come trained, not on that dataset, or a file has been changed.

    Example:
        >>> import zoo
        >>> run = zoo.load("two_layer_perceptron")
        >>> [row["label"] for row in zoo.predict(run, ["110", "100"])]
        ['1', '1']
    """
    return load_run(find(name, trained_on))
