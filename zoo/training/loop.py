"""The training loop: fitting a run's model, from its last finished epoch on."""

import contextlib
import itertools
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.data.cooccurrence import ppmi_svd_embeddings
from zoo.data.pipeline import Data
from zoo.data.sequences import SequenceData
from zoo.data.whitening import whitening_kernels
from zoo.errors import ArgumentValueError, TrainingDivergedError
from zoo.evaluation.reconstruction import training_images
from zoo.models.conv import WHITENING
from zoo.registry import get_spec
from zoo.runs import RUNS, Run, create_run, load_run
from zoo.runs.files import remove_partial_files
from zoo.specs import Recipe
from zoo.tasks import TASKS
from zoo.training.callbacks import (
    Checkpoint,
    EpochNumber,
    StopRule,
    keep_averaged_weights,
    progress_callbacks,
)
from zoo.training.cluster import Cluster
from zoo.training.config import RunConfig, run_metadata
from zoo.training.devices import DEFAULT_DEVICE, Placement
from zoo.training.distillation import learning_soft_labels, with_soft_labels
from zoo.training.finish import evaluate_split
from zoo.training.frozen import head_on_features, is_frozen_below_output
from zoo.training.parallel import partitioned_batches
from zoo.training.resuming import require_same_config
from zoo.training.schedules import learning_rate_at

PATCHED_IMAGES = 5_000


