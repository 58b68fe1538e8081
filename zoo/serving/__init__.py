"""Serving over HTTP: runs, trained models and artifacts by the field's protocols, raw input in.

`sources` finds or exports the artifacts, `models` describes their tensors, `rows` checks what was
received, `batching` computes the rows of several requests at once. `open_inference` and
`tensorflow_serving` are the protocols, `app` their paths, `limits` what a request may cost, and
`server` the process. Nothing here imports TensorFlow: artifacts are computed by their own reader.
"""
