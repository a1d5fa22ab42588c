"""Input images in ``flux generate``: named in every way, checked before anything is sent, known by their content."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.images.embed import read
from flux_cli.providers import runware
from flux_cli.sandbox.wire import reply
from tests.commands.editing import DIGEST, EDIT, FILL, FOX, HOST, MASK, Studio, data_uri, prepare, stdin


@pytest.fixture(autouse=True)
def files(monkeypatch):
    """Put two images and a mask into the current folder, and the made-up table into the provider."""
    prepare(monkeypatch)


@pytest.fixture
def studio(host) -> Studio:
    host.script = Studio(host.root)
    return host.script


def turned(name: str, size: tuple[int, int]) -> str:
    """Write an image that its EXIF data turns by a quarter, ``size`` being that of the file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", size, "navy").save(name, exif=exif)
    return name


@pytest.fixture
def dry(flux):
    """Return a function that rehearses a request, and returns the bodies."""

    def rehearse(*words: str, **more) -> list[dict]:
        done = flux("generate", "winter", *words, "--dry-run", "--json", **more)
        assert done.code == 0, done
        return [request["body"][0] for request in done.object["requests"]]

    return rehearse


def test_images_are_sent_in_the_order_in_which_they_are_named(flux, studio):
    """Two files and an address, one file twice; the id for images is chosen by their number."""
    link = "https://example.com/a.png"

    one = flux("generate", "winter", *EDIT, "-i", "navy.png", "-i", link, "-i", "fox.png", "--no-wait")
    two = flux("generate", "winter", *EDIT, "-i", "fox.png", "-i", "fox.png", "--no-wait")
    none = flux("generate", "winter", *EDIT, "--no-wait")

    assert (one.code, two.code, none.code) == (0, 0, 0), (one, two, none)
    navy = Path("navy.png").read_bytes()
    assert [task.get("images") for task in studio.tasks] == [
        [data_uri(navy), link, data_uri(FOX)],
        [data_uri(FOX), data_uri(FOX)],
        None,
    ]
    assert [task["model"] for task in studio.tasks] == ["up:edit@1", "up:edit@1", "up:text@1"]


def test_an_image_and_its_mask_travel_as_each_is_taken(flux, studio):
    done = flux("generate", "winter", *FILL, "-i", "fox.png", "--mask", "mask.png", "--strength", "0.5", "--no-wait")

    assert done.code == 0, done
    (task,) = studio.tasks
    assert task["seedImage"] == data_uri(FOX)
    assert base64.b64decode(task["maskImage"]) == MASK
    assert task["strength"] == 0.5


def test_an_image_from_stdin(flux, studio):
    """It is read once, for however many jobs, and no path of a copy is kept."""
    done = flux("generate", "winter", *EDIT, "-i", "-", "--no-wait", "--json", stdin=stdin(FOX))

    assert done.code == 0, done
    assert studio.tasks[0]["images"] == [data_uri(FOX)]
    assert done.object["parameters"]["image"] == "-"
    assert done.object["parameters"]["files"] == {"-": DIGEST}


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        (("-", "-i", "-"), FOX, "stdin is one thing only"),
        (("winter", "-i", "-", "--mask", "-"), FOX, "stdin is one thing only"),
        (("-i", "-", "--batch", "-"), FOX, "stdin is one thing only"),
        (("winter", "-i", "-"), b"", "there is no image on stdin"),
        (("winter", "-i", "-"), b"hello", "cannot use stdin as an input image: it is not an image"),
    ],
)
def test_stdin_is_one_thing_only(flux, host, words, content, said):
    done = flux("generate", *words, *FILL, stdin=stdin(content))

    assert (done.code, host.requests) == (2, [])
    assert said in done.err


def test_one_image_from_stdin_is_enough_for_a_batch(flux, studio):
    Path("prompts.txt").write_text("winter\nsummer\n")

    done = flux("generate", "-b", "prompts.txt", *EDIT, "-i", "-", "--no-wait", stdin=stdin(FOX))

    assert done.code == 0, done
    assert [task["images"] for task in studio.tasks] == [[data_uri(FOX)]] * 2


@pytest.mark.parametrize("where", ["config", "row"])
def test_stdin_is_not_touched_for_a_config_or_a_row(flux, host, config, where):
    """A `while read` loop owns it."""
    if where == "config":
        config('[generate]\nimage = "-"\n')
    Path("rows.jsonl").write_text('{"prompt": "winter", "image": "-"}\n')

    words = ("winter",) if where == "config" else ("-b", "rows.jsonl")
    done = flux("generate", *words, *EDIT, stdin=stdin(FOX))

    assert (done.code, host.requests) == (2, [])
    assert "only with -i on the command line" in done.err


