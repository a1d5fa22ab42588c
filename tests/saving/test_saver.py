from __future__ import annotations

import errno
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_cli.errors import Interrupted, ProtocolError, UnavailableError, UnsavedError, UsageError
from flux_cli.images.convert import convert
from flux_cli.images.inspect import inspect
from flux_cli.images.segments import CONTENT_TYPES, ImageFile
from flux_cli.saving.destination import describe_os_error
from flux_cli.saving.names import Template, alternatives, fit_length
from flux_cli.saving.saver import Destination, Fields, Saver, resolve_format

FOX = Fields(
    prompt="A red fox!",
    provider="runware",
    model="flux-1.1-pro-ultra",
    seed=33403,
    id="k3f9q2mx",
    index=2,
    row=7,
    created_at=time.mktime((2026, 11, 21, 10, 0, 5, 0, 0, -1)),
)
JPG, PNG = b"jpg: bytes", b"png: bytes"


def content_of(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def look(source: Path | bytes) -> ImageFile:
    """Believe what the bytes say of themselves."""
    content = content_of(source)
    kind = content[:3].decode()
    if kind not in CONTENT_TYPES:
        raise ProtocolError("not an image")
    return ImageFile(format=kind, width=4, height=3, size=len(content))


def remake(source: Path | bytes, target: Path, **asked) -> ImageFile:
    target.write_bytes("{format}({quality})".format(**asked).encode() + content_of(source))
    return look(target)


def saver(output=None, *, overwrite=False, count=1, wanted=None, quality=None, notes=None, **more) -> Saver:
    return Saver(
        Destination.parse(output, overwrite=overwrite, count=count),
        **{"inspect": look, "convert": remake, **more},
        format=wanted,
        quality=quality,
        note=(notes if notes is not None else []).append,
    )


@pytest.fixture
def here() -> Path:
    return Path.cwd()


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


# What -o means


@pytest.mark.parametrize(
    ("output", "kind", "promise"),
    [
        (None, "folder", None),
        (".", "folder", None),
        ("there", "folder", None),
        ("new/", "folder", None),
        ("new/.", "folder", None),
        ("-", "stdout", None),
        ("fox.JPG", "file", "jpg"),
        ("there/fox.jpeg", "file", "jpg"),
        ("fox.png", "file", "png"),
        ("fox.webp", "file", "webp"),
        ("fox", "file", None),
        ("fox.v2", "file", None),
        (".png", "file", None),
        ("fox{{1}}.png", "file", "png"),
        ("{slug}.png", "template", "png"),
        ("{slug}.{ext}", "template", None),
        ("{slug}", "template", None),
        ("{date}/", "template", None),
        ("~/fox.png", "file", "png"),
    ],
)
def test_a_destination_is_known_by_its_shape(here, output, kind, promise):
    """And its extension says which format is meant."""
    (here / "there").mkdir()

    found = Destination.parse(output)

    assert (found.kind, found.format) == (kind, promise)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", "-o is empty"),
        ("a\0b", r"a file cannot be named a\\x00b"),
        ("\ud800", r"a file cannot be named \\ud800"),
        ("fox.gif", "flux writes jpg, png and webp, not gif"),
        ("fox.TIFF", "not tiff"),
        ("{slug}.svg", "not svg"),
        ("{sed}.png", r"there is no \{sed\}"),
        ("{zzzzz}", r"there is no \{zzzzz\}"),
        ("{}.png", r"there is no \{\}"),
        ("{0}.png", r"there is no \{0\}"),
        ("{seed.real}", r"there is no \{seed.real\}"),
        ("{prompt[0]}", r"there is no \{prompt\[0\]\}"),
        ("{seed!r}", "cannot be formatted like that"),
        ("{seed:5}", "cannot be formatted like that"),
        ("{slug:03}", "cannot be formatted like that"),
        ("{index:{row}}", "cannot be formatted like that"),
        ("{slug", "a brace is not matched"),
        ("slug}", "a brace is not matched"),
        ("{ext}/{slug}", "must be in the file's name"),
        ("{ext}/", "must be in the file's name"),
    ],
)
def test_what_can_never_work_is_refused(output, words):
    """With a reason, before anything is touched."""
    with pytest.raises(UsageError, match=words):
        Destination.parse(output)


