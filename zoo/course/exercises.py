"""The questions of the homeworks, with answers and the experiments that support them.

Example:
    >>> from zoo.course.exercises import QUESTIONS
    >>> [evidence.label for evidence in QUESTIONS["hw1.fourth_sample"].evidence]
    ['without bias', 'with bias']
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoo.course.definitions import Experiment
from zoo.course.systems import SYSTEMS


@dataclasses.dataclass(frozen=True)
class Evidence:
    """An experiment that supports an answer: that of a system, or a variation of it.

    Attributes:
        label: what distinguishes the experiment, as shown in tables.
        system: id of the system.
        overrides: settings that replace the system's; empty for the system's own experiment.
        way: ``"ours"`` or ``"taught"``: which settings of the system are used.
        name: name of the experiment if `overrides` is not empty.
    """

    label: str
    system: str
    overrides: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    way: str = "ours"
    name: str = ""

    @property
    def experiment(self) -> Experiment:
        """The experiment to train."""
        experiment = SYSTEMS[self.system].experiment(self.way)
        if not self.overrides:
            return experiment
        return dataclasses.replace(
            experiment, name=self.name, settings={**experiment.settings, **self.overrides}
        )


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of the homeworks.

    Attributes:
        id: homework and name.
        question: text of the question.
        answer: correct answer, with what the experiments show.
        metrics: names of the metrics to tabulate.
        evidence: experiments to tabulate, one per row.
    """

    id: str
    question: str
    answer: str
    metrics: tuple[str, ...]
    evidence: tuple[Evidence, ...]


_SHORT = {"epochs": 5}
_STEEP = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 4}