def fit(
    run: Run,
    model: keras.Model,
    data: Data,
    *,
    placement: Placement = DEFAULT_DEVICE,
    stop_rule: StopRule | None = None,
    tensorboard: bool = False,
    progress: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Checkpoint:
    """Train a run's model up to its last epoch, from its last finished one on.

    The run stays unfinished: the test split is not read.

    Args:
        run: the run; history and checkpoint are written to its directory.
        model: what `seed_and_build` returned.
        data: what it is trained on.
        placement: the devices, in whose scope this is called and `model` was built.
        stop_rule: takes the rows of the history so far; training stops after the epoch for which
            it returns True.
        tensorboard: whether to log for TensorBoard, too.
        progress: whether to show epochs on standard error.
        callbacks: called besides those of the training loop, and before the checkpoint.

    Returns:
        The checkpoint, which has the rows of the history and the best epoch.

    Raises:
        TrainingDivergedError: if the loss stops being finite.
        ArgumentValueError: if memory runs out.
        KeyboardInterrupt: if the user interrupts it; says how to resume.
    """
    recipe, task = run.recipe, TASKS[get_spec(run.config["model"]).task]
    base_rate = float(model.optimizer.learning_rate.numpy())
    cluster = placement.cluster
    checkpoint = Checkpoint(run, task.monitor, task.direction, recipe.patience, stop_rule, cluster)
    with _add_resume_hint(run, cluster):
        if not model.trainable_variables:
            checkpoint.set_model(model)
            checkpoint.on_epoch_end(0, _adapt(model, data))
            return checkpoint
        data = with_soft_labels(data, recipe)
        if is_frozen_below_output(model):
            model, data = _probe(model, data, progress)
        checkpoint.restore(model)
        checkpoint.set_model(model)
        if not checkpoint.rows:
            initialize_from_data(run, model, data)
        if len(checkpoint.rows) < recipe.epochs and not checkpoint.should_stop:
            watchers = [*progress_callbacks(run, data, tensorboard, progress), *callbacks]
            with learning_soft_labels(model, data):
                _fit_epochs(recipe, base_rate, model, data, placement, checkpoint, watchers)
            model.optimizer.learning_rate = base_rate  # so that whoever trains on starts as here
        keep_averaged_weights(model)
    return checkpoint


def _fit_epochs(
    recipe: Recipe,
    base_rate: float,
    model: keras.Model,
    data: Data,
    placement: Placement,
    checkpoint: Checkpoint,
    watchers: Sequence[keras.callbacks.Callback],
) -> None:
    epoch = EpochNumber()
    averaging = [keras.callbacks.SwapEMAWeights()] if recipe.ema_momentum else []
    schedule = keras.callbacks.LearningRateScheduler(
        lambda number: learning_rate_at(number, base_rate, recipe.schedule, recipe.epochs)
    )
    class_weight = data.class_weight if recipe.class_weight == "balanced" else None
    epochs = range(len(checkpoint.rows), recipe.epochs)
    with partitioned_batches(placement, model, data, epoch, epochs, class_weight) as batches:
        model.fit(
            **batches,
            initial_epoch=epochs.start,
            epochs=epochs.stop,
            callbacks=[epoch, schedule, *averaging, *watchers, checkpoint],
            shuffle=False,
            verbose=0,
        )


def fit_in(
    directory: Path,
    config: RunConfig,
    model: keras.Model,
    data: Data,
    fold: tuple[int, int] | None,
) -> dict[str, float]:
    """Train in a run directory, new or begun, without reading the test split.

    Args:
        directory: directory of the run.
        config: configuration of the run.
        model: what `seed_and_build` returned.
        data: what it is trained on.
        fold: the fold of the data that validates.

    Returns:
        The row of the history of the epoch whose weights are kept; its ``epochs`` and ``seconds``
        are those of the whole training run.

    Raises:
        RunError: if the directory holds a run of another configuration.
        TrainingDivergedError: if the loss stops being finite.
    """
    if (directory / "config.json").exists():
        run = load_run(directory)
        require_same_config(run, config)
        remove_partial_files(directory)
    else:
        known = {**config.to_json(), **run_metadata(data, model), "fold": fold}
        run = create_run(directory, known)
    checkpoint = fit(run, model, data)
    kept = checkpoint.rows[checkpoint.restored_epoch - 1]
    epochs, seconds = len(checkpoint.rows), checkpoint.rows[-1]["seconds"]
    return {**kept, "epochs": epochs, "seconds": seconds}


def _adapt(model: keras.Model, data: Data) -> dict[str, float]:
    """Let the layers that learn in closed form adapt to the training images; return metrics."""
    _, rows = training_images(data)
    for part in ("encoder", "decoder"):
        for layer in model.get_layer(part).layers:
            if hasattr(layer, "adapt"):
                layer.adapt(rows)
    validation = evaluate_split(model, data, "validation")
    return {
        **evaluate_split(model, data, "train"),
        **{f"val_{key}": value for key, value in validation.items()},
    }


def _probe(model: keras.Model, data: Data, progress: bool) -> tuple[keras.Model, Data]:
    if not data.augmentation:
        return head_on_features(model, data)
    if progress:
        print(
            "frozen layers are computed again in each epoch, since augmentation changes the "
            "images; with augmentation=none they are computed once",
            file=sys.stderr,
        )
    return model, data


def initialize_from_data(run: Run, model: keras.Model, data: Data) -> None:
    """Set the weights of a new run's model that are computed from training data without labels.

    Args:
        run: the run.
        model: its model.
        data: what it is trained on.
    """
    if run.recipe.text.word_vectors == "cooccurrence":
        assert isinstance(data, SequenceData)
        initialize_embeddings(model, data.token_ids("train"))
    names = [layer.name for layer in model.layers]
    if WHITENING in names and not run.config["start"]["weights"]:
        initialize_whitening(model, data)


def initialize_whitening(model: keras.Model, data: Data) -> None:
    """Set the kernels of a model's layer ``whitening`` by some of the training images.

    Args:
        model: with a convolution ``whitening``.
        data: images.
    """
    batches = (images for images, _ in data.in_order("train").as_numpy_iterator())
    some = np.concatenate(list(itertools.islice(batches, -(-PATCHED_IMAGES // data.batch_size))))
    layer = model.get_layer(WHITENING)
    layer.kernel.assign(whitening_kernels(some, layer.kernel_size[0]))


def initialize_embeddings(model: keras.Model, token_ids: np.ndarray) -> None:
    """Set a model's word embeddings to the PPMI-SVD embeddings of some texts.

    Args:
        model: with a layer ``embedding``.
        token_ids: ``(texts, time)``, 0 for padding.
    """
    layer = model.get_layer("embedding")
    table = getattr(layer, "tokens", layer).embeddings
    table.assign(ppmi_svd_embeddings(token_ids, *table.shape))


@contextlib.contextmanager
def _add_resume_hint(run: Run, cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"resume with --run-dir {run.directory} --resume") from None
    except tf.errors.ResourceExhaustedError as error:
        raise ArgumentValueError("out of memory: try a smaller batch_size or model.") from error
    except TrainingDivergedError:
        if cluster.is_first and not (run.directory / "checkpoint.npz").exists():
            _discard(run)
        raise


def _discard(run: Run) -> None:
    shutil.rmtree(run.directory)
    if run.directory.parent == RUNS:
        with contextlib.suppress(OSError):  # it holds other runs
            RUNS.rmdir()