def test_a_misspelt_field_is_told_its_neighbour():
    """Or, without one, all there are."""
    with pytest.raises(UsageError) as near:
        Destination.parse("{sed}")
    with pytest.raises(UsageError) as far:
        Destination.parse("{zzzzz}")

    assert near.value.hint == "did you mean {seed}?"
    assert "{slug}, {prompt}" in far.value.hint


def test_standard_output_takes_one_image():
    """Two files in a row are no file."""
    with pytest.raises(UsageError, match="one image, not 2"):
        Destination.parse("-", count=2)


def test_name_and_option_must_agree_on_the_format():
    """Either may be silent."""
    png, silent = Destination.parse("fox.png"), Destination.parse("fox")

    found = [
        resolve_format(png, None),
        resolve_format(png, "png"),
        resolve_format(silent, "webp"),
        resolve_format(silent, None),
    ]

    assert found == ["png", "png", "webp", None]
    with pytest.raises(UsageError, match=r"^-o fox.png and -f jpg contradict each other$"):
        resolve_format(png, "jpg")


# Before money is spent


@pytest.mark.parametrize("output", [None, "a/b/", "fox.png", "a/{date}/{slug}.png", "{slug}", "-", "there/fox"])
def test_a_place_that_can_be_written_is_left_as_it_was(here, output):
    """The proof leaves no file; only a folder that was asked for is made."""
    (here / "there").mkdir()

    Destination.parse(output).prepare()

    assert left(here) == []
    assert (here / "a").exists() == (output == "a/b/")


