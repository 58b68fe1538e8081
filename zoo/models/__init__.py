"""The catalog of models: name, task, data and recipe of each.

The networks themselves are in the modules named by `builder`, one family a file. Those modules
import Keras; this one does not, so that a list of models costs nothing.
"""

from typing import Any

from zoo.errors import UnknownModelError
from zoo.registry import get_spec, list_models, register
from zoo.specs import ImageOptions, ModelSpec, Recipe, TextOptions

_IN_BFLOAT16: dict[str, Any] = {
    "jit_compile": False,  # XLA multiplies bfloat16 slowly on a CPU
    "steps_per_execution": 8,
    "precision": "mixed_bfloat16",
}

register(
    ModelSpec(
        builder="zoo.models.dense:perceptron",
        task="binary_classification",
        dataset="first_input",
        parameters=4,
        summary="One sigmoid unit",
        recipe=Recipe(epochs=100, batch_size=2, steps_per_execution=64),
    )
)
register(
    ModelSpec(
        builder="zoo.models.dense:two_layer_perceptron",
        task="binary_classification",
        dataset="xor_nand",
        parameters=21,
        summary="One hidden layer of sigmoid units and a sigmoid unit",
        recipe=Recipe(epochs=100, batch_size=2, steps_per_execution=64),
    )
)
register(
    ModelSpec(
        builder="zoo.models.dense:softmax_regression",
        task="multiclass_classification",
        dataset="digits",
        parameters=650,
        summary="Linear classifier: multinomial logistic regression",
        recipe=Recipe(epochs=50, batch_size=32, schedule="cosine", steps_per_execution=16),
    )
)
register(
    ModelSpec(
        builder="zoo.models.dense:mlp",
        task="multiclass_classification",
        dataset="mnist",
        parameters=669_706,
        summary="Multilayer perceptron of any depth, with dropout",
        recipe=Recipe(epochs=20, batch_size=128, schedule="cosine", steps_per_execution=16),
    )
)
register(
    ModelSpec(
        builder="zoo.models.conv:simple_cnn",
        task="multiclass_classification",
        dataset="cifar10",
        parameters=95_210,
        summary="Three convolutions, each followed by pooling",
        recipe=Recipe(
            epochs=30,
            batch_size=256,
            schedule="one_cycle",
            **_IN_BFLOAT16,
            images=ImageOptions(scaling="standardized", augmentation="flip+crop"),
        ),
    )
)
register(
    ModelSpec(
        builder="zoo.models.conv:deep_cnn",
        task="multiclass_classification",
        dataset="cifar10",
        parameters=960_346,
        summary="Six convolutions in three pairs, with batch normalization",
        recipe=Recipe(
            epochs=40,
            batch_size=256,
            schedule="one_cycle",
            **_IN_BFLOAT16,
            images=ImageOptions(scaling="standardized", augmentation="flip+crop+cutout"),
        ),
    )
)
register(
    ModelSpec(
        builder="zoo.models.resnet:resnet18",
        task="multiclass_classification",
        dataset="cifar10",
        parameters=11_183_562,
        summary="Residual network of 18 layers, in torchvision's layout",
        recipe=Recipe(
            epochs=30,
            batch_size=128,
            schedule="one_cycle",
            jit_compile=False,
            precision="mixed_bfloat16",
            images=ImageOptions(scaling="standardized", augmentation="flip+crop+cutout"),
        ),
        pretrained={"imagenet": ImageOptions(scaling="imagenet", image_size=224)},
    )
)
register(
    ModelSpec(
        builder="zoo.models.text:text_mlp",
        task="multiclass_classification",
        dataset="ag_news_subset",
        parameters=68_484,
        summary="Multilayer perceptron on which words a text has",
        recipe=Recipe(
            epochs=40,
            batch_size=128,
            schedule="cosine",
            jit_compile=False,
            steps_per_execution=8,
            text=TextOptions(encoding="multi_hot", vocab_size=1_000),
        ),
    )
)
register(
    ModelSpec(
        builder="zoo.models.text:fasttext",
        task="multiclass_classification",
        dataset="imdb_reviews",
        parameters=3_300_066,
        summary="Weighted mean of the vectors of words and pairs of words",
        recipe=Recipe(
            epochs=6,
            batch_size=64,
            patience=6,
            steps_per_execution=8,
            text=TextOptions(vocab_size=100_000, sequence_length=1_600, ngrams=2),
        ),
    )
)
register(
    ModelSpec(
        builder="zoo.models.text:text_cnn",
        task="multiclass_classification",
        dataset="imdb_reviews",
        parameters=1_329_730,
        summary="Convolutions over windows of words",
        recipe=Recipe(
            epochs=6,
            batch_size=64,
            schedule="cosine",
            patience=6,
            **_IN_BFLOAT16,
            text=TextOptions(vocab_size=20_000),
        ),
    )
)
# XLA over the whole model would not run the halves of a batch side by side, as gated loops do.
for _name, _parameters, _epochs, _jit_compile, _summary in (
    ("simple_rnn", 322_146, 6, True, "Recurrent network with one state and no gates"),
    ("lstm", 328_386, 5, False, "Recurrent network whose memory is gated"),
    ("gru", 326_402, 4, False, "Recurrent network with two gates"),
    ("bilstm", 336_770, 5, False, "Two LSTMs, one of which reads from the end"),
):
    register(
        ModelSpec(
            builder=f"zoo.models.recurrent:{_name}",
            task="multiclass_classification",
            dataset="imdb_reviews",
            parameters=_parameters,
            summary=_summary,
            recipe=Recipe(
                epochs=_epochs,
                batch_size=64,
                schedule="cosine",
                patience=_epochs,
                jit_compile=_jit_compile,
                steps_per_execution=8,
                text=TextOptions(word_vectors="cooccurrence"),
            ),
        )
    )
