"""What an artifact answers: a function for each question, from raw rows on.

A model of labels has one, ``serve``. A model of images has ``serve``, which is ``reconstruct``, and
``encode`` and ``decode``; one whose codes are drawn at random has ``sample``, too, and is otherwise
taken at the mean of its codes, so that the same image gets the same answer.
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
from zoo.tasks import TASKS, probabilities_of, unwrap_single

Answer = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A question that an artifact answers.

    Attributes:
        answer: takes tensors, and gives tensors by name.
        signature: of what it takes.
        inputs: rows to try it on, by the names of the signature; none where chance decides.
        outputs: the answers to them, computed without `answer`.
    """

    answer: Callable[..., Answer]
    signature: tuple[tf.TensorSpec, ...]
    inputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


def endpoints_of(run: Run) -> dict[str, Endpoint]:
    """Gives what an artifact of a run answers, ``serve`` first.

    Args:
        run: finished.
    """
    if TASKS[get_spec(run.config["model"]).task].target == "label":
        return {"serve": _classify(run)}
    found = _of_images(run)
    drawn = {"sample": _sample(run.model.get_layer("decoder"))} if is_variational(run.model) else {}
    return {"serve": found["reconstruct"], **found, **drawn}


def graphs_of(run: Run, endpoints: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    """Gives the part of each answer that takes numbers, gives numbers, and draws none at random.

    A text is taken as the numbers of its words, ``tokens``, or as marks of which words it has,
    ``words``; a class is given as its probability, without its name.

    Args:
        run: finished.
        endpoints: its own.
    """
    if "reconstruct" in endpoints:
        return {name: endpoints[name] for name in ("reconstruct", "encode", "decode")}
    of_prepared = _probabilities(run.model)
    if run.dataset.kind == "text":
        return {"serve": Endpoint(of_prepared, (_encoded_spec(run),))}
    return {"serve": Endpoint(lambda raw: of_prepared(run.preprocessor(raw)), (_raw_spec(run),))}


def _classify(run: Run) -> Endpoint:
    names, of_prepared = run.dataset.class_names, _probabilities(run.model)
    raw, of_labels = run.predictions["raw"], tf.constant(names)
    prepared = run.preprocessor(raw)
    expected = np.asarray(probabilities_of(run.model.predict(prepared, verbose=0)))

    def serve(raw: tf.Tensor) -> Answer:
        probabilities = of_prepared(run.preprocessor(raw))["probabilities"]
        label = tf.gather(of_labels, tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities}

    spec = _raw_spec(run)
    return Endpoint(
        serve,
        (spec,),
        {spec.name: raw},
        {"label": np.array(names)[expected.argmax(axis=1)], "probabilities": expected},
    )


def _probabilities(model: keras.Model) -> Callable[[tf.Tensor], Answer]:
    def of_prepared(prepared: tf.Tensor) -> Answer:
        return {"probabilities": probabilities_of(model(prepared, training=False))}

    return of_prepared


def _of_images(run: Run) -> dict[str, Endpoint]:
    preprocessor, mean = run.preprocessor, deterministic_model(run.model)
    decoder = run.model.get_layer("decoder")
    kept = run.predictions
    told = {"label": kept["labels"][kept["index"]]} if len(mean.inputs) > 1 else {}
    raw, labels = {"image": kept["raw"]}, list(told.values())
    codes, images = mean.predict(unwrap_single([preprocessor(kept["raw"]), *labels]), verbose=0)

    def reconstruct(image: tf.Tensor, *label: tf.Tensor) -> Answer:
        return {
            "reconstruction": mean(unwrap_single([preprocessor(image), *label]), training=False)[1]
        }

    def encode(image: tf.Tensor, *label: tf.Tensor) -> Answer:
        return {"code": mean(unwrap_single([preprocessor(image), *label]), training=False)[0]}

    def decode(code: tf.Tensor, *label: tf.Tensor) -> Answer:
        return {"image": decoder(unwrap_single([code, *label]), training=False)}

    of_label = [tf.TensorSpec((None,), "int64", "label")] if told else []
    of_image = (_raw_spec(run), *of_label)
    of_code = (tf.TensorSpec((None, *codes.shape[1:]), "float32", "code"), *of_label)
    return {
        "reconstruct": Endpoint(reconstruct, of_image, raw | told, {"reconstruction": images}),
        "encode": Endpoint(encode, of_image, raw | told, {"code": codes}),
        "decode": Endpoint(decode, of_code, {"code": codes} | told, {"image": images}),
    }


def _sample(decoder: keras.Model) -> Endpoint:
    code, *label = decoder.inputs

    def sample(count: tf.Tensor) -> Answer:
        return {"image": decoder(tf.random.normal((count, code.shape[1])), training=False)}

    def sample_of(label: tf.Tensor) -> Answer:
        codes = tf.random.normal((tf.shape(label)[0], code.shape[1]))
        return {"image": decoder([codes, label], training=False)}

    if label:
        return Endpoint(sample_of, (tf.TensorSpec((None,), "int64", "label"),))
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
