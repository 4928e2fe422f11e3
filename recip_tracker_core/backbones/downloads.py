"""One file over HTTP that may be cut: what has come is kept, and the next call asks for the rest."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from ..errors import WeightsError

Progress = Callable[[int, int | None], None]  # bytes that are here, and of how many where that is known
TIMEOUT_S = 30.0  # of silence
CHUNK_BYTES = 1 << 16
PARTIAL, UNSATISFIABLE = 206, 416


@dataclass(frozen=True, slots=True)
class Held:
    """What an earlier call has left.

    Attributes:
        count: bytes in the partial file.
        version: what the server called this version of the file: its ETag, or when it last changed.
    """

    count: int = 0
    version: str = ""


def download(url: str, part: Path, progress: Progress, timeout_s: float = TIMEOUT_S) -> None:
    """The whole file at a URL, in ``part``; ``PART.json`` beside it tells of which version its bytes are.

    A call that was cut leaves both, and the next one goes on there if the server still has that version.

    Args:
        url: http or https; so is all that it redirects to.
        part: where to, in a folder that exists.
        progress: called after every chunk.
        timeout_s: how long the server may be silent.

    Raises:
        WeightsError: no answer, one that is no file, or fewer bytes than promised.
        OSError: ``part`` cannot be written.
    """
    held = _held(url, part)
    try:
        response = _opened(url, held, timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != UNSATISFIABLE or not held.count:
            raise WeightsError(f"the server answered {error.code} {error.reason}") from error
        if _end(error.headers) == held.count:
            return  # all had come before
        forget(part)
        download(url, part, progress, timeout_s)
        return
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WeightsError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    with response:
        if response.status == PARTIAL:
            _go_on(response, part, held, progress)
        else:
            _start(response, url, part, progress)


def forget(part: Path) -> None:
    """Remove what a download has left."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _held(url: str, part: Path) -> Held:
    """What can be gone on with: the bytes of a version that is known, from this URL."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        if note["url"] != url or not note["version"]:
            return Held()
        return Held(part.stat().st_size, str(note["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Held()


def _opened(url: str, held: Held, timeout_s: float) -> http.client.HTTPResponse:
    headers = {"User-Agent": "recip-tracker"}
    if held.count:
        headers |= {"Range": f"bytes={held.count}-", "If-Range": held.version}
    # Of http and https alone: no redirect leads to another protocol.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  see above
    response = opener.open(request, timeout=timeout_s)
    assert isinstance(response, http.client.HTTPResponse)
    return response


def _go_on(response: http.client.HTTPResponse, part: Path, held: Held, progress: Progress) -> None:
    told = response.headers.get("Content-Range", "")
    if not told.startswith(f"bytes {held.count}-"):
        forget(part)
        raise WeightsError(f"the server was asked for bytes from {held.count} on and answered with '{told}'")
    _receive(response, part, held, _end(response.headers), progress)


def _start(response: http.client.HTTPResponse, url: str, part: Path, progress: Progress) -> None:
    etag = response.headers.get("ETag", "")
    is_strong = bool(etag) and not etag.startswith("W/")  # a weak one can't vouch for single bytes
    version = etag if is_strong else response.headers.get("Last-Modified", "")
    forget(part)
    _note(part).write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")
    _receive(response, part, Held(0, version), response.length, progress)


def _receive(
    response: http.client.HTTPResponse, part: Path, held: Held, total: int | None, progress: Progress
) -> None:
    """Append what comes to what is held."""
    count, broken = held.count, None
    with part.open("ab") as file:
        while True:
            try:
                chunk = response.read(CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                broken = error
                break
            if not chunk:
                break
            file.write(chunk)
            count += len(chunk)
            progress(count, total)
    if broken is not None or (total is not None and count != total):
        whole = "unknown" if total is None else total
        rest = "goes on from there" if held.version else "starts anew"
        raise WeightsError(
            f"the connection broke off after {count} of {whole} bytes; the same command {rest}"
        ) from broken


def _end(headers: Message) -> int | None:
    """The file's size in bytes, from ``Content-Range: bytes 5-9/10`` or ``bytes */10``; None if not told."""
    size = headers.get("Content-Range", "").rpartition("/")[2]
    return int(size) if size.isdecimal() else None
