"""PPMI-SVD word embeddings, computed from co-occurrence counts without training a network."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

WINDOW = 5
SMOOTHING = 0.75
EMBEDDING_STD = 0.3


def ppmi_svd_embeddings(texts: np.ndarray, vocab_size: int, embedding_dim: int) -> np.ndarray:
    """Compute word embeddings in which words with similar contexts are similar.

    They are the left singular vectors of the positive pointwise mutual information (PPMI) matrix,
    each scaled by the square root of its singular value. Word2vec implicitly factorizes a similar
    matrix: Levy & Goldberg (2014), Neural word embedding as implicit matrix factorization,
    https://papers.nips.cc/paper/5477.

    Args:
        texts: token ids ``(texts, sequence_length)``, 0 for padding.
        vocab_size: size of the vocabulary, padding included.
        embedding_dim: dimension of the embeddings.

    Returns:
        Embeddings ``(vocab_size, embedding_dim)``, float32, with standard deviation 0.3. Dimensions
        are in order of decreasing singular value; in each, the entry of largest magnitude is
        positive. Rows of padding and of words without neighbors are zero, and so are dimensions
        beyond the size of the vocabulary.

    Example:
        >>> import numpy as np
        >>> from zoo.data.cooccurrence import ppmi_svd_embeddings
        >>> texts = np.array([[2, 3, 4], [2, 5, 4], [6, 7, 8]])  # 3 and 5 share their context
        >>> vectors = ppmi_svd_embeddings(texts, vocab_size=9, embedding_dim=4)
        >>> bool(vectors[3] @ vectors[5] > abs(vectors[3] @ vectors[7]))
        True

    Reference:
        Levy, Goldberg & Dagan (2015), Improving distributional similarity with lessons learned
        from word embeddings, https://aclanthology.org/Q15-1016/
    """
    information = ppmi(cooccurrence_counts(texts, vocab_size))
    embeddings = np.zeros((vocab_size, embedding_dim), np.float32)
    if information.nnz:
        rank, start = (
            min(embedding_dim, vocab_size - 1),
            np.random.default_rng(0).random(vocab_size),
        )
        left, values, _ = svds(information, rank, v0=start)
        left *= np.sign(left[np.abs(left).argmax(axis=0), np.arange(rank)])
        embeddings[:, :rank] = (left * np.sqrt(values))[:, ::-1]
        embeddings *= EMBEDDING_STD / embeddings.std()
    return embeddings


def cooccurrence_counts(
    texts: np.ndarray, vocab_size: int, window: int = WINDOW
) -> sparse.csr_array:
    """Count how often pairs of words occur within a window.

    Args:
        texts: token ids ``(texts, sequence_length)``, 0 for padding.
        vocab_size: size of the vocabulary, padding included.
        window: number of context words on each side; adjacent words count 1, and the weight
            decreases linearly with the distance.

    Returns:
        Symmetric counts ``(vocab_size, vocab_size)``; padding is not counted.

    Example:
        >>> import numpy as np
        >>> from zoo.data.cooccurrence import cooccurrence_counts
        >>> counts = cooccurrence_counts(np.array([[1, 2, 3, 0]]), vocab_size=4, window=2)
        >>> counts.toarray()[1].tolist()
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
    """Compute the positive pointwise mutual information of co-occurrence counts.

    Args:
        counts: ``(words, words)``, the number of times the column's word occurs in the context of
            the row's word.

    Returns:
        ``(words, words)``, in nats: the logarithm of the ratio of the observed to the expected
        frequency where it is positive, and 0 elsewhere. The context distribution is smoothed by
        raising counts to the power 0.75, which raises the probability of rare words.

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
    word_counts = counts.sum(axis=1, dtype=np.float64)
    smoothed = word_counts**SMOOTHING
    pairs = counts.tocoo()
    expected = word_counts[pairs.row] * smoothed[pairs.col] / smoothed.sum()
    information = np.log(pairs.data / expected)
    positive = information > 0
    indices = (pairs.row[positive], pairs.col[positive])
    return sparse.csr_array((information[positive].astype(np.float32), indices), counts.shape)
