"""Images that carry their story: written by ``generate`` and ``result``, told by ``status``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.images.embed import read
from flux_cli.providers import NAMES
from flux_cli.sandbox.wire import Answer
from tests.bare import bare


@pytest.fixture
def forget(home):
    """Return a function that removes the ledger and the sandbox's memory."""
    return lambda: shutil.rmtree(home / ".local")


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("provider", NAMES)
def test_every_saved_image_carries_its_story(flux, provider, kind):
    """Whether the provider made the format or flux did; the ledger knows its size with the story in it."""
    model = "ultra" if provider == "runflow" else "pro"

    done = flux("generate", "a red f\u00f6x", "--sandbox", "-p", provider, "-m", model, "-s7", "-f", kind, "--json")

    (image,) = done.object["images"]
    story = read(Path(image["path"]))
    assert (story.prompt, story.provider, story.seed, story.job_id) == (
        "a red f\u00f6x",
        provider,
        7,
        done.object["id"],
    )
    assert (story.model, story.sandbox, story.parameters["format"]) == (done.object["model"], True, kind)
    assert image["bytes"] == Path(image["path"]).stat().st_size


def test_each_of_several_images_has_its_own_seed(flux):
    done = flux("generate", "a fox", "--sandbox", "-p", "runware", "-s", "7", "-n", "3", "-q")

    stories = [read(Path(line)) for line in done.lines]

    assert sorted(story.seed for story in stories) == [7, 8, 9]
    assert len({story.job_id for story in stories}) == 1


def test_pillow_returns_the_prompt(flux):
    (path,) = flux("generate", "a red fox", "--sandbox", "-q").lines

    with Image.open(path) as image:
        assert image.getexif()[0x010E] == "a red fox"


@pytest.mark.parametrize("way", ["option", "config", "environment"])
def test_without_a_story_the_bytes_are_the_providers(flux, host, config, monkeypatch, way):
    if way == "config":
        config("[generate]\nembed = false\n")
    if way == "environment":
        monkeypatch.setenv("FLUX_GENERATE__EMBED", "false")

    done = flux("generate", "a fox", "-p", "runware", *(["--no-embed"] if way == "option" else []))

    assert [Path(done.lines[0]).read_bytes()] == list(host.images.values())


def test_an_option_beats_the_config(flux, config):
    config("[generate]\nembed = false\n")

    (path,) = flux("generate", "a fox", "--sandbox", "-q", "--embed").lines

    assert read(Path(path)) is not None


def test_bytes_on_stdout_carry_the_story_too(flux, host, tmp_path):
    done = flux("generate", "a fox", "-p", "runflow", "-o", "-")
    plain = flux("generate", "a fox", "-p", "runflow", "-o", "-", "--no-embed")

    path = tmp_path / "fox"
    path.write_bytes(done.raw)
    assert read(path).prompt == "a fox"
    assert [bare(done.raw), plain.raw] == list(host.images.values())


def test_an_image_that_takes_no_story_is_saved_all_the_same(flux, host):
    """A signed one, here: byte for byte, with a word on why."""
    signed = Path("signed.jpg")
    Image.new("RGB", (64, 64), "red").save(signed)
    content = signed.read_bytes()
    content = content[:20] + b"\xff\xeb\0\x06JP\0\1" + content[20:]
    host.script = lambda call: Answer(status=200, body=content) if call.method == "GET" and "/im" in call.path else None

    done = flux("generate", "a fox", "-p", "runware", "-o", "fox.jpg")

    assert (done.code, Path("fox.jpg").read_bytes()) == (0, content), done
    assert "note: saved without metadata: the provider has signed it (C2PA)" in done.err


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_behind_the_end_of_an_image_are_kept_beside_its_story(flux, host, tmp_path, kind):
    """Whatever a host appends, the image is saved; -v says that something follows."""
    path = tmp_path / "image"
    Image.new("RGB", (64, 64), "red").save(path, kind)
    content = path.read_bytes() + b"\0\nappended"
    host.script = lambda call: Answer(status=200, body=content) if call.method == "GET" and "/im" in call.path else None

    done = flux("generate", "a fox", "-p", "runware", "-o", "a/", "-v", "-P", "outputFormat=PNG")
    plain = flux("generate", "a fox", "-p", "runware", "-o", "b/")

    assert (done.code, plain.code) == (0, 0), done
    (saved,) = Path("a").iterdir()
    assert read(saved).prompt == "a fox"
    assert saved.read_bytes().endswith(b"\0\nappended")
    assert "note: 10 bytes follow the end of the " in done.err
    assert "bytes follow" not in plain.err


