"""Vectors of words: neighbors by brute force, analogies that hold by construction, chance."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

import zoo
from zoo import plots
from zoo.data.cooccurrence import ppmi_svd_embeddings
from zoo.errors import DatasetError, InputError, RunError
from zoo.evaluation.word_vectors import Embeddings, read_analogies


def made_of(**vectors):
    table = np.array(list(vectors.values()), float)
    return Embeddings(tuple(vectors), table / np.linalg.norm(table, axis=1, keepdims=True))


@pytest.fixture
def royal():
    return made_of(
        man=[1, 0, 0.1], woman=[0, 1, 0.1], king=[1, 0, 1], queen=[0, 1, 1], tree=[-1, -1, 0],
        prophet=[0.9, 0.1, 0.9],
    )  # fmt: skip


def test_nearest_by_brute_force():
    generator = np.random.default_rng(0)
    words = {f"w{i}": generator.normal(size=5) for i in range(40)}
    embeddings = made_of(**words)

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    for word in ("w0", "w17"):
        expected = sorted(
            (w for w in words if w != word), key=lambda w: -cosine(words[word], words[w])
        )[:7]
        found = embeddings.nearest(word, 7)
        assert [w for w, _ in found] == expected
        assert found[0][1] == pytest.approx(cosine(words[word], words[expected[0]]))
    assert embeddings.similarity("w1", "w2") == pytest.approx(cosine(words["w1"], words["w2"]))


def test_an_analogy_leaves_its_own_words_out(royal):
    assert royal.analogy("man", "woman", "king")[0][0] == "queen"
    answers = [word for word, _ in royal.analogy("man", "woman", "king", k=10)]
    assert set(answers) == {"queen", "tree", "prophet"}


def test_analogies_are_counted_with_the_chance_level(royal):
    rows = [
        ("man", "woman", "king", "queen"),
        ("man", "king", "woman", "queen"),
        ("man", "woman", "king", "tree"),
        ("man", "woman", "king", "emperor"),
    ]
    found = royal.evaluate(rows)
    assert (found.asked, found.unknown, found.right) == (3, 1, 2)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.chance == pytest.approx(1 / 3)
    assert royal.evaluate(rows, k=3).right == 3
    assert royal.evaluate(rows, k=3).chance == 1
    assert royal.evaluate([rows[3]]).accuracy == 0


def test_an_unknown_word_names_the_near_miss(royal):
    with pytest.raises(InputError, match="'quen' is not in the vocabulary. Did you mean 'queen'"):
        royal.nearest("quen")
    with pytest.raises(InputError, match="3 is not in the vocabulary"):
        royal.nearest(3)


def test_the_plane_is_that_of_principal_components():
    generator = np.random.default_rng(1)
    embeddings = made_of(**{f"w{i}": generator.normal(size=6) for i in range(50)})
    theirs = PCA(2).fit_transform(embeddings.vectors)
    np.testing.assert_allclose(np.abs(embeddings.project()), np.abs(theirs), atol=1e-6)


def test_the_committed_analogies_are_of_four_words_and_of_pairs_that_differ():
    rows = read_analogies()
    assert len(rows) == len(set(rows)) > 400
    assert all(len(set(row)) == 4 for row in rows)
    assert ("man", "woman", "king", "queen") in rows


@pytest.mark.exhaustive
def test_of_a_run(text_run, digits_run):
    embeddings = Embeddings.from_run(text_run)
    table = text_run.model.get_layer("embedding").embeddings.numpy()
    row = text_run.preprocessor(np.array([b"film"], object)).numpy()[0, 0]
    np.testing.assert_allclose(
        embeddings.vector("film"), table[row] / np.linalg.norm(table[row]), rtol=1e-5
    )
    assert "[UNK]" not in embeddings.words
    assert "" not in embeddings.words
    with pytest.raises(RunError, match="softmax_regression has no word embeddings"):
        Embeddings.from_run(digits_run)


def test_counted_without_a_network():
    data = zoo.load_data("toy_reviews", text=zoo.TextOptions(vocab_size=60, sequence_length=24))
    counted = Embeddings.from_cooccurrence(data, size=7)
    texts = data.token_ids("train")
    index = int(data.preprocessor(np.array([b"film"], object)).numpy()[0, 0])
    expected = ppmi_svd_embeddings(texts, 60, 7)[index]
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(counted.vector("film"), expected, atol=1e-5)


def test_what_are_no_sequences_of_words_is_refused(data_dir):
    bags = zoo.load_data("toy_reviews", text=zoo.TextOptions(encoding="multi_hot", vocab_size=60))
    for data in (bags, zoo.load_data("digits", data_dir=data_dir)):
        with pytest.raises(DatasetError, match="does not consist of token sequences"):
            Embeddings.from_cooccurrence(data)


@pytest.mark.exhaustive
def test_of_a_transformer(tmp_path):
    run = zoo.train(
        "transformer", dataset="toy_reviews", epochs=1, vocab_size=60, sequence_length=24,
        embedding_dim=8, num_heads=2, progress=False, run_dir=tmp_path / "run",
    )  # fmt: skip
    embeddings = Embeddings.from_run(run)
    assert embeddings.vectors.shape == (len(embeddings.words), 8)
    from zoo.evaluation import inspection

    names = [path.stem for path in plots.draw(run)]
    assert names == [
        "learning_curves", "confusion_matrix", "misread_texts", "embedding", "attention", "sheet",
    ]  # fmt: skip
    numbers = np.array([3, 4, 5, 6, 0, 0])
    (scores,) = inspection.attention_scores(run.model, numbers).values()
    assert scores.shape == (2, 6, 6)
    np.testing.assert_allclose(scores[:, :4].sum(axis=-1), 1, rtol=1e-5)
    assert (scores[:, :, 4:] < 1e-6).all()
