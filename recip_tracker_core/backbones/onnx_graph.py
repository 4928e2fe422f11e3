"""A frozen network as an ONNX model in memory: its own code runs on a stand-in that writes down each step.

torch's exporters know every operation, but the one over TorchScript is deprecated, warns, and gives a
model that takes a quarter longer to compute; the one over ``torch.export`` takes half a minute.
The handful of operations below are written in a tenth of a second, by nothing but ``onnx`` and the
``__torch_function__`` protocol, and no state of torch is touched: other threads may compute meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from .base import Backbone

# Fixed, so that a new onnx writes what an older engine reads.
OPSET, IR_VERSION = 17, 8


def onnx_model(network: Backbone, stages: tuple[str, ...]) -> bytes:
    """The model with one input, normalised (N, 3, H, W) ``images``, and the stages as outputs, in order.

    N, H and W stay open.

    Raises:
        NotImplementedError: the network does what no ONNX node is written for.
    """
    graph = _Graph()
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "height", "width"])
    try:
        features = network(cast(Tensor, _Value(graph, images.name)), stages)
    except (AttributeError, TypeError) as error:  # it asked the stand-in for more than a step
        raise NotImplementedError(f"{type(network).__name__} cannot be written as ONNX: {error}") from error
    outputs = [
        helper.make_tensor_value_info(
            str(features[name]), TensorProto.FLOAT, ["n", network.stages[name].channels, None, None]
        )
        for name in stages
    ]
    body = helper.make_graph(graph.nodes, "backbone", [images], outputs, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return cast(bytes, model.SerializeToString())


class _Graph:
    """Nodes and constants in the order in which the network asked for them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: _Value | Tensor, **attributes: Any) -> _Value:
        names = [str(item) if isinstance(item, _Value) else self._constant(item) for item in inputs]
        result = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [result], name=result, **attributes))
        return _Value(self, result)

    def _constant(self, value: Tensor) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value.detach().cpu().contiguous().numpy(), name))
        return name


class _Value:
    """Stands for a tensor in the network's code; a function of torch called on it becomes a node."""

    def __init__(self, graph: _Graph, name: str) -> None:
        self.graph, self._name = graph, name

    def __str__(self) -> str:
        return self._name

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> _Value:
        if function not in WRITTEN:
            raise NotImplementedError(f"no ONNX node is written for '{function.__name__}'")
        return WRITTEN[function](*args, **(kwargs or {}))

    def __add__(self, other: _Value) -> _Value:
        return self.graph.node("Add", self, other)

    def contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> _Value:
        """Itself: how values lie in memory is the engine's affair."""
        return self


def _conv2d(
    x: _Value,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> _Value:
    if isinstance(padding, str):
        raise NotImplementedError(f"no ONNX node is written for 'conv2d' with padding='{padding}'")
    weights = (weight,) if bias is None else (weight, bias)
    pads = 2 * _pair(padding)  # top, left, bottom, right
    return x.graph.node(
        "Conv", x, *weights, strides=_pair(stride), pads=pads, dilations=_pair(dilation), group=groups
    )


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _pad(x: _Value, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> _Value:
    if mode != "constant" or len(pad) != 4:
        raise NotImplementedError(f"no ONNX node is written for 'pad' by {tuple(pad)} with mode='{mode}'")
    left, right, top, bottom = pad
    amounts = torch.tensor([0, 0, top, left, 0, 0, bottom, right])
    return x.graph.node("Pad", x, amounts, torch.tensor(float(value or 0)))


def _relu6(x: _Value, inplace: bool = False) -> _Value:  # noqa: ARG001  torch passes it
    return _hardtanh(x, 0.0, 6.0)


def _hardtanh(x: _Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> _Value:  # noqa: ARG001
    return x.graph.node("Clip", x, torch.tensor(float(min_val)), torch.tensor(float(max_val)))


# Each takes what torch's function takes. A backbone with other operations: a row each.
WRITTEN: Mapping[Callable[..., Any], Callable[..., _Value]] = {
    torch.conv2d: _conv2d,
    F.pad: _pad,
    F.relu6: _relu6,
    F.hardtanh: _hardtanh,  # what nn.ReLU6 calls
}
