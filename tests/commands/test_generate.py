"""``flux generate`` as people and scripts meet it: names, prompts, streams, patience and rehearsals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import PIL.Image
import pytest

from flux_cli.providers import NAMES
from flux_cli.sandbox.wire import Answer
from tests.bare import bare
from tests.hosts import KEYS

PROVIDERS = NAMES


def test_the_first_image(flux):
    """One command, no key: one path on stdout, plain progress on stderr, an image on the disk."""
    done = flux("generate", "A red fox, in the snow!", "--sandbox")

    assert done.code == 0
    (path,) = done.lines
    assert re.fullmatch(r"a-red-fox-in-the-snow-\d+\.jpg", path)
    assert Path(path).read_bytes()[:2] == b"\xff\xd8"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.err)
    assert all(line.startswith("flux: ") for line in done.err.splitlines())


def test_quiet_and_json_say_nothing_on_stderr(flux):
    """--quiet leaves the path alone on stdout, and stderr empty."""
    done = flux("generate", "a fox", "--sandbox", "-q")

    assert (len(done.lines), done.err) == (1, "")


@pytest.mark.parametrize(
    ("provider", "extension"), [("runcomfy", "png"), ("runflow", "jpg"), ("apiframe", "jpg"), ("runware", "jpg")]
)
def test_the_extension_tells_the_truth(flux, provider, extension):
    """Whatever the provider sends, the name ends as the bytes are."""
    (path,) = flux("generate", "a fox", "--sandbox", "-p", provider, "-s", "5").lines

    assert path == f"a-fox-5.{extension}"


@pytest.mark.parametrize(("provider", "sent"), [("runcomfy", "png"), ("runflow", "jpg")])
@pytest.mark.parametrize(("name", "kind"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")])
def test_formats_that_flux_makes_itself(flux, host, provider, sent, name, kind):
    """-f where the provider has no formats: the right bytes, stderr says so, and nothing of it is sent."""
    from PIL import Image

    done = flux("generate", "a fox", "-p", provider, "-f", name)

    (path,) = done.lines
    with Image.open(path) as image:
        assert image.format == kind
    assert path.endswith(f".{name}")
    assert (f"converted to {name} by flux (the provider sent {sent})" in done.err) == (name != sent)
    assert "format" not in json.dumps(host.requests[0].body)
    if name == sent:
        assert [bare(Path(path).read_bytes())] == list(host.images.values())


def test_the_quality_of_a_conversion(flux):
    """--quality at a provider without one is the conversion's own: less of it, fewer bytes."""
    sizes = []
    for quality in ("10", "90"):
        done = flux("generate", "a fox", "--sandbox", "-p", "runcomfy", "-s", "5", "-f", "jpg", "--quality", quality)
        sizes.append(Path(done.lines[0]).stat().st_size)

    assert sizes[0] < sizes[1] / 2


def test_an_extension_is_a_format(flux, host):
    """-o fox.webp asks the provider for webp, or has it converted."""
    flux("generate", "a fox", "-p", "apiframe", "-o", "a.webp")
    done = flux("generate", "a fox", "-p", "runflow", "-o", "b.webp")

    assert host.requests[0].body["fluxParams"]["output_format"] == "webp"
    assert "converted to webp by flux" in done.err
    assert Path("a.webp").read_bytes()[8:12] == Path("b.webp").read_bytes()[8:12] == b"WEBP"


def test_names_that_flux_chose_never_clash(flux):
    """The same prompt and seed again: -2, -3, and nothing is replaced."""
    names = [flux("generate", "a fox", "--sandbox", "-s", "5").lines[0] for _ in range(3)]

    assert names == ["a-fox-5.jpg", "a-fox-5-2.jpg", "a-fox-5-3.jpg"]


def test_one_name_for_several_images(flux):
    """-o fox.jpg -n 3 is fox-1.jpg, fox-2.jpg, fox-3.jpg: one job or several."""
    one = flux("generate", "a fox", "--sandbox", "-n", "3", "-o", "ware.jpg")
    several = flux("generate", "a fox", "--sandbox", "-p", "runflow", "-n", "3", "-o", "flow.jpg")

    assert one.lines == ["ware-1.jpg", "ware-2.jpg", "ware-3.jpg"]
    assert sorted(several.lines) == ["flow-1.jpg", "flow-2.jpg", "flow-3.jpg"]
    assert len({bare(Path(name).read_bytes()) for name in several.lines}) == 3


def test_one_of_several_names_is_taken(flux, host):
    """Refused before anything is sent, and nothing is replaced."""
    Path("fox-2.jpg").write_bytes(b"mine")

    done = flux("generate", "a fox", "-p", "runware", "-n", "3", "-o", "fox.jpg")

    assert done.code == 2
    assert "fox-2.jpg" in done.err
    assert host.requests == []


