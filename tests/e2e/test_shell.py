from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.process import FLUX

FULL = Path("/dev/full")
PROMPTS = ["-a dash; $(x)", "owl"]
LOOP = 'while read -r p; do flux generate -q -o out/ -- "$p"; done < prompts.txt'


def whole(path: str | Path) -> bool:
    with Image.open(path) as image:
        image.load()
        return image.width > 0


def test_a_shell_loop_makes_one_image_per_line(bash):
    """Stdin belongs to the loop: no prompt is swallowed, and stdout is one path a prompt, in order."""
    Path("prompts.txt").write_text("".join(f"{prompt}\n" for prompt in PROMPTS))

    ended = bash(LOOP).end()

    assert ended.code == 0, ended.err
    assert [re.sub(r"-\d+\.jpg", "", path) for path in ended.lines] == ["out/a-dash-x", "out/owl"]
    assert sorted(ended.lines) == sorted(str(path) for path in Path("out").iterdir())
    assert all(map(whole, ended.lines))


def test_equal_jobs_side_by_side_overwrite_nothing(bash):
    """Eight processes that want the same name make eight whole files, and name each on a line of its own."""
    Path("prompts.txt").write_text("a fox\n" * 8)

    ended = bash("xargs -P 8 -d '\\n' -n 1 flux generate -q -s 7 -o out/ -- < prompts.txt").end()

    assert ended.code == 0, ended.err
    assert sorted(ended.lines) == sorted(str(path) for path in Path("out").iterdir())
    assert len(set(ended.lines)) == 8
    assert all(map(whole, ended.lines))


@pytest.mark.parametrize("command", ["providers", "--help", "generate -q -o - fox", "generate -q -n 2 fox"])
def test_a_closed_pipe_ends_the_program_with_sigpipe(bash, command):
    """Whoever writes into a closed pipe dies of SIGPIPE, silently."""
    ended = bash(f"flux {command} | true; echo ${{PIPESTATUS[0]}}").end()

    assert ended.line == "141"
    assert "Traceback" not in ended.err
    assert "unexpected" not in ended.err


def test_images_are_saved_when_the_pipe_closes(bash, flux):
    """The first path is read, then nobody reads: the images are on disk and the ledger knows them."""
    ended = bash("flux generate -q -p runcomfy -n 3 -s 1 fox | head -n 1; echo ${PIPESTATUS[0]}").end()

    known = [line.split("\t") for line in flux("status", "-q").lines]
    assert ended.lines[0].startswith("fox-")
    assert ended.lines[1] in {"0", "141"}
    assert all(whole(path) for path in Path.cwd().iterdir())
    assert {Path(row[6]).name for row in known if row[6]} == {path.name for path in Path.cwd().iterdir()}


def test_an_image_is_kept_when_its_path_cannot_be_written(flux):
    """Where the path cannot be written, that is said, and the image is on disk and known."""
    with FULL.open("wb") as full:
        ended = flux("generate", "-q", "-s", "7", "fox", stdout=full)

    again = flux("result", "@1")

    assert ended.code == 1
    assert ended.err.splitlines() == [
        "flux: error: cannot write the output: No space left on device; saved: fox-7.jpg",
        f"hint: `flux result {flux('status').line[:8]}` prints where the images are",
        "charged: yes",
    ]
    assert again.lines == ["fox-7.jpg"]
    assert [path.name for path in Path.cwd().iterdir()] == ["fox-7.jpg"]


def test_a_job_can_be_fetched_when_its_bytes_cannot_be_written(flux):
    """Where the image's bytes cannot be written, the job stays collectable."""
    with FULL.open("wb") as full:
        ended = flux("generate", "-q", "-s", "7", "-o", "-", "fox", stdout=full)

    again = flux("result", "@1")

    assert ended.code == 10
    assert "flux result" in ended.err
    assert again.lines == ["fox-7.jpg"]


