"""Videos that play in any browser."""

from pathlib import Path

import av
import numpy as np
import pytest

from recip_tracker_core.video import VideoWriter


def plain(shade: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), (shade, 255 - shade, 40), np.uint8)


def test_a_video_has_its_pictures_in_order_in_rgb_and_at_its_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 12.5) as writer:
        for shade in range(20, 240, 20):
            writer.write(plain(shade))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == 12.5
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(stream)]
    means = np.array([picture.mean(axis=(0, 1)) for picture in pictures])
    expected = [(shade, 255 - shade, 40) for shade in range(20, 240, 20)]
    np.testing.assert_allclose(means, expected, atol=6)  # of 4:2:0 and 8 bit YUV


def test_a_browser_can_play_it(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 25) as writer:
        writer.write(plain(100))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # it starts before it is all there


def test_what_was_written_before_a_failure_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(RuntimeError, match="halfway"), VideoWriter(path, 25) as writer:
        for shade in (50, 100, 150):
            writer.write(plain(shade))
        raise RuntimeError("halfway")
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3
