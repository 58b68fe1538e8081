"""What the homeworks ask, with the right answers, and the trainings that show them.

    >>> from zoo.course.exercises import QUESTIONS
    >>> [shown.label for shown in QUESTIONS["hw1.fourth_sample"].shown]
    ['no bias', 'a bias']

A training whose `Shown` changes nothing is the system's own.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.course.definitions import Training
from zoo.course.systems import SYSTEMS


@dataclasses.dataclass(frozen=True)
class Shown:
    """A training that shows something.

    Attributes:
        label: what is particular to it.
        of: id of the system that it is a training of.
        change: settings in place of the system's.
        way: whose settings those are: ``"ours"`` or ``"taught"``.
        name: of the training where it is none of the system's own.
    """

    label: str
    of: str
    change: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    way: str = "ours"
    name: str = ""

    @property
    def training(self) -> Training:
        """What is to be trained."""
        training = SYSTEMS[self.of].training(self.way)
        if not self.change:
            return training
        return dataclasses.replace(
            training, name=self.name, settings={**training.settings, **self.change}
        )


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of the homeworks.

    Attributes:
        id: its homework, and a name.
        question: what is asked.
        answer: what is right, and what the figures of `shown` say.
        columns: which of their figures, by the names they have in the results.
        shown: the trainings.
    """

    id: str
    question: str
    answer: str
    columns: tuple[str, ...]
    shown: tuple[Shown, ...]


_SHORT = {"epochs": 5}
_STEEP = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 4}

