"""Files that are whole: their digests, and how to write one that is never seen half."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

CHUNK_BYTES = 1 << 20


def digests(path: Path) -> dict[str, str]:
    """Hexadecimal digests of a file's bytes: ``md5``, which is what most authors publish, and ``sha256``."""
    sums = {"md5": hashlib.md5(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            for digest in sums.values():
                digest.update(chunk)
    return {kind: digest.hexdigest() for kind, digest in sums.items()}


def write_whole(path: Path, data: bytes) -> None:
    """The file gets its name when it is complete; until then, and if that fails, what was there stays.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with unfinished.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())  # or a power cut may leave the new name on an empty file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