def test_folders_and_templates(flux):
    """A trailing slash is a folder, and is made; fields are filled in, safely."""
    folder = flux("generate", "a fox", "--sandbox", "-s", "5", "-o", "new/folder/")
    template = flux(
        "generate", "../../up", "--sandbox", "-s", "5", "-o", "{provider}/{model}/{prompt}-{seed}-{index:02}.{ext}"
    )

    assert folder.lines == ["new/folder/a-fox-5.jpg"]
    (path,) = template.lines
    assert path.startswith("runware/flux-1.1-pro-ultra/")
    assert path.endswith("-5-01.jpg")
    assert len(Path(path).parts) == 3
    assert ".." not in Path(path).parts


def test_a_file_is_replaced_only_when_asked(flux):
    """--overwrite replaces the file that was named."""
    Path("fox.jpg").write_bytes(b"mine")

    done = flux("generate", "a fox", "--sandbox", "-o", "fox.jpg", "--overwrite")

    assert done.lines == ["fox.jpg"]
    assert Path("fox.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_bytes_on_stdout(flux, host):
    """``-o -`` writes the image's bytes, and nothing else, to stdout."""
    done = flux("generate", "a fox", "-p", "runflow", "-o", "-")

    assert done.code == 0
    assert [bare(done.raw)] == list(host.images.values())
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("more", "tty"), [(["--json"], False), (["-n", "2"], False), ([], True)])
def test_where_bytes_on_stdout_would_do_harm(flux, host, more, tty):
    """With --json, several images or on a terminal: exit 2, and nothing is sent."""
    done = flux("generate", "a fox", "-p", "runware", "-o", "-", *more, tty=tty)

    assert done.code == 2
    assert host.requests == []


@pytest.mark.parametrize(
    ("typed", "stdin", "file"),
    [
        (["a fox\nin snow\r"], "", ""),
        (["a fox\nin snow \t\r\n"], "", ""),
        (["-"], "a fox\nin snow\r\n", ""),
        (["-"], "a fox\nin snow \n\n", ""),
        (["-b", "p.jsonl"], "", '{"prompt": "a fox\\nin snow \\r\\n"}'),
        (["-b", "p.csv"], "", 'prompt\r\n"a fox\r\nin snow \r\n"\r\n'),
    ],
)
def test_what_a_prompt_ends_in_is_not_sent(flux, host, typed, stdin, file):
    """Blanks and the ends of lines, as loops over files from Windows leave them; those inside stay."""
    Path(typed[-1]).write_text(file, "utf-8", newline="") if file else None

    done = flux("generate", *typed, "-p", "runcomfy", "--no-wait", stdin=stdin)

    assert done.code == 0, done.err
    assert host.requests[0].body["prompt"] == "a fox\nin snow"
    assert flux("status", "@1", "--json", "--offline").object["prompt"] == "a fox\nin snow"


def test_a_row_with_a_blank_at_its_end_is_known_again(flux, host):
    Path("p.jsonl").write_text('{"prompt": "a fox "}\n', "utf-8")
    flux("generate", "-b", "p.jsonl", "-p", "runcomfy")
    sent = len(host.requests)

    done = flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "--resume")

    assert done.code == 0
    assert len(host.requests) == sent


@pytest.mark.parametrize("prompt", ["", " ", "\r\n", "\t"])
def test_a_prompt_of_blanks_is_empty(flux, host, prompt):
    done = flux("generate", "-p", "runcomfy", "--", prompt)

    assert (done.code, host.requests) == (2, [])
    assert "the prompt is empty" in done.err


def test_stdin_is_touched_in_no_other_case(flux, clock):
    """A ``while read`` loop owns stdin: no command reads from it unless told to."""
    from flux_cli.cli import main
    from flux_cli.runtime import Runtime
    from tests.conftest import Stream

    class Untouchable(Stream):
        def read(self, *_):
            raise AssertionError

        readline = __iter__ = read

    for typed in (["generate", "a fox"], ["status"], ["result", "@1"], ["cancel", "@1"], ["providers"]):
        runtime = Runtime(stdin=Untouchable(), stdout=Stream(), stderr=Stream(), clock=clock)
        assert main([*typed, *([] if typed[0] == "providers" else ["--sandbox"])], runtime) in {0, 2}


@pytest.mark.parametrize(
    "prompt",
    ["🦊 fox — früh 狐", "\x1b[31mred\x1b[0m\x07", "nul\0nul", "--raw", "-", "[bold]x[/bold] {seed} %s", "é" * 500_000],
    ids=["emoji", "escapes", "nul", "dashes", "dash", "markup", "a megabyte"],
)
def test_any_prompt_arrives_as_it_is(flux, host, prompt):
    """Whatever the text, the provider gets it unchanged, the ledger keeps it, and no terminal obeys it."""
    stdin = prompt if prompt == "-" else ""

    done = flux("generate", "-p", "runcomfy", "-m", "pro", "--", prompt, stdin=stdin)

    assert done.code == 0, done.err[:500]
    assert host.requests[0].body["prompt"] == prompt
    assert flux("status", "@1", "--json", "--offline").object["prompt"] == prompt
    for shown in (done, flux("status"), flux("status", "@1"), flux("status", "@1", "-v")):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown.out + shown.err)
    assert len(Path(done.lines[0]).name.encode()) < 255


