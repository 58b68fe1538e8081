"""Vectors of words by the company they keep: counted, weighed and decomposed, with no training."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

WINDOW = 5
SMOOTHING = 0.75
SPREAD = 0.3


def ppmi_svd_embeddings(texts: np.ndarray, vocab_size: int, size: int) -> np.ndarray:
    """Makes vectors that are alike for words that stand among the same words.

    They are the left singular vectors of the words' positive pointwise mutual information, each
    times the root of its singular value. Word2vec's networks factorise much the same matrix
    without writing it down: Levy & Goldberg (2014), Neural word embedding as implicit matrix
    factorization, https://papers.nips.cc/paper/5477.

    Args:
        texts: ``(texts, time)``, numbers of words, 0 for padding.
        vocab_size: words, padding included.
        size: of a vector.

    Returns:
        ``(vocab_size, size)``, float32, of standard deviation 0.3; the first channel has the
        largest singular value, and the largest number of each is positive. Zero for padding and
        for words that have no neighbor; and in the last channels, if there are more than words.

    Example:
        >>> import numpy as np
        >>> from zoo.data.cooccurrence import ppmi_svd_embeddings
        >>> texts = np.array([[2, 3, 4], [2, 5, 4], [6, 7, 8]])  # 3 and 5 stand between 2 and 4
        >>> vectors = word_vectors(texts, vocab_size=9, size=4)
        >>> bool(vectors[3] @ vectors[5] > abs(vectors[3] @ vectors[7]))
        True

    Reference:
        Levy, Goldberg & Dagan (2015), Improving distributional similarity with lessons learned
        from word embeddings, https://aclanthology.org/Q15-1016/
    """
    information = ppmi(cooccurrence_counts(texts, vocab_size))
    found = np.zeros((vocab_size, size), np.float32)
    if information.nnz:
        rank, start = min(size, vocab_size - 1), np.random.default_rng(0).random(vocab_size)
        left, values, _ = svds(information, rank, v0=start)
        left *= np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)])
        found[:, :rank] = (left * np.sqrt(values))[:, ::-1]
        found *= SPREAD / found.std()
    return found


def cooccurrence_counts(
    texts: np.ndarray, vocab_size: int, window: int = WINDOW
) -> sparse.csr_array:
    """Counts how often words stand near one another.

    Args:
        texts: ``(texts, time)``, numbers of words, 0 for padding.
        vocab_size: words, padding included.
        window: words that count, to the left and to the right: the nearest as 1, and each further
            one less by an equal step.

    Returns:
        ``(vocab_size, vocab_size)``, symmetric; nothing of padding.

    Example:
        >>> import numpy as np
        >>> from zoo.data.cooccurrence import cooccurrence_counts
        >>> cooccurrence_counts(np.array([[1, 2, 3, 0]]), vocab_size=4, window=2).toarray()[1].tolist()
        [0.0, 0.0, 1.0, 0.5]
    """
    texts = texts[:, texts.any(axis=0)]
    counts = sparse.csr_array((vocab_size, vocab_size), dtype=np.float32)
    for distance in range(1, min(window, texts.shape[1] - 1) + 1):
        left, right = texts[:, :-distance].ravel(), texts[:, distance:].ravel()
        both = (left > 0) & (right > 0)
        weights = np.full(np.count_nonzero(both), 1 + (1 - distance) / window, np.float32)
        pairs = sparse.coo_array((weights, (left[both], right[both])), counts.shape)
        counts = counts + pairs.tocsr()
    return counts + counts.T


def ppmi(counts: sparse.csr_array) -> sparse.csr_array:
    """Weighs counts by how much oftener two words meet than they would by chance.

    Args:
        counts: ``(words, words)``: how often the column's word stands near the row's.

    Returns:
        ``(words, words)``, in nats: the logarithm of that ratio where it is positive, and 0
        elsewhere. The chance of the column's word is taken from the power 0.75 of its count, which
        makes rare words commoner than they are.

    Example:
        >>> import numpy as np
        >>> from scipy import sparse
        >>> from zoo.data.cooccurrence import ppmi
        >>> counts = sparse.csr_array(np.array([[0.0, 3.0], [3.0, 0.0]]))
        >>> ppmi(counts).toarray()[0].round(3)
        array([0.   , 0.693], dtype=float32)

    Reference:
        Church & Hanks (1990), Word association norms, mutual information, and lexicography,
        https://aclanthology.org/J90-1003/
    """
    of_word = counts.sum(axis=1, dtype=np.float64)
    smoothed = of_word**SMOOTHING
    pairs = counts.tocoo()
    by_chance = of_word[pairs.row] * smoothed[pairs.col] / smoothed.sum()
    information = np.log(pairs.data / by_chance)
    positive = information > 0
    places = (pairs.row[positive], pairs.col[positive])
    return sparse.csr_array((information[positive].astype(np.float32), places), counts.shape)
