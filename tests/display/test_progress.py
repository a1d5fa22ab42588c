"""What a terminal shows while we wait: read off its screen, as a person would."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyte
import pytest

from flux_cli.display.progress import LiveProgress, format_duration
from flux_cli.errors import LedgerError
from flux_cli.jobs import Job
from flux_cli.money.totals import BatchTotals
from tests.conftest import Stream

JOB = Job(
    id="foxfoxfo",
    run="runrunru",
    provider="runcomfy",
    model="flux-1.1-pro-ultra",
    prompt="a [bold]red[/bold]\x1b[31m\nfox",
    created_at=1000.0,
    status="queued",
    queue_position=3,
)
BAR = "[\u2501\u2578\u257a]+"


class Window:
    """A terminal, a live display on it, and a clock that stands still."""

    def __init__(self, monkeypatch, columns: int = 80, rows: int = 24, **more) -> None:
        monkeypatch.setenv("TERM", "xterm-256color")
        self.stream = Stream(tty=True)
        self.screen = pyte.Screen(columns, rows)
        self._pyte = pyte.ByteStream(self.screen)
        self._read = 0
        self.now = 1000.0
        self.live = LiveProgress(self.stream, lambda: self.now, **more)
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int = 24) -> None:
        self.live._console.size = (columns, rows)
        self.screen.resize(rows, columns)

    def lines(self) -> list[str]:
        """What stands on the screen now."""
        data = self.stream.bytes.getvalue()
        self._pyte.feed(data[self._read :].replace(b"\n", b"\r\n"))
        self._read = len(data)
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def bar(self) -> str:
        """The bar of the first job, its full cells as ``#``, a half one as ``+`` and what is empty as ``-``."""
        self.drawn()
        row = self.screen.buffer[0]
        cells = [row[x] for x in range(self.screen.columns) if row[x].data in "\u2501\u2578\u257a"]
        return "".join("+" if cell.data == "\u2578" else "-" if cell.fg == "brightblack" else "#" for cell in cells)

    def drawn(self) -> list[str]:
        self.live.draw()
        return self.lines()


@pytest.fixture
def window(monkeypatch):
    return Window(monkeypatch)


def test_a_line_tells_provider_model_state_time_and_prompt(window):
    """Nothing of a prompt or a provider's word is read as markup or obeyed."""
    window.resize(100)
    window.live.show(JOB)
    window.now += 7.4
    window.live.show(replace(JOB, queue_position=2))

    (line,) = window.drawn()

    assert re.sub(BAR, "|", line[2:]) == "runcomfy ultra | queued (position 2) 7 s a [bold]red[/bold]\\x1b[31m fox"


def test_what_earlier_jobs_took_is_told_while_it_says_anything(monkeypatch):
    """Not where nobody knows, not for less than a second, and not once the job is done."""
    known = {"foxfoxfo": 9.6, "quickone": 0.2, "noneknow": None}
    window = Window(monkeypatch, expected=lambda job: known[job.id])
    for name in known:
        window.live.show(replace(JOB, id=name, queue_position=None))

    before = [line.count("usually") for line in window.drawn()]
    window.live.show(replace(JOB, status="succeeded", queue_position=None, finished_at=1009.0))
    window.now += 100

    assert before == [1, 0, 0]
    assert " 9 s " in window.drawn()[-1]


def test_a_ledger_that_fails_does_not_stop_the_display(monkeypatch):
    """Whoever does the work will meet the error; the line is drawn without the expected time."""

    def fail(job):
        raise LedgerError("gone")

    window = Window(monkeypatch, expected=fail)
    window.live.show(JOB)

    assert "queued (position 3)" in window.drawn()[0]


@pytest.mark.parametrize(
    ("changes", "expected", "seconds", "bar"),
    [
        ({"progress": 50.0}, None, 0, "######------"),
        ({"progress": 50.0}, 10.0, 9, "######------"),
        ({"progress": 100.0}, None, 0, "###########+"),
        ({}, 10.0, 0, "------------"),
        ({}, 10.0, 2.5, "###---------"),
        ({"accepted_at": 1002.5}, 10.0, 7.5, "######------"),
        ({}, 10.0, 60, "###########+"),
        ({"status": "succeeded"}, 10.0, 3, "############"),
        ({"status": "failed"}, 10.0, 3, "------------"),
        ({"status": "unknown"}, 10.0, 3, "------------"),
    ],
)
def test_a_bar_shows_the_percent_of_the_host_or_the_expected_time(monkeypatch, changes, expected, seconds, bar):
    """It is full only when the job is done."""
    window = Window(monkeypatch, expected=lambda _: expected)
    window.live.show(replace(JOB, **{"status": "running", "queue_position": None, "finished_at": 1003.0, **changes}))
    window.now += seconds

    assert window.bar() == bar


