"""Frozen layers at one input: a constant linear map, its Jacobian, that is never written out.

Attention at pixels or stages needs two products with it: its transpose turns the gradient of a score by
the features into the map (Eq. 1), and the map's own gradient goes the other way. The layers do not
learn, so one forward pass leaves all that both need: which units were active, which cell each pooling
took, what normalisation divided by. Automatic differentiation, asked for second derivatives, goes
through the whole network several times more, to gradients that nobody uses.

Tangents and cotangents are (K, N, C, H, W): K of them for each of the N samples, in one pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.grad import conv2d_input

from .backbones.efficientnet_lite0 import InvertedResidual, SameConv
from .box_crops import CellPooling


class Linear(Protocol):
    """A linear map and its transpose."""

    def push(self, tangents: Tensor) -> Tensor:
        """From changes of the input to those of the output: products with the map."""
        ...

    def pull(self, cotangents: Tensor) -> Tensor:
        """From gradients by the output to those by the input: products with its transpose."""
        ...


def linearized(layer: nn.Module, x: Tensor) -> tuple[Tensor, Linear]:
    """What a frozen layer makes of (N, C, H, W), and its Jacobian there; neither has a gradient.

    Raises:
        NotImplementedError: for a kind of layer that has no row below.
    """
    for kind, rule in RULES.items():
        if isinstance(layer, kind):
            with torch.no_grad():
                return rule(layer, x)
    raise NotImplementedError(f"no Jacobian is written for a layer of type '{type(layer).__name__}'")


def pulled(cotangents: Tensor, linear: Linear) -> Tensor:
    """``linear.pull``, differentiable: its own derivative is ``push``.

    Args:
        cotangents: (K, N, C, H, W), which may depend on what is learned.
        linear: constant.
    """
    back: Tensor = _Pull.apply(cotangents, linear)  # type: ignore[no-untyped-call]
    return back


class _Pull(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cotangents: Tensor, linear: Linear) -> Tensor:
        ctx.linear = linear
        return linear.pull(cotangents)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Push.apply(gradients[0], ctx.linear), None  # type: ignore[no-untyped-call]


class _Push(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, tangents: Tensor, linear: Linear) -> Tensor:
        ctx.linear = linear  # type: ignore[attr-defined]
        return linear.push(tangents)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Pull.apply(gradients[0], ctx.linear), None  # type: ignore[no-untyped-call]


@dataclass(frozen=True, eq=False)
class _Chained:
    """One map after another."""

    links: tuple[Linear, ...]

    def push(self, tangents: Tensor) -> Tensor:
        return functools.reduce(lambda value, link: link.push(value), self.links, tangents)

    def pull(self, cotangents: Tensor) -> Tensor:
        return functools.reduce(lambda value, link: link.pull(value), reversed(self.links), cotangents)


def _chain(layer: nn.Sequential, x: Tensor) -> tuple[Tensor, Linear]:
    links = []
    for part in layer:
        x, link = linearized(part, x)
        links.append(link)
    return x, _Chained(tuple(links))


@dataclass(frozen=True, eq=False)
class _Skipped:
    """A map beside which the input passes unchanged."""

    body: Linear

    def push(self, tangents: Tensor) -> Tensor:
        return tangents + self.body.push(tangents)

    def pull(self, cotangents: Tensor) -> Tensor:
        return cotangents + self.body.pull(cotangents)


def _residual(layer: InvertedResidual, x: Tensor) -> tuple[Tensor, Linear]:
    y, body = linearized(layer.body, x)
    return (x + y, _Skipped(body)) if layer.has_skip else (y, body)


@dataclass(frozen=True, eq=False)
class _Convolution:
    """A convolution without its bias; ``margin`` is what is padded left and above, and right and below."""

    layer: nn.Conv2d
    margin: tuple[int, int]
    size: torch.Size

    def push(self, tangents: Tensor) -> Tensor:
        layer = self.layer
        padded = F.pad(tangents.flatten(0, 1), (*self.margin, *self.margin))
        moved = F.conv2d(padded, layer.weight, None, layer.stride, 0, 1, layer.groups)
        return moved.reshape(*tangents.shape[:2], *moved.shape[1:])

    def pull(self, cotangents: Tensor) -> Tensor:
        layer, (before, after) = self.layer, self.margin
        height, width = (side + before + after for side in self.size[-2:])
        size = (cotangents.shape[0] * cotangents.shape[1], self.size[1], height, width)
        grad, stride, groups = cotangents.flatten(0, 1), layer.stride, layer.groups
        moved = conv2d_input(size, layer.weight, grad, stride, 0, 1, groups)  # type: ignore[no-untyped-call]
        inside: Tensor = moved[..., before : height - after, before : width - after]
        return inside.reshape(*cotangents.shape[:2], *inside.shape[1:])


def _convolution(layer: nn.Conv2d, x: Tensor) -> tuple[Tensor, Linear]:
    if layer.padding != (0, 0) or layer.dilation != (1, 1):
        raise NotImplementedError(
            f"no Jacobian is written for padding {layer.padding} and dilation {layer.dilation}"
        )
    # A plain one has no padding here; what SAME adds depends on its stride.
    excess = int(layer.kernel_size[0] - layer.stride[0]) if isinstance(layer, SameConv) else 0
    margin = (excess // 2, excess - excess // 2)
    return layer(x), _Convolution(layer, margin, x.shape)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Each value times a constant of its own; its own transpose."""

    factor: Tensor

    def push(self, tangents: Tensor) -> Tensor:
        return tangents * self.factor

    pull = push


