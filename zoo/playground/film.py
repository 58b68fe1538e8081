"""View: how a decision surface came about, epoch by epoch."""

import functools
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import keras
import numpy as np

from zoo.evaluation.inspection import decision_surface
from zoo.playground import panels
from zoo.playground.controls import read_number, slider_control
from zoo.playground.truth_table import SIDE, draw_surface, suits
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run, create_run, load_run
from zoo.training.building import seed_and_build
from zoo.training.config import RunConfig, load_run_data, run_metadata
from zoo.training.loop import fit

MAX_WAIT = 5.0  # seconds

Weights = list[np.ndarray]


class _Recorder(keras.callbacks.Callback):
    """The weights before training and after each epoch so far."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Weights] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the weights after an epoch."""
        self.weights.append(self.model.get_weights())


def controls(run: Run) -> list[Control]:
    """Return a slider for the epoch.

    Args:
        run: the run.
    """
    last = len(run.history["epoch"])
    return [slider_control("epoch", "epoch", 0, last, 1, 0, play=True)]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Show the surface after an epoch, and the outputs that the run recorded.

    Args:
        run: the run.
        inputs: the epoch.

    Raises:
        InputError: if there is no such epoch.
    """
    last = len(run.history["epoch"])
    chosen = round(read_number(inputs, "epoch", 0, last))
    weights = record_weights(run.directory)
    epoch = min(chosen, len(weights) - 1)
    model = keras.models.clone_model(run.model)
    model.set_weights(weights[epoch])
    thirds = (0.0, 1.0) if run.dataset.input_shape == (3,) else (None,)
    surfaces = [
        draw_surface(
            run,
            f"After epoch {epoch}" + ("" if third is None else f", x2 = {third:g}"),
            decision_surface(model, SIDE, third),
            third,
            None,
        )
        for third in thirds
    ]
    end = max(1, epoch)
    outputs = {
        key.removeprefix("output_"): values[:end]
        for key, values in run.history.items()
        if key.startswith("output_")
    }
    steps = [str(number) for number in range(1, end + 1)]
    recorded = panels.lines("Output for each row by epoch, as recorded", steps, outputs)
    if epoch == chosen:
        return [*surfaces, recorded]
    return [panels.numbers("Still training", {"epochs so far": epoch}), *surfaces, recorded]


def record_weights(directory: Path) -> list[Weights]:
    """Return the weights of a run before training and after each epoch, as far as they exist.

    The first call trains the run again; while it does, this waits for at most `MAX_WAIT` seconds.

    Args:
        directory: directory of the run.
    """
    recorder, training = _start_training(directory)
    wait([training], MAX_WAIT)
    if training.done():
        training.result()  # raises what went wrong
    return list(recorder.weights)


@functools.lru_cache(maxsize=8)
def _start_training(directory: Path) -> tuple[_Recorder, Future[None]]:
    config = RunConfig.of(load_run(directory))
    model = seed_and_build(config)
    recorder = _Recorder()
    recorder.weights.append(model.get_weights())
    data = load_run_data(config, config.data_dir)

    def train() -> None:
        with tempfile.TemporaryDirectory() as folder:
            known = config.to_json() | run_metadata(data, model)
            fit(create_run(Path(folder) / "run", known), model, data, callbacks=[recorder])

    executor = ThreadPoolExecutor(1, thread_name_prefix="film")
    return recorder, executor.submit(train)


VIEW = View(
    name="film",
    title="Film of the training",
    notice="Play it: the boundary is nowhere useful at first, swings while the loss is large, and "
    "then only sharpens. Rows on the wrong side at the end are what the network cannot do.",
    origin="Trained again here, from the run's seed and by its recipe, since a run keeps its last "
    "weights only; the outputs by epoch are those that the run recorded in history.csv.",
    suits=suits,
    controls=controls,
    show=show,
)
