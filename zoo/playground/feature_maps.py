"""View: what the layers of a convolutional network compute from an image."""

import numpy as np

from zoo.data.preprocessing import apply_preprocessor
from zoo.evaluation import inspection
from zoo.playground import panels
from zoo.playground.classify_image import suits as classifies_images
from zoo.playground.controls import choice_control, image_control, read_choice, read_image
from zoo.playground.images import color_from_dark, scale_to_unit
from zoo.playground.view import Control, Inputs, Panel, View
from zoo.runs import Run

MAX_CHANNELS = 32


def suits(run: Run) -> bool:
    """Return whether a run classifies images by convolutions.

    Args:
        run: the run.
    """
    return classifies_images(run) and bool(_layers(run))


def controls(run: Run) -> list[Control]:
    """Return the controls for the image and the layer.

    Args:
        run: the run.
    """
    layers = _layers(run)
    return [
        image_control(run),
        choice_control("layer", "Layer", layers, layers[0]),
    ]


def show(run: Run, inputs: Inputs) -> list[Panel]:
    """Show the feature maps of a layer, and the kernels of the first convolution.

    Args:
        run: the run.
        inputs: the image and the layer.

    Raises:
        InputError: if the image cannot be read, or there is no such layer.
    """
    layer = read_choice(inputs, "layer", _layers(run))
    image = read_image(run, inputs)
    (prepared,) = apply_preprocessor(run.preprocessor, image[None])
    maps = inspection.feature_maps(run.model, prepared)[layer]
    height, width, channels = maps.shape
    colored = color_from_dark(scale_to_unit(maps))
    shown = {str(number): colored[..., number, :] for number in range(min(channels, MAX_CHANNELS))}
    return [
        panels.pictures(
            f"{layer}: {len(shown)} of {channels} feature maps, {height} x {width}, bright where "
            "they are large",
            shown,
            small=True,
        ),
        _draw_kernels(run),
    ]


def _draw_kernels(run: Run) -> Panel:
    layer = inspection.conv_layer_names(run.model)[0]
    kernels = inspection.scaled_kernels(run.model, layer)
    if kernels.shape[2] not in (1, 3):
        kernels = kernels.mean(axis=2, keepdims=True)
    count = min(kernels.shape[3], MAX_CHANNELS)
    shown = {str(number): kernels[..., number] for number in range(count)}
    title = f"{layer}: the kernels that look at the image, {count} of {kernels.shape[3]}"
    return panels.pictures(title, shown, small=True)


def _layers(run: Run) -> list[str]:
    """Return the names of the layers with feature maps."""
    if not inspection.conv_layer_names(run.model):
        return []
    blank = np.zeros(run.model.input_shape[1:], np.float32)
    return list(inspection.feature_maps(run.model, blank))


VIEW = View(
    name="features",
    title="Filters and feature maps",
    notice="Early maps keep edges and colors in place; later ones are coarse, and most of them are "
    "dark: each answers to few images.",
    origin="Outputs of the activation layers and kernels of the network, from "
    "zoo.evaluation.inspection; one color scale per layer, each kernel scaled to [0, 1].",
    suits=suits,
    controls=controls,
    show=show,
)
