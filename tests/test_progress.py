"""What is shown while we wait: on stderr only, plain where it is no terminal."""

from __future__ import annotations

from dataclasses import replace

from flux_cli.jobs import Job
from flux_cli.progress import Lines, Live, Silent
from tests.conftest import Stream

JOB = Job(
    id="foxfoxfo",
    run="runrunru",
    provider="runcomfy",
    model="flux-1.1-pro-ultra",
    prompt="a [bold]red[/bold]\x1b[31m\nfox",
    created_at=0.0,
    status="queued",
    queue_position=3,
)


def test_lines_tell_each_change_once():
    """A state that stays the same is told once; another one again."""
    said: list[str] = []
    with Lines(said.append) as progress:
        for job in (JOB, JOB, replace(JOB, queue_position=2), replace(JOB, status="running", queue_position=None)):
            progress.show(job)
        progress.show(JOB, activity="saving")

    assert said == [
        "flux: foxfoxfo runcomfy queued (position 3)",
        "flux: foxfoxfo runcomfy queued (position 2)",
        "flux: foxfoxfo runcomfy running",
        "flux: foxfoxfo runcomfy saving",
    ]


def test_lines_hold_no_control_characters():
    """A provider's own word for a state is made visible."""
    said: list[str] = []
    Lines(said.append).show(replace(JOB, detail="dream\x1b[2Jing\nnow"))

    assert said == ["flux: foxfoxfo runcomfy queued (dream\\x1b[2Jing now)"]


def test_silence():
    """Nothing at all is said."""
    with Silent() as progress, progress.aside():
        progress.show(JOB)
        progress.drop(JOB.id)


def test_live_shows_provider_state_and_time(monkeypatch):
    """On a terminal: provider, model, position, elapsed seconds and the prompt, never read as markup or obeyed."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(tty=True)
    now = [0.0]
    with Live(stream, lambda: now[0]) as progress:
        progress.show(JOB)
        now[0] = 7.0
        progress.show(replace(JOB, queue_position=2))
        with progress.aside():
            stream.write("between\n")

    drawn = stream.bytes.getvalue().decode()
    assert "runcomfy ultra" in drawn
    assert "queued (position 2)" in drawn
    assert "7 s" in drawn
    assert "[bold]red[/bold]\\x1b[31m fox" in drawn
    assert "between\n" in drawn


def test_live_leaves_nothing_behind(monkeypatch):
    """A job that is dropped is drawn no more, and the cursor is back in the end."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(tty=True)
    with Live(stream, lambda: 0.0) as progress:
        progress.show(JOB)
        progress.drop(JOB.id)
        with progress.aside():
            before = len(stream.bytes.getvalue())
        rest = stream.bytes.getvalue()[before:].decode()

    assert "runcomfy" not in rest
    assert stream.bytes.getvalue().decode().rstrip().endswith(("\x1b[?25h", "\x1b[2K"))