@pytest.mark.parametrize(
    ("output", "words", "hint"),
    [
        ("fox.png", "fox.png already exists", "--overwrite"),
        ("dangling", "dangling already exists", "--overwrite"),
        ("new dir/fox.png", "there is no folder new dir", "mkdir -p 'new dir'"),
        ("fox.png/fox.png", "there is a file where a folder is needed", "-o"),
        ("fox.png/", "there is a file where a folder is needed", "-o"),
        ("fox.png/x/", "there is a file where a folder is needed", "-o"),
        ("fox.png/{slug}", "there is a file where a folder is needed", "-o"),
        ("n" * 256 + ".png", "name too long", "-o"),
        ("n" * 256 + "/", "name too long", "-o"),
        ("/dev/null", "/dev/null is not a file", "-o -"),
        ("/proc/", "cannot write to /proc/", "-o"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(here, output, words, hint):
    """Nothing was bought yet, so it is a mistake in the command."""
    (here / "fox.png").write_bytes(b"mine")
    (here / "dangling").symlink_to("nowhere")

    with pytest.raises(UsageError, match=words) as caught:
        Destination.parse(output).prepare()

    assert hint in caught.value.hint
    assert (here / "fox.png").read_bytes() == b"mine"


def test_every_one_of_several_names_must_be_free(here):
    """Not the name that was typed, but the numbered ones."""
    (here / "fox.png").touch()
    destination = Destination.parse("fox.png", count=3)

    destination.prepare()

    (here / "fox-3.png").touch()
    with pytest.raises(UsageError, match=r"fox-3\.png already exists"):
        destination.prepare()


def test_overwriting_is_for_files_only(here):
    """A device or a pipe is never replaced, whoever says so."""
    (here / "fox.png").touch()
    os.mkfifo(here / "pipe")
    (here / "device").symlink_to("/dev/null")

    Destination.parse("fox.png", overwrite=True).prepare()

    for name in ("pipe", "device"):
        with pytest.raises(UsageError, match="is not a file"):
            Destination.parse(name, overwrite=True).prepare()
        with pytest.raises(UnsavedError):
            saver(name, overwrite=True).save([JPG], FOX)
    assert left(here) == ["device", "fox.png", "pipe"]


# What a file is called


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (None, "a-red-fox-33403.jpg"),
        ("./out/", "out/a-red-fox-33403.jpg"),
        ("fox.jpg", "fox.jpg"),
        ("fox", "fox"),
        ("fox{{1}}", "fox{1}"),
        ("-fox.jpg", "./-fox.jpg"),
        ("-{slug}", "./-a-red-fox.jpg"),
        ("{slug}.JPEG", "a-red-fox.JPEG"),
        ("{slug}.{ext}", "a-red-fox.jpg"),
        ("{slug}.v1", "a-red-fox.v1.jpg"),
        ("{prompt}", "A red fox!.jpg"),
        ("{provider}/{model}/{id}", "runware/flux-1.1-pro-ultra/k3f9q2mx.jpg"),
        ("{date}/", "2026-11-21/a-red-fox-33403.jpg"),
        ("{date}_{time}", "2026-11-21_10-00-05.jpg"),
        ("{row}-{index}-{seed}", "7-2-33403.jpg"),
        ("{row:03}-{index:04d}-{seed:09}", "007-0002-000033403.jpg"),
        ("{{{index}}}", "{2}.jpg"),
        ("../work/{index}", "../work/2.jpg"),
    ],
)
def test_a_saved_file_has_the_name_that_was_asked_for(here, output, shown):
    """It is shown as it would be typed, and recorded as it is found from anywhere."""
    found = saver(output).save([JPG[:4], JPG[4:]], FOX)

    assert found.shown == shown
    assert found.path == (here / shown).resolve()
    assert found.path.read_bytes() == JPG
    assert (found.width, found.height, found.content_type, found.size) == (4, 3, "image/jpeg", len(JPG))


def test_an_absolute_name_stays_absolute(here):
    """As it was typed."""
    found = saver(f"{here}/x/{{index}}").save([JPG], FOX)

    assert found.shown == str(found.path) == f"{here}/x/2.jpg"


def test_the_extension_tells_the_truth():
    """Whatever a prompt ends with."""
    fields = replace(FOX, prompt="draw fox.png")

    shown = [saver("{prompt}").save([content], fields).shown for content in (JPG, PNG)]

    assert shown == ["draw fox.png.jpg", "draw fox.png"]


def test_a_job_without_a_seed_or_row_has_names_too():
    """Its id stands for the seed."""
    fields = replace(FOX, seed=None, row=None)

    shown = [saver(output).save([JPG], fields).shown for output in (None, "{seed:04}-{row:02}")]

    assert shown == ["a-red-fox-k3f9q2mx.jpg", "k3f9q2mx-00.jpg"]


def test_one_name_for_several_images_is_numbered():
    """By their place in the run, before the extension."""
    shown = [
        saver(output, count=2).save([JPG], replace(FOX, index=index)).shown
        for output in ("fox.jpg", "fox")
        for index in (1, 2)
    ]

    assert shown == ["fox-1.jpg", "fox-2.jpg", "fox-1", "fox-2"]


@pytest.mark.parametrize("output", [None, "{slug}-33403", "{slug}-{seed}.jpg"])
def test_a_name_that_flux_chose_gives_way(output):
    """What is there stays there, and the next free number is taken, even by one who may overwrite."""
    shown = [saver(output, overwrite=True).save([JPG], FOX).shown for _ in range(3)]

    assert shown == ["a-red-fox-33403.jpg", "a-red-fox-33403-2.jpg", "a-red-fox-33403-3.jpg"]


HOSTILE = st.text(max_size=400) | st.text(alphabet="./\\-~\0\n\U0001f98a\u0301 ax", max_size=400)


PATTERNS = ["{prompt}", "{prompt}/{id}", "x/{model}{id}/{prompt}.{ext}", "{model}.png", "{slug}/"]


@given(prompt=HOSTILE, identity=HOSTILE, model=HOSTILE, pattern=st.sampled_from(PATTERNS))
@example(prompt="-./../..", identity="..", model="/", pattern="{prompt}/{id}")
@example(prompt="\U0001f98a" * 200, identity="a" * 300, model=".", pattern="x/{model}{id}/{prompt}.{ext}")
def test_no_value_leaves_the_folder(prompt, identity, model, pattern):
    """Whatever comes from outside adds no folder, climbs out of none, hides no file, and fits."""
    fields = replace(FOX, prompt=prompt, id=identity, model=model, seed=None)
    template = Template.parse(pattern)

    path = template.render(fields, "png")

    assert len(path.parts) == len(Path(pattern + ("x" if pattern.endswith("/") else "")).parts)
    assert path.suffix == ".png"
    for part in [*path.parts, *(other.name for other in islice(alternatives(path), 3))]:
        assert not part.startswith((".", "-"))
        assert len(os.fsencode(part)) <= 255
        assert not set(part) & {"/", "\\", "\0", "\n"}


@given(
    name=st.text(alphabet="ab.\u00e9\U0001f98a", min_size=1, max_size=400), suffix=st.sampled_from(["", "-2", "-1000"])
)
@example(name="a." + "b" * 300, suffix="-2")
@example(name="\u00e9" * 200 + ".a", suffix="-2")
def test_a_cut_name_keeps_what_matters(name, suffix):
    """At most 255 bytes, whole characters, the suffix and the extension still there."""
    found = fit_length(name, suffix)

    assert len(os.fsencode(found)) <= 255
    assert suffix in found
    assert set(found) <= set(name) | set(suffix)
    if len(name) + len(suffix) < 60:
        assert found.replace(suffix, "") == name


def test_the_longest_names_can_be_saved():
    """Also the second of them."""
    output = "n" * 300 + "/" + "m" * 300 + "{slug}.jpg"

    shown = [Path(saver(output).save([JPG], FOX).shown) for _ in range(2)]

    assert [len(path.name) for path in shown] == [255, 255]
    assert [path.name[-6:] for path in shown] == ["mm.jpg", "-2.jpg"]


# Whole or not at all


def test_a_file_that_appeared_meanwhile_is_left_alone(here):
    """The image is paid for but not saved, and the message says how to save it."""
    (here / "fox.jpg").write_bytes(b"mine")

    with pytest.raises(UnsavedError, match=r"fox\.jpg has appeared in the meantime") as caught:
        saver("fox.jpg").save([JPG], FOX)

    assert caught.value.hint.startswith("`flux result k3f9q2mx` saves the image under a free name")
    assert (here / "fox.jpg").read_bytes() == b"mine"
    assert left(here) == ["fox.jpg"]


def test_overwriting_replaces_the_file(here):
    """Without a moment in which there is none."""
    (here / "fox.jpg").write_bytes(b"mine")

    saver("fox.jpg", overwrite=True).save([JPG], FOX)

    assert (here / "fox.jpg").read_bytes() == JPG
    assert left(here) == ["fox.jpg"]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("chain", ["../elsewhere/real.jpg", "{here}/elsewhere/real.jpg", "first"])
def test_overwriting_a_link_writes_to_the_file_that_it_leads_to(here, chain, there):
    """Also where that is not there yet: the link stays, and nothing else is left in either folder."""
    for folder in ("links", "elsewhere"):
        (here / folder).mkdir()
    (here / "links/first").symlink_to("../elsewhere/real.jpg")
    (here / "links/fox.jpg").symlink_to(chain.format(here=here))
    if there:
        (here / "elsewhere/real.jpg").write_bytes(b"mine")
    one = saver("links/fox.jpg", overwrite=True)

    Destination.parse("links/fox.jpg", overwrite=True).prepare()
    found = one.save([JPG], FOX)

    assert (found.shown, found.path) == ("links/fox.jpg", here.resolve() / "links/fox.jpg")
    assert (here / "links/fox.jpg").is_symlink()
    assert not (here / "elsewhere/real.jpg").is_symlink()
    assert (here / "elsewhere/real.jpg").read_bytes() == JPG
    assert left(here) == ["elsewhere/real.jpg", "links/first", "links/fox.jpg"]


def test_a_broken_download_leaves_what_a_link_leads_to(here):
    """It is replaced at once or not at all."""
    (here / "real.jpg").write_bytes(b"mine")
    (here / "fox.jpg").symlink_to("real.jpg")

    with pytest.raises(UnavailableError):
        saver("fox.jpg", overwrite=True).save(breaking(UnavailableError("connection lost")), FOX)

    assert (here / "real.jpg").read_bytes() == b"mine"
    assert left(here) == ["fox.jpg", "real.jpg"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="links in a folder that nobody can write to")
def test_the_folder_of_a_link_need_not_be_writable(here):
    """Only that of the file that it leads to is written to."""
    real = here / "real.jpg"
    real.write_bytes(b"mine")
    with real.open("rb") as file:
        link = f"/proc/self/fd/{file.fileno()}"

        Destination.parse(link, overwrite=True).prepare()
        saver(link, overwrite=True).save([JPG], FOX)

    assert real.read_bytes() == JPG
    assert left(here) == ["real.jpg"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("missing/real.jpg", "there is no folder .*missing"),
        ("fox.jpg", "too many levels of symbolic links"),
        ("/proc/real.jpg", "cannot write to fox.jpg"),
    ],
)
def test_a_link_to_where_nothing_can_be_written_is_refused(here, target, words):
    """Before money is spent."""
    (here / "fox.jpg").symlink_to(target)

    with pytest.raises(UsageError, match=words):
        Destination.parse("fox.jpg", overwrite=True).prepare()

    assert left(here) == ["fox.jpg"]


