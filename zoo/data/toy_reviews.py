"""A small set of made-up reviews, for demonstrations and tests without a download.

A generator writes them, by a grammar in which the order of words decides: negation turns an opinion
round, and of two clauses the main one counts. A bag of words cannot tell ``the food was good
although the room was not fine`` from ``the food was not good although the room was fine``.
"""

import numpy as np

VERSION = "1.0.0"
ROWS = {"train": 4_000, "test": 1_000}
SEEDS = {"train": 1, "test": 2}

THINGS = ("film", "story", "music", "cast", "ending", "food", "room", "service", "book", "game")
OPINIONS = (
    ("bad", "dull", "poor", "awful", "weak", "ugly", "clumsy", "boring"),
    ("good", "fine", "great", "lovely", "strong", "clever", "brilliant", "charming"),
)
DEGREES = ("", "very ", "really ", "quite ", "rather ")
NEGATIONS = ("was not", "was never", "was hardly")


def write(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Writes the reviews of a split, the same ones each time.

    Args:
        split: ``"train"`` or ``"test"``.

    Returns:
        The texts ``(rows,)``, as bytes, and the labels ``(rows,)``: 1 for a good review.

    Example:
        >>> from zoo.data import toy_reviews
        >>> texts, labels = toy_reviews.write("train")
        >>> len(texts), sorted(set(labels.tolist()))
        (4000, [0, 1])
    """
    generator = np.random.default_rng(SEEDS[split])
    labels = np.arange(ROWS[split]) % 2
    texts = [_review(generator, label) for label in labels.tolist()]
    return np.array(texts, object), labels.astype(np.int64)


def _review(generator: np.random.Generator, label: int) -> bytes:
    main = _clause(generator, label)
    aside = _clause(generator, int(generator.integers(2)))
    shape = generator.integers(3)
    if shape == 0:
        text = main
    elif shape == 1:
        text = f"{main} although {aside}"
    else:
        text = f"although {aside} , {main}"
    return f"{text} .".encode()


def _clause(generator: np.random.Generator, label: int) -> str:
    negated = int(generator.integers(2))
    thing = generator.choice(THINGS)
    opinion = generator.choice(OPINIONS[label ^ negated])
    verb = generator.choice(NEGATIONS) if negated else "was"
    return f"the {thing} {verb} {generator.choice(DEGREES)}{opinion}"
