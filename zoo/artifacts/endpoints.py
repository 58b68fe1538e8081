"""Endpoints: the functions of an artifact, from raw input to outputs.

A classifier has one, ``serve``. An autoencoder has ``reconstruct``, which is also ``serve``,
``encode`` and ``decode``. A variational autoencoder has ``sample`` too; its other endpoints use the
mean of the latent code, so they are deterministic.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from zoo.data import reader_of
from zoo.evaluation.latent import is_variational
from zoo.evaluation.reconstruction import deterministic_model
from zoo.registry import get_spec
from zoo.runs import Run
from zoo.tasks import TASKS, class_probabilities, unwrap_single

Outputs = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """An endpoint of an artifact, with golden rows to verify it.

    Attributes:
        function: maps input tensors to output tensors by name.
        signature: specs of the inputs.
        inputs: golden inputs by name; empty if the endpoint is random.
        outputs: expected outputs, computed without `function`.
    """

    function: Callable[..., Outputs]
    signature: tuple[tf.TensorSpec, ...]
    inputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def build_endpoints(run: Run) -> dict[str, Endpoint]:
    """Build the endpoints of a run's artifact, ``serve`` first.

    Args:
        run: a finished run.
    """
    if TASKS[get_spec(run.config["model"]).task].target == "label":
        return {"serve": _classifier_endpoint(run)}
    endpoints = _autoencoder_endpoints(run)
    if is_variational(run.model):
        endpoints["sample"] = _sample_endpoint(run.model.get_layer("decoder"))
    return {"serve": endpoints["reconstruct"], **endpoints}


def portable_endpoints(run: Run, endpoints: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    """Return endpoints without strings and without randomness, for ONNX and LiteRT.

    A text is passed as token ids, ``tokens``, or as a multi-hot vector, ``words``; the output of a
    classifier is ``probabilities`` alone.

    Args:
        run: a finished run.
        endpoints: its endpoints.
    """
    if "reconstruct" in endpoints:
        return {name: endpoints[name] for name in ("reconstruct", "encode", "decode")}
    classify = _classify(run.model)
    if run.dataset.kind == "text":
        return {"serve": Endpoint(classify, (_encoded_spec(run),))}
    return {"serve": Endpoint(lambda raw: classify(run.preprocessor(raw)), (_raw_spec(run),))}


def _classifier_endpoint(run: Run) -> Endpoint:
    names, classify = run.dataset.class_names, _classify(run.model)
    raw, name_tensor = run.predictions["raw"], tf.constant(names)
    expected = run.model.predict(run.preprocessor(raw), verbose=0)
    expected = np.asarray(class_probabilities(expected))

    def serve(raw: tf.Tensor) -> Outputs:
        probabilities = classify(run.preprocessor(raw))["probabilities"]
        label = tf.gather(name_tensor, tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities}

    spec = _raw_spec(run)
    return Endpoint(
        serve,
        (spec,),
        {spec.name: raw},
        {"label": np.array(names)[expected.argmax(axis=1)], "probabilities": expected},
    )


def _classify(model: keras.Model) -> Callable[[tf.Tensor], Outputs]:
    def classify(prepared: tf.Tensor) -> Outputs:
        return {"probabilities": class_probabilities(model(prepared, training=False))}

    return classify


def _autoencoder_endpoints(run: Run) -> dict[str, Endpoint]:
    preprocessor, model = run.preprocessor, deterministic_model(run.model)
    decoder = run.model.get_layer("decoder")
    rows = run.predictions
    labels = {"label": rows["labels"][rows["index"]]} if len(model.inputs) > 1 else {}
    raw = {"image": rows["raw"]}
    model_inputs = unwrap_single([preprocessor(rows["raw"]), *labels.values()])
    codes, images = model.predict(model_inputs, verbose=0)

    def reconstruct(image: tf.Tensor, *label: tf.Tensor) -> Outputs:
        _, output = model(unwrap_single([preprocessor(image), *label]), training=False)
        return {"reconstruction": output}

    def encode(image: tf.Tensor, *label: tf.Tensor) -> Outputs:
        code, _ = model(unwrap_single([preprocessor(image), *label]), training=False)
        return {"code": code}

    def decode(code: tf.Tensor, *label: tf.Tensor) -> Outputs:
        return {"image": decoder(unwrap_single([code, *label]), training=False)}

    label_specs = [tf.TensorSpec((None,), "int64", "label")] if labels else []
    image_specs = (_raw_spec(run), *label_specs)
    code_specs = (tf.TensorSpec((None, *codes.shape[1:]), "float32", "code"), *label_specs)
    return {
        "reconstruct": Endpoint(reconstruct, image_specs, raw | labels, {"reconstruction": images}),
        "encode": Endpoint(encode, image_specs, raw | labels, {"code": codes}),
        "decode": Endpoint(decode, code_specs, {"code": codes} | labels, {"image": images}),
    }


def _sample_endpoint(decoder: keras.Model) -> Endpoint:
    code, *label = decoder.inputs

    def sample(count: tf.Tensor) -> Outputs:
        return {"image": decoder(tf.random.normal((count, code.shape[1])), training=False)}

    def sample_classes(label: tf.Tensor) -> Outputs:
        codes = tf.random.normal((tf.shape(label)[0], code.shape[1]))
        return {"image": decoder([codes, label], training=False)}

    if label:
        return Endpoint(sample_classes, (tf.TensorSpec((None,), "int64", "label"),))
    return Endpoint(sample, (tf.TensorSpec((), "int32", "count"),))


def _raw_spec(run: Run) -> tf.TensorSpec:
    reader = reader_of(run.dataset)
    shape = (None, *reader.raw_shape(run.dataset))
    return tf.TensorSpec(shape, reader.INPUT_DTYPE, reader.INPUT_NAME)


def _encoded_spec(run: Run) -> tf.TensorSpec:
    (encoded,) = run.preprocessor.outputs
    if encoded.dtype == "int64":
        return tf.TensorSpec((None, None), "int64", "tokens")
    return tf.TensorSpec(encoded.shape, encoded.dtype, "words")