def test_a_job_never_overwrites_an_image_of_its_own(here):
    """Where it makes two, though it was asked for one under one name."""
    (here / "fox.jpg").write_bytes(b"mine")
    one = saver("fox.jpg", overwrite=True)
    one.save([JPG], FOX)

    with pytest.raises(UnsavedError, match="has appeared in the meantime"):
        one.save([JPG + b" two"], replace(FOX, index=3))

    assert (here / "fox.jpg").read_bytes() == JPG


def breaking(error: BaseException):
    yield JPG
    raise error


@pytest.mark.parametrize(
    "error", [UnavailableError("connection lost"), ProtocolError("nonsense"), Interrupted(signal.SIGINT)]
)
@pytest.mark.parametrize("output", [None, "fox.jpg", "{date}/{slug}"])
def test_a_broken_download_leaves_nothing(here, error, output):
    """And what broke it comes through unchanged."""
    with pytest.raises(type(error)) as caught:
        saver(output).save(breaking(error), FOX)

    assert caught.value is error
    assert left(here) == []


def test_what_is_no_image_leaves_nothing(here):
    """The verdict of the check comes through unchanged."""
    with pytest.raises(ProtocolError, match="not an image"):
        saver().save([b"<html>"], FOX)

    assert left(here) == []


def test_a_conversion_that_fails_leaves_nothing(here):
    """Neither what came nor what was half made."""

    def fail(_, target, **__):
        target.write_bytes(b"half")
        raise ProtocolError("cannot convert")

    with pytest.raises(ProtocolError, match="cannot convert"):
        saver("fox.png", convert=fail).save([JPG], FOX)

    assert left(here) == []