def test_no_wait_leaves_the_story_to_result(flux):
    """There is no file yet that an option could speak of."""
    refused = flux("generate", "a fox", "--sandbox", "--no-wait", "--no-embed")

    assert (refused.code, refused.out) == (2, "")
    assert "--no-embed with `flux result --wait`" in refused.err


def test_result_tells_the_story_or_not(flux, queued):
    """As it is asked to; what is saved that way already is left alone."""
    queued("runware")
    wait = ("result", "@1", "--sandbox", "-q")

    runs = [flux(*wait, "--wait", "--no-embed"), flux(*wait, "--no-embed"), flux(*wait), flux(*wait, "--embed")]

    plain, same, again, told = (run.lines[0] for run in runs)
    assert plain == same == again != told
    assert [read(Path(path)) is None for path in (plain, told)] == [True, False]
    assert bare(Path(told).read_bytes()) == Path(plain).read_bytes()


def test_a_copy_leads_to_the_ledgers_record(flux):
    """Wherever it is, and whatever it is called."""
    job = flux("generate", "a fox", "--sandbox", "-o", "fox.png", "--json").object
    Path("deep").mkdir()
    Path("fox.png").rename("deep/other.png")

    done = flux("status", "deep/other.png", "--json")

    assert (done.code, done.object) == (0, job)
    assert done.err == ""


def test_an_image_tells_its_story_without_the_ledger(flux, forget):
    """In another world too, and nothing is asked of anybody."""
    job = flux("generate", "a fox", "--sandbox", "-s", "7", "-a", "1:1", "-o", "fox.webp", "--json").object
    forget()

    done = flux("status", "fox.webp", "--json", connect=lambda: pytest.fail("something was sent"))

    names = ("id", "provider", "model", "status", "prompt", "parameters", "seed", "sandbox", "created_at")
    assert {name: done.object[name] for name in names} == {name: job[name] for name in names}
    (image,) = done.object["images"]
    assert (image["path"], image["width"], image["seed"]) == (job["images"][0]["path"], 2048, 7)
    assert done.err == "flux: note: fox.webp was read from the image itself: the ledger has no record of its job\n"


def test_several_images_without_the_ledger(flux, forget):
    flux("generate", "a fox", "--sandbox", "-p", "runflow", "-n", "2", "-q", "-o", "out/")
    forget()

    done = flux("status", *sorted(Path("out").iterdir()))

    assert done.code == 0
    assert [line.split("\t")[1:4] for line in done.lines] == [["succeeded", "runflow", "flux-1.1-pro-ultra"]] * 2


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\xd8\xff\xe1\0\x20http://ns.adobe.com/xap/1.0/\0"])
def test_a_file_without_a_story(flux, content):
    """A clear error, and exit 2."""
    Path("fox.jpg").write_bytes(content)

    done = flux("status", "fox.jpg")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("flux: error: fox.jpg has no flux metadata\nhint: `flux status` lists")


def test_a_file_that_cannot_be_read(flux, monkeypatch):
    Path("fox.jpg").symlink_to("/proc/self/mem")

    done = flux("status", "fox.jpg")

    assert done.code == 2
    assert done.err.startswith("flux: error: cannot read fox.jpg: ")


def test_a_damaged_image_can_still_tell(flux, forget):
    flux("generate", "a fox", "--sandbox", "-s", "7", "-o", "fox.jpg")
    forget()
    Path("fox.jpg").write_bytes(Path("fox.jpg").read_bytes()[:-100])

    done = flux("status", "fox.jpg", "--json")

    assert done.object["prompt"] == "a fox"
    assert done.object["images"][0]["width"] is None


def test_an_id_in_an_image_leads_to_no_other_job(flux, monkeypatch):
    """An image may claim anything: only the record of that id, provider and world is shown."""
    flux("generate", "mine", "--sandbox", "-p", "runflow", "-q")
    mine = flux("status", "@1", "--sandbox", "--json").object
    flux("generate", "theirs", "--sandbox", "-p", "runcomfy", "-o", "theirs.png")
    theirs = read(Path("theirs.png")).job_id
    Path("theirs.png").rename("odd.png")
    content = Path("odd.png").read_bytes()
    Path("odd.jpg").write_bytes(_told_as(content, theirs, mine["id"]))

    done = flux("status", "odd.jpg", "--json")

    assert (done.object["id"], done.object["prompt"]) == (mine["id"], "theirs")


def _told_as(content: bytes, old: str, new: str) -> bytes:
    """Return a PNG with another job's id in its story."""
    import struct
    import zlib

    found, at = content[:8], 8
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : end - 4].replace(old.encode(), new.encode())
        found += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        at = end
    return found
