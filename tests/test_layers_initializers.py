"""Initializers: rarity by rank against a loop, and against the texts of a real data set."""

import math

import keras
import numpy as np
import pytest

import zoo
from zoo.layers.initializers import LogRarity


def test_rarity_is_by_rank():
    values = np.asarray(LogRarity(power=3.0, common=5.0)((40, 2), "float32"))
    expected = [3 * math.log(1 + math.log(1 + rank / 5)) for rank in range(40)]
    np.testing.assert_allclose(values, np.stack([expected, expected], axis=1), rtol=1e-6)


def test_it_is_kept_in_a_configuration():
    first = LogRarity(1.5, 7.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(first))
    assert type(again) is LogRarity
    assert again.get_config() == {"power": 1.5, "common": 7.0}


@pytest.mark.exhaustive
@pytest.mark.real_data("ag_news_subset")
def test_real_words_are_as_rare_as_their_rank_says(real_data_dir):
    options = zoo.TextOptions(vocab_size=20_000, sequence_length=100)
    data = zoo.load_data("ag_news_subset", data_dir=real_data_dir, text=options)
    words = np.asarray(data.preprocessor(data.rows["train"].inputs))
    texts = sum(np.bincount(np.unique(row), minlength=20_000) for row in words)
    known = np.flatnonzero(texts)
    known = known[known > 1]
    rarity = np.log(np.log((1 + len(words)) / (1 + texts[known])) + 1)
    guessed = np.asarray(LogRarity(power=1.0)((20_000, 1)))[known, 0]
    assert np.corrcoef(rarity, guessed)[0, 1] > 0.9
    assert np.abs(rarity - guessed).mean() < 0.3
