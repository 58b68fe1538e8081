"""Text standardization and tokenization."""

from typing import Any

import keras

UNKNOWN_TOKEN = "[UNK]"
MIN_SUBWORD_LENGTH = 3
REPLACEMENTS = (
    (r"<[^>]*>|&#?\w+;|#\d+;|\b(?:quot|lt|gt|amp);", " "),
    (r"([!?\p{Han}\p{So}])", r" \1 "),
    (r"[^\p{L}\p{M}\p{N}\p{So}'!? ]+", " "),
    (r"  +", " "),
)
VALID_UTF8 = r"(?s)[\x{0}-\x{D7FF}\x{E000}-\x{10FFFF}]*"


@keras.saving.register_keras_serializable(package="zoo")
def standardize_text(texts: Any) -> Any:
    """Lowercase texts, strip markup and punctuation, and separate tokens by single spaces.

    Tags such as ``<br />`` and entities such as ``&quot;``, even without their ampersand, are
    replaced by spaces. Exclamation marks, question marks, Chinese characters and emoji are separate
    tokens; apostrophes stay inside words. Invalid UTF-8 is replaced by the replacement character.
    A text of which nothing remains becomes the unknown token, so no row is empty.

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

    texts = tf.cond(
        tf.reduce_all(tf.strings.regex_full_match(texts, VALID_UTF8)),
        lambda: texts,
        lambda: tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace"),
    )
    texts = tf.strings.regex_replace(texts, "\x00", " ")  # a NUL would truncate the text below
    texts = tf.strings.lower(texts, encoding="utf-8")
    for pattern, replacement in REPLACEMENTS:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    texts = tf.strings.strip(texts)
    return tf.where(texts == "", UNKNOWN_TOKEN, texts)


@keras.saving.register_keras_serializable(package="zoo", name="Tokens")
class Tokenizer:
    """Splits standardized texts into words, word n-grams and subwords (character n-grams).

    The words of a text come first, then its bigrams and so on, then the subwords of each word.
    Subwords are prefixed with ``#``, and ``<`` and ``>`` mark the boundaries of a word, so a
    subword is never equal to a word.

    Args:
        ngrams: largest n of the word n-grams; 1 for single words only.
        subwords: largest number of characters in a subword, of which the smallest is 3; 0 for no
            subwords.

    Example:
        >>> from zoo.data.tokens import Tokenizer
        >>> print(*Tokenizer(ngrams=2, subwords=3)(["so bad"]).numpy()[0])
        b'so' b'bad' b'so bad' b'#<so' b'#so>' b'#<ba' b'#bad' b'#ad>'

    Reference:
        Bojanowski, Grave, Joulin & Mikolov (2017), Enriching word vectors with subword
        information, https://arxiv.org/abs/1607.04606
    """

    def __init__(self, ngrams: int = 1, subwords: int = 0) -> None:
        self.ngrams = ngrams
        self.subwords = subwords

    def __call__(self, texts: Any) -> Any:
        """Split standardized texts ``(batch,)`` into a ragged tensor ``(batch, tokens)``."""
        import tensorflow as tf

        words = tf.strings.split(texts, sep=" ")
        tokens = [words, *(tf.strings.ngrams(words, n) for n in range(2, self.ngrams + 1))]
        if self.subwords:
            characters = tf.strings.unicode_split(tf.strings.join(["<", words, ">"]), "UTF-8")
            lengths = tuple(range(MIN_SUBWORD_LENGTH, self.subwords + 1))
            subwords = tf.strings.ngrams(characters, lengths, separator="").merge_dims(1, 2)
            tokens.append(tf.strings.join(["#", subwords]))
        return tf.concat(tokens, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of an equal tokenizer."""
        return {"ngrams": self.ngrams, "subwords": self.subwords}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tokenizer":
        """Create a tokenizer from its config."""
        return cls(**config)
