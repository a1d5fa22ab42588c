from __future__ import annotations

import pytest

from flux_cli.sandbox.uploads import file_of, kind_of
from flux_cli.sandbox.wire import Call

PNG = b"\x89PNG\r\n\x1a\n\r\n--b\x00\xff\r\n"


def multipart(*parts, content_type="multipart/form-data; boundary=b0b"):
    body = b"".join(
        b'--b0b\r\nContent-Disposition: form-data; name="%s"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
        % part
        for part in parts
    )
    return Call(method="POST", host="x", path="/", headers={"content-type": content_type}, body=body + b"--b0b--\r\n")


@pytest.mark.parametrize("held", [PNG, b"\x00", b"a\nb\r\nc\r", bytes(range(256)) * 40])
def test_the_bytes_come_through(held):
    """The file is what was sent, to the byte."""
    assert file_of(multipart((b"file", held))) == held


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (multipart((b"image", PNG)), "named file"),
        (multipart((b"file", PNG), (b"more", b"x")), "named file"),
        (multipart(), "named file"),
        (multipart((b"file", b"")), "empty"),
        (multipart((b"file", PNG), content_type="multipart/form-data"), "boundary"),
        (multipart((b"file", PNG), content_type="multipart/form-data; boundary=other"), "begin and end"),
        (multipart((b"file", PNG), content_type="image/png"), "multipart/form-data"),
        (Call(method="POST", host="x", path="/", body=PNG), "multipart/form-data"),
    ],
)
def test_refusals(call, text):
    """Exactly one field named file, in a multipart body, with something in it."""
    with pytest.raises(ValueError, match=text):
        file_of(call)


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", "gif"),
        (b"GIF87a", "gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"<svg>", None),
        (b"", None),
    ],
)
def test_kinds(held, kind):
    """The first bytes say what a file is."""
    assert kind_of(held) == kind