def test_a_bar_moves_while_nothing_can_be_estimated(window):
    window.live.show(JOB)
    window.drawn()
    first = window.stream.bytes.getvalue()
    window.now += 0.2
    window.drawn()

    assert not window.bar().startswith("------------")
    assert window.stream.bytes.getvalue()[len(first) :].count(b"\x1b[") > 5


@pytest.mark.parametrize("columns", [120, 80, 60, 40, 20, 3, 1])
def test_no_line_is_wider_than_the_window_and_the_prompt_gives_way_first(monkeypatch, columns):
    """Thirty jobs at 80 columns: each says its provider, its state and its time in full."""
    window = Window(monkeypatch, columns=columns, rows=40, expected=lambda _: 11.0)
    for number in range(30):
        provider = ("runware", "runcomfy")[number % 2]
        window.live.show(replace(JOB, id=f"{number:08}", provider=provider, prompt="a long prompt " * 9))

    lines = window.drawn()

    assert len(lines) == 30
    assert max(map(len, lines)) <= max(columns - 2, 1)
    if columns >= 60:
        words = [re.sub(BAR, "", line) for line in lines]
        assert all(re.search(r"(runware|runcomfy) ultra +queued \(position 3\) 0 s \(usually 11 s\)", x) for x in words)
        assert lines[0].index("queued") == lines[1].index("queued")
    assert all(bool(re.search(BAR, line)) == (columns >= 80) for line in lines)


def test_wide_letters_are_counted_as_wide(monkeypatch):
    """A prompt in Chinese is cut before the window's edge, not after it."""
    window = Window(monkeypatch, columns=60)
    window.live.show(replace(JOB, prompt="\u72d0" * 50))

    assert len(window.drawn()) == 1


def test_what_stands_above_is_left_alone(window):
    """Lines come, change and go; what was printed before and in between stays."""
    window.stream.write("above\n")
    window.live.show(JOB)
    window.live.show(replace(JOB, id="second22"))
    first = window.drawn()
    with window.live.pause():
        window.stream.write("fox.jpg\n")
    between = window.lines()
    window.live.remove("second22")
    after = window.drawn()
    with window.live:
        pass

    assert (first[0], len(first)) == ("above", 3)
    assert between == ["above", "fox.jpg"]
    assert (after[:2], len(after)) == (["above", "fox.jpg"], 3)
    assert window.lines() == ["above", "fox.jpg"]
    assert not window.screen.cursor.hidden


def test_several_threads_may_report_print_and_draw_at_once(window):
    """Each printed line stays, and nothing of the drawing."""

    def work(number: int) -> None:
        for step in range(20):
            job = replace(JOB, id=f"{number}-{step}")
            window.live.show(job)
            window.live.draw()
            with window.live.pause():
                window.stream.write(f"{number}-{step}.jpg\n")
            window.live.remove(job.id)

    window.screen = pyte.Screen(80, 100)
    window._pyte = pyte.ByteStream(window.screen)
    with window.live, ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert sorted(window.lines()) == sorted(f"{number}-{step}.jpg" for number in range(4) for step in range(20))
    assert not window.screen.cursor.hidden


def test_nothing_is_drawn_before_its_time_or_afterwards(window):
    """Reports alone draw nothing, so they may come as quickly as they like; nor does anything after the end."""
    with window.live:
        for _ in range(1000):
            window.live.show(JOB)
        with window.live.pause():
            pass
        silent = len(window.stream.bytes.getvalue())

    assert silent == 0
    assert window.drawn() == []


