"""Dense networks, from a single sigmoid unit to the multilayer perceptron."""

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
    validate_arguments,
)
from zoo.tasks import compile_for


@validate_arguments
def perceptron(
    *,
    input_shape: Shape = (3,),
    use_bias: bool = True,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 0.1,
    loss: BinaryLoss = "binary_crossentropy",
) -> keras.Model:
    """Build a single sigmoid unit, which is logistic regression.

    Rosenblatt's perceptron has a step activation and a learning rule of its own; this is the
    differentiable unit to which many courses give the same name. Without a bias the decision
    boundary contains the origin: the output for an all-zero input is 0.5 for any weights.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, 1)``, the probability of class 1.

    Args:
        input_shape: shape of one input.
        use_bias: whether the unit has a bias.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.
        loss: ``"binary_crossentropy"`` (nats) or ``"mean_squared_error"``.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

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


@validate_arguments
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
    """Build a perceptron with one hidden layer, the smallest network that can compute XOR.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, 1)``, the probability of class 1.

    Args:
        input_shape: shape of one input.
        units: number of hidden units.
        activation: activation of the hidden layers.
        use_bias: whether the layers have biases.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.
        loss: ``"binary_crossentropy"`` (nats) or ``"mean_squared_error"``.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

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


@validate_arguments
def softmax_regression(
    *,
    input_shape: Shape = (8, 8, 1),
    num_classes: NumClasses = 10,
    l2: NonNegative = 1e-4,
    optimizer: Optimizer = "adam",
    learning_rate: Positive = 3e-2,
) -> keras.Model:
    """Build multinomial logistic regression: one linear layer and a softmax.

    It has no hidden layer; some texts call it a perceptron or a single-layer network.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, num_classes)``, probabilities.
    The loss is the cross-entropy in nats plus the penalty.

    Args:
        input_shape: shape of one input.
        num_classes: number of classes, at least 2.
        l2: factor of the L2 penalty on the kernel.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

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


@validate_arguments
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
    """Build a multilayer perceptron.

    Each hidden layer is a linear map, optional batch normalization (which replaces the bias), the
    activation and dropout; the output layer is a softmax.

    Input ``(batch, *input_shape)``, flattened; output ``(batch, num_classes)``, probabilities.
    The loss is the cross-entropy in nats plus the penalties.

    Args:
        input_shape: shape of one input.
        num_classes: number of classes, at least 2.
        num_layers: number of hidden layers, at least 1.
        units: width of the hidden layers.
        activation: activation of the hidden layers.
        batch_normalization: whether to apply batch normalization before each activation.
        dropout: dropout rate after each hidden layer, in [0, 1).
        l1: factor of the L1 penalty on the kernels.
        l2: factor of the L2 penalty on the kernels.
        optimizer: name of the optimizer.
        learning_rate: learning rate of the optimizer.

    Returns:
        A compiled model.

    Raises:
        UnknownArgumentError: if an argument is unknown.
        ArgumentValueError: if a value has the wrong type or is out of range.

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
