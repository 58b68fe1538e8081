"""Callbacks: the checkpoint of each epoch, outputs of truth tables, and progress."""

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.data.pipeline import Data
from zoo.data.preprocessing import apply_preprocessor
from zoo.errors import TrainingDivergedError
from zoo.runs import Run
from zoo.runs.files import atomic_write, wrap_read_errors, write_csv
from zoo.training.cluster import ONE_PROCESS, Cluster

MAX_LINES = 20

StopRule = Callable[[Sequence[Mapping[str, float]]], bool]


class EpochNumber(keras.callbacks.Callback):
    """The number of the current epoch, in a variable that the input pipeline reads."""

    def __init__(self) -> None:
        super().__init__()
        self.number = tf.Variable(0, dtype=tf.int64, trainable=False)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Store the number."""
        self.number.assign(epoch)


class Checkpoint(keras.callbacks.Callback):
    """A checkpoint of the last finished epoch, and of the best one where the recipe restores it.

    It holds every variable of the model, seed generators included, every variable of the optimizer,
    and the history: all that the next epoch depends on.

    Args:
        run: the run; the checkpoint is written to its directory.
        monitor: the metric by which epochs are compared.
        direction: ``"max"`` or ``"min"``.
        patience: epochs without improvement before training stops; 0 for never.
        stop_rule: takes the rows of the history so far; training stops after the epoch for which
            it returns True.
        cluster: the processes that train the run; the first writes.
    """

    def __init__(
        self,
        run: Run,
        monitor: str,
        direction: str,
        patience: int,
        stop_rule: StopRule | None = None,
        cluster: Cluster = ONE_PROCESS,
    ) -> None:
        super().__init__()
        self.path = run.directory / "checkpoint.npz"
        self.history_path = run.directory / "history.csv"
        self.monitor = monitor
        self.sign = 1 if direction == "max" else -1
        self.patience = patience
        self.stop_rule = stop_rule
        self.cluster = cluster
        self.rows: list[dict[str, float]] = []
        self.best: list[np.ndarray] = []
        self.earlier_seconds = 0.0
        self.started = time.perf_counter()

    @property
    def best_epoch(self) -> int:
        """Number, from 1, of the first epoch that no later one has improved on; 0 before any."""
        scores = [self.sign * row[self.monitor] for row in self.rows]
        return scores.index(max(scores)) + 1 if scores else 0

    @property
    def restored_epoch(self) -> int:
        """Number, from 1, of the epoch whose weights training ends with: the best or the last."""
        return self.best_epoch if self.patience else len(self.rows)

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out, or the stop rule says so."""
        out_of_patience = 0 < self.patience <= len(self.rows) - self.best_epoch
        return out_of_patience or (self.stop_rule is not None and self.stop_rule(self.rows))

    def restore(self, model: keras.Model) -> None:
        """Restore a model and its optimizer to the last finished epoch, if there is one."""
        is_begun = self.path.exists()
        if is_begun:
            self.rows, self.earlier_seconds = self._read_state()
        self.cluster.require_same({"finished epochs": len(self.rows)})
        if not is_begun:
            return
        model.optimizer.build(model.trainable_variables)
        with wrap_read_errors(self.path), self.path.open("rb") as file:
            kept = np.load(file)
            for i, variable in enumerate(model.variables + model.optimizer.variables):
                variable.assign(kept[f"last_{i}"])
            if self.patience:
                self.best = [kept[f"best_{i}"] for i in range(len(model.variables))]

    def restore_best(self) -> None:
        """Restore the weights of the best epoch, if the recipe asks for it."""
        if self.best:
            for variable, value in zip(self.model.variables, self.best, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the epoch to disk, and stop training when it is time."""
        row = {key: float(value) for key, value in (logs or {}).items()}
        if not all(map(math.isfinite, row.values())):
            not_finite = ", ".join(f"{k} is {v}" for k, v in row.items() if not math.isfinite(v))
            raise TrainingDivergedError(
                f"training diverged in epoch {epoch + 1}: {not_finite}; try a lower "
                f"learning_rate than {self.model.optimizer.learning_rate.numpy():g}."
            )
        seconds = self.earlier_seconds + time.perf_counter() - self.started
        seconds = self.cluster.share(seconds)
        self.rows.append({"epoch": epoch + 1, **row, "seconds": round(seconds, 3)})
        if self.patience and self.best_epoch == len(self.rows):
            with averaged_weights(self.model):
                self.best = [variable.numpy() for variable in self.model.variables]
        if self.cluster.is_first:
            self._write(seconds)
        if self.should_stop:
            self.model.stop_training = True

    def _read_state(self) -> tuple[list[dict[str, float]], float]:
        with wrap_read_errors(self.path), self.path.open("rb") as file:
            state = json.loads(str(np.load(file)["state"]))
            return state["rows"], state["seconds"]

    def _write(self, seconds: float) -> None:
        last = [*self.model.variables, *self.model.optimizer.variables]
        arrays: dict[str, Any] = {f"last_{i}": value.numpy() for i, value in enumerate(last)}
        arrays |= {f"best_{i}": value for i, value in enumerate(self.best)}
        with atomic_write(self.path) as partial:
            np.savez(partial, state=json.dumps({"rows": self.rows, "seconds": seconds}), **arrays)
        write_csv(self.history_path, self.rows)


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Give a model the average of its weights in the block, if its optimizer keeps one.

    Args:
        model: the model.
    """
    if not model.optimizer.use_ema:
        yield
        return
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()


def keep_averaged_weights(model: keras.Model) -> None:
    """Give a model the average of its weights for good, if its optimizer keeps one.

    The weights are copies: on JAX, a step deletes the arrays that it takes, and Keras would let
    each weight and its average share one.

    Args:
        model: trained.
    """
    model.optimizer.finalize_variable_values(model.trainable_variables)
    if model.optimizer.use_ema:
        for variable in model.trainable_variables:
            variable.assign(np.array(variable))


class RowOutputs(keras.callbacks.Callback):
    """The model's output for each row of a truth table, logged as ``output_110`` and the like.

    Args:
        data: a truth table.
    """

    def __init__(self, data: Data) -> None:
        super().__init__()
        bits = data.rows["train"].inputs
        self.inputs = apply_preprocessor(data.preprocessor, bits)
        self.names = ["output_" + "".join(map(str, row)) for row in bits]

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Add the outputs to the epoch's logs."""
        outputs = np.asarray(self.model(self.inputs, training=False))[:, -1]
        logs |= dict(zip(self.names, outputs, strict=True))


class EpochLines(keras.callbacks.Callback):
    """Progress on standard error: a line for each of about twenty epochs."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Print the epoch, if it is one of those shown."""
        total = self.params["epochs"]
        if (epoch + 1) % math.ceil(total / MAX_LINES) == 0 or epoch + 1 == total:
            shown = "  ".join(f"{key} {value:.4g}" for key, value in (logs or {}).items())
            print(f"epoch {epoch + 1}/{total}  {shown}", file=sys.stderr, flush=True)


def progress_callbacks(
    run: Run, data: Data, tensorboard: bool, progress: bool
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that record and show how training goes.

    Args:
        run: the run.
        data: what it is trained on.
        tensorboard: whether to log for TensorBoard.
        progress: whether to show epochs: a bar in a terminal or a notebook, lines elsewhere.
    """
    callbacks: list[keras.callbacks.Callback] = []
    if progress and (sys.stderr.isatty() or "ipykernel" in sys.modules):
        from tqdm.keras import TqdmCallback

        callbacks.append(TqdmCallback(desc=run.config["model"], verbose=0))
    elif progress:
        callbacks.append(EpochLines())
    if data.spec.kind == "truth_tables":
        callbacks.append(RowOutputs(data))
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(run.directory / "tensorboard"))
    return callbacks
