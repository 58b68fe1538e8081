"""Lab 4, sequences and attention: its exercises."""

import numpy as np

from zoo.labs.grading import Answer, exercise, expect, is_close, measured

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
TOY_ROWS = 2000


@exercise(4, "encode_and_pad")
def _encode_and_pad(encode_and_pad: Answer, rng: np.random.Generator) -> None:
    """Turn words into ids of one length: 0 pads on the right, 1 is an unknown word."""
    vocabulary = {f"w{i}": i + 2 for i in range(20)}
    rows = [[f"w{i}" for i in rng.integers(0, 25, size=size)] for size in (2, 5, 9)]
    rows += [["w24", "w3"], []]
    expected = np.zeros((5, 6), int)
    for line, row in zip(expected, rows, strict=True):
        ids = [vocabulary.get(word, 1) for word in row[:6]]
        line[: len(ids)] = ids
    value = np.asarray(encode_and_pad(rows, vocabulary, 6))
    expect(value.shape == (5, 6), f"expected shape (5, 6), received {value.shape}")
    expect(
        value[3, 0] != 0 and (value[4] == 0).all(),
        "an unknown word and no word at all have the same id: a mask would hide both",
        mistake="4.9",
    )
    expect(
        not np.array_equal(value[0, -2:], expected[0, :2]),
        "the words stand at the end, behind the padding",
        mistake="4.9",
    )
    expect(np.array_equal(value, expected), "the ids differ: keep the first words of a long text")


@exercise(4, "recurrent_parameters")
def _recurrent_parameters(recurrent_parameters: Answer, rng: np.random.Generator) -> None:
    """Count the parameters of a recurrent layer as Keras has them."""
    for kind, gates in GATES.items():
        for inputs, units in ((10, 32), tuple(int(n) for n in rng.integers(1, 50, size=2))):
            biases = 2 if kind == "gru" else 1
            expected = gates * ((inputs + units) * units + biases * units)
            value = recurrent_parameters(kind, inputs, units)
            expect(
                value == expected,
                f"{kind} with {inputs} inputs and {units} units: you count {value:,}; each gate "
                "has a kernel for the inputs, one for the state, and its biases",
            )


@exercise(4, "matched_units")
def _matched_units(matched_units: Answer, rng: np.random.Generator) -> None:
    """Give each kind of layer the most units that a budget allows."""
    for budget in (5_504, int(rng.integers(2_000, 20_000))):
        for kind, gates in GATES.items():
            biases = 2 if kind == "gru" else 1
            sizes = [gates * ((10 + n) * n + biases * n) for n in range(400)]
            expected = max(n for n, size in enumerate(sizes) if size <= budget)
            value = matched_units(kind, 10, budget)
            expect(
                value == expected,
                f"{kind}: {value} units have {sizes[min(max(int(value), 0), 399)]:,} parameters "
                f"of a budget of {budget:,}: a comparison gives each the same",
                mistake="4.7",
            )


@exercise(4, "final_states")
def _final_states(final_states: Answer, rng: np.random.Generator) -> None:
    """Join the final states of both directions; each has read the whole text."""
    lengths = np.array([4, 7, 1])
    forward, backward = rng.normal(size=(2, 3, 7, 5))
    value = np.asarray(final_states(forward, backward, lengths), float)
    expect(value.shape == (3, 10), f"expected shape (3, 10), received {value.shape}")
    expect(
        is_close(value[:, 5:], backward[:, 0]),
        "the backward state that you take has not read the whole text: where does it end?",
        mistake="4.4",
    )
    expect(
        is_close(value[:, :5], forward[np.arange(3), lengths - 1]),
        "the forward state that you take has gone on into the padding, or stopped early",
        mistake="4.4",
    )


@exercise(4, "binary_cross_entropy")
def _binary_cross_entropy(binary_cross_entropy: Answer, rng: np.random.Generator) -> None:
    """Compute the loss of each review from its logit, and from nothing else."""
    logits, labels = 3 * rng.normal(size=8), rng.integers(0, 2, size=8)
    expected = np.log1p(np.exp(logits)) - logits * labels
    value = np.asarray(binary_cross_entropy(logits, labels), float)
    expect(value.shape == (8,), f"expected 8 losses, received shape {value.shape}", "4.3")
    moved = logits.copy()
    moved[1:] += 1
    expect(
        is_close(np.asarray(binary_cross_entropy(moved, labels), float)[0], value[0]),
        "the loss of one review changes with the logits of the others: are the classes of a "
        "review its neighbors in the batch?",
        mistake="4.3",
    )
    expect(is_close(value, expected), "this is not -log of the probability of the label")
    large = binary_cross_entropy(np.array([1000.0, -1000.0]), np.array([0, 0]))
    expect(is_close(large, [1000, 0]), "logits of 1,000 overflow")


