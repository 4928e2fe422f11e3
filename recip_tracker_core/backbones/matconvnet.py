"""Convolutions out of a file of MatConvNet, which is MATLAB's version 5, in either layout that it has had.

``layers`` is a 1 x N cell of structs with a ``name`` and a ``type``. A convolution has a cell ``weights``
of filters and biases, or before MatConvNet's beta17 a field for each. Filters are height x width x in x out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import WeightsError

VGG_M = {"conv1": (7, 7, 3, 96), "conv2": (5, 5, 96, 256), "conv3": (3, 3, 256, 512)}
HEADER = b"MATLAB 5.0 MAT-file"
NEWER_HEADER = b"MATLAB 7.3 MAT-file"


def converted_matconvnet(path: Path) -> dict[str, Tensor]:
    """The first three convolutions of VGG-M, as torch wants them.

    Nothing in the file is run: function handles and MATLAB objects are left out as if they were not there.

    Returns:
        ``conv1.weight`` (96, 3, 7, 7), ``conv1.bias`` (96,), ``conv2.weight`` (256, 96, 5, 5), ``conv2.bias``
        (256,), ``conv3.weight`` (512, 256, 3, 3) and ``conv3.bias`` (512,): float32, contiguous.

    Raises:
        WeightsError: no such file, one of another kind or network, values that are not finite, or no scipy.
    """
    layers = _layers(path)
    state: dict[str, Tensor] = {}
    for name, shape in VGG_M.items():
        if name not in layers:
            raise WeightsError(f"weights file '{path}' has no layer '{name}', only {sorted(layers)}")
        filters, biases = _weights(path, name, layers[name])
        _check(f"weights file '{path}': filters of layer '{name}'", filters, (shape,))
        _check(f"weights file '{path}': biases of layer '{name}'", biases, ((1, shape[3]), (shape[3], 1)))
        state[f"{name}.weight"] = torch.from_numpy(
            np.array(filters.transpose(3, 2, 0, 1), np.float32, order="C")
        )
        state[f"{name}.bias"] = torch.from_numpy(np.array(biases.reshape(-1), np.float32))
    return state


def _layers(path: Path) -> dict[str, NDArray[np.void]]:
    """The structs by name, each as an array with one element and its fields."""
    cells = _variable(path, "layers")
    if not _is_plain(cells) or cells.dtype != object:
        raise WeightsError(f"weights file '{path}': expected 'layers' to be a cell, got {_told(cells)}")
    structs = [cell for cell in cells.flat if _is_plain(cell) and cell.dtype.names and cell.size == 1]
    return {_text(struct, "name"): struct for struct in structs}


def _variable(path: Path, name: str) -> Any:
    """A variable of the file, as scipy reads it."""
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415
    except ImportError as error:
        raise WeightsError(
            f"reading '{path}' needs scipy ({error}): pip install scipy safetensors"
        ) from error
    if not path.is_file():
        raise WeightsError(f"weights file '{path}' does not exist")
    with path.open("rb") as file:
        start = file.read(len(HEADER))
    if start == NEWER_HEADER:
        raise WeightsError(
            f"weights file '{path}' is of MATLAB 7.3 (HDF5), expected version 5: in MATLAB, save it as '-v7'"
        )
    if start != HEADER:
        raise WeightsError(
            f"weights file '{path}' starts with {start!r}, expected a MATLAB file of version 5"
        )
    try:
        found = loadmat(path, appendmat=False, variable_names=[name])
    except Exception as error:  # scipy raises many kinds; all mean the same to the user
        raise WeightsError(f"weights file '{path}' is damaged: {type(error).__name__}: {error}") from error
    if name not in found:
        raise WeightsError(
            f"weights file '{path}' has no variable '{name}', expected a SimpleNN of MatConvNet"
        )
    return found[name]


def _weights(path: Path, name: str, struct: NDArray[np.void]) -> tuple[Any, Any]:
    """Filters and biases of a convolution, unchecked."""
    layer = f"weights file '{path}': layer '{name}'"
    fields = struct.dtype.names or ()
    kind = _text(struct, "type")
    if kind != "conv":
        raise WeightsError(f"{layer} is a '{kind}', expected a 'conv'")
    if "weights" not in fields:
        if not {"filters", "biases"} <= {*fields}:
            raise WeightsError(f"{layer} has {[*fields]}, expected 'weights', or 'filters' and 'biases'")
        return struct["filters"].item(), struct["biases"].item()
    weights = struct["weights"].item()
    if not _is_plain(weights) or weights.dtype != object or weights.size != 2:
        raise WeightsError(f"{layer} has the weights {_told(weights)}, expected a cell of two")
    filters, biases = weights.flat
    return filters, biases


def _check(what: str, values: Any, shapes: tuple[tuple[int, ...], ...]) -> None:
    is_single = _is_plain(values) and values.dtype.newbyteorder("=") == np.float32
    if not is_single or values.shape not in shapes:
        expected = " or ".join(" x ".join(map(str, shape)) for shape in shapes)
        raise WeightsError(f"{what} are {_told(values)}, expected {expected} of float32")
    if not np.isfinite(values).all():
        raise WeightsError(f"{what} have {np.count_nonzero(~np.isfinite(values))} values that are not finite")


def _is_plain(value: Any) -> bool:
    """Whether it is an array, not one of the kinds in which scipy wraps functions and objects of MATLAB."""
    return type(value) is np.ndarray


def _text(struct: NDArray[np.void], field: str) -> str:
    """A field of characters; empty where there is none."""
    value: Any = struct[field].item() if field in (struct.dtype.names or ()) else None
    return str(value.item()) if _is_plain(value) and value.dtype.kind == "U" and value.size == 1 else ""


def _told(value: Any) -> str:
    """What was found, in words."""
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    kind = value.dtype.name if _is_plain(value) else type(value).__name__
    return f"{' x '.join(map(str, value.shape))} of {kind}"
