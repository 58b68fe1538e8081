"""ResNet18: against torchvision's answers, through every kind of file, and what stays frozen."""

import ast
import functools
import io
import os
import pickle
import zipfile
from collections import OrderedDict

import keras
import numpy as np
import psutil
import pytest
from golden.resnet18 import GOLDEN, draw, images
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.numpy import save_file

import zoo
from zoo.errors import ArgumentValueError, RunError, WeightsError
from zoo.models import _pretrained as weights
from zoo.training import callbacks, loop
from zoo.training.config import split_overrides

SMALL = {"filters": 4, "num_classes": 3}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


@pytest.fixture(scope="module")
def state(golden):
    """The weights that torchvision's network had when it gave the golden logits."""
    shapes = map(ast.literal_eval, golden["shapes"])
    return {
        str(name): draw(str(name), shape)
        for name, shape in zip(golden["names"], shapes, strict=True)
    }


@functools.cache
def small_shapes(**overrides):
    model = zoo.build("resnet18", **SMALL | overrides)
    return {
        name: tuple(np.array(variable.shape)[np.argsort(axes)].tolist())
        for name, (variable, axes) in weights._variables(model).items()
    }


def small_state(**overrides):
    """Weights of a small network by torchvision's names."""
    return {name: draw(name, shape) for name, shape in small_shapes(**overrides).items()}


def write_pth(
    path, state, *, number_type="FloatStorage", alter=lambda *parts: parts, deflate=False
):
    """Writes a state dict as torch.save does, without torch: numbers apart from their pickle."""

    class Storage:
        def __init__(self, key, size):
            self.reference = ("storage", Named("torch", number_type), key, "cpu", size)

    class Named:
        def __init__(self, module, name):
            self.module, self.name = module, name

    class Tensor:
        def __init__(self, key, array):
            self.storage, self.array = Storage(key, array.size), array

        def __reduce__(self):
            strides = tuple(step // self.array.itemsize for step in self.array.strides)
            return (
                Named("torch._utils", "_rebuild_tensor_v2"),
                (*alter(self.storage, 0, self.array.shape, strides), False, OrderedDict()),
            )

    class Pickler(pickle._Pickler):
        def persistent_id(self, item):
            return item.reference if isinstance(item, Storage) else None

        def save(self, item, save_persistent_id=True):
            if isinstance(item, Named):
                self.write(pickle.GLOBAL + f"{item.module}\n{item.name}\n".encode())
            else:
                super().save(item, save_persistent_id)

        def save_reduce(self, func, args, *rest, obj=None, **options):
            if isinstance(func, Named):
                self.save(func)
                self.save(args)
                self.write(pickle.REDUCE)
            else:
                super().save_reduce(func, args, *rest, obj=obj, **options)

    content = io.BytesIO()
    tensors = OrderedDict(
        (name, Tensor(str(i), np.ascontiguousarray(array)))
        for i, (name, array) in enumerate(state.items())
    )
    Pickler(content, protocol=2).dump(tensors)
    kind = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("archive/data.pkl", content.getvalue())
        for i, array in enumerate(state.values()):
            archive.writestr(f"archive/data/{i}", array.tobytes())


def test_parameters_are_those_of_torchvision():
    model = zoo.build("resnet18", num_classes=1000, stem="imagenet", input_shape=(224, 224, 3))
    running = [v for v in model.variables if v.name in ("moving_mean", "moving_variance")]
    assert sum(int(np.prod(v.shape)) for v in running) == 9_600
    assert model.count_params() - 9_600 == 11_689_512
    assert zoo.build("resnet18", stem="imagenet").count_params() == 11_191_242


def test_the_same_weights_give_torchvisions_logits(state, golden, tmp_path):
    save_file(state, tmp_path / "weights.safetensors")
    model = zoo.build(
        "resnet18", num_classes=1000, stem="imagenet", input_shape=images().shape[1:],
        weights=str(tmp_path / "weights.safetensors"), keep_head=True,
    )  # fmt: skip
    model.get_layer("fc").activation = keras.activations.linear
    logits = model.predict(images(), verbose=0)
    assert np.abs(golden["logits"]).max() > 1
    assert np.abs(logits - golden["logits"]).max() <= 1e-4


@pytest.mark.exhaustive
@pytest.mark.parametrize("suffix", ["safetensors", "pth", "keras", "accelerated.keras"])
def test_every_kind_of_file_gives_the_same_weights(suffix, tmp_path):
    path, state = tmp_path / f"weights.{suffix}", small_state()
    if suffix == "safetensors":
        save_file(state, path)
    elif suffix == "pth":
        write_pth(path, state)
    else:
        source = zoo.build("resnet18", **SMALL)
        for name, (variable, axes) in weights._variables(source).items():
            variable.assign(state[name].transpose(axes))
        (zoo.accelerate(source) if suffix.startswith("accelerated") else source).save(path)
    model = zoo.build("resnet18", weights=str(path), keep_head=True, **SMALL)
    for name, (variable, axes) in weights._variables(model).items():
        np.testing.assert_array_equal(variable.numpy(), state[name].transpose(axes))


def test_the_head_is_new_unless_it_is_kept(tmp_path):
    state = small_state()
    save_file(state, tmp_path / "weights.safetensors")
    options = {"filters": 4, "weights": str(tmp_path / "weights.safetensors")}
    model = zoo.build("resnet18", num_classes=7, **options)
    np.testing.assert_array_equal(
        model.get_layer("conv1").kernel.numpy(), state["conv1.weight"].transpose(2, 3, 1, 0)
    )
    assert (model.get_layer("fc").bias.numpy() == 0).all()
    with pytest.raises(WeightsError, match=r"fc\.weight has shape .* check stem"):
        zoo.build("resnet18", num_classes=7, keep_head=True, **options)


PROBE = {"filters": 4, "freeze": "backbone", "augmentation": "none", "dataset": "digits"}


def written(path, content=b""):
    path.write_bytes(content)
    return path


def other_architecture(path):
    save_file({"features.0.weight": np.zeros((4, 3, 3, 3), np.float32)}, path)


def other_stem(path):
    save_file(small_state(stem="imagenet"), path)


def truncated(path):
    source = path.with_name(f"whole{path.suffix}")
    (write_pth if path.suffix == ".pth" else lambda p, s: save_file(s, p))(source, small_state())
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])


