"""From text as people write it to words with spaces between them."""

from typing import Any

import keras

UNKNOWN = "[UNK]"


@keras.saving.register_keras_serializable(package="zoo")
def standardize_text(texts: Any) -> Any:
    """Lowers case, drops markup and punctuation, and parts what is left by single spaces.

    A tag such as ``<br />`` parts words, it does not glue them. Exclamation and question marks,
    Chinese characters and emoji count as words of their own; apostrophes stay inside words. What
    is not UTF-8 becomes the replacement character. A text of which nothing is left becomes the
    unknown word, so that no row is ever empty.

    Args:
        texts: strings of any shape.

    Returns:
        Strings of the same shape.

    Example:
        >>> from zoo.data.standardize import standardize_text
        >>> standardize_text(["A fine movie.<br /><br />Loved it!", "..."]).numpy().tolist()
        [b'a fine movie loved it !', b'[UNK]']
    """
    import tensorflow as tf

    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    texts = tf.strings.lower(texts, encoding="utf-8")
    for pattern, replacement in (
        (r"<[^>]*>|&#?\w+;", " "),
        (r"([!?\p{Han}\p{So}])", r" \1 "),
        (r"[^\p{L}\p{M}\p{N}\p{So}'!?]+", " "),
    ):
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    texts = tf.strings.strip(texts)
    return tf.where(texts == "", UNKNOWN, texts)
