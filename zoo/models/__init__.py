"""Catalog of models: builder, task, default dataset and training recipe.

The builders are in the modules of this package, one per model family. Those modules import Keras;
this one does not.
"""

from typing import Any

from zoo.errors import UnknownModelError
from zoo.registry import get_spec, list_models, register
from zoo.specs import ImageOptions, ModelSpec, Recipe, TextOptions

_BFLOAT16: dict[str, Any] = {
    "jit_compile": False,  # XLA is slow in bfloat16 on CPUs
    "steps_per_execution": 8,
    "precision": "mixed_bfloat16",
}

register(
    ModelSpec(
        builder="zoo.models.dense:perceptron",
        task="binary_classification",
        dataset="first_input",
        parameters=4,
        summary="Single sigmoid unit",
        recipe=Recipe(epochs=100, batch_size=2, steps_per_execution=64),
    )
)
register(
    ModelSpec(
        builder="zoo.models.dense:two_layer_perceptron",
        task="binary_classification",
        dataset="xor_nand",
        parameters=21,
        summary="Perceptron with one hidden layer of sigmoid units",
        recipe=Recipe(epochs=100, batch_size=2, steps_per_execution=64),
    )
)
register(
    ModelSpec(
        builder="zoo.models.dense:softmax_regression",
        task="multiclass_classification",
        dataset="digits",
        parameters=650,
        summary="Multinomial logistic regression",
        recipe=Recipe(epochs=50, batch_size=32, schedule="cosine", steps_per_execution=16),
    )
)
register(
    ModelSpec(
        builder="zoo.models.dense:mlp",
        task="multiclass_classification",
        dataset="mnist",
        parameters=669_706,
        summary="Multilayer perceptron with dropout",
        recipe=Recipe(epochs=20, batch_size=128, schedule="cosine", steps_per_execution=16),
    )
)
register(
    ModelSpec(
        builder="zoo.models.conv:simple_cnn",
        task="multiclass_classification",
        dataset="cifar10",
        parameters=95_210,
        summary="CNN with three convolutions, each followed by max pooling",
        recipe=Recipe(
            epochs=30,
            batch_size=256,
            schedule="one_cycle",
            **_BFLOAT16,
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
        summary="CNN with six convolutions in three pairs, with batch normalization",
        recipe=Recipe(
            epochs=40,
            batch_size=256,
            schedule="one_cycle",
            **_BFLOAT16,
            images=ImageOptions(scaling="standardized", augmentation="flip+crop+cutout"),
        ),
    )
)
register(
    ModelSpec(
        builder="zoo.models.conv:fast_cnn",
        task="multiclass_classification",
        dataset="cifar10",
        parameters=1_163_040,
        summary="CNN for few epochs: whitened patches, identity kernels, wide stages",
        recipe=Recipe(
            epochs=12,
            batch_size=500,
            schedule="one_cycle",
            **_BFLOAT16,
            ema_momentum=0.98,
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
        summary="Residual network with 18 layers, compatible with torchvision weights",
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
        summary="Multilayer perceptron on multi-hot encoded texts",
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
        summary="Linear classifier of the weighted mean of word and bigram embeddings",
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
        summary="CNN over word embeddings, with kernels of several widths",
        recipe=Recipe(
            epochs=6,
            batch_size=64,
            schedule="cosine",
            patience=6,
            **_BFLOAT16,
            text=TextOptions(vocab_size=20_000),
        ),
    )
)
# The layers that `zoo.train` swaps in split the batch of gated networks across cores, which XLA
# compilation of the whole training step would prevent.
for _name, _parameters, _epochs, _jit_compile, _summary in (
    ("simple_rnn", 322_146, 6, True, "Simple recurrent network (Elman network)"),
    ("lstm", 328_386, 5, False, "Long short-term memory network"),
    ("gru", 326_402, 4, False, "Gated recurrent unit network"),
    ("bilstm", 336_770, 5, False, "Bidirectional LSTM"),
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
        summary="Transformer encoder with learned position embeddings",
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
_MUON_RECIPE = Recipe(
    epochs=30,
    batch_size=512,
    schedule="cosine",
    **_BFLOAT16,
    images=_GRAY,
)
for _name, _parameters, _recipe, _summary in (
    (
        "truncated_svd",
        2 * (1024 * 128 + 1024),
        Recipe(epochs=1, batch_size=512, images=_GRAY),
        "Projection on the best-fitting subspace, the optimum of linear autoencoders",
    ),
    (
        "linear_autoencoder",
        525_568,
        _MUON_RECIPE,
        "Autoencoder with one linear layer as encoder and one as decoder",
    ),
    (
        "nonlinear_autoencoder",
        525_568,
        _MUON_RECIPE,
        "Autoencoder with a sigmoid layer as encoder and a linear layer as decoder",
    ),
    (
        "deep_autoencoder",
        1_395_520,
        _MUON_RECIPE.replace(epochs=60, augmentation="flip"),
        "Deep autoencoder whose decoder mirrors the encoder",
    ),
    (
        "denoising_autoencoder",
        1_313_024,
        _MUON_RECIPE.replace(epochs=40, batch_size=1024, noise_stddev=0.3),
        "Autoencoder trained to remove noise from images",
    ),
    (
        "conv_autoencoder",
        78_657,
        Recipe(epochs=15, batch_size=128, schedule="cosine", jit_compile=False, images=_GRAY),
        "Convolutional autoencoder",
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
        "Variational autoencoder with dense layers",
    ),
    (
        "conv_vae",
        "generation",
        825_253,
        Recipe(
            epochs=12, batch_size=128, schedule="cosine", jit_compile=False, steps_per_execution=8
        ),
        "Convolutional variational autoencoder",
    ),
    (
        "cvae",
        "conditional_generation",
        1_076_500,
        Recipe(epochs=40, batch_size=128, schedule="cosine", steps_per_execution=16),
        "Class-conditional variational autoencoder",
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
    """Import and return the builder of a model, such as ``zoo.models.mlp``."""
    try:
        return get_spec(name).load_builder()
    except UnknownModelError as error:
        raise AttributeError(str(error)) from None


def __dir__() -> list[str]:
    return list_models()