def truncated_keras(path):
    zoo.build("resnet18", **SMALL).save(path)
    path.write_bytes(path.read_bytes()[:5000])


def other_model(path):
    zoo.build("simple_cnn", filters=2).save(path)


def short_storage(path):
    write_pth(path, small_state())
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in kept.items():
            archive.writestr(name, content[:8] if name.endswith("data/0") else content)


def altered(alter, **options):
    return lambda path: write_pth(path, small_state(), alter=alter, **options)


def with_value(name, make):
    def write(path):
        state = small_state()
        state[name] = make(state[name])
        save_file(state, path)

    return write


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.safetensors", other_architecture, r"do not fit resnet18: the file lacks conv1"),
        ("a.safetensors", other_stem, r"conv1\.weight has shape .* check stem"),
        ("a.safetensors", truncated, "not a readable weights file"),
        ("a.pth", truncated, "truncated"),
        ("a.pth", short_storage, "storage 0 does not have the declared size"),
        ("a.pth", altered(lambda s, o, h, t: (s, 10**6, h, t)), "lies outside its storage"),
        ("a.pth", altered(lambda s, o, h, t: (s, -1, h, t)), "and strides"),
        ("a.pth", altered(lambda s, o, h, t: (s, 0, h, tuple(9 * x for x in t))), "lies outside"),
        ("a.pth", altered(lambda s, o, h, t: (s, 0, (10**5, 10**4), (0, 0))), "lies outside"),
        ("a.pth", altered(lambda s, o, h, t: (s, 0, h, t[1:])), "not as many strides"),
        ("a.pth", altered(lambda s, o, h, t: ((), 0, h, t)), "not as many strides"),
        ("a.pth", altered(lambda *parts: parts, deflate=True), "does not have the declared size"),
        ("a.pth", altered(lambda *parts: parts, number_type="IntStorage"), "is not supported"),
        ("a.safetensors", with_value("conv1.weight", np.ravel), "conv1.weight has shape"),
        ("a.safetensors", with_value("conv1.weight", lambda v: v[..., None]), "has shape"),
        ("a.safetensors", with_value("fc.bias", lambda v: v * np.nan), "are damaged"),
        ("a.safetensors", with_value("bn1.running_var", lambda v: -v), "has invalid values"),
        ("a.keras", truncated_keras, "not a readable weights file"),
        ("a.keras", other_model, "do not fit resnet18"),
        ("a.safetensors", written, "not a readable weights file"),
        ("a.pth", written, "truncated"),
        ("a.h5", written, "ends in .keras, .pth, .safetensors"),
        ("none.pth", lambda path: None, "there is no such file"),
        ("imagenett", lambda path: None, "must be random, imagenet, or a file"),
    ],
)
def test_a_file_that_will_not_do_is_refused_in_one_line(name, make, message, tmp_path):
    make(tmp_path / name)
    with pytest.raises(WeightsError, match=message) as caught:
        zoo.build("resnet18", weights=str(tmp_path / name), keep_head=True, **SMALL)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) not in {file.path for file in psutil.Process().open_files()}


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_pickled_code_is_not_run(tmp_path):
    path, done = tmp_path / "evil.pth", tmp_path / "done"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"conv1.weight": Malicious(done)}))
    with pytest.raises(WeightsError, match=r"would run posix\.mkdir .*refused"):
        zoo.build("resnet18", weights=str(path), **SMALL)
    assert not done.exists()


