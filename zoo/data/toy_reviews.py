"""Synthetic reviews, for demonstrations and tests that need no download.

They are sampled from a grammar in which word order decides the label: a negation reverses an
opinion, and of two clauses the main clause counts. A bag of words cannot distinguish ``the food was
good although the room was not fine`` from ``the food was not good although the room was fine``.
"""

import numpy as np

VERSION = "1.0.0"
NUM_ROWS = {"train": 4_000, "test": 1_000}
SEEDS = {"train": 1, "test": 2}

NOUNS = ("film", "story", "music", "cast", "ending", "food", "room", "service", "book", "game")
ADJECTIVES = (
    ("bad", "dull", "poor", "awful", "weak", "ugly", "clumsy", "boring"),
    ("good", "fine", "great", "lovely", "strong", "clever", "brilliant", "charming"),
)
ADVERBS = ("", "very ", "really ", "quite ", "rather ")
NEGATIONS = ("was not", "was never", "was hardly")


def generate(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Generate the reviews of a split, the same ones on every call.

    Args:
        split: ``"train"`` or ``"test"``.

    Returns:
        The texts ``(rows,)``, as bytes, and the labels ``(rows,)``, 1 for a positive review.

    Example:
        >>> from zoo.data import toy_reviews
        >>> texts, labels = toy_reviews.generate("train")
        >>> len(texts), sorted(set(labels.tolist()))
        (4000, [0, 1])
    """
    generator = np.random.default_rng(SEEDS[split])
    labels = np.arange(NUM_ROWS[split]) % 2
    texts = [_sample_review(generator, label) for label in labels.tolist()]
    return np.array(texts, object), labels.astype(np.int64)


def _sample_review(generator: np.random.Generator, label: int) -> bytes:
    main = _sample_clause(generator, label)
    subordinate = _sample_clause(generator, int(generator.integers(2)))
    shape = generator.integers(3)
    if shape == 0:
        text = main
    elif shape == 1:
        text = f"{main} although {subordinate}"
    else:
        text = f"although {subordinate} , {main}"
    return f"{text} .".encode()


def _sample_clause(generator: np.random.Generator, label: int) -> str:
    negated = int(generator.integers(2))
    noun = generator.choice(NOUNS)
    adjective = generator.choice(ADJECTIVES[label ^ negated])
    verb = generator.choice(NEGATIONS) if negated else "was"
    return f"the {noun} {verb} {generator.choice(ADVERBS)}{adjective}"
