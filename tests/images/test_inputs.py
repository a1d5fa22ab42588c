"""Input images: checked, turned upright, read once, and named by the file that was given."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.errors import UsageError
from flux_cli.images.inputs import InputReader, read_bounded

CORNERS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
"""Top left, top right, bottom left, bottom right."""


@pytest.fixture
def reader(tmp_path) -> InputReader:
    copies = tmp_path / "copies"
    copies.mkdir()
    return InputReader(lambda: copies)


def picture() -> Image.Image:
    """Return 64x32 pixels whose quarters have the four colours."""
    image = Image.new("RGB", (64, 32))
    for n, colour in enumerate(CORNERS):
        image.paste(colour, (n % 2 * 32, n // 2 * 16, n % 2 * 32 + 32, n // 2 * 16 + 16))
    return image


def corners(path: str) -> list[tuple[int, int, int]]:
    """Return which of the colours each quarter of an image has."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    places = [(x * image.width // 4, y * image.height // 4) for y in (1, 3) for x in (1, 3)]
    pixels = [image.getpixel(place) for place in places]
    return [min(CORNERS, key=lambda c: sum(abs(a - b) for a, b in zip(c, pixel, strict=True))) for pixel in pixels]


@pytest.mark.parametrize(("form", "kind"), [("jpg", "image/jpeg"), ("png", "image/png"), ("webp", "image/webp")])
def test_what_is_known_of_an_image(reader, form, kind):
    path = Path(f"house.{form}")
    picture().save(path)

    found = reader.read(f"house.{form}")

    assert (found.path, found.media_type, found.width, found.height) == (str(path.absolute()), kind, 64, 32)
    assert (found.size, found.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert (found.modified, found.name) == (path.stat().st_mtime_ns, "")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["jpg", "png", "webp"])
def test_a_turned_image_is_sent_upright_and_known_by_its_original(reader, form, orientation):
    """Undoing each of the eight orientations with Pillow's own transpositions gives the picture again."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # stored a quarter turn counterclockwise, shown clockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = picture() if orientation == 1 else picture().transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(f"a.{form}", exif=exif, quality=95)
    original = Path(f"a.{form}").read_bytes()

    found = reader.read(f"a.{form}")

    assert (found.width, found.height) == (64, 32)
    assert corners(found.path) == CORNERS
    assert found.sha256 == hashlib.sha256(original).hexdigest()
    assert Path(f"a.{form}").read_bytes() == original
    assert found.size == Path(found.path).stat().st_size
    if orientation == 1:
        assert found.path == str(Path(f"a.{form}").absolute())
    else:
        assert found.name == str(Path(f"a.{form}").absolute())
        assert found.name in str(found)
        with Image.open(found.path) as copy:
            assert copy.getexif().get(0x0112, 1) == 1


def saved(form: str) -> bytes:
    path = Path(f"whole.{form}")
    picture().save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "said", "hint"),
    [
        ("cut.png", lambda: saved("png")[:-20], "it is a PNG that is cut off after", "intact"),
        ("cut.jpg", lambda: saved("jpg")[:-20], "it is a JPEG that is cut off after", "intact"),
        ("cut.webp", lambda: saved("webp")[:-20], "it is a WebP that is cut off after", "intact"),
        ("a.gif", lambda: b"GIF89a" + bytes(20), "it is not an image that flux knows: it looks like a GIF", "convert"),
        ("a.avif", lambda: bytes(4) + b"ftypavif" + bytes(9), "looks like an AVIF", "convert"),
        ("page.jpg", lambda: b"<html><body>404</body>", "looks like HTML", "convert"),
        ("empty.png", lambda: b"", "it is not an image: it is empty", "convert"),
    ],
)
def test_a_file_that_is_no_whole_image_is_refused_in_plain_words(reader, name, content, said, hint):
    Path(name).write_bytes(content())

    with pytest.raises(UsageError) as caught:
        reader.read(name)

    assert caught.value.message.startswith("cannot use ")
    assert f"{name} as an input image: " in caught.value.message
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "download" not in caught.value.message


@pytest.mark.parametrize("name", ["missing.png", ".", "nul\0.png", "x" * 5000])
def test_a_path_that_cannot_be_read_is_refused_by_name(reader, name):
    with pytest.raises(UsageError, match="cannot read the image") as caught:
        reader.read(name)

    assert "@1" in caught.value.hint


def test_an_image_is_read_once_however_it_is_named(reader):
    """A second look would fail: the file is gone."""
    picture().save("a.png")
    first = reader.read("a.png")
    Path("a.png").unlink()

    assert reader.read(str(Path("a.png").absolute())) is first
    assert reader.read("./a.png") is first


def test_many_threads_read_an_image_once(reader, tmp_path):
    """All get the same file, and one upright copy is written."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save("a.jpg", exif=exif)
    at_once = threading.Barrier(8)

    def read(_):
        at_once.wait()
        return reader.read("a.jpg")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))

    assert all(one is found[0] for one in found)
    assert len(list((tmp_path / "copies").iterdir())) == 1


def test_turned_images_of_the_same_content_share_a_copy_that_does_not_change(reader):
    """It is checked once more before it is sent, when another name of it was read as well, even from stdin."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save("a.jpg", exif=exif)
    Path("b.jpg").write_bytes(Path("a.jpg").read_bytes())

    found = reader.read("a.jpg")
    before = Path(found.path).stat().st_mtime_ns
    others = [reader.read("b.jpg"), reader.add("-", Path("a.jpg").read_bytes())]

    assert {(one.path, one.modified, one.width, one.height) for one in others} == {(found.path, before, 32, 64)}
    assert Path(found.path).stat().st_mtime_ns == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_as_one(reader):
    """As a shell's <(…) gives one: it cannot be read twice, so a copy is sent."""
    content = saved("png")
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_bytes, args=(content,))
    writer.start()

    found = reader.read("pipe")
    writer.join()

    assert Path(found.path).read_bytes() == content
    assert reader.read("pipe") is found
    assert found.name == str(Path("pipe").absolute())


def test_the_digest_tells_files_by_their_content(reader):
    picture().save("a.png")
    Path("b.png").write_bytes(Path("a.png").read_bytes())

    assert reader.digest("a.png") == reader.digest("b.png") == hashlib.sha256(Path("a.png").read_bytes()).hexdigest()
    assert reader.digest("missing.png") is None
    assert reader.digest("https://example.com/a.png") is None


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no device without an end")
def test_what_has_no_end_is_not_read_forever():
    with Path("/dev/zero").open("rb") as zeros, pytest.raises(UsageError, match="stdin is larger than 1 MiB"):
        read_bounded(zeros, "-", most=2**20)
    with pytest.raises(UsageError, match="/dev/zero is larger than 256 MiB"):
        InputReader(lambda: Path("/nonexistent")).read("/dev/zero")