def test_what_a_pickle_may_name_can_be_neither_called_nor_changed(tmp_path):
    """`np.float32([[], []])` made of a pickle was once taken for a storage of two numbers."""
    for number, content in enumerate(
        (
            b"ctorch\nFloatStorage\n((lR.",
            b"ctorch._utils\n_rebuild_tensor_v2\n}X\x08\0\0\0__name__X\x01\0\0\0xsb.",
        )
    ):
        path = tmp_path / f"{number}.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
        with pytest.raises(WeightsError):
            zoo.build("resnet18", weights=str(path), **SMALL)
    assert weights._rebuild_tensor.__name__ == "_rebuild_tensor"


@pytest.mark.exhaustive
def test_a_run_needs_its_weights_to_start_and_to_go_on_but_not_to_end(
    data_dir, tmp_path, monkeypatch
):
    source = tmp_path / "source.keras"
    zoo.build("resnet18", filters=4, input_shape=(8, 8, 1)).save(source)
    options = PROBE | {"data_dir": data_dir, "progress": False, "weights": str(source)}
    written = callbacks.Checkpoint.on_epoch_end

    def removed(self, number, logs=None):
        written(self, number, logs)
        source.unlink(missing_ok=True)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Checkpoint, "on_epoch_end", removed)
        run = zoo.train("resnet18", epochs=1, run_dir=tmp_path / "run", **options)
    assert run.config["arguments"]["weights"] == str(source.resolve())
    (run.directory / "metrics.json").unlink()
    with pytest.raises(RunError, match="that file is missing or has changed"):
        zoo.train("resnet18", run_dir=tmp_path / "run", resume=True, progress=False)


def test_an_unreachable_hub_says_what_to_fetch_and_where_to_put_it(monkeypatch):
    import huggingface_hub

    def not_in_the_cache(*_, local_files_only):
        assert local_files_only, "the hub was not asked whether it is there"
        raise LocalEntryNotFoundError("not in the cache")

    def unreachable(url, timeout):
        assert timeout <= 5
        raise weights.requests.ConnectionError

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", not_in_the_cache)
    monkeypatch.setattr(weights.requests, "head", unreachable)
    with pytest.raises(WeightsError, match=r"download model\.safetensors from") as error:
        zoo.build("resnet18", weights="imagenet", stem="imagenet")
    assert "\n" not in str(error.value)


def test_imagenet_weights_are_fetched_converted_and_paired(monkeypatch, state, golden, tmp_path):
    import huggingface_hub

    save_file(state, tmp_path / "model.safetensors")
    asked = []

    def hub(repository, file, local_files_only=False):
        asked.append((repository, file, local_files_only))
        if local_files_only:
            raise LocalEntryNotFoundError("not in the cache")
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    monkeypatch.setattr(weights.requests, "head", lambda url, timeout: None)
    model = zoo.build(
        "resnet18", weights="imagenet", stem="imagenet", num_classes=1000, keep_head=True,
        input_shape=images().shape[1:],
    )  # fmt: skip
    file = ("timm/resnet18.tv_in1k", "model.safetensors")
    assert asked == [(*file, True), (*file, False)]
    logits = golden["logits"].astype(float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(images(), verbose=0), expected, atol=1e-5)
    recipe, _ = split_overrides(zoo.get_spec("resnet18"), {"weights": "imagenet"})
    assert recipe.images == zoo.ImageOptions(scaling="imagenet", image_size=224)


