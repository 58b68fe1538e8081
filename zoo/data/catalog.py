"""The catalog of datasets that ship with the zoo.

Importing it needs neither NumPy nor TensorFlow.

Example:
    >>> from zoo.data.catalog import DATASETS
    >>> DATASETS["cifar10"].class_names[:2]
    ('airplane', 'automobile')
"""

from zoo.specs import DatasetSpec

DIGIT_NAMES = tuple("0123456789")
BIT_NAMES = ("0", "1")


def _truth_table(name: str, bits: int, summary: str) -> DatasetSpec:
    return DatasetSpec(
        name=name,
        kind="truth_tables",
        input_shape=(bits,),
        class_names=BIT_NAMES,
        summary=summary,
        source="memory",
    )


DATASETS = {
    spec.name: spec
    for spec in (
        _truth_table("and", 2, "x0 AND x1: four rows"),
        _truth_table("or", 2, "x0 OR x1: four rows"),
        _truth_table("xor", 2, "x0 XOR x1: four rows, not linearly separable"),
        _truth_table("nand", 2, "NOT (x0 AND x1): four rows"),
        _truth_table("first_input", 3, "x0 of three bits: the rows 110, 100, 010 and 000"),
        _truth_table("xor_nand", 3, "NOT ((x0 XOR x1) AND x2): eight rows"),
        DatasetSpec(
            name="digits",
            kind="images",
            input_shape=(8, 8, 1),
            class_names=DIGIT_NAMES,
            summary="8x8 grayscale images of handwritten digits, bundled with scikit-learn",
            source="digits:1.*.*",
            mirrors=False,
            reference="Alpaydin & Kaynak (1998), https://doi.org/10.24432/C50P49",
        ),
        DatasetSpec(
            name="mnist",
            kind="images",
            input_shape=(28, 28, 1),
            class_names=DIGIT_NAMES,
            summary="28x28 grayscale images of handwritten digits",
            source="mnist:3.*.*",
            mirrors=False,
            reference="LeCun, Cortes & Burges (1998), http://yann.lecun.com/exdb/mnist/",
        ),
        DatasetSpec(
            name="fashion_mnist",
            kind="images",
            input_shape=(28, 28, 1),
            class_names=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            summary="28x28 grayscale images of clothing",
            source="fashion_mnist:3.*.*",
            reference="Xiao, Rasul & Vollgraf (2017), https://arxiv.org/abs/1708.07747",
        ),
        DatasetSpec(
            name="cifar10",
            kind="images",
            input_shape=(32, 32, 3),
            class_names=(
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
            summary="32x32 color photographs in ten classes",
            source="cifar10:3.*.*",
            reference="Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/cifar.html",
        ),
        DatasetSpec(
            name="imdb_reviews",
            kind="text",
            input_shape=(),
            class_names=("neg", "pos"),
            summary="movie reviews, negative or positive",
            source="imdb_reviews:1.*.*",
            reference="Maas et al. (2011), https://aclanthology.org/P11-1015/",
            columns=("text",),
        ),
        DatasetSpec(
            name="ag_news_subset",
            kind="text",
            input_shape=(),
            class_names=("World", "Sports", "Business", "Sci/Tech"),
            summary="titles and descriptions of news articles in four topics",
            source="ag_news_subset:1.*.*",
            reference="Zhang, Zhao & LeCun (2015), https://arxiv.org/abs/1509.01626",
            columns=("title", "description"),
        ),
        DatasetSpec(
            name="toy_reviews",
            kind="text",
            input_shape=(),
            class_names=("neg", "pos"),
            summary="short synthetic reviews whose label depends on word order",
            source="memory",
            columns=("text",),
        ),
    )
}

# Terms of use, as far as the sources state any.
TERMS = {
    "digits": "CC BY 4.0",
    "mnist": "CC BY-SA 3.0",
    "fashion_mnist": "MIT",
    "cifar10": "no license stated; cite Krizhevsky (2009)",
    "imdb_reviews": "no license stated; cite Maas et al. (2011)",
    "ag_news_subset": "for research and other non-commercial use",
}
TERMS |= dict.fromkeys(("and", "or", "xor", "nand", "first_input", "xor_nand"), "none")