def test_output_dash_writes_the_image_and_nothing_else(flux):
    """``-o -`` writes the image and nothing else."""
    ended = flux("generate", "-q", "-s", "7", "-o", "-", "fox")

    assert ended.code == 0
    assert flux("result", "@1").line == "fox-7.jpg"
    assert Path("fox-7.jpg").read_bytes() == ended.raw


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), ("2>&-", 0), (">&-", 1), ("<&- >&- 2>&-", 1)])
def test_an_image_is_saved_with_closed_streams(bash, closed, code):
    """A daemon's closed descriptors end in an image, in no other file's place; a path that is lost is no success."""
    ended = bash(f"flux generate -q -s 7 fox {closed}").end()

    assert ended.code == code, ended.err
    assert whole("fox-7.jpg")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("generate -q -s 7 fox", "saved: fox-7.jpg"),
        ("generate -q -s 7 fox --json", "saved: fox-7.jpg"),
        ("generate -q -s 7 fox -n 2", "saved: fox-7.jpg, fox-8.jpg"),
        ("generate -q -s 7 fox --no-wait", "continues at runware"),
        ("generate -q -s 7 fox --no-wait --json", "continues at runware"),
        ("providers", "cannot write the output"),
        ("providers --json", "cannot write the output"),
        ("--version", "cannot write the output"),
        ("--help", "cannot write the output"),
    ],
)
@pytest.mark.parametrize("stdout", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written_is_an_error(bash, command, told, stdout):
    """On stderr, with what was saved or goes on; and the exit code is no success."""
    ended = bash(f"flux {command} {stdout}").end()

    assert ended.code == 1
    assert told in ended.err
    assert "unexpected" not in ended.err


def test_no_control_characters_reach_a_pipe(flux):
    """What a prompt or a host says is shown, not obeyed; a pipe gets plain lines."""
    ended = flux("generate", "red \x1b[31m fox", "-s", "7", "-v", more={"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"})
    wrong = flux("generate", "fox", "-p", "\x1b]0;x\x07\u202e")

    assert ended.code == 0
    assert (wrong.code, wrong.out) == (2, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", ended.err + wrong.err + ended.out)


@pytest.mark.parametrize("hostile", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_the_c_locale_keeps_prompts_and_names_as_typed(flux, hostile):
    """The C locale keeps neither an emoji in the prompt nor a name on disk from being what was typed."""
    ended = flux("generate", "-q", "ein F\u00fcchschen \U0001f98a", "-s", "7", "-o", "b\u00e4r/", more=hostile)
    told = flux("status", "@1", more=hostile)

    assert (ended.code, ended.err) == (0, "")
    assert ended.line == "b\u00e4r/ein-f\u00fcchschen-7.jpg"
    assert whole(ended.line)
    assert "ein F\u00fcchschen \U0001f98a" in told.out


def test_a_prompt_that_is_not_utf_8_is_refused(flux, home):
    """An argument that is not UTF-8 is refused before anything is written or sent."""
    ended = flux("generate", b"fox \xff")

    assert (ended.code, ended.out) == (2, "")
    assert "not valid UTF-8" in ended.err
    assert not list(home.rglob("ledger.sqlite3"))


def test_a_file_name_may_be_any_bytes(flux):
    """A file name may be any bytes that the system takes, and comes back as them."""
    ended = flux("generate", "-q", "fox", "-o", b"n\xff.jpg")

    assert (ended.code, ended.raw) == (0, b"n\xff.jpg\n")
    assert [os.fsencode(path.name) for path in Path.cwd().iterdir()] == [b"n\xff.jpg"]


def test_flux_cli_is_flux(flux, bash):
    """``flux-cli`` is ``flux``."""
    assert shutil.which("flux-cli", path=str(Path(FLUX).parent))
    assert bash("flux-cli --version").end().line.split()[-1] == flux("--version").line.split()[-1]


def test_python_m_flux_cli_is_flux(bash):
    """`python -m flux_cli` does what `flux` does, calls itself by that name, and ends with its exit codes."""
    python = f"{shlex.quote(sys.executable)} -m flux_cli"

    version = bash(f"{python} --version").end()
    wrong = bash(f"{python} generat").end()

    assert (version.code, version.out) == (0, bash("flux --version").end().out)
    assert (wrong.code, wrong.out) == (2, "")
    assert "hint: did you mean `python -m flux_cli generate`?" in wrong.err


def test_names_with_newlines_reach_the_next_program_whole(bash):
    ended = bash("flux generate -q -0 -p runflow -n 2 -s 7 -o $'a\\nb-{index}.{ext}' fox | xargs -0 -n 1 test -f").end()

    assert ended.code == 0, ended.err
    assert sorted(path.name for path in Path().iterdir()) == ["a\nb-1.jpg", "a\nb-2.jpg"]


def test_an_empty_home_is_as_good_as_none(bash):
    """The folder of a ~ is then the one that the system has for the user, and not the root folder."""
    ended = bash("HOME= flux config path --config '~/x.toml'; echo $?").end()

    assert ended.lines[0] != "/x.toml"
    assert ended.lines[-1] in {"0", "2"}
