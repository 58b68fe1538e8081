"""Proof of a packed run: its digests, its figure on the test split, and its training."""

import dataclasses
import tempfile
from pathlib import Path

from zoo.errors import DatasetError, WeightsError
from zoo.pretrained.catalog import Record, read_record
from zoo.pretrained.packing import measure_test_split
from zoo.runs import Run, create_run, load_run
from zoo.runs.weights import digest_of_weights
from zoo.training import train

ROUNDING = {"test_accuracy": 5e-4}  # of half precision, absolute
RELATIVE_ROUNDING = 1e-3  # of the other metrics
STANDARD_ERRORS = 4.0  # of a model trained anew, whose bits differ on another processor


@dataclasses.dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        model: name of the model.
        trained_on: name of the dataset.
        files: number of files whose digests were compared.
        metric: the metric that was compared.
        recorded: its value in the record.
        measured: its value now; None if the test split is not prepared here.
        retrained: its value after training anew; None if not asked for.
        same_bits: whether training anew gave the same weights, to the bit; None if not asked for.
    """

    model: str
    trained_on: str
    files: int
    metric: str
    recorded: float
    measured: float | None = None
    retrained: float | None = None
    same_bits: bool | None = None


def verify(
    source: str | Path, *, data_dir: str | Path | None = None, retrain: bool = False
) -> Verification:
    """Verify a packed run: compare its files and its figure on the test split with its record.

    Args:
        source: name of a trained model, ``MODEL:DATASET``, or directory of a packed run.
        data_dir: TFDS data directory; ``$TFDS_DATA_DIR`` or ``~/tensorflow_datasets`` if None.
        retrain: whether to train the model again, too, as the record says.

    Returns:
        What was compared.

    Raises:
        WeightsError: if a file has been changed, or a figure is not the recorded one.
        DatasetError: if `retrain` is set and the dataset cannot be read.

    Example:
        >>> from zoo.pretrained.verification import verify
        >>> verify("two_layer_perceptron").measured
        1.0
    """
    run = load_run(source)
    record = read_record(run.directory)
    found = Verification(
        model=record.model,
        trained_on=record.trained_on,
        files=len(record.files),
        metric=record.metric,
        recorded=record.rounded[record.metric],
        measured=_measure(run, record, data_dir),
    )
    return _retrain(run, record, found, data_dir) if retrain else found


def _measure(run: Run, record: Record, data_dir: str | Path | None) -> float | None:
    try:
        measured = measure_test_split(run, data_dir)[record.metric]
    except DatasetError:
        return None
    recorded = record.rounded[record.metric]
    tolerance = ROUNDING.get(record.metric, RELATIVE_ROUNDING * abs(recorded))
    if not abs(measured - recorded) <= tolerance:
        raise WeightsError(
            f"{record.model}: {record.metric} is {measured:.5g} here, and the record says "
            f"{recorded:.5g}."
        )
    return measured


def _retrain(
    run: Run, record: Record, found: Verification, data_dir: str | Path | None
) -> Verification:
    """Train anew what the configuration of a run describes."""
    with tempfile.TemporaryDirectory() as folder:
        begun = create_run(Path(folder) / "run", run.config)
        again = train(record.model, run_dir=begun.directory, resume=True, data_dir=data_dir)
        retrained = again.metrics[record.metric]
        same_bits = digest_of_weights(again.model) == record.weights_sha256
    recorded = record.figures[record.metric]
    tolerance = STANDARD_ERRORS * record.standard_error or RELATIVE_ROUNDING * abs(recorded)
    if not same_bits and not abs(retrained - recorded) <= tolerance:
        raise WeightsError(
            f"{record.model}, trained anew: {record.metric} is {retrained:.5g}, and the record "
            f"says {recorded:.5g}."
        )
    return dataclasses.replace(found, retrained=retrained, same_bits=same_bits)
