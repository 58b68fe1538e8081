"""What is known about words: neighbors, likeness and analogies of their vectors.

>>> import zoo
>>> from zoo.evaluation.word_vectors import Embeddings
>>> run = zoo.train(
...     "fasttext", dataset="toy_reviews", sequence_length=24, epochs=1, jit_compile=False,
...     run_dir=tmp / "run",
... )
>>> vectors = Embeddings.of(run)
>>> len(vectors.nearest("film", 3))
3
"""

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from zoo.data.cooccurrence import ppmi_svd_embeddings
from zoo.data.pipeline import Data
from zoo.data.sequences import SequenceData
from zoo.data.text import vocabulary
from zoo.errors import DatasetError, InputError, RunError, did_you_mean
from zoo.runs import Run

ANALOGIES = Path(__file__).parent / "data" / "analogies.csv"
SPECIAL = 2


@dataclasses.dataclass(frozen=True)
class Analogies:
    """How many analogies hold.

    Attributes:
        asked: those of which every word is known.
        unknown: those of which some word is not.
        right: those whose answer is among the `k` nearest.
        k: how many answers were allowed.
        chance: share of right answers if they were drawn at random.
    """

    asked: int
    unknown: int
    right: int
    k: int
    chance: float

    @property
    def accuracy(self) -> float:
        """Share of those asked that hold; 0 if none was."""
        return self.right / self.asked if self.asked else 0.0


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Words and their vectors.

    Attributes:
        words: those with a vector, the commonest first; neither padding nor the unknown word.
        vectors: ``(words, dimensions)``, each of length 1.
    """

    words: tuple[str, ...]
    vectors: np.ndarray

    @classmethod
    def of(cls, run: Run) -> "Embeddings":
        """Takes the vectors out of a finished run.

        Args:
            run: of a model that has an embedding.

        Raises:
            RunError: if it has none.
        """
        layers = [layer for layer in run.model.layers if layer.name == "embedding"]
        if not layers:
            raise RunError(f"{run.directory}: {run.config['model']} has no vectors of words.")
        (layer,) = layers
        table = layer.tokens.embeddings if hasattr(layer, "tokens") else layer.embeddings
        return cls._named(vocabulary(run.preprocessor), table.numpy())

    @classmethod
    def counted(cls, data: Data, size: int = 100) -> "Embeddings":
        """Finds vectors without a network: see `zoo.data.cooccurrence.ppmi_svd_embeddings`.

        Args:
            data: texts as sequences; the training split is read, and no label.
            size: of a vector.

        Raises:
            DatasetError: if they are no sequences of words.

        Example:
            >>> import zoo
            >>> from zoo.evaluation.word_vectors import Embeddings
            >>> words = Embeddings.counted(zoo.load_data("toy_reviews"), size=8)
            >>> words.vectors.shape[1]
            8
        """
        if not isinstance(data, SequenceData) or not data.is_sequence:
            raise DatasetError(f"{data.spec.name} is not read as sequences of words.")
        words = vocabulary(data.preprocessor)
        return cls._named(words, ppmi_svd_embeddings(data.cached_rows("train"), len(words), size))

    @classmethod
    def _named(cls, words: Sequence[str], table: np.ndarray) -> "Embeddings":
        vectors = table[SPECIAL : len(words)]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return cls(tuple(map(str, words[SPECIAL:])), vectors / np.where(lengths == 0, 1, lengths))

    def vector(self, word: str) -> np.ndarray:
        """Gives a word's vector, of length 1.

        Args:
            word: as the vocabulary has it.

        Raises:
            InputError: if it is not in the vocabulary; names the near miss.
        """
        if word not in self.words:
            raise InputError(f"{word!r} is no word known.{did_you_mean(str(word), self.words)}")
        return self.vectors[self.words.index(word)]

    def similarity(self, one: str, other: str) -> float:
        """Gives the cosine of the angle between two words' vectors.

        Args:
            one: a word.
            other: a word.

        Raises:
            InputError: if one of them is not in the vocabulary.
        """
        return float(self.vector(one) @ self.vector(other))

    def nearest(self, word: str, k: int = 10) -> list[tuple[str, float]]:
        """Finds the words whose vectors point most nearly the same way.

        Args:
            word: a word.
            k: how many.

        Returns:
            Words and cosines, the nearest first, without the word itself.

        Raises:
            InputError: if the word is not in the vocabulary.
        """
        return self._nearest(self.vector(word), {word}, k)

    def analogy(self, a: str, b: str, c: str, k: int = 1) -> list[tuple[str, float]]:
        """Finds what is to `c` as `b` is to `a`, among all words but those three.

        Args:
            a: a word.
            b: a word.
            c: a word.
            k: how many answers.

        Returns:
            Words and cosines with ``b - a + c``, the nearest first.

        Raises:
            InputError: if one of the words is not in the vocabulary.

        Reference:
            Mikolov, Yih & Zweig (2013), Linguistic regularities in continuous space word
            representations, https://aclanthology.org/N13-1090/
        """
        target = self.vector(b) - self.vector(a) + self.vector(c)
        return self._nearest(target, {a, b, c}, k)

    def evaluate(self, analogies: Iterable[tuple[str, str, str, str]], k: int = 1) -> Analogies:
        """Counts the analogies that hold.

        Args:
            analogies: of four words each: ``a`` is to ``b`` as ``c`` is to ``d``.
            k: how many answers are allowed.

        Returns:
            The counts, with the share that guessing would get right.
        """
        known = set(self.words)
        rows = list(analogies)
        asked = [row for row in rows if known.issuperset(row)]
        right = sum(d in dict(self.analogy(a, b, c, k)) for a, b, c, d in asked)
        chance = min(1.0, k / max(1, len(self.words) - 3))
        return Analogies(len(asked), len(rows) - len(asked), right, k, chance)

    def plane(self) -> np.ndarray:
        """Projects the vectors on the two directions in which they vary most.

        Returns:
            ``(words, 2)``.
        """
        centered = self.vectors - self.vectors.mean(axis=0)
        _, _, directions = np.linalg.svd(centered, full_matrices=False)
        return centered @ directions[:2].T

    def _nearest(self, target: np.ndarray, without: set[str], k: int) -> list[tuple[str, float]]:
        cosines = self.vectors @ (target / (np.linalg.norm(target) or 1))
        order = np.argsort(-cosines, kind="stable")[: k + len(without)]
        found = [(self.words[i], float(cosines[i])) for i in order if self.words[i] not in without]
        return found[:k]


def read_analogies(path: Path = ANALOGIES) -> list[tuple[str, str, str, str]]:
    """Reads analogies, one a line: ``man,woman,king,queen``.

    Args:
        path: a CSV file without a header; the zoo's own list unless told otherwise.
    """
    with path.open(newline="") as file:
        return [(a, b, c, d) for a, b, c, d in csv.reader(file)]