@pytest.mark.parametrize(
    ("freeze", "trainable"),
    [("none", 62), ("stem", 59), ("backbone", 2)],
)
def test_what_is_frozen(freeze, trainable):
    model = zoo.build("resnet18", freeze=freeze, **SMALL)
    assert len(model.trainable_variables) == trainable
    assert model.trainable_variables[-1].path.startswith("fc/")


@pytest.mark.exhaustive
def test_frozen_statistics_do_not_move_and_others_do():
    batch = np.random.default_rng(0).random((8, 32, 32, 3), np.float32)

    def moved(freeze):
        model = zoo.build("resnet18", freeze=freeze, **SMALL)
        model.jit_compile = False
        before = {v.path: v.numpy().tobytes() for v in model.variables}
        model.fit(batch, np.arange(8) % 3, epochs=2, verbose=0)
        return {v.path for v in model.variables if v.numpy().tobytes() != before[v.path]}

    assert moved("backbone") == {"fc/kernel", "fc/bias"}
    after_stem = moved("stem")
    assert not any(path.startswith(("conv1/", "bn1/")) for path in after_stem)
    assert {"layer1.0.bn1/moving_mean", "layer4.1.bn2/moving_variance"} <= after_stem


@pytest.mark.exhaustive
def test_frozen_features_are_computed_once_and_give_the_same_head(data_dir, tmp_path, monkeypatch):
    options = PROBE | {"data_dir": data_dir, "progress": False, "precision": "float32"}
    calls = []
    once = loop.head_on_features
    monkeypatch.setattr(loop, "head_on_features", lambda *args: calls.append(1) or once(*args))
    probe = zoo.train("resnet18", epochs=3, run_dir=tmp_path / "once", **options)
    assert calls == [1]
    monkeypatch.setattr(loop, "is_frozen_below_output", lambda model: False)
    whole = zoo.train("resnet18", epochs=3, run_dir=tmp_path / "anew", **options)
    for ours, theirs in zip(probe.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert probe.metrics["val_loss"] == pytest.approx(whole.metrics["val_loss"], abs=1e-4)
    keras.utils.set_random_seed(0)
    untrained = zoo.build("resnet18", input_shape=(8, 8, 1), filters=4)
    for run in (probe, whole):
        for layer, same in zip(run.model.layers[:-1], untrained.layers[:-1], strict=True):
            for ours, theirs in zip(layer.get_weights(), same.get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.exhaustive
def test_a_head_on_features_resumes_bit_for_bit(data_dir, tmp_path, monkeypatch):
    options = PROBE | {"data_dir": data_dir, "progress": False, "epochs": 4}
    whole = zoo.train("resnet18", run_dir=tmp_path / "whole", **options)
    written = callbacks.Checkpoint.on_epoch_end

    def interrupted(self, number, logs=None):
        written(self, number, logs)
        if number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(callbacks.Checkpoint, "on_epoch_end", interrupted)
        zoo.train("resnet18", run_dir=tmp_path / "parts", **options)
    resumed = zoo.train("resnet18", run_dir=tmp_path / "parts", resume=True, progress=False)
    for ours, theirs in zip(resumed.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.exhaustive
def test_a_staged_fine_tune_goes_on_from_the_head(data_dir, tmp_path):
    options = PROBE | {"data_dir": data_dir, "progress": False, "epochs": 1}
    head = zoo.train("resnet18", run_dir=tmp_path / "head", **options)
    tuned = zoo.train(
        "resnet18", run_dir=tmp_path / "tuned",
        **options | {"freeze": "none", "learning_rate": 1e-9, "weight_decay": 0.0,
                     "weights": str(head.file("model.keras")), "keep_head": True},
    )  # fmt: skip
    assert len(tuned.model.trainable_variables) == 62
    before = {variable.path: variable.numpy() for variable in head.model.variables}
    for variable in tuned.model.trainable_variables:
        np.testing.assert_allclose(variable.numpy(), before[variable.path], atol=1e-4)


def test_images_without_channels_are_refused():
    with pytest.raises(ArgumentValueError, match=r"must be \(height, width, channels\)"):
        zoo.build("resnet18", input_shape=(32,))
