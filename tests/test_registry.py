"""Specs and registry: what is refused, and in which words."""

import dataclasses

import pytest

import zoo
from zoo import registry
from zoo.errors import ArgumentValueError, UnknownModelError
from zoo.tasks import TASKS


def test_an_unknown_model_names_the_near_miss_and_all_there_are():
    with pytest.raises(UnknownModelError) as caught:
        zoo.build("mpl")
    assert "'mpl'" in str(caught.value)
    assert "Did you mean 'mlp'?" in str(caught.value)
    assert all(name in str(caught.value) for name in zoo.list_models())


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'mlp' is already registered, by zoo.models.dense:mlp"):
        zoo.register(dataclasses.replace(zoo.get_spec("mlp"), parameters=1))
    assert zoo.get_spec("mlp").parameters != 1


def test_a_users_model_is_one_of_the_zoo(monkeypatch):
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    spec = dataclasses.replace(zoo.get_spec("mlp"), builder=f"{__name__}:my_net")
    assert zoo.register(spec).name == "my_net"
    assert "my_net" in zoo.list_models()
    assert zoo.build("my_net", units=3) == 3


def my_net(*, units=1):
    return units


def test_models_are_listed_by_task():
    for task in TASKS:
        for name in zoo.list_models(task):
            assert zoo.get_spec(name).task == task
    assert sorted(name for task in TASKS for name in zoo.list_models(task)) == zoo.list_models()
    with pytest.raises(ValueError, match="unknown task: 'clasification'"):
        zoo.list_models("clasification")


def test_specs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        zoo.get_spec("mlp").parameters = 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", -1),
        ("patience", -1),
        ("steps_per_execution", 0),
        ("schedule", "cosin"),
        ("jit_compile", "yes"),
    ],
)
def test_a_recipe_refuses_what_it_cannot_mean(field, value):
    with pytest.raises(ArgumentValueError, match=f"{field}={value!r}: must be"):
        dataclasses.replace(zoo.Recipe(epochs=1, batch_size=1), **{field: value})


def test_recipes_and_builders_share_no_name():
    import inspect

    of_recipe = {field.name for field in dataclasses.fields(zoo.Recipe)}
    for name in zoo.list_models():
        assert not of_recipe & set(inspect.signature(zoo.get_spec(name).load_builder()).parameters)