def test_a_download_without_end_is_stopped(here):
    """At the limit, whatever the provider goes on sending."""

    def endless():
        while True:
            yield JPG

    with pytest.raises(UnsavedError, match="larger than 1000 bytes"):
        saver(max_bytes=1000).save(endless(), FOX)

    assert left(here) == []


def test_a_full_disk_is_said_plainly(here):
    """With the way to the image once there is room."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UnsavedError) as caught:
        saver("fox.jpg").save(breaking(full), FOX)

    assert caught.value.message == "cannot write fox.jpg: no space left on device"
    assert caught.value.hint == "free some space, then `flux result k3f9q2mx` fetches it"
    assert left(here) == []


@pytest.mark.parametrize("output", ["taken/x/{slug}", "taken/fox.jpg", "missing/fox.jpg"])
def test_a_folder_that_went_away_is_said_plainly(here, output):
    """A paid image that cannot be saved is no crash."""
    (here / "taken").touch()

    with pytest.raises(UnsavedError, match=f"^cannot write {output}: (there is a file|no such file)") as caught:
        saver(output).save([JPG], FOX)

    assert caught.value.hint == "`flux result k3f9q2mx` fetches it, with `-o` to another place"


def test_a_name_the_system_cannot_spell_is_said_plainly():
    """Also where file names are not UTF-8."""
    with pytest.raises(UnicodeEncodeError) as caught:
        "\u96ea".encode("latin-1")

    assert describe_os_error(caught.value) == "the name has characters that cannot be stored"
    assert describe_os_error(OSError("odd")) == "OSError"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["prepare", "save"])
def test_a_real_write_error_is_found(here, step):
    """The system refuses to write more than a few bytes, as it does when the disk is full."""
    code = """
