"""From text as people write it to words, and from words to the tokens that get numbers."""

from typing import Any

import keras

UNKNOWN = "[UNK]"
SHORTEST_PIECE = 3
REPLACEMENTS = (
    (r"<[^>]*>|&#?\w+;|#\d+;|\b(?:quot|lt|gt|amp);", " "),
    (r"([!?\p{Han}\p{So}])", r" \1 "),
    (r"[^\p{L}\p{M}\p{N}\p{So}'!?]+", " "),
)


@keras.saving.register_keras_serializable(package="zoo")
def standardize_text(texts: Any) -> Any:
    """Lowers case, drops markup and punctuation, and parts what is left by single spaces.

    A tag such as ``<br />``, or an entity such as ``&quot;``, even one that has lost its ampersand,
    parts words, it does not glue them. Exclamation and question marks, Chinese characters and emoji
    count as words of their own; apostrophes stay inside words. What is not UTF-8 becomes the
    replacement character. A text of which nothing is left becomes the unknown word, so that no row
    is ever empty.

    Args:
        texts: strings of any shape.

    Returns:
        Strings of the same shape.

    Example:
        >>> from zoo.data.tokens import standardize_text
        >>> standardize_text(["A fine movie.<br /><br />Loved it!", "..."]).numpy().tolist()
        [b'a fine movie loved it !', b'[UNK]']
    """
    import tensorflow as tf

    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    texts = tf.strings.regex_replace(texts, "\x00", " ")  # it would end the text for what is next
    texts = tf.strings.lower(texts, encoding="utf-8")
    for pattern, replacement in REPLACEMENTS:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    texts = tf.strings.strip(texts)
    return tf.where(texts == "", UNKNOWN, texts)


@keras.saving.register_keras_serializable(package="zoo")
class Tokens:
    """Splits standardized texts into words, runs of neighboring words, and pieces of words.

    All words of a text come first, then all its pairs, and so on; then the pieces of each word. A
    piece bears the mark ``#``, and ``<`` and ``>`` where a word begins and ends, so that none looks
    like a word.

    Args:
        ngrams: most words in a run; 1 for no runs.
        subwords: most characters in a piece, of which there are three at least; 0 for no pieces.

    Example:
        >>> from zoo.data.tokens import Tokens
        >>> print(*Tokens(ngrams=2, subwords=3)(["so bad"]).numpy()[0])
        b'so' b'bad' b'so bad' b'#<so' b'#so>' b'#<ba' b'#bad' b'#ad>'

    Reference:
        Bojanowski, Grave, Joulin & Mikolov (2017), Enriching word vectors with subword
        information, https://arxiv.org/abs/1607.04606
    """

    def __init__(self, ngrams: int = 1, subwords: int = 0) -> None:
        self.ngrams = ngrams
        self.subwords = subwords

    def __call__(self, texts: Any) -> Any:
        """Splits ``(batch,)`` texts into a ragged ``(batch, tokens)``."""
        import tensorflow as tf

        words = tf.strings.split(texts)
        tokens = [words, *(tf.strings.ngrams(words, n) for n in range(2, self.ngrams + 1))]
        if self.subwords:
            characters = tf.strings.unicode_split(tf.strings.join(["<", words, ">"]), "UTF-8")
            lengths = tuple(range(SHORTEST_PIECE, self.subwords + 1))
            pieces = tf.strings.ngrams(characters, lengths, separator="").merge_dims(1, 2)
            tokens.append(tf.strings.join(["#", pieces]))
        return tf.concat(tokens, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Gives what makes the same splitter again."""
        return {"ngrams": self.ngrams, "subwords": self.subwords}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tokens":
        """Makes it again."""
        return cls(**config)
