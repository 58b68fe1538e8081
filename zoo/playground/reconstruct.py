"""View: an image is encoded to its latent code, and reconstructed."""

import numpy as np

from zoo.data.preprocessing import apply_preprocessor
from zoo.evaluation.prediction import predict
from zoo.playground import latent, panels
from zoo.playground.controls import image_control, read_image
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.registry import get_spec
from zoo.runs import Run
from zoo.tasks import TASKS

MAX_CODE_SHOWN = 8
MEANS = {
    "test_mse": "mean squared error, mean over the test split",
    "test_pca_mse": "mean squared error of PCA with as many components, mean over the test split",
}


def suits(run: Run) -> bool:
    """Return whether a run has an autoencoder.

    Args:
        run: the run.
    """
    return TASKS[get_spec(run.config["model"]).task].target != "label"


def controls(run: Run) -> list[Control]:
    """Return the control for the image.

    Args:
        run: the run.
    """
    return [image_control(run)]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Encode and reconstruct an image.

    Args:
        run: the run.
        inputs: the image.

    Raises:
        InputError: if it cannot be read.
    """
    image = read_image(run, inputs)
    (answer,) = predict(run, [image])
    (given,) = apply_preprocessor(run.preprocessor, image[None])
    output = np.array(answer["reconstruction"])
    images = {"input": given, "reconstruction": output, "absolute error": np.abs(output - given)}
    values = {"mean squared error": answer["mse"], "PSNR [dB]": answer["psnr"]}
    if "label" in answer:
        values["most likely class"] = answer["label"]
    code = np.ravel(answer["code"])
    if code.size <= MAX_CODE_SHOWN:
        values["code"] = ", ".join(f"{value:.3f}" for value in code)
    values |= {text: run.metrics[key] for key, text in MEANS.items() if key in run.metrics}
    shown = [
        panels.pictures(f"Through a code of {code.size} numbers and back", images),
        panels.numbers("Code and error", values),
    ]
    if latent.suits(run):
        mark = code[latent.informative_dimensions(run)[:2]].tolist()
        shown.append(panels.points("Its place among test images", latent.scatter(run), mark))
    return shown


VIEW = View(
    name="reconstruct",
    title="Encode an image",
    notice="What the code has no room for is lost: look at the error along edges, and at an image "
    "of a kind that the network was not trained on.",
    origin="Code, reconstruction, error and PSNR are those of zoo.predict; the means over the test "
    "split are in the run's metrics.json.",
    suits=suits,
    controls=controls,
    show=show,
)
