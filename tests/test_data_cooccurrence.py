"""Vectors of words from counts: against loops, closed forms, and what training does with them."""

import numpy as np
import pytest
from conftest import OF_TEXT_RUN, TINY

import zoo
from zoo.data.cooccurrence import EMBEDDING_STD, cooccurrence_counts, ppmi, ppmi_svd_embeddings
from zoo.errors import ArgumentValueError
from zoo.training.config import RunConfig, load_run_data
from zoo.training.loop import initialize_embeddings

OF_SEQUENCES = [
    name
    for name in zoo.list_models()
    if "vocab_size" in TINY[name] and zoo.get_spec(name).recipe.text.encoding == "sequence"
]


def some_texts(words=9, texts=20, time=12):
    generator = np.random.default_rng(0)
    numbers = generator.integers(1, words, (texts, time))
    return np.where(np.arange(time) < generator.integers(1, time + 1, (texts, 1)), numbers, 0)


@pytest.mark.parametrize("window", [1, 3, 40])
def test_neighbors_are_those_that_loops_count(window):
    texts = some_texts()
    counted = np.zeros((9, 9))
    for text in texts:
        for here, word in enumerate(text):
            for there, other in enumerate(text):
                distance = abs(here - there)
                if 0 < distance <= window and word and other:
                    counted[word, other] += (window + 1 - distance) / window
    np.testing.assert_allclose(cooccurrence_counts(texts, 9, window).toarray(), counted, rtol=1e-5)


def test_information_is_what_loops_weigh():
    counts = cooccurrence_counts(some_texts(), 9)
    table = counts.toarray().astype(float)
    smoothed = table.sum(axis=0) ** 0.75
    found = ppmi(counts).toarray()
    for word in range(9):
        for other in range(9):
            met = table[word, other] / table[word].sum() if table[word].any() else 0
            chance = smoothed[other] / smoothed.sum()
            expected = max(0, np.log(met / chance)) if met else 0
            assert found[word, other] == pytest.approx(expected, abs=1e-5)


def test_full_vectors_have_the_inner_products_of_the_matrix():
    """They are U S^(1/2), so that the square of their Gram matrix is U S^2 U^T = M M^T."""
    texts = some_texts()
    matrix = ppmi(cooccurrence_counts(texts, 9)).toarray()
    vectors = ppmi_svd_embeddings(texts, 9, 9).astype(float)
    gram = vectors @ vectors.T
    product = matrix @ matrix.T
    scale = np.linalg.norm(product) / np.linalg.norm(gram @ gram)
    np.testing.assert_allclose(gram @ gram * scale, product, atol=1e-3 * product.max())
    assert vectors.std() == pytest.approx(EMBEDDING_STD, rel=1e-4)


def test_fewer_channels_are_the_first_of_more():
    texts = some_texts(words=30, texts=200)
    more, fewer = (ppmi_svd_embeddings(texts, 30, size).astype(float) for size in (20, 4))
    scale = np.linalg.norm(more[:, :4]) / np.linalg.norm(fewer)
    np.testing.assert_allclose(scale * fewer, more[:, :4], atol=1e-4)
    lengths = np.linalg.norm(more, axis=0)
    assert (np.diff(lengths) < 0).all()


def test_words_without_neighbors_and_padding_have_none():
    vectors = ppmi_svd_embeddings(np.array([[2, 3, 2], [4, 0, 0]]), 6, 2)
    assert vectors[[2, 3]].any(axis=1).all()
    np.testing.assert_allclose(vectors[[0, 1, 4, 5]], 0, atol=1e-12)
    assert not ppmi_svd_embeddings(np.array([[2], [3]]), 4, 8).any()


def test_the_same_texts_give_the_same_vectors_bit_for_bit():
    texts = some_texts()
    np.testing.assert_array_equal(
        ppmi_svd_embeddings(texts, 9, 4), ppmi_svd_embeddings(texts, 9, 4)
    )


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_every_model_of_sequences_takes_them(name):
    model = zoo.build(name, **TINY[name])
    before = [weight.numpy() for weight in model.weights]
    initialize_embeddings(model, some_texts(12))
    changed = [i for i, old in enumerate(before) if (old != model.weights[i].numpy()).any()]
    assert len(changed) == 1
    np.testing.assert_array_equal(
        model.weights[changed[0]], ppmi_svd_embeddings(some_texts(12), 12, 4)
    )


@pytest.mark.exhaustive
def test_training_begins_with_them(tmp_path):
    """At a rate too small to move them they are what the run ends with."""
    run = zoo.train(
        "gru", run_dir=tmp_path / "run",
        **OF_TEXT_RUN | {"epochs": 1, "word_vectors": "cooccurrence", "learning_rate": 1e-9},
    )  # fmt: skip
    texts = load_run_data(RunConfig.of(run), None).token_ids("train")
    table = run.model.get_layer("embedding").embeddings.numpy()
    np.testing.assert_allclose(table, ppmi_svd_embeddings(texts, 60, 16), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "value", "message"),
    [
        ("gru", "word2vec", "'word2vec': must be one of random, cooccurrence"),
        ("text_mlp", "cooccurrence", "text_mlp has no word embeddings"),
    ],
)
def test_refusals(model, value, message, tmp_path):
    with pytest.raises(ArgumentValueError, match=message):
        zoo.train(model, dataset="toy_reviews", word_vectors=value, run_dir=tmp_path / "run")
    assert not list(tmp_path.iterdir())
