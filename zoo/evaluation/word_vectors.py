"""Word embeddings: nearest neighbors, cosine similarity and analogies.

>>> import zoo
>>> from zoo.evaluation.word_vectors import Embeddings
>>> run = zoo.train(
...     "fasttext", dataset="toy_reviews", sequence_length=24, epochs=1, jit_compile=False,
...     run_dir=tmp / "run",
... )
>>> embeddings = Embeddings.from_run(run)
>>> len(embeddings.nearest("film", 3))
3
"""

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import zoo.data
from zoo.data.cooccurrence import ppmi_svd_embeddings
from zoo.data.pipeline import Data
from zoo.data.sequences import SequenceData
from zoo.data.text import vocabulary
from zoo.errors import DatasetError, InputError, RunError, did_you_mean
from zoo.runs import Run

ANALOGIES = Path(zoo.data.__file__).with_name("analogies.csv")
NUM_SPECIAL_TOKENS = 2


@dataclasses.dataclass(frozen=True)
class AnalogyCounts:
    """Results on a list of analogies.

    Attributes:
        asked: number of analogies whose words are all in the vocabulary.
        unknown: number of analogies with an out-of-vocabulary word.
        right: number of analogies whose answer is among the `k` nearest words.
        k: number of candidates considered.
        chance: expected accuracy of random guessing.
    """

    asked: int
    unknown: int
    right: int
    k: int
    chance: float

    @property
    def accuracy(self) -> float:
        """Fraction of `asked` that is `right`; 0 if none was asked."""
        return self.right / self.asked if self.asked else 0.0


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Normalized word embeddings.

    Attributes:
        words: the vocabulary by decreasing frequency, without padding and the unknown token.
        vectors: ``(words, embedding_dim)``, of unit length.
    """

    words: tuple[str, ...]
    vectors: np.ndarray

    @classmethod
    def from_run(cls, run: Run) -> "Embeddings":
        """Return the word embeddings of a trained model.

        Args:
            run: a finished run of a model with an embedding layer.

        Raises:
            RunError: if the model has no embedding layer.
        """
        layers = [layer for layer in run.model.layers if layer.name == "embedding"]
        if not layers:
            raise RunError(f"{run.directory}: {run.config['model']} has no word embeddings.")
        (layer,) = layers
        table = layer.tokens.embeddings if hasattr(layer, "tokens") else layer.embeddings
        return cls._normalized(vocabulary(run.preprocessor), table.numpy())

    @classmethod
    def from_cooccurrence(cls, data: Data, size: int = 100) -> "Embeddings":
        """Compute PPMI-SVD embeddings; see `zoo.data.cooccurrence.ppmi_svd_embeddings`.

        Args:
            data: dataset of token sequences; only its training texts are read.
            size: dimension of the embeddings.

        Raises:
            DatasetError: if the dataset does not consist of token sequences.

        Example:
            >>> import zoo
            >>> from zoo.evaluation.word_vectors import Embeddings
            >>> embeddings = Embeddings.from_cooccurrence(zoo.load_data("toy_reviews"), size=8)
            >>> embeddings.vectors.shape[1]
            8
        """
        if not isinstance(data, SequenceData) or not data.is_sequence:
            raise DatasetError(f"{data.spec.name} does not consist of token sequences.")
        words = vocabulary(data.preprocessor)
        table = ppmi_svd_embeddings(data.token_ids("train"), len(words), size)
        return cls._normalized(words, table)

    @classmethod
    def _normalized(cls, words: Sequence[str], table: np.ndarray) -> "Embeddings":
        vectors = table[NUM_SPECIAL_TOKENS : len(words)]
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        names = tuple(map(str, words[NUM_SPECIAL_TOKENS:]))
        return cls(names, vectors / np.where(norms == 0, 1, norms))

    def vector(self, word: str) -> np.ndarray:
        """Return the embedding of a word, of unit length.

        Args:
            word: a word of the vocabulary.

        Raises:
            InputError: if the word is not in the vocabulary.
        """
        if word not in self.words:
            hint = did_you_mean(str(word), self.words)
            raise InputError(f"{word!r} is not in the vocabulary.{hint}")
        return self.vectors[self.words.index(word)]

    def similarity(self, first: str, second: str) -> float:
        """Return the cosine similarity of two words.

        Args:
            first: a word of the vocabulary.
            second: another.

        Raises:
            InputError: if a word is not in the vocabulary.
        """
        return float(self.vector(first) @ self.vector(second))

    def nearest(self, word: str, k: int = 10) -> list[tuple[str, float]]:
        """Return the nearest neighbors of a word by cosine similarity.

        Args:
            word: a word of the vocabulary.
            k: number of neighbors.

        Returns:
            Words and cosine similarities, the nearest first, without the word itself.

        Raises:
            InputError: if the word is not in the vocabulary.
        """
        return self._nearest(self.vector(word), {word}, k)

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> list[tuple[str, float]]:
        """Solve the analogy "`a` is to `b` as `c` is to ...", excluding these three words.

        Args:
            a: a word of the vocabulary.
            b: a word of the vocabulary.
            c: a word of the vocabulary.
            k: number of candidates.

        Returns:
            Words and cosine similarities with ``b - a + c``, the nearest first.

        Raises:
            InputError: if a word is not in the vocabulary.

        Reference:
            Mikolov, Yih & Zweig (2013), Linguistic regularities in continuous space word
            representations, https://aclanthology.org/N13-1090/
        """
        target = self.vector(b) - self.vector(a) + self.vector(c)
        return self._nearest(target, {a, b, c}, k)

    def evaluate(self, analogies: Iterable[tuple[str, str, str, str]], k: int = 1) -> AnalogyCounts:
        """Evaluate the embeddings on a list of analogies.

        Args:
            analogies: tuples of four words: ``a`` is to ``b`` as ``c`` is to ``d``.
            k: number of candidates among which ``d`` counts as found.

        Returns:
            The counts, with the accuracy of random guessing.
        """
        word_set = set(self.words)
        rows = list(analogies)
        asked = [row for row in rows if word_set.issuperset(row)]
        right = sum(d in dict(self.analogy(a, b, c, k)) for a, b, c, d in asked)
        chance = min(1.0, k / max(1, len(self.words) - 3))
        return AnalogyCounts(len(asked), len(rows) - len(asked), right, k, chance)

    def project(self) -> np.ndarray:
        """Project the embeddings onto their first two principal components.

        Returns:
            Array ``(words, 2)``.
        """
        centered = self.vectors - self.vectors.mean(axis=0)
        _, _, directions = np.linalg.svd(centered, full_matrices=False)
        return centered @ directions[:2].T

    def _nearest(self, target: np.ndarray, excluded: set[str], k: int) -> list[tuple[str, float]]:
        cosines = self.vectors @ (target / (np.linalg.norm(target) or 1))
        order = np.argsort(-cosines, kind="stable")[: k + len(excluded)]
        pairs = [(self.words[i], float(cosines[i])) for i in order if self.words[i] not in excluded]
        return pairs[:k]


def read_analogies(path: Path = ANALOGIES) -> list[tuple[str, str, str, str]]:
    """Read a CSV file of analogies, one per line, such as ``man,woman,king,queen``.

    Args:
        path: a CSV file without a header; by default the list that ships with the zoo.
    """
    with path.open(newline="") as file:
        return [(a, b, c, d) for a, b, c, d in csv.reader(file)]
