"""View: an image is drawn, uploaded or pasted, and classified."""

import numpy as np

from zoo.data.preprocessing import apply_preprocessor
from zoo.evaluation.inspection import conv_layer_names, grad_cam
from zoo.evaluation.occlusion import occlude_patches
from zoo.evaluation.prediction import predict
from zoo.playground import panels
from zoo.playground.controls import image_control, read_image
from zoo.playground.images import overlay, scale_to_unit
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.registry import get_spec
from zoo.runs import Run
from zoo.tasks import TASKS


def suits(run: Run) -> bool:
    """Return whether a run classifies images.

    Args:
        run: the run.
    """
    task = TASKS[get_spec(run.config["model"]).task]
    return run.dataset.kind == "images" and task.target == "label"


def controls(run: Run) -> list[Control]:
    """Return the control for the image.

    Args:
        run: the run.
    """
    return [image_control(run)]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Classify an image, and show which pixels mattered.

    Args:
        run: the run.
        inputs: the image.

    Raises:
        InputError: if it cannot be read.
    """
    image = read_image(run, inputs)
    (answer,) = predict(run, [image])
    prepared = apply_preprocessor(run.preprocessor, image[None])
    received = scale_to_unit(prepared[0]) if prepared.min() < 0 else prepared[0]
    shrunk = _to_input_size(run, image)
    drops = occlude_patches(run, shrunk)
    maps = {
        "input of the network": received,
        f"occlusion, from {drops.min():+.1%} to {drops.max():+.1%}": overlay(shrunk, drops),
    }
    if conv_layer_names(run.model):
        maps["Grad-CAM"] = overlay(received, _grad_cam(run, prepared, answer["label"]))
    return [
        panels.bars(f"Answer: {answer['label']}", answer["probabilities"]),
        panels.pictures(f"Which pixels speak for {answer['label']} (red) and against (blue)", maps),
    ]


def _to_input_size(run: Run, image: np.ndarray) -> np.ndarray:
    """Shrink an image that is larger than those that the network takes."""
    from PIL import Image

    height, width = run.recipe.images.input_shape(run.dataset.input_shape)[:2]
    if image.shape[0] <= height and image.shape[1] <= width:
        return image
    pixels = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return np.atleast_3d(np.asarray(pixels.resize((width, height), Image.Resampling.BILINEAR)))


def _grad_cam(run: Run, prepared: np.ndarray, label: str) -> np.ndarray:
    """Return the heatmap of a class at the size of the network's input."""
    from PIL import Image

    (heatmap,) = grad_cam(run.model, prepared, [run.dataset.class_names.index(label)])
    size = prepared.shape[2], prepared.shape[1]
    scaled = Image.fromarray(heatmap.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(scaled)


VIEW = View(
    name="image",
    title="Classify an image",
    notice="Change what is red in the map, and the answer changes; elsewhere it barely does. An "
    "image of none of the classes gets a confident answer, too.",
    origin="Probabilities are those of zoo.predict. Occlusion: the probability of the answer minus "
    "that with a square of a quarter of the side covered. Grad-CAM: gradient of the logit of the "
    "answer with respect to the last feature maps. A drawing is scaled and centered like the "
    "training images first.",
    suits=suits,
    controls=controls,
    show=show,
)