def test_a_job_stands_for_its_images(flux, studio, dry):
    """By run, by id and by the path of a saved file: the file while it is there, else the link."""
    first = flux("generate", "a fox", *EDIT, "-o", "made.png", "--no-embed", "--json")
    path = str(Path("made.png").absolute())

    bodies = [dry(*EDIT, "-i", name)[0]["images"] for name in ("@1", first.object["id"], "made.png")]
    assert all(body == [f"(data-uri of {path}: {len(FOX)} bytes, sha256 {DIGEST})"] for body in bodies)

    Path(path).unlink()
    assert dry(*EDIT, "-i", "@1")[0]["images"] == [f"{studio.root}/files/runware/0"]


def test_a_run_of_several_images_is_several_inputs(flux, studio, dry):
    flux("generate", "a fox", *EDIT, "-n", "2", "-o", "out/")

    (body,) = dry(*EDIT, "-i", "@1", "-i", "navy.png")

    assert len(body["images"]) == 3
    assert "navy.png" in body["images"][2]


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        ("queued", "@1 is not finished yet", "flux result --wait @1"),
        ("failed", "@1 has no images", "flux status @1"),
    ],
)
def test_a_job_without_images_is_no_input(flux, studio, host, status, said, hint):
    if status == "failed":
        host.script = lambda _: reply(400, {"errors": [{"code": "invalid", "message": "no"}]})
    flux("generate", "a fox", *EDIT, "--no-wait")
    before = len(studio.tasks)

    done = flux("generate", "winter", *EDIT, "-i", "@1")

    assert (done.code, len(studio.tasks)) == (2, before)
    assert said in done.err
    assert hint in done.err


REFUSED = {
    "no such file": (EDIT, ("-i", "missing.png"), "missing.png: No such file"),
    "an empty name": (EDIT, ("-i", ""), "the name of an input image is empty"),
    "an empty mask": (FILL, ("-i", "fox.png", "--mask", " "), "the name of an input image is empty"),
    "no such run": (EDIT, ("-i", "@1"), "there is no run @1"),
    "a data URI": (EDIT, ("-i", "data:image/png;base64,AAAA"), "is not given as a data URI"),
    "no such job": (EDIT, ("-i", "k3f9q2mx"), "cannot read the image"),
    "too many": (EDIT, ("-i", "fox.png") * 4, "flux-2-pro takes at most 3 input images, not 4"),
    "too many of one": (FILL, ("-i", "fox.png") * 2, "flux-fill-pro takes at most 1 input image, not 2"),
    "too few": (FILL, (), "flux-fill-pro needs an input image"),
    "no image input": (("-p", "runware"), ("-i", "fox.png"), "runware has no --image for flux-1.1-pro-ultra"),
    "another size": (
        FILL,
        ("-i", "navy.png", "--mask", "mask.png"),
        "--mask has 512x512 pixels, but the image has 64x32",
    ),
    "a mask alone": (EDIT, ("--mask", "mask.png"), "--mask needs an input image"),
    "a strength alone": (EDIT, ("--strength", "0.5"), "--strength needs an input image"),
    "an image strength alone": (
        ("-p", "apiframe", "-m", "ultra"),
        ("--image-strength", "0.5"),
        "--image-strength needs an input image",
    ),
    "the size of no image": (
        ("-p", "apiframe", "-m", "flux-2-pro"),
        ("--resolution", "match"),
        "--resolution match needs an input image",
    ),
    "no mask there": (EDIT, ("-i", "fox.png", "--mask", "mask.png"), "has no --mask for flux-2-pro"),
    "a bad mask": (FILL, ("-i", "fox.png", "--mask", "missing.png"), "missing.png: No such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_sent(flux, host, case):
    model, words, said = REFUSED[case]

    done = flux("generate", "winter", *model, *words)

    assert (done.code, host.requests) == (2, [])
    assert said in done.err
    assert "charged: no" in done.err


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (None, (32, 64), ""),
        ((32, 64), None, ""),
        ((64, 32), (64, 32), ""),
        (None, (64, 32), "--mask has 32x64 pixels, but the image has 64x32"),
        ((64, 32), None, "--mask has 64x32 pixels, but the image has 32x64"),
    ],
)
def test_an_image_and_its_mask_are_both_turned_upright_before_they_are_compared(flux, studio, image, mask, said):
    """The sizes are those of the upright images, which are the ones that are sent."""
    first, second = (
        "navy.png" if size is None else turned(f"{size}-{n}.jpg", size) for n, size in enumerate((image, mask))
    )

    done = flux("generate", "winter", *FILL, "-i", first, "--mask", second, "--no-wait")

    assert done.code == (2 if said else 0), done
    assert said in done.err
    assert ("upright" in done.err) == bool(said)
    if not said:
        (task,) = studio.tasks
        sent = [task["seedImage"].partition(",")[2], task["maskImage"]]
        shapes = [Image.open(io.BytesIO(base64.b64decode(one))).size for one in sent]
        assert shapes[0] == shapes[1]


