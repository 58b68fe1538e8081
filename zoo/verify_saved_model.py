"""Compares a SavedModel's answers with those expected, in a process that has never seen zoo.

Run as a file, not as a module: ``python -P verify_saved_model.py ARTEFACT GOLDEN.npz``. Prints one
line of JSON.
"""

import json
import sys

import numpy as np


def compare(artefact: str, golden: str) -> dict[str, object]:
    """Loads a SavedModel and answers its golden rows.

    Args:
        artefact: folder of the SavedModel.
        golden: ``.npz`` file of ``raw`` rows, and the ``probabilities`` and ``label`` expected.

    Returns:
        ``max_difference`` of the probabilities, whether the ``labels_agree``, and ``rows``.

    Raises:
        RuntimeError: if `zoo` has been imported, which would void the comparison.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(artefact)
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    with np.load(golden) as rows:
        answer = serve(**{name: tf.constant(rows["raw"])})
        difference = np.abs(answer["probabilities"].numpy() - rows["probabilities"]).max()
        labels = [label.decode() for label in answer["label"].numpy()]
        labels_agree = labels == rows["label"].tolist()
        count = len(rows["raw"])
    if "zoo" in sys.modules:
        raise RuntimeError("zoo was imported")
    return {"max_difference": float(difference), "labels_agree": labels_agree, "rows": count}


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[1], sys.argv[2])))
