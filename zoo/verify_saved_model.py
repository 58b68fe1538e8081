"""Compares a SavedModel's answers with those expected, in a process that has never seen zoo.

Run as a file, not as a module: ``python -P verify_saved_model.py ARTEFACT GOLDEN.npz``. Prints one
line of JSON.
"""

import json
import sys

import numpy as np


def compare(artefact: str, golden: str) -> dict[str, object]:
    """Loads a SavedModel and asks each of its endpoints what it has golden rows of.

    Args:
        artefact: folder of the SavedModel.
        golden: ``.npz`` file of ``ENDPOINT/inputs/NAME`` and ``ENDPOINT/outputs/NAME``.

    Returns:
        ``max_difference`` of the numbers, whether the ``labels_agree``, the ``endpoints``, and the
        number of ``rows``.

    Raises:
        RuntimeError: if `zoo` has been imported, which would void the comparison.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(artefact)
    with np.load(golden) as file:
        rows = dict(file)
    differences, labels_agree = [0.0], True
    names = sorted({key.partition("/")[0] for key in rows})
    for name in names:
        inputs, outputs = (_named(rows, f"{name}/{kind}/") for kind in ("inputs", "outputs"))
        count = len(next(iter(inputs.values())))
        answer = loaded.signatures[name](**{key: tf.constant(inputs[key]) for key in inputs})
        for key, expected in outputs.items():
            found = answer[key].numpy()
            if expected.dtype.kind == "U":
                labels_agree &= [label.decode() for label in found] == expected.tolist()
            else:
                differences.append(np.abs(found - expected).max())
    if "zoo" in sys.modules:
        raise RuntimeError("zoo was imported")
    return {
        "max_difference": float(np.max(differences)),
        "labels_agree": labels_agree,
        "rows": count,
        "endpoints": names,
    }


def _named(rows: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): rows[key] for key in rows if key.startswith(prefix)}


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[1], sys.argv[2])))