import signal, sys, resource
from flux_cli.images.convert import convert
from flux_cli.images.inspect import inspect
from flux_cli.saving.saver import Destination, Fields, Saver
from flux_cli.errors import FluxError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
place = Destination.parse("fox.jpg")
fields = Fields(prompt="", provider="", model="", seed=1, id="abc")
saver = Saver(place, inspect=inspect, convert=convert, format=None, quality=None, note=print)
try:
    place.prepare() if sys.argv[1] == "prepare" else saver.save([bytes.fromhex(sys.argv[2]), bytes(99_999)], fields)
except FluxError as error:
    print(error.exit_code, error.message)
"""

    stream = io.BytesIO()
    pytest.importorskip("PIL.Image").new("RGB", (3, 2)).save(stream, "JPEG")
    image = stream.getvalue().hex()

    found = subprocess.run([sys.executable, "-c", code, step, image], capture_output=True, text=True, check=True)

    expected = {"prepare": "2 cannot write to fox.jpg: ", "save": "10 cannot write fox.jpg: "}[step]
    assert found.stdout == f"{expected}file too large\n"
    assert left(here) == []


def test_a_saved_file_has_ordinary_permissions():
    """Those of any file this user makes, not those of a secret."""
    before = os.umask(0o027)
    try:
        modes = [saver(name).save([JPG], FOX).path.stat().st_mode & 0o777 for name in ("fox.jpg", "fox.png")]
    finally:
        os.umask(before)

    assert modes == [0o640, 0o640]


# Where there are no links


def refuse(*_):
    raise PermissionError(errno.EPERM, "no such thing here")


@pytest.mark.parametrize("link", [None, refuse])
def test_names_are_as_safe_without_links(here, link):
    """A file system that knows none costs nobody a file."""
    shown = [saver(link=link).save([JPG], FOX).shown for _ in range(2)]

    assert shown == ["a-red-fox-33403.jpg", "a-red-fox-33403-2.jpg"]
    assert left(here) == sorted(shown)
    with pytest.raises(UnsavedError, match="has appeared in the meantime"):
        saver(shown[0], link=link).save([JPG], FOX)


def test_a_placeholder_does_not_outlive_a_failure(here):
    """An empty file in the image's name would be a lie."""

    def lose(source, _):
        source.unlink()
        (here / source).mkdir()
        (here / source / "x").touch()
        raise PermissionError(errno.EPERM, "no such thing here")

    with pytest.raises(UnsavedError):
        saver("fox.jpg", link=lose).save([JPG], FOX)

    assert not (here / "fox.jpg").exists()