def test_a_refusal_names_the_models_and_hosts_that_can(flux):
    done = flux("generate", "winter", "-p", "runware", "-i", "fox.png")
    many = flux("generate", "winter", *FILL, *("-i", "fox.png") * 3)

    assert "at runware, flux-2-pro and flux-fill-pro do" in done.err
    assert "apiframe" in done.err
    assert "at runware, flux-2-pro does" in many.err


def test_what_only_the_config_says_is_left_out_and_named(flux, config, studio):
    """Images for a model without input, too many of them, and what goes with an image."""
    config('[generate]\nimage = ["fox.png", "navy.png"]\nmask = "mask.png"\nstrength = 0.5\n')

    plain = flux("generate", "winter", "-p", "runware", "--no-wait", "--json")
    edit = flux("generate", "winter", *EDIT, "--no-wait", "--json")
    typed = flux("generate", "winter", *EDIT, "-i", "fox.png", "--no-wait", "--json")

    assert {"image", "mask", "strength"} == set(plain.object["skipped"])
    assert {"mask", "strength"} == set(edit.object["skipped"])
    assert len(studio.tasks[1]["images"]) == 2
    assert typed.object["parameters"]["image"] == str(Path("fox.png").absolute())
    config('[generate]\nimage = ["fox.png", "fox.png", "fox.png", "fox.png"]\n')
    assert flux("generate", "winter", *EDIT, "--no-wait", "--json").object["skipped"] == ["image"]
    assert "images" not in studio.tasks[3]


def test_a_configured_image_is_not_looked_up_where_another_is_typed(flux, config, studio):
    config('[generate]\nimage = "@7"\n')

    assert flux("generate", "winter", *EDIT, "-i", "fox.png", "--no-wait").code == 0


def test_no_image_bytes_are_kept_or_shown(flux, studio, home):
    """Not in the ledger, ``--json`` or ``-v``; the request is described with path, size and digest."""
    done = flux("generate", "winter", *EDIT, "-i", "fox.png", "--json", "-v", "-o", "out.png")

    assert done.code == 0, done
    text = base64.b64encode(FOX).decode()
    ledgers = b"".join(path.read_bytes() for path in home.rglob("ledger*"))
    description = f"(data-uri of {Path('fox.png').absolute()}: {len(FOX)} bytes, sha256 {DIGEST})"
    for shown in (done.out, done.err, ledgers.decode("latin-1")):
        assert text[:60] not in shown
    assert description in done.err
    assert description.encode() in ledgers


def test_an_error_shows_no_image_bytes(flux, host):
    host.script = lambda _: reply(400, {"errors": [{"code": "invalidParameter", "message": "no"}]})

    done = flux("generate", "winter", *EDIT, "-i", "fox.png", "-v")

    assert done.code != 0
    assert base64.b64encode(FOX).decode()[:60] not in done.err + done.out


@pytest.mark.parametrize("change", ["changed", "vanished"])
def test_a_file_that_changes_after_the_check_is_never_sent(flux, host, studio, monkeypatch, change):
    """Another process writes the file between the last check and the submit: nothing leaves, nothing is charged."""
    path = Path("fox.png")
    calls: list[str] = []

    def submit(planned):
        calls.append(planned.job.id)
        if len(calls) == 2:  # the first call is the rehearsal that precedes every run
            path.unlink()
            if change == "changed":
                path.write_bytes(MASK)
        return (yield from HOST.submit(planned))

    monkeypatch.setattr(runware, "PROVIDER", replace(HOST, submit=submit))

    done = flux("generate", "winter", *EDIT, "-i", "fox.png")

    assert (done.code, host.requests) == (2, [])
    assert ("changed after it was checked" if change == "changed" else "cannot read") in done.err
    assert "charged: no" in done.err


needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")


@needs_curl
@pytest.mark.slow
@pytest.mark.parametrize("given", ["file", "stdin", "turned"])
def test_the_rehearsed_line_sends_the_same_bytes(flux, host, studio, given):
    """Run in bash, byte for byte; copies that it reads are kept and named."""
    words, content = ("-i", 'it\'s a "fox".png', "-i", "fox.png"), b""
    Path(words[1]).write_bytes(MASK)
    if given == "stdin":
        words, content = ("-i", "-"), FOX
    if given == "turned":
        words = ("-i", turned("turned.jpg", (64, 32)))
    line = ("generate", 'it\'s "winter" 🦊', *EDIT, "-s", "7", *words)
    rehearsed = flux(*line, "--dry-run", stdin=stdin(content))
    assert rehearsed.code == 0, rehearsed

    subprocess.run(["bash", "-c", rehearsed.out], capture_output=True, check=True, timeout=30, stdin=subprocess.DEVNULL)
    flux(*line, "--no-wait", stdin=stdin(content))

    told, sent = studio.tasks
    assert told.pop("taskUUID") != sent.pop("taskUUID")
    assert json.dumps(told) == json.dumps(sent)  # the same fields in the same order
    assert all(uri.startswith("data:image/") for uri in sent["images"])
    assert ("copies of input images in" in rehearsed.err) == (given != "file")


