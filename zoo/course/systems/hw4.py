"""Homework 4: sequence models on IMDB reviews."""

from collections.abc import Mapping
from typing import Any

from zoo.course.definitions import System

_REVIEWS = (
    "25,000 / 12,500 / 12,500 reviews, validation split off the test split; here split off the "
    "training split: 22,500 / 2,500 / 25,000"
)
_DIFFERENCES = (
    "The first 500 words of a review are read instead of the last, and padding is masked; the "
    "output is two class probabilities instead of one."
)
_RECURRENT = {
    "word_vectors": "random",
    "pooling": "last",
    "dropout": 0.0,
    "word_dropout": 0.0,
    "embedding_dim": 10,
    "epochs": 10,
    "patience": 0,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "schedule": "constant",
}
_BILSTM = _RECURRENT | {"epochs": 15, "learning_rate": 3e-4}


def _review(name: str, model: str, taught: Mapping[str, Any], **facts: Any) -> System:
    defaults: dict[str, Any] = {
        "metric": "test_accuracy",
        "rows": 12_500,
        "differences": _DIFFERENCES,
        "ours": {},
    }
    return System(
        id=f"hw4.{name}",
        model=model,
        dataset="imdb_reviews",
        protocol=_REVIEWS,
        taught=taught,
        **defaults | facts,
    )


SYSTEMS = (
    _review(
        "simple_rnn",
        "simple_rnn",
        _RECURRENT,
        parameters=101_441,
        course=0.6950,
        seconds=163.4,
        flaw="Padding came between the words and the last state, and there was no dropout.",
    ),
    _review(
        "lstm",
        "lstm",
        _RECURRENT,
        parameters=105_665,
        course=0.8202,
        seconds=153.4,
        flaw="Stopped while the validation score was still improving.",
    ),
    _review(
        "gru",
        "gru",
        _RECURRENT,
        parameters=104_257,
        course=0.8434,
        seconds=158.7,
        flaw="Stopped while the validation score was still improving.",
    ),
    _review(
        "bilstm",
        "bilstm",
        _BILSTM,
        parameters=111_329,
        course=0.6920,
        seconds=234.7,
        flaw="Its loss treated the batch dimension as the classes, and its output was taken where "
        "the backward direction had read one word.",
        differences=f"{_DIFFERENCES} The loss is the cross-entropy, and the output is taken where "
        "each direction ends.",
    ),
    _review(
        "embeddings",
        "bilstm",
        _BILSTM,
        parameters=111_329,
        metric="analogies",
        course=0.0,
        seconds=None,
        rows=0,
        trained_as="hw4.bilstm",
        flaw="Evaluated on the network with the wrong loss, with three or four candidates that "
        "included a word of the question.",
        differences="Words of the question are excluded from the candidates. Our embeddings are "
        "initialized from co-occurrence counts and fine-tuned.",
    ),
    _review(
        "transformer",
        "transformer",
        {
            **{key: _RECURRENT[key] for key in ("epochs", "patience", "batch_size", "schedule")},
            "learning_rate": 1e-3,
            "dropout": 0.1,
            "word_dropout": 0.0,
            "num_heads": 4,
            "vocab_size": 10_000,
            "sequence_length": 200,
        },
        parameters=349_921,
        course=0.8531,
        seconds=187.2,
        flaw="Its decoder received the labels of other reviews, and positions were not encoded.",
        differences="There is no decoder, only the encoder, the mean over time and a classifier; "
        "positions are encoded, and padding is masked. The first 200 words are read instead of "
        "the last.",
    ),
)