@pytest.mark.parametrize("link", [None, os.link])
def test_many_savers_of_one_name_lose_nothing(here, link):
    """Threads that save under equal names at once end with as many files, each whole."""
    contents = [f"jpg{number}".encode() * 500 for number in range(48)]
    gate = threading.Barrier(8)
    one = saver(link=link)

    def save(share):
        gate.wait()
        return [one.save([content], FOX).path for content in share]

    with ThreadPoolExecutor(8) as pool:
        paths = [path for found in pool.map(save, [contents[k::8] for k in range(8)]) for path in found]

    assert len(set(paths)) == 48
    assert sorted(path.read_bytes() for path in paths) == sorted(contents)
    assert len(left(here)) == 48


@pytest.mark.slow
def test_many_processes_of_one_name_lose_nothing(here):
    """The same holds between processes, which share no lock."""
    code = """
import sys
from itertools import islice
from pathlib import Path
from flux_cli.saving.saver import Destination, Fields, Saver
from flux_cli.images.segments import ImageFile
saver = Saver(Destination.parse("{slug}.jpg"), inspect=lambda path: ImageFile(format="jpg", width=1, height=1, size=1),
              convert=print, format=None, quality=None, note=print)
sys.stdin.read(1)
for number in range(10):
    saver.save([f"{sys.argv[1]} {number}".encode()], Fields(prompt="fox", provider="", model="", seed=1, id="abc"))
"""
    workers = [subprocess.Popen([sys.executable, "-c", code, str(k)], stdin=subprocess.PIPE) for k in range(4)]

    for worker in workers:
        worker.stdin.close()
    codes = [worker.wait() for worker in workers]

    assert codes == [0] * 4
    assert {path.read_text() for path in here.iterdir()} == {f"{k} {n}" for k in range(4) for n in range(10)}
    assert len(left(here)) == 40


# Conversion


def test_another_format_is_made_here_and_said():
    """By extension or by option."""
    notes = []

    found = [
        saver("fox.png", notes=notes, quality=7).save([JPG], FOX),
        saver(None, wanted="png", notes=notes).save([JPG], FOX),
    ]

    assert [one.content_type for one in found] == ["image/png"] * 2
    assert [one.shown for one in found] == ["fox.png", "a-red-fox-33403.png"]
    assert found[0].path.read_bytes() == b"png(7)" + JPG
    assert notes == ["converted to png by flux (the provider sent jpg)"] * 2


def test_the_right_format_is_left_as_it_came():
    """Not a bit is changed, even with a quality that the provider was asked for, and nothing is said."""
    notes = []

    found = saver("fox.jpg", quality=80, notes=notes).save([JPG], FOX)

    assert found.path.read_bytes() == JPG
    assert notes == []


def test_a_quality_that_only_flux_can_give_is_given():
    """To a JPEG or WebP; a PNG has none."""
    notes = []
    one = saver(None, quality=50, reencode=True, notes=notes)

    found = [one.save([content], FOX).path.read_bytes() for content in (JPG, PNG)]

    assert found == [b"jpg(50)" + JPG, PNG]
    assert notes == ["re-encoded by flux at quality 50"]


def test_real_images_are_checked_and_converted():
    """With the functions that flux uses."""
    stream = io.BytesIO()
    pillow = pytest.importorskip("PIL.Image")
    pillow.new("RGB", (30, 20), "red").save(stream, "PNG")
    real = saver("fox.webp", inspect=inspect, convert=convert)

    found = real.save([stream.getvalue()], FOX)

    assert inspect(found.path).format == "webp"
    assert (found.width, found.height, found.size) == (30, 20, found.path.stat().st_size)