@exercise(4, "accuracy_and_precision")
def _accuracy_and_precision(accuracy_and_precision: Answer, rng: np.random.Generator) -> None:
    """Compute two figures that are not the same, from logits."""
    logits = rng.normal(size=400)
    labels = (rng.uniform(size=400) < 0.3).astype(int)
    positive = logits > 0
    accuracy = (positive == labels).mean()
    precision = labels[positive].mean()
    values = accuracy_and_precision(logits, labels)
    expect(
        not is_close(values[0], ((logits > 0.5) == labels).mean()),
        "a logit of 0.5 is a probability of 62 %: where is the boundary for logits?",
        mistake="4.10",
    )
    expect(is_close(values[0], accuracy), f"the accuracy is not {values[0]:.3f}")
    expect(
        not is_close(values[1], accuracy),
        "the precision is an accuracy by another name: of what does it count a fraction?",
        mistake="4.10",
    )
    expect(is_close(values[1], precision), f"the precision is not {values[1]:.3f}")


@exercise(4, "clip_gradients")
def _clip_gradients(clip_gradients: Answer, rng: np.random.Generator) -> None:
    """Shorten all gradients by one factor, if together they are too long."""
    for factor in (0.01, 1.0, 100.0):
        gradients = [factor * rng.normal(size=size) for size in ((4, 3), (3,), (2, 2))]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        clipped = [np.asarray(part, float) for part in clip_gradients(
            [gradient.copy() for gradient in gradients], 1.0)]  # fmt: skip
        length = np.sqrt(sum((part**2).sum() for part in clipped))
        expect(
            length <= 1 + 1e-6,
            f"the gradients have a length of {norm:.3g}, and {length:.3g} after clipping to 1",
            mistake="4.11",
        )
        scale = min(1.0, 1.0 / norm)
        expect(
            all(is_close(c, scale * g) for c, g in zip(clipped, gradients, strict=True)),
            "the direction has changed, or short gradients have: one factor for all of them",
        )


@exercise(4, "seconds_of_training")
def _seconds_of_training(seconds_of_training: Answer, rng: np.random.Generator) -> None:
    """Time training alone, and prepare the data once, before."""
    now, prepared, seen = [0.0], [0], []

    def prepare() -> str:
        prepared[0] += 1
        now[0] += 30.0
        return "batches"

    def train_epoch(batches: str) -> None:
        seen.append(batches)
        now[0] += 2.0

    value = seconds_of_training(prepare, train_epoch, 5, lambda: now[0])
    expect(seen == ["batches"] * 5, f"{len(seen)} epochs were trained, expected 5")
    expect(
        is_close(value, 10.0) and prepared[0] == 1,
        f"five epochs of 2 seconds are reported as {value:g} seconds, and the data were prepared "
        f"{prepared[0]} times: what are you timing?",
        mistake="4.8",
    )


@exercise(4, "verdict")
def _verdict(verdict: Answer, rng: np.random.Generator) -> None:
    """Say what the figures say about a claim that one model beats another."""
    cases = [(0.692, 0.8202), (0.8434, 0.8202), (0.8434, 0.8531), (0.85, 0.848)]
    cases += [(float(a), float(b)) for a, b in rng.uniform(0.7, 0.75, size=(20, 2))]
    for number, (claimed, other) in enumerate(cases):
        rows = (12_500, 5_000)[number % 2]
        error = np.sqrt((claimed * (1 - claimed) + other * (1 - other)) / rows)
        expected = "undecided"
        if abs(claimed - other) > 2 * error:
            expected = "supported" if claimed > other else "contradicted"
        value = verdict(claimed, other, rows)
        expect(
            value == expected,
            f"'{claimed:.2%} beats {other:.2%}' on {rows:,} rows is {expected} by more or less "
            f"than two standard errors ({2 * error:.2%}); you say {value!r}",
            mistake="4.5",
        )


