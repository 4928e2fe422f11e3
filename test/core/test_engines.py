"""What an engine promises: the features of the network in torch, and a reason where it can't give them."""

from __future__ import annotations

import importlib.abc
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recip_tracker_core.backbones import REGISTRY, Backbone, Stage, load_backbone
from recip_tracker_core.backbones.engines import Wish, with_engine
from recip_tracker_core.backbones.graphed_backbone import GraphedBackbone
from recip_tracker_core.errors import ConfigError

CPU = torch.device("cpu")
Photograph = Callable[[int, int], Tensor]
RANDOM = {"vgg_m": "random"}  # no package ships their weights
IN_TORCH_ALONE = {"vgg_m": "relu"}  # what no ONNX node is written for
needs_onnxruntime = pytest.mark.usefixtures("onnxruntime")


@pytest.fixture(scope="module")
def onnxruntime() -> None:
    """Asked for by what needs the extra."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")


def loaded(name: str) -> Backbone:
    """A network of its own: the one that tests share may be on another device."""
    return load_backbone(name, RANDOM.get(name, ""))


@pytest.fixture(scope="module", params=sorted(set(REGISTRY) - set(IN_TORCH_ALONE)))
def network(request: pytest.FixtureRequest) -> Backbone:
    """One that can be written as ONNX."""
    return loaded(request.param)


def engine_of(network: Backbone, name: str, **wish: Any) -> Backbone:
    """On the CPU; skips where it is not installed."""
    pytest.importorskip(name)
    pytest.importorskip("onnx")
    return with_engine(network, name, tuple(network.stages), Wish(CPU, **wish))


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def engine(network: Backbone, request: pytest.FixtureRequest) -> Backbone:
    return engine_of(network, request.param)


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, features in expected.items():
        assert found[name].dtype == features.dtype
        assert found[name].shape == features.shape
        assert (found[name] - features).abs().max() < 1e-4 * features.abs().max()


@pytest.mark.parametrize(("height", "width"), [(64, 96), (288, 288)])
@pytest.mark.parametrize("count", [1, 2])
def test_its_features_are_those_of_torch(
    network: Backbone, engine: Backbone, photograph: Photograph, count: int, height: int, width: int
) -> None:
    images = engine.normalized(photograph(height, width)[:count].cpu())
    stages = tuple(network.stages)
    assert_equal(engine(images, stages), network(images, stages))


def test_it_is_described_as_the_network_is(network: Backbone, engine: Backbone) -> None:
    assert engine is not network
    assert engine.stages == network.stages
    assert engine.granularity_px == network.granularity_px
    pixels = torch.linspace(0, 255, 48).reshape(1, 3, 4, 4)
    assert torch.equal(engine.normalized(pixels), network.normalized(pixels))


def test_any_stages_can_be_asked_for_in_any_order(
    network: Backbone, engine: Backbone, photograph: Photograph
) -> None:
    images = network.normalized(photograph(64, 64).cpu())
    names = tuple(network.stages)
    for stages in (names[:1], names[1:], names[-1:], names[::-1]):
        assert_equal(engine(images, stages), network(images, stages))


def test_how_the_images_lie_in_memory_does_not_matter(
    network: Backbone, engine: Backbone, photograph: Photograph
) -> None:
    images = network.normalized(photograph(64, 96).cpu())
    stages = tuple(network.stages)
    expected = engine(images, stages)
    for laid_out in (images.contiguous(memory_format=torch.channels_last), images.mT.contiguous().mT):
        assert not laid_out.is_contiguous()
        assert_equal(engine(laid_out, stages), expected)


def test_a_gradient_is_refused_rather_than_lost(engine: Backbone) -> None:
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        engine(images, tuple(engine.stages))


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_threads_that_call_it_at_once_each_get_their_own_answer(
    network: Backbone, photograph: Photograph, name: str
) -> None:
    stages = tuple(network.stages)
    pytest.importorskip(name)
    pytest.importorskip("onnx")
    engine = with_engine(network, name, stages[:1], Wish(CPU))  # the threads make the other session
    images = [network.normalized(photograph(32, 32 * sides).cpu()) for sides in (1, 2, 3, 4)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(lambda image: engine(image, stages), 4 * images))
    for features, image in zip(found, 4 * images, strict=True):
        assert_equal(features, network(image, stages))


@needs_onnxruntime
def test_making_it_says_nothing(network: Backbone, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in network.stages:
            with_engine(network, "onnxruntime", (name,), Wish(CPU))
    assert capfd.readouterr() == ("", "")


class Absent(importlib.abc.MetaPathFinder):
    """Finds nothing where a package would be, as if it were not installed."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return None


