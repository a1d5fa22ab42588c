"""One value, three readers: a pipe, a terminal, a program. And streams that nobody reads any more."""

from __future__ import annotations

import io
import json
import re
import signal
from dataclasses import replace

import pytest

from flux_cli.display.output import Human, Json
from flux_cli.display.streams import Streams
from flux_cli.errors import FluxError, Interrupted, ModeratedError, PartialError, UsageError
from flux_cli.jobs import Cost, Image, Job
from tests.conftest import Stream

NASTY = "a [red]fox[/red]\x1b[31m\x07\r\n\u202e\x9b\udcff"
JOB = Job(
    id="foxfoxfo",
    run="runrunru",
    provider="runware",
    model="flux-1.1-pro-ultra",
    prompt=NASTY,
    created_at=1_795_000_000.0,
    finished_at=1_795_000_011.0,
    status="succeeded",
    seed=7,
    parameters={"aspect_ratio": "16:9", "raw": True, "param": {"x": NASTY[:-1]}},
    skipped=("webhook",),
    remote_id="remote-1",
    images=(Image(path=f"/tmp/{NASTY[:-1]}.jpg", url="https://x/y", width=1, height=2, size=3, nsfw=False),),
    cost=Cost(amount=0.06),
    timing={"provider_ms": 9800.0},
)
BOLD = re.compile(r"\x1b\[(?:[012]|(?:1;)?3[1-6])m")
"""What a table may be drawn with: bold, dim, and colours that every theme has its own for."""
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


class Reader:
    """Something that prints, and what it printed."""

    def __init__(self, kind, *, tty=False, quiet=False):
        self.stdout, self.stderr = Stream(tty=tty), Stream(tty=tty)
        self.output = kind(Streams(self.stdout, self.stderr), quiet=quiet)

    @property
    def out(self):
        return self.stdout.bytes.getvalue().decode("utf-8", "surrogateescape")

    @property
    def err(self):
        return self.stderr.bytes.getvalue().decode("utf-8", "surrogateescape")


@pytest.fixture
def pipe():
    return Reader(Human)


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    return Reader(Human, tty=True)


@pytest.fixture
def program():
    return Reader(Json)


@pytest.fixture
def everybody(pipe, terminal, program):
    return pipe, terminal, program


def test_a_list_of_jobs(everybody, pipe, terminal, program):
    """Tabs without a header in a pipe, a table on a terminal, an object a job for a program; nothing is obeyed."""
    for reader in everybody:
        reader.output.jobs([JOB, replace(JOB, id="second22", status="running", progress=30.0)])

    assert [line.split("\t")[:4] for line in pipe.out.splitlines()] == [
        ["foxfoxfo", "succeeded", "runware", "flux-1.1-pro-ultra"],
        ["second22", "running", "runware", "flux-1.1-pro-ultra"],
    ]
    assert pipe.out.splitlines()[0].split("\t")[7] == "a [red]fox[/red]\\x1b[31m\\x07 \\u202e\\x9b\\udcff"
    assert "ID" in terminal.out.splitlines()[0]
    assert "running 30%" in terminal.out
    assert "[red]fox[/red]\\x1b[31m" in terminal.out
    assert [json.loads(line)["id"] for line in program.out.splitlines()] == ["foxfoxfo", "second22"]
    for reader in everybody:
        assert not CONTROL.search(BOLD.sub("", reader.out.replace("\t", "")))
        assert reader.err == ""


def test_one_job_in_detail(everybody, pipe, terminal, program):
    """The same facts for all three."""
    for reader in everybody:
        reader.output.details(JOB)

    facts = dict(line.split("\t", 1) for line in pipe.out.splitlines())
    assert facts["cost"] == "$0.06"
    assert facts["skipped"] == "webhook"
    assert facts["nsfw"] == "no"
    assert facts["provider_ms"] == "9800"
    assert facts["created"] == "2026-11-18T11:06:40Z"
    assert re.search(r"^seed +7$", terminal.out, re.MULTILINE)
    told = json.loads(program.out)
    assert (told["seed"], told["cost"], told["prompt"]) == (7, {"amount": 0.06, "currency": "USD"}, NASTY)
    for reader in everybody:
        assert not CONTROL.search(reader.out.replace("\t", ""))


def test_an_error(everybody, pipe, terminal, program):
    """Three lines on stderr for people, one object on stdout for a program: the job where there is one."""
    error = ModeratedError(f"runware: {NASTY}", hint=f"try {NASTY}", charged="no")
    for reader in everybody:
        reader.output.error(error)
        reader.output.error(error, JOB, where=f"job {JOB.id}")

    for reader in (pipe, terminal):
        first, hint, charged, second, *_ = reader.err.splitlines()
        assert reader.out == ""
        assert first == "flux: error: runware: a [red]fox[/red]\\x1b[31m\\x07 \\u202e\\x9b\\udcff"
        assert hint.startswith("hint: try a [red]")
        assert charged == "charged: no"
        assert second.startswith("flux: error: job foxfoxfo: runware: ")
        assert not CONTROL.search(reader.err)
    alone, with_job = map(json.loads, program.out.splitlines())
    assert program.err == ""
    assert alone == {"version": 1, "error": with_job["error"]}
    assert with_job["error"] | {"message": "", "hint": ""} == {
        "code": "moderated",
        "message": "",
        "hint": "",
        "charged": "no",
        "retry": "never",
        "exit_code": 5,
        "docs": "exit-codes",
        "commands": [],
    }


