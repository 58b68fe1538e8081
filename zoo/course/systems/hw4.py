"""Homework 4: sequence models on IMDB."""

from collections.abc import Mapping
from typing import Any

from zoo.course.definitions import System

_REVIEWS = (
    "25,000 / 12,500 / 12,500 reviews, validation cut from the test half; here cut from the "
    "training half: 22,500 / 2,500 / 25,000"
)
_AS_REVIEWS = (
    "The first 500 words of a review are read and not the last, and padding is passed over; two "
    "probabilities are given for one."
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
    known: dict[str, Any] = {
        "quantity": "test_accuracy",
        "rows": 12_500,
        "mended": _AS_REVIEWS,
        "ours": {},
    }
    return System(
        id=f"hw4.{name}",
        model=model,
        dataset="imdb_reviews",
        protocol=_REVIEWS,
        taught=taught,
        **known | facts,
    )


SYSTEMS = (
    _review(
        "simple_rnn",
        "simple_rnn",
        _RECURRENT,
        parameters=101_441,
        course=0.6950,
        seconds=163.4,
        flaw="Padding stood between the words and the last state, and nothing was dropped out.",
    ),
    _review(
        "lstm",
        "lstm",
        _RECURRENT,
        parameters=105_665,
        course=0.8202,
        seconds=153.4,
        flaw="Stopped while validation still improved.",
    ),
    _review(
        "gru",
        "gru",
        _RECURRENT,
        parameters=104_257,
        course=0.8434,
        seconds=158.7,
        flaw="Stopped while validation still improved.",
    ),
    _review(
        "bilstm",
        "bilstm",
        _BILSTM,
        parameters=111_329,
        course=0.6920,
        seconds=234.7,
        flaw="Its loss took the batch for the classes, and it was read where the backward half "
        "had seen one word.",
        mended=f"{_AS_REVIEWS} The loss is the cross-entropy, and each half is read at its end.",
    ),
    _review(
        "embeddings",
        "bilstm",
        _BILSTM,
        parameters=111_329,
        quantity="analogies",
        course=0.0,
        seconds=None,
        rows=0,
        shares="hw4.bilstm",
        flaw="Asked of the network with the wrong loss, over lists of three and four words that "
        "held a word of the question.",
        mended="Words of the question are left out of the lists. In ours the vectors begin with "
        "how often words stand near one another, and the network goes on from there.",
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
        flaw="Its decoder was fed the labels of other reviews, and words had no places.",
        mended="The decoder is gone; words have places, and padding is passed over: the encoder, "
        "the mean over time and a classifier. The first 200 words are read and not the last.",
    ),
)