def test_a_rehearsal_as_json_describes_files_and_has_the_line(flux):
    done = flux("generate", "winter", *EDIT, "-i", "fox.png", "--dry-run", "--json")

    (request,) = done.object["requests"]
    assert request["body"][0]["images"] == [
        f"(data-uri of {Path('fox.png').absolute()}: {len(FOX)} bytes, sha256 {DIGEST})"
    ]
    assert "base64 < " in request["curl"]
    assert request["curl"].isprintable()  # one line


def test_metadata_keeps_public_addresses_and_withholds_paths(flux, studio):
    public = ("https://example.com/a.png", "https://example.com/b.png")
    flux("generate", "winter", *EDIT, "-i", public[0], "-i", public[1], "-o", "public.png")
    flux("generate", "winter", *EDIT, "-i", public[0], "-i", "fox.png", "-o", "private.png")

    assert read(Path("public.png")).parameters["image"] == list(public)
    assert "image" not in read(Path("private.png")).parameters
    assert read(Path("private.png")).omitted == ("image",)
    assert b"fox.png" not in Path("private.png").read_bytes()
    assert DIGEST.encode() not in Path("private.png").read_bytes()


def test_the_status_of_a_job_lists_its_input_images(flux, studio):
    flux("generate", "winter", *FILL, "-i", "fox.png", "--mask", "mask.png", "-o", "made.png")

    shown = flux("status", "@1", "--offline").out

    assert f"input image\t{Path('fox.png').absolute()} (sha256 {DIGEST})\n" in shown
    assert f"mask\t{Path('mask.png').absolute()} (sha256 " in shown
    assert "files\t" not in shown


def test_the_price_counts_the_pixels_that_are_sent(flux, studio):
    """2 megapixels out of text; 4 at most where the model chooses, one for each small image, four for a link."""
    Image.new("RGB", (2048, 1024)).save("wide.png")
    cases = [
        (("--size", "2048x1024"), 0.03 + 0.015),
        ((), 0.03 + 3 * 0.015),
        (("-i", "fox.png"), 0.03 + 3 * 0.015 + 0.015),
        (("-i", "wide.png", "-i", "fox.png"), 0.03 + 3 * 0.015 + 3 * 0.015),
        (("-i", "https://example.com/a.png"), 0.03 + 3 * 0.015 + 4 * 0.015),
    ]

    for words, price in cases:
        done = flux("generate", "winter", *EDIT, *words, "-n", "2", "--dry-run", "--json").object
        assert done["estimate"]["amount"] == pytest.approx(2 * price), words


def test_limits_reserve_what_the_images_cost(flux, config, studio):
    config("[budget]\ndaily = 0.1\n")

    over = flux("generate", "winter", *EDIT, "-i", "fox.png", "--max-cost", "0.08", "--no-wait")
    within = flux("generate", "winter", *EDIT, "-i", "fox.png", "--max-cost", "0.09", "--no-wait")
    full = flux("generate", "winter", *EDIT, "-i", "fox.png", "--no-wait")

    assert (over.code, within.code, full.code, len(studio.tasks)) == (6, 0, 6, 1)


def test_a_large_image_is_never_enlarged_nor_shrunk(flux, studio):
    flux("generate", "winter", *EDIT, "-i", "navy.png", "--no-wait")

    sent = base64.b64decode(studio.tasks[0]["images"][0].partition(",")[2])
    assert Image.open(io.BytesIO(sent)).size == (64, 32)
    assert sent == Path("navy.png").read_bytes()


def test_copies_do_not_stay_behind(flux, studio, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    flux("generate", "winter", *EDIT, "-i", "-", "--no-wait", stdin=stdin(FOX))

    assert not list(tmp_path.glob("flux-*"))


@pytest.mark.parametrize("given", ["wrong.jpg", "-"])
def test_an_upload_is_announced_as_what_it_is(flux, host, given):
    """Whatever its name ends in, and where it has none."""
    Path("wrong.jpg").write_bytes(FOX)

    done = flux("generate", "winter", "-p", "apiframe", "-i", given, "--no-wait", stdin=stdin(FOX))

    assert done.code == 0, done
    upload = next(seen for seen in host.requests if seen.path == "/v2/uploads")
    head = upload.body.partition(b"\r\n\r\n")[0].decode()
    assert "Content-Type: image/png" in head
    assert FOX in upload.body
    assert f'filename="{given if given != "-" else f"{DIGEST}.png"}"' in head
