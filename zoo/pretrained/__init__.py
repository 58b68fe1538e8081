"""Trained models that come with the package, and those of the Hugging Face Hub.

A packed run is a run directory (see `zoo.runs`) that holds its weights in half precision, and a
record of where they come from:

    weights.safetensors  the weights by name, in place of model.keras
    record.json          command, versions, figures, and the SHA-256 digest of every other file

``runs/MODEL/DATASET`` are the packed runs of the package. ``python -m benchmarks.pretrained``
makes them, and ``zoo verify`` proves them. ``zoo push`` puts a packed run on the hub.
"""
