"""Dense networks: from one sigmoid unit to the multilayer perceptron."""

import keras
from keras import layers, regularizers

from zoo.models._arguments import (
    Activation,
    BinaryLoss,
    Fraction,
    NonNegative,
    NumClasses,
    NumLayers,
    Optimizer,
    Positive,
    PositiveInt,
    Shape,
    checked,
)
from zoo.tasks import compile_for


@checked
def perceptron(
    *,
    input_shape: Shape = (3,),
    use_bias: bool = True,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 0.1,
    loss: BinaryLoss = "binary_crossentropy",
) -> keras.Model:
    """One sigmoid unit: a hyperplane, and the probability of lying on its far side.

    The classic perceptron has a step in place of the sigmoid and a learning rule of its own; this
    is the differentiable unit that courses call by the same name, and it is logistic regression.
    Without a bias the hyperplane passes through the origin, so the output for an all-zero input
    is 0.5 whatever the weights: no training can move it.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, 1)``, the probability of class 1.

    Args:
        input_shape: shape of one input.
        use_bias: whether the unit has a bias.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.
        loss: ``"binary_crossentropy"`` (nats) or ``"mean_squared_error"``.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("perceptron", use_bias=False).count_params()
        3

    Reference:
        Rosenblatt (1958), The perceptron, https://doi.org/10.1037/h0042519
    """
    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Flatten(name="flatten")(inputs)
    outputs = layers.Dense(
        1, activation="sigmoid", use_bias=use_bias, dtype="float32", name="output"
    )(x)
    return compile_for(
        "binary_classification",
        keras.Model(inputs, outputs, name="perceptron"),
        optimizer=optimizer,
        learning_rate=learning_rate,
        loss=loss,
    )


@checked
def two_layer_perceptron(
    *,
    input_shape: Shape = (3,),
    units: PositiveInt = 4,
    activation: Activation = "sigmoid",
    use_bias: bool = True,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 0.1,
    loss: BinaryLoss = "binary_crossentropy",
) -> keras.Model:
    """One hidden layer and a sigmoid unit: the smallest network that computes XOR.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, 1)``, the probability of class 1.

    Args:
        input_shape: shape of one input.
        units: hidden units.
        activation: of the hidden units.
        use_bias: whether both layers have biases.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.
        loss: ``"binary_crossentropy"`` (nats) or ``"mean_squared_error"``.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("two_layer_perceptron", units=4, use_bias=False).count_params()
        16

    Reference:
        Rumelhart, Hinton & Williams (1986), Learning representations by back-propagating errors,
        https://doi.org/10.1038/323533a0
    """
    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Flatten(name="flatten")(inputs)
    x = layers.Dense(units, activation=activation, use_bias=use_bias, name="hidden")(x)
    outputs = layers.Dense(
        1, activation="sigmoid", use_bias=use_bias, dtype="float32", name="output"
    )(x)
    return compile_for(
        "binary_classification",
        keras.Model(inputs, outputs, name="two_layer_perceptron"),
        optimizer=optimizer,
        learning_rate=learning_rate,
        loss=loss,
    )


@checked
def softmax_regression(
    *,
    input_shape: Shape = (8, 8, 1),
    num_classes: NumClasses = 10,
    l2: NonNegative = 1e-4,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-2,
) -> keras.Model:
    """Multinomial logistic regression: one linear layer and a softmax.

    Many call it a perceptron or a single-layer network; it has no hidden layer.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, num_classes)``, probabilities.
    The loss is the cross-entropy in nats.

    Args:
        input_shape: shape of one input.
        num_classes: how many classes, at least 2.
        l2: weight of the squared norm of the kernel in the loss.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("softmax_regression").output_shape
        (None, 10)

    Reference:
        Bishop (2006), Pattern Recognition and Machine Learning, section 4.3.4,
        https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/
    """
    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Flatten(name="flatten")(inputs)
    outputs = layers.Dense(
        num_classes,
        activation="softmax",
        kernel_regularizer=regularizers.L2(l2),
        dtype="float32",
        name="output",
    )(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="softmax_regression"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )


@checked
def mlp(
    *,
    input_shape: Shape = (28, 28, 1),
    num_classes: NumClasses = 10,
    num_layers: NumLayers = 2,
    units: PositiveInt = 512,
    activation: Activation = "relu",
    batch_normalization: bool = False,
    dropout: Fraction = 0.2,
    l1: NonNegative = 0.0,
    l2: NonNegative = 0.0,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 1e-3,
) -> keras.Model:
    """Multilayer perceptron: `num_layers` hidden layers of `units`, then a softmax.

    Each hidden layer is linear, then optionally batch-normalized (and then has no bias of its
    own), then `activation`, then dropout.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, num_classes)``, probabilities.
    The loss is the cross-entropy in nats plus the penalties.

    Args:
        input_shape: shape of one input.
        num_classes: how many classes, at least 2.
        num_layers: hidden layers, at least 1.
        units: units of each hidden layer.
        activation: of the hidden units.
        batch_normalization: whether to normalize before each activation.
        dropout: fraction of each hidden layer's units dropped while training, in [0, 1).
        l1: weight of the kernels' absolute sum in the loss.
        l2: weight of the kernels' squared norm in the loss.
        optimizer: name of the optimizer.
        learning_rate: its learning rate.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: for any other argument.
        ArgumentValueError: for a value of another type or out of range.

    Example:
        >>> import zoo
        >>> zoo.build("mlp", units=64, num_layers=1).count_params()
        50890

    Reference:
        Srivastava et al. (2014), Dropout, https://jmlr.org/papers/v15/srivastava14a.html
    """
    inputs = keras.Input(input_shape, name="inputs")
    x = layers.Flatten(name="flatten")(inputs)
    for i in range(1, num_layers + 1):
        x = layers.Dense(
            units,
            use_bias=not batch_normalization,
            kernel_regularizer=regularizers.L1L2(l1, l2),
            name=f"hidden_{i}",
        )(x)
        if batch_normalization:
            x = layers.BatchNormalization(name=f"normalization_{i}")(x)
        x = layers.Activation(activation, name=f"activation_{i}")(x)
        x = layers.Dropout(dropout, name=f"dropout_{i}")(x)
    outputs = layers.Dense(
        num_classes,
        activation="softmax",
        kernel_regularizer=regularizers.L1L2(l1, l2),
        dtype="float32",
        name="output",
    )(x)
    return compile_for(
        "multiclass_classification",
        keras.Model(inputs, outputs, name="mlp"),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