@pytest.mark.parametrize("size", [1, 2 << 20, (2 << 20) + 1, 5 << 20])
def test_an_image_of_any_size_is_saved_to_the_last_byte(here, size):
    """Whether it is held in memory while it is received, or not."""
    content = JPG + bytes(size)
    chunks = [content[at : at + 70_001] for at in range(0, len(content), 70_001)]

    found = [saver().save(chunks, FOX), saver().save(chunks, FOX, add_metadata)]

    assert [one.path.read_bytes() for one in found] == [content, content + b" and metadata"]
    assert len(left(here)) == 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_follows_an_image_is_saved_with_it(kind):
    """And told where the details are wanted."""
    stream = io.BytesIO()
    pytest.importorskip("PIL.Image").new("RGB", (30, 20), "red").save(stream, kind)
    notes, details = [], []
    real = saver(inspect=inspect, convert=convert, notes=notes, detail=details.append)

    found = real.save([stream.getvalue(), b"\0trailer"], FOX)

    assert found.path.read_bytes() == stream.getvalue() + b"\0trailer"
    assert notes == []
    assert details == [f"8 bytes follow the end of the {inspect(found.path).format}"]


# Metadata


def add_metadata(source: Path | bytes, target: Path, _: ImageFile) -> None:
    target.write_bytes(content_of(source) + b" and metadata")


def test_metadata_is_added_to_what_is_saved(here):
    """Converted or not, to a file or to standard output; what is recorded is what is there."""
    stream = io.BytesIO()

    plain = saver("fox.jpg").save([JPG], FOX, add_metadata)
    made = saver("fox.png").save([JPG], FOX, add_metadata)
    sent = saver("-").save_to([JPG], FOX, stream, add_metadata)

    assert plain.path.read_bytes() == stream.getvalue() == JPG + b" and metadata"
    assert made.path.read_bytes() == b"png(None)" + JPG + b" and metadata"
    assert plain.size == sent.size == len(JPG) + 13
    assert left(here) == ["fox.jpg", "fox.png"]


def break_off(_, target: Path, __: ImageFile) -> None:
    target.write_bytes(b"half")
    raise ProtocolError("it is signed")


def spoil(_, target: Path, __: ImageFile) -> None:
    target.write_bytes(b"no image")


def mistake(*_) -> None:
    raise ValueError("odd")


@pytest.mark.parametrize(("embed", "why"), [(break_off, "it is signed"), (spoil, "not an image"), (mistake, "odd")])
def test_an_image_is_never_lost_for_its_metadata(here, embed, why):
    """It is saved as it came, and a note says why."""
    notes = []

    found = saver("fox.jpg", notes=notes).save([JPG], FOX, embed)

    assert (found.path.read_bytes(), found.size) == (JPG, len(JPG))
    assert notes == [f"saved without metadata: {why}"]
    assert left(here) == ["fox.jpg"]


def test_a_disk_that_fills_up_over_metadata_is_said_plainly(here):
    def fill(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UnsavedError, match="no space left on device"):
        saver("fox.jpg").save([JPG], FOX, fill)

    assert left(here) == []


# Standard output


def test_standard_output_gets_the_bytes_once_they_are_known_to_be_good(here):
    """Converted where that was asked for."""
    plain, converted = io.BytesIO(), io.BytesIO()

    found = saver("-").save_to([JPG], FOX, plain)
    saver("-", wanted="png").save_to([JPG], FOX, converted)

    assert plain.getvalue() == JPG
    assert converted.getvalue() == b"png(None)" + JPG
    assert (found.shown, found.size, left(here)) == ("-", len(JPG), [])


def test_standard_output_gets_nothing_of_a_broken_image():
    """Not even the part that came."""
    stream = io.BytesIO()

    with pytest.raises(ProtocolError):
        saver("-").save_to([b"nonsense"], FOX, stream)

    assert stream.getvalue() == b""


def test_a_full_disk_behind_standard_output_is_said_plainly():
    """The image is paid for, and can be fetched again."""
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(UnsavedError) as caught:
        saver("-").save_to([JPG], FOX, full)

    assert caught.value.message == "cannot write standard output: no space left on device"


def test_a_reader_that_went_away_is_not_an_unsaved_image():
    """The caller ends quietly, as every program in a pipe does."""
    here, there = socket.socketpair()
    there.close()

    with here, here.makefile("wb", buffering=0) as stream, pytest.raises(BrokenPipeError):
        saver("-").save_to([JPG], FOX, stream)
