"""A download that is cut goes on where it stopped, and never ends in a file that no server had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recip_tracker_core.backbones.downloads import download, forget
from recip_tracker_core.errors import WeightsError

CUT = 70_000


def ignored(count: int, total: int | None) -> None:
    pass


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "network.mat.part"


@pytest.fixture
def cut(served: Any, part: Path) -> Any:
    """The server, after a download that broke off; it behaves from then on."""
    served.cut_after = CUT
    with pytest.raises(WeightsError, match=f"broke off after {CUT} of 200000 bytes"):
        download(served.url, part, ignored)
    assert part.read_bytes() == served.data[:CUT]
    served.cut_after = None
    return served


def test_the_whole_file_comes_and_each_step_is_told(served: Any, part: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    download(served.url, part, lambda count, total: steps.append((count, total)))
    assert part.read_bytes() == served.data
    assert steps == sorted(steps)
    assert len(steps) > 1
    assert steps[-1] == (200_000, 200_000)


def test_a_download_that_was_cut_asks_for_the_rest_only(cut: Any, part: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    download(cut.url, part, lambda count, total: steps.append((count, total)))
    assert part.read_bytes() == cut.data
    assert cut.asked[-1]["Range"] == f"bytes={CUT}-"
    assert cut.sent == [CUT, 200_000 - CUT]
    assert all(CUT < count <= total == 200_000 for count, total in steps if total is not None)
    assert steps


def test_it_can_be_cut_again_and_again(cut: Any, part: Path) -> None:
    cut.cut_after = 50_000
    for count in (120_000, 170_000):
        with pytest.raises(WeightsError, match=f"after {count} of 200000"):
            download(cut.url, part, ignored)
    download(cut.url, part, ignored)
    assert part.read_bytes() == cut.data
    assert sum(cut.sent) == 200_000


def test_a_server_that_gives_no_parts_gives_all_anew(cut: Any, part: Path) -> None:
    cut.has_ranges = False
    download(cut.url, part, ignored)
    assert part.read_bytes() == cut.data
    assert cut.sent == [CUT, 200_000]


def test_a_file_that_has_changed_meanwhile_is_not_mixed_with_what_it_was(cut: Any, part: Path) -> None:
    cut.data, cut.headers = cut.data[::-1], {"ETag": '"second"'}
    download(cut.url, part, ignored)
    assert part.read_bytes() == cut.data
    assert cut.asked[-1]["If-Range"] == '"first"'


def test_the_time_of_the_last_change_stands_in_for_a_weak_tag(served: Any, part: Path) -> None:
    served.headers = {"ETag": 'W/"first"', "Last-Modified": "Fri, 30 Sep 2016 10:00:00 GMT"}
    served.cut_after = CUT
    with pytest.raises(WeightsError, match="goes on from there"):
        download(served.url, part, ignored)
    served.cut_after = None
    download(served.url, part, ignored)
    assert part.read_bytes() == served.data
    assert served.asked[-1]["If-Range"] == "Fri, 30 Sep 2016 10:00:00 GMT"
    assert sum(served.sent) == 200_000


def test_a_version_without_a_name_is_never_gone_on_with(served: Any, part: Path) -> None:
    served.headers = {}
    served.cut_after = CUT
    with pytest.raises(WeightsError, match="starts anew"):
        download(served.url, part, ignored)
    served.cut_after = None
    download(served.url, part, ignored)
    assert part.read_bytes() == served.data
    assert "Range" not in served.asked[-1]


def test_bytes_from_another_url_are_not_gone_on_with(cut: Any, part: Path) -> None:
    download(cut.url + "?mirror", part, ignored)
    assert part.read_bytes() == cut.data
    assert "Range" not in cut.asked[-1]


def test_bytes_of_which_nothing_is_noted_are_not_gone_on_with(cut: Any, part: Path) -> None:
    note = part.with_name(part.name + ".json")
    for text in ("", "[]", '{"url": 3}', json.dumps({"url": cut.url, "version": ""})):
        note.write_text(text)
        part.write_bytes(b"what no server had")
        download(cut.url, part, ignored)
        assert part.read_bytes() == cut.data
        assert "Range" not in cut.asked[-1]


def test_what_had_come_whole_is_not_sent_again(served: Any, part: Path) -> None:
    download(served.url, part, ignored)
    download(served.url, part, ignored)
    assert part.read_bytes() == served.data
    assert served.sent == [200_000, 0]


def test_more_bytes_than_the_file_has_are_dropped(served: Any, part: Path) -> None:
    download(served.url, part, ignored)
    served.data = served.data[:CUT]
    download(served.url, part, ignored)
    assert part.read_bytes() == served.data


def test_another_part_than_was_asked_for_is_refused_and_what_was_there_dropped(cut: Any, part: Path) -> None:
    cut.shift = 10
    with pytest.raises(WeightsError, match=f"asked for bytes from {CUT} on and answered with 'bytes 70010-"):
        download(cut.url, part, ignored)
    assert not part.exists()
    cut.shift = 0
    download(cut.url, part, ignored)
    assert part.read_bytes() == cut.data


def test_a_server_that_does_not_tell_the_length_is_read_to_the_end(served: Any, part: Path) -> None:
    served.tells_length = False
    totals = set()
    download(served.url, part, lambda count, total: totals.add(total))
    assert part.read_bytes() == served.data
    assert totals == {None}


@pytest.mark.parametrize(("status", "named"), [(404, "404 Not Found"), (503, "503"), (416, "416")])
def test_an_answer_that_is_no_file_is_told_by_its_number(
    served: Any, part: Path, status: int, named: str
) -> None:
    served.status = status
    with pytest.raises(WeightsError, match=f"the server answered {named}"):
        download(served.url, part, ignored)
    assert not part.exists()


def test_an_answer_that_is_no_file_leaves_what_has_come(cut: Any, part: Path) -> None:
    cut.status = 503
    with pytest.raises(WeightsError, match="503"):
        download(cut.url, part, ignored)
    assert part.read_bytes() == cut.data[:CUT]


def test_a_redirect_is_followed_with_what_was_asked_for(cut: Any, part: Path) -> None:
    cut.moved = cut.url + "?mirror"
    download(cut.url, part, ignored)
    assert part.read_bytes() == cut.data
    assert cut.sent == [CUT, 0, 200_000 - CUT]


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/network.mat", "file:///etc/hostname"])
def test_no_redirect_leads_to_another_protocol(served: Any, part: Path, target: str) -> None:
    served.moved = target
    with pytest.raises(WeightsError, match=r"unknown url type: ftp|302"):
        download(served.url, part, ignored)
    assert not part.exists()


def test_where_nobody_listens_the_reason_is_told(dead_url: str, part: Path) -> None:
    with pytest.raises(WeightsError, match="refused"):
        download(dead_url, part, ignored)


@pytest.mark.parametrize("url", ["http://[", "http://", "http://127.0.0.1:x/", "http://127.0.0.1/a b"])
def test_a_url_that_is_none_is_refused(part: Path, url: str) -> None:
    with pytest.raises(WeightsError):
        download(url, part, ignored)


def test_a_silent_server_is_waited_for_no_longer_than_told(served: Any, part: Path) -> None:
    served.is_silent = True
    with pytest.raises(WeightsError, match="timed out"):
        download(served.url, part, ignored, timeout_s=0.05)


def test_a_server_that_falls_silent_is_left_and_what_had_come_is_gone_on_with(
    served: Any, part: Path
) -> None:
    served.cut_after, served.stalls = 65_536, True
    with pytest.raises(WeightsError, match="broke off after 65536 of 200000 bytes; the same command goes on"):
        download(served.url, part, ignored, timeout_s=1.0)
    served.cut_after, served.stalls = None, False
    download(served.url, part, ignored)
    assert part.read_bytes() == served.data
    assert sum(served.sent) == 200_000


def test_an_answer_in_chunks_that_breaks_off_is_not_taken_for_the_whole(served: Any, part: Path) -> None:
    content, served.tells_length = served.data, False
    served.headers = {"Transfer-Encoding": "chunked", "ETag": '"first"'}
    served.data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    served.cut_after = 100_000
    with pytest.raises(WeightsError, match="of unknown bytes; the same command goes on"):
        download(served.url, part, ignored)
    forget(part)
    served.cut_after = None
    download(served.url, part, ignored)
    assert part.read_bytes() == content


def test_a_folder_that_is_absent_is_not_told_as_a_broken_connection(served: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        download(served.url, tmp_path / "nowhere" / "part", ignored)


def test_nothing_is_left_of_what_is_forgotten(cut: Any, part: Path) -> None:
    forget(part)
    forget(part)
    assert not [*part.parent.iterdir()]
