"""Local files in request bodies: streamed, of the announced length, and refused if they changed."""

from __future__ import annotations

import base64
import json
import os
import tracemalloc
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.errors import UsageError
from flux_cli.http.body import open_body, open_upload
from flux_cli.jobs import LocalFile
from flux_cli.providers.conversation import Upload, describe_body


def local(file: str, content: bytes, **more) -> LocalFile:
    path = Path(file)
    path.write_bytes(content)
    stamp = path.stat().st_mtime_ns
    made = LocalFile(
        path=str(path), media_type="image/png", size=len(content), sha256="5a", width=8, height=8, modified=stamp
    )
    return replace(made, **more)


def whole(body) -> tuple[bytes, int]:
    with ExitStack() as files:
        content, length = open_body(body, files)
        return content if isinstance(content, bytes) else b"".join(content), length


def test_a_body_without_files_is_plain_json():
    sent, length = whole({"prompt": "f\u00f6x", "n": 1})

    assert sent == '{"prompt":"f\u00f6x","n":1}'.encode()
    assert length == len(sent)


@pytest.mark.parametrize("size", [1, 2, 3, 3 * 2**16 - 1, 3 * 2**16, 3 * 2**16 + 1, 500_000])
@pytest.mark.parametrize("form", ["data-uri", "base64"])
def test_files_stand_where_they_belong_and_the_length_is_right(size, form):
    """Two files, the same one twice, in any place of the body; every size modulo three."""
    one, other = local("a.png", os.urandom(size), form=form), local("b.png", os.urandom(size + 1), form=form)
    start = "data:image/png;base64," if form == "data-uri" else ""

    sent, length = whole([{"images": [one, other, one], "mask": other, "prompt": 'a "fox"'}])

    texts = [start + base64.b64encode(Path(name).read_bytes()).decode() for name in ("a.png", "b.png")]
    assert length == len(sent)
    assert json.loads(sent) == [{"images": [texts[0], texts[1], texts[0]], "mask": texts[1], "prompt": 'a "fox"'}]


def test_a_file_of_any_size_takes_little_memory():
    """50 MB pass in pieces; a body that held the file would take more than that."""
    file = local("large.png", b"")
    with Path("large.png").open("wb") as made:
        made.truncate(50 * 2**20)
    file = replace(file, size=50 * 2**20, modified=Path("large.png").stat().st_mtime_ns)
    tracemalloc.start()

    with ExitStack() as files:
        content, length = open_body({"image": file}, files)
        passed = sum(map(len, content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert passed == length > 50 * 2**20 * 4 / 3
    assert peak < 4 * 2**20


def edit(path: Path) -> None:
    path.write_bytes(b"other bytes, the same number"[:16].ljust(16, b"!"))
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))


CHANGES = {
    "longer": (lambda path: path.write_bytes(bytes(99)), "changed after it was checked"),
    "shorter": (lambda path: path.write_bytes(b""), "changed after it was checked"),
    "same size": (edit, "changed after it was checked"),
    "gone": (Path.unlink, "cannot read"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["body", "upload"])
def test_a_file_that_changed_since_it_was_checked_is_not_sent(kind, change):
    file = local("a.png", bytes(16))
    act, said = CHANGES[change]
    act(Path("a.png"))

    opening = {
        "body": lambda files: open_body({"image": file}, files),
        "upload": lambda files: open_upload(Upload(field="file", path=file.path, file=file), files),
    }

    with ExitStack() as files, pytest.raises(UsageError, match=said):
        opening[kind](files)


def test_a_file_is_described_where_a_body_is_shown():
    file = local("a.png", bytes(16), name="/home/me/house.png")

    assert describe_body({"image": [file]}) == {"image": ["(data-uri of /home/me/house.png: 16 bytes, sha256 5a)"]}