QUESTIONS = {
    question.id: question
    for question in (
        Question(
            id="hw1.fourth_sample",
            question="Why is the fourth sample, 000, never learned, however long the unit trains?",
            answer=(
                "All its inputs are zero, so without a bias its weighted sum is zero for any "
                "weights: the output is 0.5, and the gradient, which is proportional to the "
                "inputs, is zero, too. This is not a vanishing gradient problem, and another "
                "activation does not help. A bias does."
            ),
            metrics=("output_000", "test_mse"),
            evidence=(
                Evidence("without bias", "hw1.perceptron", {"use_bias": False}, name="hw1.no_bias"),
                Evidence("with bias", "hw1.perceptron"),
            ),
        ),
        Question(
            id="hw1.one_unit",
            question="Why can one unit not learn NOT((x0 XOR x1) AND x2)?",
            answer=(
                "The decision boundary of a unit is a plane, and the classes are not linearly "
                "separable: the zeros, 011 and 101, have the sum 112, and so have the ones 001 "
                "and 111, so every half-space that contains both zeros contains one of these "
                "ones. A hidden layer makes the decision boundary non-linear."
            ),
            metrics=("parameters", "test_mse", "test_accuracy"),
            evidence=(
                Evidence("one unit", "hw1.single_layer"),
                Evidence("hidden layer of four units", "hw1.two_layer"),
            ),
        ),
        Question(
            id="hw2.validation_and_test",
            question="What are the validation split and the test split for?",
            answer=(
                "The validation split is for selection: of settings, and of the epoch to keep. "
                "Its score is optimistic for whatever was selected on it. The test split is "
                "evaluated once, after all selection, and selects nothing. Training accuracy does "
                "not measure generalization: as taught it is the highest of all scores, and in "
                "ours, where it is measured with word dropout, the lowest."
            ),
            metrics=("train_accuracy", "best_val_accuracy", "cv_accuracy", "test_accuracy"),
            evidence=(
                Evidence("network of the first part", "hw2.mlp"),
                Evidence("network of the first part, as taught", "hw2.mlp", way="taught"),
                Evidence("best of a grid, by 5-fold cross-validation", "hw2.grid_search"),
            ),
        ),
        Question(
            id="hw2.overfitting",
            question="How can a network be made to overfit, and what prevents it?",
            answer=(
                "With many weights, a high learning rate and many epochs on few rows, it memorizes "
                "the training split, and validation accuracy falls after its best epoch. On the "
                "same network, word dropout, a lower learning rate and restoring the best epoch "
                "prevent this; weight penalties make the weights small, but improve accuracy "
                "little."
            ),
            metrics=("train_accuracy", "best_val_accuracy", "val_accuracy", "test_accuracy"),
            evidence=(
                Evidence("overfitting, as taught", "hw2.overfit", way="taught"),
                Evidence(
                    "the same with an L2 penalty",
                    "hw2.overfit",
                    {"l2": 1e-4},
                    way="taught",
                    name="hw2.overfit_l2",
                ),
                Evidence("word dropout, lower learning rate, best epoch", "hw2.overfit"),
            ),
        ),
        Question(
            id="hw3.scaling",
            question="Why does feature scaling help gradient descent?",
            answer=(
                "If the features are centered and have the same scale, the loss has a similar "
                "curvature in all directions, and one learning rate suits all weights. If their "
                "mean is far from zero, all weights of a unit are pushed in the same direction at "
                "once, and the loss surface is a narrow valley."
            ),
            metrics=("train_loss", "val_accuracy"),
            evidence=tuple(
                Evidence(
                    label,
                    "hw3.cnn_deep",
                    _STEEP | {"scaling": scaling},
                    way="taught",
                    name=f"hw3.{scaling}",
                )
                for label, scaling in (
                    ("scaled to [0, 1]", "fraction"),
                    ("mean 0, standard deviation 1", "standardized"),
                )
            ),
        ),
        Question(
            id="hw3.parameters",
            question="How many parameters does a convolutional layer have?",
            answer=(
                "Height times width times input channels, plus one for the bias, for each filter: "
                "(3·3·3 + 1)·32 = 896 in the first network, whose classifier has "
                "(16·16·32 + 1)·10 = 81,930. Pooling reduces the classifier of the second network "
                "to (8·8·16 + 1)·10 = 10,250, although it has one more convolutional layer."
            ),
            metrics=("parameters",),
            evidence=(
                Evidence("one convolutional layer", "hw3.cnn_simple"),
                Evidence("two convolutional layers", "hw3.cnn_deep"),
            ),
        ),
        Question(
            id="hw3.depth",
            question="Why was the deeper network less accurate than the simple one?",
            answer=(
                "Not because of its depth: it had a sixth of the parameters. Of two networks with "
                "about as many parameters, the deeper one is far more accurate, and trained with "
                "our recipe it even surpasses the simple one, which has six times as many."
            ),
            metrics=("parameters", "test_accuracy"),
            evidence=(
                Evidence("one convolutional layer, 32 filters", "hw3.cnn_simple"),
                Evidence(
                    "one convolutional layer, 5 filters",
                    "hw3.cnn_simple",
                    {"filters": "5"},
                    name="hw3.cnn_narrow",
                ),
                Evidence("two convolutional layers, 32 and 16 filters", "hw3.cnn_deep"),
            ),
        ),
        Question(
            id="hw3.batch_size",
            question="What is the effect of the batch size?",
            answer=(
                "In the course, none: the data loaders were created once, so all networks were "
                "trained with batches of 256. If the batch size is changed at the same number of "
                "epochs and the same learning rate, smaller batches take more and noisier steps, "
                "reach a higher accuracy, and need more time per epoch; larger ones need a higher "
                "learning rate or more epochs."
            ),
            metrics=("train_accuracy", "val_accuracy", "seconds"),
            evidence=tuple(
                Evidence(
                    f"batch size {size}",
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
            question="Which loss suits two classes, and what was wrong with that of the BiLSTM?",
            answer=(
                "Cross-entropy: binary with one sigmoid output, or categorical with two softmax "
                "outputs, which are equivalent. The course's BiLSTM treated the batch dimension as "
                "the classes, so its loss, about 700, compared reviews with each other. With the "
                "right loss, a bidirectional network is no worse than a unidirectional one."
            ),
            metrics=("test_loss", "test_accuracy"),
            evidence=(
                Evidence("unidirectional", "hw4.lstm"),
                Evidence("bidirectional", "hw4.bilstm"),
            ),
        ),
        Question(
            id="hw4.gates",
            question="How many parameters do an LSTM and a GRU have?",
            answer=(
                "Each gate, and the candidate state, has a kernel for the inputs, one for the "
                "state, and a bias. An LSTM has four of these sets: with embeddings of size 10 and "
                "32 units, 4·((10 + 32)·32 + 32) = 5,504 (PyTorch has two biases in each: 5,632). "
                "A GRU has three, here with two biases each: 3·((10 + 32)·32 + 2·32) = 4,224. With "
                "embeddings of size 32, ours have 8,320 and 6,336, plus 320,000 for the embeddings "
                "and 66 for the classifier."
            ),
            metrics=("parameters", "test_accuracy", "seconds"),
            evidence=(
                Evidence("simple RNN", "hw4.simple_rnn"),
                Evidence("LSTM", "hw4.lstm"),
                Evidence("GRU", "hw4.gru"),
            ),
        ),
        Question(
            id="hw4.analogies",
            question="Do word analogies hold in the embeddings of a review classifier?",
            answer=(
                "Not if the embeddings are initialized at random: they learn which words are "
                "positive and which are negative, and little else. Words are similar if they "
                "occur in similar contexts, which can be counted without labels; embeddings "
                "initialized from such co-occurrence counts still solve analogies after the "
                "classifier is trained. Two questions with three candidates each show little, "
                "since one in three is solved by chance; so accuracy is also measured on some "
                "hundreds of analogies, whose answer must be among the ten nearest words of the "
                "vocabulary."
            ),
            metrics=("analogies", "analogies_of_list", "test_accuracy"),
            evidence=(
                Evidence(
                    "bidirectional, random initialization",
                    "hw4.bilstm",
                    {"word_vectors": "random"},
                    name="hw4.bilstm_at_random",
                ),
                Evidence("bidirectional, initialized from co-occurrence counts", "hw4.bilstm"),
                Evidence("GRU, initialized from co-occurrence counts", "hw4.gru"),
            ),
        ),
        Question(
            id="hw5.code_size",
            question="How does the size of the latent code affect the error?",
            answer=(
                "More dimensions never increase it, and each reduces it less than the one before: "
                "images vary much in few directions and little in many."
            ),
            metrics=("test_mse", "test_psnr"),
            evidence=(
                *(
                    Evidence(f"rank {rank}", "hw5.svd", {"rank": rank}, name=f"hw5.rank_{rank}")
                    for rank in (16, 64)
                ),
                Evidence("rank 128", "hw5.svd"),
                Evidence("rank 256", "hw5.svd", {"rank": 256}, name="hw5.rank_256"),
            ),
        ),
        Question(
            id="hw5.svd_and_linear",
            question="Why did the SVD beat the linear autoencoder?",
            answer=(
                "Only because the autoencoder was not trained to convergence. The truncated SVD is "
                "the best linear map of its rank (Eckart and Young), so the error of a linear "
                "autoencoder with a latent code of 256 is bounded by that of rank 256, far below "
                "that of rank 128; trained to convergence, it reaches the bound. The course "
                "stopped long before. Neither captures non-linear structure."
            ),
            metrics=("test_mse", "test_pca_mse"),
            evidence=(
                Evidence("SVD of rank 128", "hw5.svd"),
                Evidence("SVD of rank 256", "hw5.svd", {"rank": 256}, name="hw5.rank_256"),
                Evidence(
                    "linear autoencoder, latent code of 256, as taught", "hw5.linear", way="taught"
                ),
                Evidence("linear autoencoder, latent code of 256, ours", "hw5.linear"),
            ),
        ),
        Question(
            id="hw5.noise",
            question="What are the baselines for a denoising autoencoder?",
            answer=(
                "First the noisy image itself, whose error is the variance of the noise, less what "
                "clipping to black and white removes; then the best linear filter, fitted to the "
                "same images at the noise level of the test."
            ),
            metrics=("test_mse", "test_noisy_mse", "test_wiener_mse"),
            evidence=(
                Evidence("noise with standard deviation 0.1", "hw5.denoising_weak"),
                Evidence("noise with standard deviation 0.3", "hw5.denoising"),
            ),
        ),
        Question(
            id="hw6.weight",
            question="What is the effect of the weight of the KL divergence?",
            answer=(
                "It trades reconstruction quality against latent codes that follow the prior, from "
                "which new codes are sampled. With a weight of 1 and both terms in nats per image, "
                "the loss is the negative ELBO; a mean over pixels with a sum over the latent code "
                "is another weight in disguise."
            ),
            metrics=("test_reconstruction_loss", "test_kl_loss"),
            evidence=tuple(
                Evidence(
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