def test_another_shape_than_was_asked_for_is_told(flux, host, tmp_path):
    """In a note, and in --json, also later: what was asked for, and what came."""
    wide = tmp_path / "wide.jpg"
    PIL.Image.new("RGB", (2752, 1536), "red").save(wide)
    served = Answer(status=200, body=wide.read_bytes())
    host.script = lambda call: served if call.method == "GET" and "/im" in call.path else None

    other = flux("generate", "a fox", "-p", "runware", "-a", "1:1", "-o", "fox.jpg", "--json")
    bytes_only = flux("generate", "a fox", "-p", "runware", "-a", "1:1", "-o", "-")
    same = flux("generate", "a fox", "-p", "runware", "-a", "16:9", "--json")

    assert (other.object["shape_differs"], same.object["shape_differs"]) == (True, False)
    assert "flux: note: asked for 1:1, got 2752x1536: fox.jpg" in other.err
    assert "flux: note: asked for 1:1, got 2752x1536: -" in bytes_only.err
    assert "asked for" not in same.err
    assert flux("status", other.object["id"], "--json").object["shape_differs"] is True


def test_verbose_shows_one_line_each_way_and_no_key(flux, host):
    """-v: a line for each request and each answer on stderr; no key, no image bytes; stdout stays."""
    done = flux("generate", "a fox\nin the snow", "-p", "runware", "-v", "-q", "-P", "outputType=base64Data")

    lines = done.err.splitlines()
    api = [seen for seen in host.requests if not seen.file]
    assert len([line for line in lines if line.startswith("> POST ")]) == len(api)
    assert len([line for line in lines if line.startswith("< 200 ")]) == len(api)
    assert len(lines) == 2 * len(api)
    assert "made-up" not in done.err
    assert "characters of base64" in done.err
    assert max(map(len, lines)) < 2100
    assert len(done.lines) == 1


def test_verbose_does_not_show_a_key_that_the_host_repeats(flux, host):
    """An answer that quotes the key is shown without it, and so is the error."""
    from flux_cli.sandbox.wire import reply

    host.script = lambda call: reply(
        401, {"errors": [{"code": "invalidApiKey", "message": f"bad {KEYS['runware'][1]}"}]}
    )

    done = flux("generate", "a fox", "-p", "runware", "-v")

    assert done.code == 3
    assert "made-up-runware" not in done.err


def test_no_wait_prints_one_id_a_line(flux):
    """One job, one line; -n 3 at a host of single images is three."""
    one = flux("generate", "a fox", "--sandbox", "--no-wait", "-n", "3", "-q")
    three = flux("generate", "a fox", "--sandbox", "-p", "runflow", "--no-wait", "-n", "3", "-q")

    assert len(one.lines) == 1
    assert len(set(three.lines)) == 3


def test_a_seed_leads_to_the_same_image(flux):
    """The same seed, the same bytes but for the story; another seed, other bytes."""
    first, again, other = (
        bare(Path(flux("generate", "a fox", "--sandbox", "-m", "pro", "-s", seed).lines[0]).read_bytes())
        for seed in ("5", "5", "6")
    )

    assert first == again
    assert first != other


def test_the_ledger_has_the_exact_request_and_no_key(flux, host, home):
    """What was bought is on the disk as it was sent, without the key."""
    import sqlite3
    from contextlib import closing

    flux("generate", "a fox", "-p", "apiframe", "--no-wait")

    path = home / ".local" / "state" / "flux-cli" / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as ledger:
        ((document,),) = ledger.execute("SELECT document FROM jobs").fetchall()
    assert json.loads(document)["request"]["body"] == host.requests[0].body
    assert "made-up" not in document
    assert path.stat().st_mode & 0o777 == 0o600


def test_progress_on_a_terminal(flux):
    """A live display may draw; what remains on stdout is the path."""
    done = flux("generate", "a fox", "--sandbox", tty=True)

    assert done.code == 0
    assert re.search(r"a-fox-\d+\.jpg", done.out)


def test_an_image_larger_than_the_limit_is_not_saved_and_stays_collectable(flux, monkeypatch):
    monkeypatch.setenv("FLUX_MAX_IMAGE_BYTES", "1000")
    run = flux("generate", "a fox", "--sandbox")
    monkeypatch.delenv("FLUX_MAX_IMAGE_BYTES")

    assert run.code == 10
    assert "larger than 1000 bytes" in run.err
    assert flux("result", "@1", "--sandbox").code == 0
