"""The text layers of `zoo.layers`, built from the accelerated embedding and attention."""

import keras

from zoo.acceleration.attention import MultiHeadAttention
from zoo.acceleration.embedding import Embedding
from zoo.layers import text


@keras.saving.register_keras_serializable(package="zoo.acceleration")
class TokenAndPositionEmbedding(text.TokenAndPositionEmbedding):
    """`zoo.layers.TokenAndPositionEmbedding` with accelerated embeddings."""

    embedding_layer = Embedding


@keras.saving.register_keras_serializable(package="zoo.acceleration")
class TransformerEncoderBlock(text.TransformerEncoderBlock):
    """`zoo.layers.TransformerEncoderBlock` with accelerated attention."""

    attention_layer = MultiHeadAttention