QUESTIONS = {
    question.id: question
    for question in (
        Question(
            id="hw1.fourth_sample",
            question="Why does the fourth sample, 000, stay wrong however long the unit learns?",
            answer=(
                "Its inputs are all zero, so without a bias its weighted sum is zero whatever the "
                "weights: the output is one half, and the gradient, a multiple of the inputs, is "
                "zero, too. It has nothing to do with vanishing gradients, and another activation "
                "mends nothing. A bias does."
            ),
            columns=("output_000", "test_mse"),
            shown=(
                Shown("no bias", "hw1.perceptron", {"use_bias": False}, name="hw1.no_bias"),
                Shown("a bias", "hw1.perceptron"),
            ),
        ),
        Question(
            id="hw1.one_unit",
            question="Why does one unit not learn NOT((x0 XOR x1) AND x2)?",
            answer=(
                "A unit parts the rows by a plane. The zeros are 011 and 101, whose sum is 112; so "
                "is that of 001 and 111, which are ones: a plane with both zeros on one side has a "
                "one on it. A hidden layer bends the plane."
            ),
            columns=("parameters", "test_mse", "test_accuracy"),
            shown=(
                Shown("one unit", "hw1.single_layer"),
                Shown("a hidden layer of four", "hw1.two_layer"),
            ),
        ),
        Question(
            id="hw2.validation_and_test",
            question="What is validation for, and what is test for?",
            answer=(
                "Validation chooses: settings, and the epoch to keep; what it has chosen looks "
                "better on it than it is. Test is read once, after everything is chosen, and "
                "chooses nothing. The rows learned tell nothing of others: as taught they look "
                "best of all, and ours, measured while words are dropped, worst."
            ),
            columns=("train_accuracy", "best_val_accuracy", "cv_accuracy", "test_accuracy"),
            shown=(
                Shown("the network of the first part", "hw2.mlp"),
                Shown("the same as taught", "hw2.mlp", way="taught"),
                Shown("best of a grid, by five folds", "hw2.grid_search"),
            ),
        ),
        Question(
            id="hw2.overfitting",
            question="How is a network made to overfit, and what holds it back?",
            answer=(
                "Many weights, a high rate and many epochs on few rows: it learns the rows by "
                "heart, and validation falls from its best epoch on. On the same network, words "
                "dropped at random, a smaller rate and the best epoch hold it back; penalties make "
                "weights small, and help accuracy little."
            ),
            columns=("train_accuracy", "best_val_accuracy", "val_accuracy", "test_accuracy"),
            shown=(
                Shown("overfitting, as taught", "hw2.overfit", way="taught"),
                Shown(
                    "the same with the squared norm penalized",
                    "hw2.overfit",
                    {"l2": 1e-4},
                    way="taught",
                    name="hw2.overfit_l2",
                ),
                Shown("words dropped, a smaller rate, the best epoch", "hw2.overfit"),
            ),
        ),
        Question(
            id="hw3.scaling",
            question="Why does scaling the features help gradient descent?",
            answer=(
                "Features of one scale about zero make the loss about as steep in all directions, "
                "so that one rate suits all weights. With a mean far from zero all weights of a "
                "unit are pushed the same way at once, and the loss is a narrow valley."
            ),
            columns=("train_loss", "val_accuracy"),
            shown=tuple(
                Shown(
                    label,
                    "hw3.cnn_deep",
                    _STEEP | {"scaling": scaling},
                    way="taught",
                    name=f"hw3.{scaling}",
                )
                for label, scaling in (
                    ("fractions of full intensity", "fraction"),
                    ("mean 0, deviation 1", "standardized"),
                )
            ),
        ),
        Question(
            id="hw3.parameters",
            question="How many parameters has a convolution?",
            answer=(
                "Height times width times channels, and one for the bias, for each filter: "
                "(3*3*3 + 1) * 32 = 896 in the first network, whose classifier has "
                "(16*16*32 + 1) * 10 = 81,930. Pooling leaves the second network's classifier "
                "(8*8*16 + 1) * 10 = 10,250, though it has one convolution more."
            ),
            columns=("parameters",),
            shown=(
                Shown("one convolution", "hw3.cnn_simple"),
                Shown("two convolutions", "hw3.cnn_deep"),
            ),
        ),
        Question(
            id="hw3.depth",
            question="Why was the deeper network worse than the simple one?",
            answer=(
                "Not for its depth: it had a sixth of the parameters. Between networks of as many "
                "parameters the deeper one is better by far, and trained by our recipe it "
                "passes even the simple one of six times its size."
            ),
            columns=("parameters", "test_accuracy"),
            shown=(
                Shown("one convolution, 32 filters", "hw3.cnn_simple"),
                Shown(
                    "one convolution, 5 filters",
                    "hw3.cnn_simple",
                    {"filters": "5"},
                    name="hw3.cnn_narrow",
                ),
                Shown("two convolutions, 32 and 16 filters", "hw3.cnn_deep"),
            ),
        ),
        Question(
            id="hw3.batch_size",
            question="What does the batch size do?",
            answer=(
                "In the course nothing: the loaders were made once, and all networks trained with "
                "256. Really changed, in as many epochs at one rate, smaller batches make more and "
                "noisier steps, get further, and take longer an epoch; larger ones want a higher "
                "rate, or more epochs."
            ),
            columns=("train_accuracy", "val_accuracy", "seconds"),
            shown=tuple(
                Shown(
                    f"batches of {size}",
                    "hw3.cnn_deep",
                    _SHORT | {"batch_size": size},
                    way="taught",
                    name=f"hw3.batch_{size}",
                )
                for size in (64, 256, 1024)
            ),
        ),
        Question(
            id="hw4.loss",
            question="Which loss is right for two classes, and what did the BiLSTM's do?",
            answer=(
                "The cross-entropy of the class: one sigmoid with the binary one, or two "
                "probabilities with the categorical one, which is the same. The course's BiLSTM "
                "took the batch for the classes, so that its loss, about 700, compared reviews "
                "with each other. By the right loss two directions are no worse than one."
            ),
            columns=("test_loss", "test_accuracy"),
            shown=(
                Shown("one direction", "hw4.lstm"),
                Shown("both directions", "hw4.bilstm"),
            ),
        ),
        Question(
            id="hw4.gates",
            question="How many parameters has an LSTM, and how many a GRU?",
            answer=(
                "Each gate reads the word, the state and a bias. An LSTM has four: with vectors of "
                "10 and 32 units 4 * ((10 + 32) * 32 + 32) = 5,504 (PyTorch counts two biases a "
                "gate: 5,632). A GRU has three, with two biases here: "
                "3 * ((10 + 32) * 32 + 2 * 32) = 4,224. Ours, with vectors of 32, have 8,320 and "
                "6,336 beside 320,000 for the words and 66 for the classes."
            ),
            columns=("parameters", "test_accuracy", "seconds"),
            shown=(
                Shown("simple", "hw4.simple_rnn"),
                Shown("LSTM", "hw4.lstm"),
                Shown("GRU", "hw4.gru"),
            ),
        ),
        Question(
            id="hw4.analogies",
            question="Do analogies of words hold in what a classifier of reviews has learned?",
            answer=(
                "Not if its vectors begin at random: it learns which words speak for a film and "
                "which against, and little else. Words are alike that stand among the same words, "
                "which can be counted without any label; vectors that begin with those counts "
                "hold analogies still when the classifier is done with them. Two questions with "
                "lists of three words tell little, since chance answers one in three; so the "
                "share is of some hundreds of analogies, the answer being among the ten nearest of "
                "all words known."
            ),
            columns=("analogies", "analogies_of_list", "test_accuracy"),
            shown=(
                Shown(
                    "both directions, vectors at random",
                    "hw4.bilstm",
                    {"word_vectors": "random"},
                    name="hw4.bilstm_at_random",
                ),
                Shown("both directions, by co-occurrence", "hw4.bilstm"),
                Shown("GRU, by co-occurrence", "hw4.gru"),
            ),
        ),
        Question(
            id="hw5.code_size",
            question="What does the size of the code do to the error?",
            answer=(
                "More directions never cost anything, and each is worth less than the one before: "
                "images vary much in few directions and little in many."
            ),
            columns=("test_mse", "test_psnr"),
            shown=(
                *(
                    Shown(f"rank {rank}", "hw5.svd", {"rank": rank}, name=f"hw5.rank_{rank}")
                    for rank in (16, 64)
                ),
                Shown("rank 128", "hw5.svd"),
                Shown("rank 256", "hw5.svd", {"rank": 256}, name="hw5.rank_256"),
            ),
        ),
        Question(
            id="hw5.svd_and_linear",
            question="Why does the SVD beat the linear autoencoder?",
            answer=(
                "It cannot but by the autoencoder's training. The truncated SVD is the best linear "
                "map of its rank (Eckart and Young), so a linear autoencoder with a code of 256 is "
                "bounded by rank 256, which is far below rank 128; trained to its end it gets "
                "there. The course's stopped long before. Neither sees anything that is not linear."
            ),
            columns=("test_mse", "test_pca_mse"),
            shown=(
                Shown("SVD of rank 128", "hw5.svd"),
                Shown("SVD of rank 256", "hw5.svd", {"rank": 256}, name="hw5.rank_256"),
                Shown("linear autoencoder, code of 256, as taught", "hw5.linear", way="taught"),
                Shown("linear autoencoder, code of 256, ours", "hw5.linear"),
            ),
        ),
        Question(
            id="hw5.noise",
            question="What does a denoiser have to beat?",
            answer=(
                "First the noisy image itself, whose error is the noise's variance less what is "
                "cut off beyond black and white; then the best linear filter fitted to the same "
                "images, by the strength of noise on which it is tested."
            ),
            columns=("test_mse", "test_noisy_mse", "test_wiener_mse"),
            shown=(
                Shown("deviation 0.1", "hw5.denoising_weak"),
                Shown("deviation 0.3", "hw5.denoising"),
            ),
        ),
        Question(
            id="hw6.weight",
            question="What does the weight of the divergence do?",
            answer=(
                "It trades the images' likeness against codes that are distributed as those that "
                "will be drawn. With 1, both in nats an image, the loss is the bound; a mean over "
                "pixels beside a sum over the code is another weight in disguise."
            ),
            columns=("test_reconstruction_loss", "test_kl_loss"),
            shown=tuple(
                Shown(
                    f"weight {beta:g}",
                    "hw6.vae",
                    _SHORT | {"beta": beta},
                    name=f"hw6.beta_{beta:g}",
                )
                for beta in (0.25, 1.0, 4.0)
            ),
        ),
    )
}