register(
    ModelSpec(
        builder="zoo.models.transformers:transformer",
        task="multiclass_classification",
        dataset="imdb_reviews",
        parameters=188_834,
        summary="The Transformer's encoder, with positions and a mask",
        recipe=Recipe(
            epochs=4,
            batch_size=64,
            schedule="cosine",
            patience=4,
            jit_compile=False,
            text=TextOptions(vocab_size=5_000),
        ),
    )
)

_GRAY = ImageOptions(grayscale="mean")
_BY_MUON = Recipe(
    epochs=30,
    batch_size=512,
    schedule="cosine",
    **_IN_BFLOAT16,
    images=_GRAY,
)
for _name, _parameters, _recipe, _summary in (
    (
        "truncated_svd",
        2 * (1024 * 128 + 1024),
        Recipe(epochs=1, batch_size=512, images=_GRAY),
        "The nearest subspace, found and not trained: the bound of linear autoencoders",
    ),
    (
        "linear_autoencoder",
        525_568,
        _BY_MUON,
        "One linear layer to a code and one back",
    ),
    (
        "nonlinear_autoencoder",
        525_568,
        _BY_MUON,
        "One layer of sigmoids to a code and a linear one back",
    ),
    (
        "deep_autoencoder",
        1_395_520,
        _BY_MUON.replace(epochs=60, augmentation="flip"),
        "An hourglass: layers that narrow to a code and widen again",
    ),
    (
        "denoising_autoencoder",
        1_313_024,
        _BY_MUON.replace(epochs=40, batch_size=1024, noise_stddev=0.3),
        "An hourglass that clears images of noise",
    ),
    (
        "conv_autoencoder",
        78_657,
        Recipe(epochs=15, batch_size=128, schedule="cosine", jit_compile=False, images=_GRAY),
        "Convolutions to a code of maps and back",
    ),
):
    register(
        ModelSpec(
            builder=f"zoo.models.autoencoders:{_name}",
            task="reconstruction",
            dataset="cifar10",
            parameters=_parameters,
            summary=_summary,
            recipe=_recipe,
        )
    )
for _name, _task, _parameters, _recipe, _summary in (
    (
        "vae",
        "generation",
        1_068_820,
        Recipe(epochs=40, batch_size=128, schedule="cosine", steps_per_execution=16),
        "Variational autoencoder of dense layers",
    ),
    (
        "conv_vae",
        "generation",
        825_253,
        Recipe(
            epochs=12, batch_size=128, schedule="cosine", jit_compile=False, steps_per_execution=8
        ),
        "Variational autoencoder of convolutions",
    ),
    (
        "cvae",
        "conditional_generation",
        1_076_500,
        Recipe(epochs=40, batch_size=128, schedule="cosine", steps_per_execution=16),
        "Variational autoencoder that is told the class",
    ),
):
    register(
        ModelSpec(
            builder=f"zoo.models.variational:{_name}",
            task=_task,
            dataset="mnist",
            parameters=_parameters,
            summary=_summary,
            recipe=_recipe,
        )
    )


def __getattr__(name: str) -> Any:
    """Resolves ``zoo.models.mlp`` to its builder, and imports Keras only then."""
    try:
        return get_spec(name).load_builder()
    except UnknownModelError as error:
        raise AttributeError(str(error)) from None


def __dir__() -> list[str]:
    return list_models()