def test_a_window_may_change_its_size(window):
    """Wider shows more of the prompt; narrower cuts, and takes nothing away that stands above."""
    window.stream.write("above\n")
    window.live.show(replace(JOB, prompt="a fox in a wide and empty landscape of snow, under a low sun"))
    window.drawn()

    window.resize(200)
    wide = window.drawn()
    window.resize(64)
    narrow = window.drawn()

    assert wide[1].endswith("under a low sun")
    assert (narrow[0], len(narrow)) == ("above", 2)
    assert narrow[1].endswith("\u2026")


def test_a_terminal_that_breaks_lines_anew_is_cleared_to_the_last_piece(monkeypatch):
    """In tmux, a line of 70 characters takes two in a window of 40: both are taken away."""
    window = Window(monkeypatch, environ={"TMUX": "x"})
    window.live.show(replace(JOB, prompt="a fox in a wide and empty landscape of snow"))
    window.drawn()
    before = len(window.stream.bytes.getvalue())

    window.resize(40)
    window.live.draw()

    assert window.stream.bytes.getvalue()[before:].count(b"\x1b[1A") == 1


def test_a_batch_has_a_bar_and_shows_what_fits(monkeypatch):
    """The bar is as long as the words leave it room; jobs that fit the window, and how many there are beside."""
    totals = BatchTotals(4, lambda: 0.0)
    window = Window(monkeypatch, rows=8, totals=totals)
    totals.add([replace(JOB, status="succeeded", estimate=0.06)], None)
    for number in range(6):
        window.live.show(replace(JOB, id=str(number)))

    lines = window.drawn()
    window.resize(44, 8)
    narrow = window.drawn()

    assert lines[0] == "\u2501" * 6 + "\u257a" + "\u2501" * 17 + " 1 of 4 done, $0.06, 6 in flight, 0:00 left"
    assert (len(lines), lines[-1]) == (6, "and 2 more")
    assert narrow[0] == "1 of 4 done, $0.06, 6 in flight, 0:00 left"


def test_jobs_under_way_come_before_those_that_are_done(window):
    for name, status in (("first", "succeeded"), ("second", "running")):
        window.live.show(replace(JOB, id=name, status=status, queue_position=None, prompt=name, finished_at=1000.0))

    assert [line.split()[-1] for line in window.drawn()] == ["second", "first"]


def test_a_terminal_without_unicode_gets_ascii(monkeypatch):
    """Where the encoding has no such letters, nothing of ours needs them."""
    window = Window(monkeypatch, columns=50)
    window.stream.reconfigure(encoding="latin-1", errors="strict")
    window.live = LiveProgress(window.stream, lambda: 0.0, BatchTotals(2, lambda: 0.0))
    window.resize(50)
    window.live.show(replace(JOB, prompt="a fox " * 20))

    lines = window.drawn()

    assert len(lines) == 2
    assert all(line.isascii() for line in lines)


def test_a_terminal_that_went_away_does_no_harm(monkeypatch):
    """Progress that nobody can see is no reason to stop."""

    class Gone(Stream):
        def write(self, _):
            raise OSError(5, "Input/output error")

    monkeypatch.setenv("TERM", "xterm")
    live = LiveProgress(Gone(tty=True), lambda: 0.0)
    live.show(JOB)
    live.draw()
    with live.pause():
        live.remove(JOB.id)

    live.draw()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7300, "2 h"), (200_000, "2 days")],
)
def test_a_time_takes_few_words(seconds, told):
    assert format_duration(seconds) == told


def test_after_a_stop_the_lines_begin_anew_below(window):
    """What the shell has printed meanwhile stays, and the cursor is there until something is drawn again."""
    window.live.show(JOB)
    window.drawn()
    window.live._resume()
    given_back = not window.screen.cursor.hidden if window.lines() else None
    window.stream.write("$ fg\n")

    lines = window.drawn()

    assert given_back
    assert [line.split()[0] for line in lines if "runcomfy" not in line] == ["$"]
    assert "runcomfy" in lines[-1]
    assert window.screen.cursor.hidden


def test_nothing_is_drawn_while_it_is_suspended(window):
    window.live.show(JOB)
    window.drawn()

    window.live._suspend()
    suspended = window.drawn()
    hidden = window.screen.cursor.hidden
    window.live._resume()

    assert (suspended, hidden) == ([], False)
    assert len(window.drawn()) == 1