def test_a_job_that_is_named_already_is_not_named_twice(pipe):
    """Where the message speaks of the job by its id, that is enough."""
    pipe.output.error(FluxError("job foxfoxfo is late"), JOB, where=f"job {JOB.id}")

    assert pipe.err == "flux: error: job foxfoxfo is late\ncharged: yes\n"


def test_a_partial_success_keeps_its_images(program):
    """A job with an error of its own shows both."""
    program.output.finished(replace(JOB, error=PartialError("1 of 2")))

    told = json.loads(program.out)
    assert told["error"]["exit_code"] == 9
    assert len(told["images"]) == 1


def test_notes_and_warnings(everybody):
    """Both go to stderr, also with --json; --quiet leaves out notes only."""
    quiet = Reader(Human, quiet=True)
    for reader in (*everybody, quiet):
        reader.output.note("by the\x1b way")
        reader.output.warning("beware")

    for reader in everybody:
        assert reader.err == "flux: note: by the\\x1b way\nflux: warning: beware\n"
        assert reader.out == ""
    assert quiet.err == "flux: warning: beware\n"


def test_paths_links_ids_and_lines(everybody, pipe, terminal, program):
    """A pipe gets a name exactly as it is on disk, a terminal made harmless, a program inside the job's object."""
    for reader in everybody:
        reader.output.path("a\x1b\udcff.jpg")
        reader.output.links(JOB, ["https://x/\x1by"])
        reader.output.submitted(JOB)
        reader.output.job(JOB, note="cancelled")
        reader.output.lines(["one", "two"], {"three": 3})

    assert pipe.out == "a\x1b\udcff.jpg\nhttps://x/\\x1by\nfoxfoxfo\nfoxfoxfo\tcancelled\none\ntwo\n"
    assert terminal.out.splitlines()[0] == "a\\x1b\\udcff.jpg"
    links, submitted, job, lines = map(json.loads, program.out.splitlines())
    assert links == submitted == job
    assert lines == {"version": 1, "three": 3}


def test_tables(everybody, pipe, terminal, program):
    """Rows for people, data for programs."""
    for reader in everybody:
        reader.output.table(("A", "B"), [("[x]", "y\tz")], [{"a": 1}])

    assert pipe.out == "[x]\ty z\n"
    assert "[x]" in terminal.out
    assert json.loads(program.out) == {"version": 1, "a": 1}


def test_image_bytes_never_appear(program):
    """An image that came as bytes has no link, and its bytes are not shown."""
    program.output.details(replace(JOB, images=(Image(data=b"x" * 10_000),)))

    assert len(program.out) < 2000
    assert json.loads(program.out)["images"][0]["url"] is None


class Broken(io.BytesIO):
    """A stream whose reader went away, or whose disk is full."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, _):
        raise self.error


def _on(raw):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")

    class Wrapped:
        buffer = raw
        encoding = stream.encoding
        isatty = staticmethod(lambda: False)

    return Wrapped()


def test_a_reader_that_went_away():
    """Ends the program as SIGPIPE would."""
    output = Human(Streams(_on(Broken(BrokenPipeError())), Stream()))

    with pytest.raises(Interrupted) as stop:
        output.path("fox.jpg")

    assert stop.value.signum == signal.SIGPIPE


def test_a_disk_that_is_full():
    """Is an ordinary failure, in plain words."""
    output = Human(Streams(_on(Broken(OSError(28, "No space left on device"))), Stream()))

    with pytest.raises(FluxError, match="cannot write the output: No space left"):
        output.path("fox.jpg")


FULL_DISK = OSError(28, "No space left on device")


def test_an_error_that_stdout_does_not_take_goes_to_stderr():
    """As a person would read it: a script has nothing to read."""
    stderr = Stream()
    output = Json(Streams(_on(Broken(FULL_DISK)), stderr))

    output.error(UsageError("no such thing", hint="try another"), where="row 3")

    assert stderr.bytes.getvalue().decode().splitlines() == ["flux: error: row 3: no such thing", "hint: try another"]


@pytest.mark.parametrize("kind", [Human, Json])
def test_a_note_that_cannot_be_written_stops_nothing(kind):
    """Least of all between an image on the disk and its line in the ledger."""
    output = kind(Streams(Stream(), _on(Broken(FULL_DISK))))

    output.note("converted")
    output.warning("odd")

    assert output.streams.stderr.buffer.getvalue() == b""


def test_an_encoding_that_lacks_letters():
    """What a terminal's encoding cannot say is shown as an escape, never as a crash."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)

    Human(Streams(stream, Stream())).path("狐-\udcff.jpg")

    assert raw.getvalue().startswith(b"\\u72d0")