@exercise(4, "analogy")
def _analogy(analogy: Answer, rng: np.random.Generator) -> None:
    """Answer a is to b as c is to ?, among all words but these three."""
    words = ["man", "woman", "king", "queen", *(f"w{i}" for i in range(40))]
    for _ in range(5):
        table = rng.normal(size=(len(words), 12))
        gender, royal = rng.normal(size=(2, 12))
        table[0] = rng.normal(size=12)
        table[1] = table[0] + 0.3 * gender
        table[2] = table[0] + 2 * royal
        table[3] = table[2] + 0.3 * gender + 0.02 * rng.normal(size=12)
        answer = analogy("man", "woman", "king", words, table.copy())
        expect(
            answer not in ("man", "woman", "king"),
            f"the answer is {answer!r}, a word of the question",
            mistake="4.6",
        )
        unit = table / np.linalg.norm(table, axis=1, keepdims=True)
        scores = unit @ (table[1] - table[0] + table[2])
        scores[:3] = -np.inf
        expected = words[int(scores.argmax())]
        expect(
            answer == expected,
            f"{answer!r} is not the word of the whole vocabulary whose vector is nearest",
            mistake="4.6",
        )


@exercise(4, "attention")
def _attention(attention: Answer, rng: np.random.Generator) -> None:
    """Attend to words, and never to padding."""
    queries, keys, values = rng.normal(size=(3, 5, 8))
    everything = np.ones(5, bool)
    scores = queries @ keys.T / np.sqrt(8)
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expect(
        is_close(attention(queries, keys, values, everything), weights @ values),
        "without padding this is not softmax(q k^T / sqrt(size)) v",
    )
    mask = np.array([True, True, True, False, False])
    expected = attention(queries, keys[:3], values[:3], mask[:3])
    values[3:] = 100
    expect(
        is_close(attention(queries, keys, values, mask), expected),
        "what is in the padding changes the result",
        mistake="4.2",
    )


@exercise(4, "position_codes")
def _position_codes(position_codes: Answer, rng: np.random.Generator) -> None:
    """Write the sines and cosines that tell positions apart."""
    length, size = 40, 16
    codes = np.asarray(position_codes(length, size), float)
    expect(codes.shape == (length, size), f"expected shape (40, 16), received {codes.shape}")
    distances = np.linalg.norm(codes[:, None] - codes[None], axis=2) + np.eye(length)
    expect(
        distances.min() > 1e-3,
        "two positions have the same code: the network cannot tell 'dog bites man' from its "
        "opposite",
        mistake="4.2",
    )
    rates = 10_000.0 ** (-np.arange(0, size, 2) / size)
    angles = np.arange(length)[:, None] * rates
    expected = np.empty((length, size))
    expected[:, 0::2], expected[:, 1::2] = np.sin(angles), np.cos(angles)
    expect(
        is_close(codes, expected), "even columns are sines, odd ones cosines, of p / 10000^(2i/d)"
    )


@exercise(4, "uses_labels")
def _uses_labels(uses_labels: Answer, rng: np.random.Generator) -> None:
    """Find out whether predictions depend on the labels they are to predict."""
    inputs = rng.normal(size=(16, 3))
    labels = rng.integers(0, 2, size=16)
    plain = inputs.sum(axis=1)
    predictors = {
        "ignores labels": (lambda x, y: plain, False),
        "reads each row's own label": (lambda x, y: plain + 0.1 * y, True),
        "reads the label of the row before": (lambda x, y: plain + np.roll(y, 1), True),
        "reads the label of the last row": (lambda x, y: plain + 0.2 * y[-1], True),
    }
    for name, (predict, expected) in predictors.items():
        value = bool(uses_labels(predict, inputs.copy(), labels.copy()))
        expect(
            value == expected,
            f"a model that {name} is said {'' if value else 'not '}to use labels: what happens "
            "to its predictions if you change them?",
            mistake="4.1",
        )


@measured(4, "fit_sequence", "the accuracy on 1,000 other reviews", higher=True)
def _fit_sequence(fit_sequence: Answer, seed: int) -> float:
    """Train on 2,000 synthetic reviews in which word order decides, and score on 1,000 others."""
    from zoo.data.toy_reviews import generate

    texts, labels = generate("train")
    rows = np.random.default_rng(seed).permutation(len(texts))[:TOY_ROWS]
    predict = fit_sequence([texts[i].decode() for i in rows], labels[rows], seed)
    texts, labels = generate("test")
    classes = np.asarray(predict([text.decode() for text in texts]))
    expect(classes.shape == labels.shape, f"expected 1,000 labels, received {classes.shape}")
    return float((classes == labels).mean())