@pytest.fixture(params=["onnxruntime", "onnx"])
def absent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that cannot be imported; what was imported before is forgotten until the test ends."""
    ours = {f"recip_tracker_core.backbones.{name}" for name in ("onnx_backbone", "onnx_graph")}
    for name in [*sys.modules]:
        if name in ours or name.partition(".")[0] == request.param:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(request.param), *sys.meta_path])
    return str(request.param)


def test_auto_is_torch_where_a_library_is_absent(network: Backbone, absent: str) -> None:
    assert with_engine(network, "auto", tuple(network.stages), Wish(CPU)) is network


def test_an_engine_that_is_absent_is_refused_with_what_to_install(network: Backbone, absent: str) -> None:
    expected = rf"'backbone.engine' = 'onnxruntime'.*No module named '{absent}'.*install onnxruntime and onnx"
    if absent == "onnx":
        pytest.importorskip("onnxruntime")  # it is looked for first
    with pytest.raises(ConfigError, match=expected):
        with_engine(network, "onnxruntime", tuple(network.stages), Wish(CPU))


def test_auto_is_onnxruntime_on_the_cpu(network: Backbone) -> None:
    expected = type(engine_of(network, "onnxruntime"))
    assert type(with_engine(network, "auto", tuple(network.stages), Wish(CPU))) is expected


def test_how_many_threads_compute_it_changes_no_bit(network: Backbone, photograph: Photograph) -> None:
    images = network.normalized(photograph(96, 96).cpu())
    stages = tuple(network.stages)
    one, two = (engine_of(network, "onnxruntime", threads=count)(images, stages) for count in (1, 2))
    assert all(torch.equal(one[name], two[name]) for name in stages)


def test_reduced_precision_is_near_to_full_and_not_the_same(
    network: Backbone, photograph: Photograph
) -> None:
    try:
        reduced = engine_of(network, "openvino", is_reduced=True)
    except ConfigError as error:
        pytest.skip(str(error))  # a processor without it
    images, stages = network.normalized(photograph(96, 96).cpu()), tuple(network.stages)
    expected, found = network(images, stages), reduced(images, stages)
    for name in stages:
        error = ((found[name] - expected[name]).norm() / expected[name].norm()).item()
        assert 1e-4 < error < 0.08, name


def test_reduced_precision_is_refused_of_an_engine_that_has_none(network: Backbone) -> None:
    for engine_name in ("auto", "torch", "onnxruntime"):
        with pytest.raises(ConfigError, match=rf"'reduced' goes with .*openvino.*got '{engine_name}'"):
            with_engine(network, engine_name, tuple(network.stages), Wish(CPU, is_reduced=True))


@needs_onnxruntime
@pytest.mark.parametrize(("name", "operation"), IN_TORCH_ALONE.items())
def test_a_network_with_other_operations_stays_in_torch_by_auto_and_is_refused_by_name(
    name: str, operation: str
) -> None:
    network = loaded(name)
    stages = tuple(network.stages)
    assert with_engine(network, "auto", stages, Wish(CPU)) is network
    expected = f"cannot compute this network: no ONNX node is written for '{operation}'.*'auto' or 'torch'"
    with pytest.raises(ConfigError, match=expected):
        with_engine(network, "onnxruntime", stages, Wish(CPU))


@needs_onnxruntime
def test_the_layers_between_two_levels_stay_in_torch(
    network: Backbone, engine: Backbone, photograph: Photograph
) -> None:
    names = tuple(network.stages)
    first, last = names[0], names[-1]
    images = network.normalized(photograph(64, 64).cpu()).requires_grad_(True)
    found = engine.part(first, last)(engine.part("input", first)(images))
    torch.testing.assert_close(found, network(images, (last,))[last])
    assert found.requires_grad


@pytest.mark.parametrize("device_name", ["cpu", "cuda"])
def test_torch_is_the_network_itself(network: Backbone, device_name: str) -> None:
    assert with_engine(network, "torch", tuple(network.stages), Wish(torch.device(device_name))) is network


@pytest.mark.parametrize(
    ("name", "own", "other"),
    [("onnxruntime", "cpu", "cuda:0"), ("openvino", "cpu", "cuda:0"), ("cuda_graphs", "cuda", "cpu")],
)
def test_an_engine_is_refused_on_a_device_that_is_not_its_own(
    network: Backbone, name: str, own: str, other: str
) -> None:
    with pytest.raises(ConfigError, match=rf"'{name}' computes on '{own}' alone.*'{other}'.*choose 'auto'"):
        with_engine(network, name, tuple(network.stages), Wish(torch.device(other)))


def test_an_unknown_engine_is_refused_with_the_names_there_are(network: Backbone) -> None:
    known = r"\['auto', 'torch', 'onnxruntime', 'openvino', 'cuda_graphs'\]"
    with pytest.raises(ConfigError, match=rf"{known}, got 'tensorflow'"):
        with_engine(network, "tensorflow", tuple(network.stages), Wish(CPU))


def test_auto_on_cuda_is_described_as_the_network_is(network: Backbone) -> None:
    graphed = with_engine(network, "auto", tuple(network.stages), Wish(torch.device("cuda")))
    assert isinstance(graphed, GraphedBackbone)
    assert graphed.stages == network.stages
    assert graphed.granularity_px == network.granularity_px


def test_what_cannot_be_recorded_is_launched_step_by_step_and_that_is_said_once(
    network: Backbone,
    photograph: Photograph,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    graphed = GraphedBackbone(network, CPU, is_reduced=False)
    monkeypatch.setattr(graphed, "_record", refuse)
    images, stages = network.normalized(photograph(64, 64).cpu()), tuple(network.stages)
    for _ in range(2):
        assert_equal(graphed(images, stages), network(images, stages))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "operation not permitted" in said


def test_a_recording_answers_as_the_network_does_and_keeps_nothing_of_an_answer(
    backbone: Backbone, photograph: Photograph, device: torch.device
) -> None:
    if device.type != "cuda":
        pytest.skip("there are CUDA graphs on CUDA devices alone")
    graphed = GraphedBackbone(backbone, device, is_reduced=False)
    stages = tuple(backbone.stages)
    with torch.no_grad():
        first, second = (backbone.normalized(photograph(64, side).to(device)[:1]) for side in (64, 64))
        second = second.flip(-1)
        found = [graphed(images, stages) for images in (first, second, first)]
        for features, images in zip(found, (first, second, first), strict=True):
            assert_equal(features, backbone(images, stages))
        reduced = GraphedBackbone(backbone, device, is_reduced=True)(first, stages)
    for name in stages:
        assert (reduced[name] - found[0][name]).norm() < 0.08 * found[0][name].norm()


def test_a_gradient_flows_through_the_network_and_not_through_a_recording(network: Backbone) -> None:
    graphed = GraphedBackbone(network, CPU, is_reduced=False)
    images = torch.zeros(1, 3, 32, 32, requires_grad=True)
    assert graphed(images, tuple(network.stages))[next(iter(network.stages))].requires_grad


class OneLayer(nn.Module):
    """The smallest network: one layer of torch's own, and what comes after it."""

    granularity_px = 1

    def __init__(self, layer: nn.Conv2d, after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.after = layer, after
        self.stages = {"s1": Stage(layer.out_channels, stride=1, first_center_px=0.5, least_px=8, scale=1.0)}
        self.requires_grad_(False)

    def normalized(self, pixels: Tensor) -> Tensor:
        return pixels / 255

    def forward(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        return {"s1": self.after(self.layer(images))}


@needs_onnxruntime
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 1, bias=False),
        nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(0, 3)),
        nn.Conv2d(3, 6, 3, dilation=2, padding=1, groups=3),
    ],
    ids=["without bias", "oblong", "dilated in groups"],
)
@pytest.mark.parametrize(
    "after",
    [
        lambda x: x,
        F.relu6,
        nn.ReLU6(),
        lambda x: F.hardtanh(x, -0.5, 0.25),
        lambda x: F.pad(x, (1, 2, 3, 4)),
        lambda x: F.pad(x, (0, 1, 2, 0), value=-1.5),
        lambda x: x + F.relu6(x),
    ],
    ids=["nothing", "relu6", "relu6 as a layer", "hardtanh", "pad", "pad with a value", "skip"],
)
def test_each_operation_means_what_it_means_in_torch(
    layer: nn.Conv2d, after: Callable[[Tensor], Tensor], photograph: Photograph
) -> None:
    network = OneLayer(layer, after)
    images = photograph(16, 32).cpu() / 16  # both ends of relu6 are reached
    assert_equal(
        with_engine(network, "onnxruntime", ("s1",), Wish(CPU))(images, ("s1",)), network(images, ("s1",))
    )


@needs_onnxruntime
@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (F.gelu, "no ONNX node is written for 'gelu'"),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), r"'pad' by \(1, 1, 1, 1\) with mode='reflect'"),
        (lambda x: x.mean(dim=1), "OneLayer cannot be written as ONNX.*'mean'"),
        (lambda x: x if x > 0 else -x, "OneLayer cannot be written as ONNX.*'>' not supported"),
    ],
    ids=["a function", "a mode", "a method", "a choice by value"],
)
def test_a_network_that_cannot_be_written_is_refused_and_stays_in_torch_by_auto(
    after: Callable[[Tensor], Tensor], reason: str
) -> None:
    network = OneLayer(nn.Conv2d(3, 4, 1), after)
    assert with_engine(network, "auto", ("s1",), Wish(CPU)) is network
    with pytest.raises(ConfigError, match=rf"'onnxruntime' cannot compute this network: .*{reason}.*'torch'"):
        with_engine(network, "onnxruntime", ("s1",), Wish(CPU))
