"""What the tests of pretrained weights share: files as MatConvNet writes them, and a server that can fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SHAPES = {"conv1": (7, 7, 3, 96), "conv2": (5, 5, 96, 256), "conv3": (3, 3, 256, 512)}
Weights = dict[str, tuple[np.ndarray, np.ndarray]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server below is on this machine, whatever leads out of it."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="session")
def filters() -> Weights:
    """Of each convolution, filters (height, width, in, out) and biases (out,), all numbers random."""
    generator = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype=np.float32)

    return {name: (drawn(*shape), drawn(shape[3])) for name, shape in SHAPES.items()}


def cell(*contents: Any) -> np.ndarray:
    """(1, N): a cell of MATLAB."""
    made = np.empty((1, len(contents)), object)
    made[0, :] = contents
    return made


def saved(path: Path, *layers: Any) -> Path:
    """A file with such layers, and what else a network's file has."""
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.savemat(path, {"layers": cell(*layers), "meta": {"classes": cell("tench", "goldfish")}})
    return path


def newer(name: str, filters: np.ndarray, biases: np.ndarray, **other: Any) -> dict[str, Any]:
    """A convolution as MatConvNet writes it since its beta17."""
    return {
        "name": name,
        "type": "conv",
        "weights": cell(filters, biases[:, None]),
        "stride": np.array([[2.0, 2.0]]),
        **other,
    }


def older(name: str, filters: np.ndarray, biases: np.ndarray) -> dict[str, Any]:
    """A convolution as MatConvNet wrote it before."""
    return {"type": "conv", "name": name, "filters": filters, "biases": biases[None, :]}


@pytest.fixture(scope="session", params=["newer", "older"])
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def matconvnet_file(layout: str, filters: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network in either layout; what else is in it comes between its convolutions."""
    return write_network(tmp_path_factory.mktemp(layout) / "network.mat", layout, filters)


@pytest.fixture(scope="session")
def newer_file(filters: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network in the layout of today."""
    return write_network(tmp_path_factory.mktemp("network") / "network.mat", "newer", filters)


@pytest.fixture(scope="session")
def network_of(filters: Weights) -> Callable[..., Path]:
    """``network_of(path, name=layer, ...)``: a file in which those layers are others; None leaves one out."""

    def written(path: Path, **changed: Any) -> Path:
        layers = {name: newer(name, *pair) for name, pair in filters.items()} | changed
        return saved(path, *(layer for layer in layers.values() if layer is not None))

    return written


@pytest.fixture(scope="session")
def convolution() -> Callable[..., dict[str, Any]]:
    """``convolution(name, filters, biases, **other)``: a layer of today's layout."""
    return newer


def write_network(path: Path, layout: str, filters: Weights) -> Path:
    convolution = {"newer": newer, "older": older}[layout]
    others = [{"name": f"relu{index}", "type": "relu"} for index in (1, 2, 3)]
    layers = [layer for name, pair in filters.items() for layer in (convolution(name, *pair), others.pop(0))]
    fully_connected = convolution("fc6", np.zeros((2, 2, 3, 4), np.float32), np.zeros(4, np.float32))
    return saved(path, *layers, fully_connected)


@dataclass
class Served:
    """What the server does with the one file that it has; a test changes it between requests.

    Attributes:
        data, headers: what it serves, and what it tells of that.
        has_ranges: whether it answers a request for a part with a part.
        cut_after: bytes of an answer after which it hangs up.
        status: instead of an answer.
        moved: where the next request, and no other, is sent on to.
        shift: how far a part begins from where it was asked for.
        tells_length: whether it tells how many bytes come.
        asked: the headers of every request.
        sent: bytes of the file in every answer.
        released: set it, and answers that wait go on.
        is_silent, stalls: whether answers wait before they begin, or before they end.
    """

    data: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    has_ranges: bool = True
    cut_after: int | None = None
    status: int = 200
    moved: str = ""
    shift: int = 0
    tells_length: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    is_silent: bool = False
    stalls: bool = False
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(request.headers))
        if self.is_silent:
            self.released.wait()
        if self.moved:
            target, self.moved = self.moved, ""
            return self._refuse(request, 302, {"Location": target})
        start = self._start(request)
        if self.status != 200:
            return self._refuse(request, self.status, self.headers)
        if start is not None and start >= len(self.data):
            return self._refuse(request, 416, {"Content-Range": f"bytes */{len(self.data)}"})
        body = self.data[(start or 0) + self.shift * (start is not None) :]
        request.send_response(200 if start is None else 206)
        for name, value in self.headers.items():
            request.send_header(name, value)
        if self.tells_length:
            request.send_header("Content-Length", str(len(body)))
        if start is not None:
            begin = len(self.data) - len(body)
            told = f"bytes {begin}-{len(self.data) - 1}/{len(self.data)}"
            request.send_header("Content-Range", told)
        request.end_headers()
        body = body[: self.cut_after]
        self.sent.append(len(body))  # before the client can know
        request.wfile.write(body)
        if self.stalls:
            self.released.wait()
        return None

    def _start(self, request: BaseHTTPRequestHandler) -> int | None:
        """The first byte asked for, if the part of this version is asked for and can be had."""
        asked = request.headers.get("Range")
        versions = {self.headers.get("ETag"), self.headers.get("Last-Modified")} - {None}
        if asked is None or not self.has_ranges or request.headers.get("If-Range") not in versions:
            return None
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _refuse(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        self.sent.append(0)
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()


@pytest.fixture
def served() -> Iterator[Served]:
    """A file of 200 kB on a server in a thread; see :class:`Served`."""
    behaviour = Served(data=np.random.default_rng(1).bytes(200_000), headers={"ETag": '"first"'})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        behaviour.url = f"http://127.0.0.1:{server.server_address[1]}/network.mat"
        yield behaviour
        behaviour.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def dead_url() -> Iterator[str]:
    """Where nobody listens: the port is taken, so that no other program gets it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/network.mat"