def _rectifier(layer: nn.Module, x: Tensor) -> tuple[Tensor, Linear]:
    y = layer(x)
    is_linear = y > 0
    if isinstance(layer, nn.ReLU6):
        is_linear &= y < 6
    return y, _Scaled(is_linear.to(y))  # products with bools are slow


@dataclass(frozen=True, eq=False)
class _Normalization:
    """Of y = x d^-b, d = k + a / n * sum of x^2 over n channels: each inhibits its neighbours.

    Its Jacobian is diag(d^-b) - outer * sum over channels * x, and the sum is symmetric.
    """

    reach: int
    x: Tensor
    factor: Tensor
    outer: Tensor

    def push(self, tangents: Tensor) -> Tensor:
        return self._applied(tangents, self.x, self.outer)

    def pull(self, cotangents: Tensor) -> Tensor:
        return self._applied(cotangents, self.outer, self.x)

    def _applied(self, values: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
        values = values.contiguous()  # sums over channels want each channel in one piece
        inhibition = _channel_sum(values * inner, self.reach)
        return torch.addcmul(values * self.factor, inhibition, outer, value=-1)


def _channel_sum(x: Tensor, reach: int) -> Tensor:
    """(..., C, H, W): over each channel and so many on either side."""
    total, channels = x.clone(), x.shape[-3]
    for shift in range(1, min(reach, channels - 1) + 1):
        kept = channels - shift
        total.narrow(-3, 0, kept).add_(x.narrow(-3, shift, kept))
        total.narrow(-3, shift, kept).add_(x.narrow(-3, 0, kept))
    return total


def _normalization(layer: nn.LocalResponseNorm, x: Tensor) -> tuple[Tensor, Linear]:
    if layer.size % 2 == 0:
        raise NotImplementedError(f"no Jacobian is written for an even window of {layer.size} channels")
    x, reach, gain = x.contiguous(), layer.size // 2, layer.alpha / layer.size
    denominator = _channel_sum(x.square(), reach).mul_(gain).add_(layer.k)
    factor = denominator**-layer.beta
    y = x * factor
    outer = (y / denominator).mul_(2 * layer.beta * gain)
    return y, _Normalization(reach, x, factor, outer)


@dataclass(frozen=True, eq=False)
class _Choice:
    """Of each window one cell, the same for all K."""

    cells: Tensor  # (N, C, h, w), flat indices into H * W
    size: torch.Size

    def push(self, tangents: Tensor) -> Tensor:
        cells = self.cells.flatten(2).expand(len(tangents), -1, -1, -1)
        return tangents.flatten(3).gather(3, cells).view(-1, *self.cells.shape)

    def pull(self, cotangents: Tensor) -> Tensor:
        cells = self.cells.flatten(2).expand(len(cotangents), -1, -1, -1)
        empty = cotangents.new_zeros((len(cotangents), *self.size[:2], self.size[2] * self.size[3]))
        return empty.scatter_add_(3, cells, cotangents.flatten(3)).view(-1, *self.size)


def _pooling(layer: nn.MaxPool2d, x: Tensor) -> tuple[Tensor, Linear]:
    windows = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
    last = x.contiguous(memory_format=torch.channels_last)  # pooling is several times faster so
    y, cells = F.max_pool2d(last, *windows, return_indices=True)
    return y, _Choice(cells.contiguous(), x.shape)


@dataclass(frozen=True, eq=False)
class _Averaged:
    """Sums over rows and over columns with weights, (grid, H) and (grid, W)."""

    down: Tensor
    across: Tensor

    def push(self, tangents: Tensor) -> Tensor:
        return self.down @ tangents @ self.across.T

    def pull(self, cotangents: Tensor) -> Tensor:
        return self.down.T @ cotangents @ self.across


def _averaging(layer: CellPooling, x: Tensor) -> tuple[Tensor, Linear]:
    down, across = (
        F.adaptive_avg_pool1d(torch.eye(cells).to(x)[None], layer.grid)[0].T for cells in x.shape[-2:]
    )
    return layer(x), _Averaged(down / layer.scale, across)


Rule = Callable[[Any, Tensor], tuple[Tensor, Linear]]

# A backbone with other layers: a row each.
RULES: Mapping[type[nn.Module], Rule] = {
    nn.Sequential: _chain,
    InvertedResidual: _residual,
    nn.Conv2d: _convolution,
    nn.ReLU: _rectifier,
    nn.ReLU6: _rectifier,
    nn.LocalResponseNorm: _normalization,
    nn.MaxPool2d: _pooling,
    CellPooling: _averaging,
}
