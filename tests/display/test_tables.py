"""Tables and facts on a terminal: aligned, cut or folded to the window, and harmless."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from flux_cli.commands.providers import facts
from flux_cli.display.rendering import HEAD, row_style, table_row
from flux_cli.display.tables import TableRenderer
from flux_cli.jobs import Job
from flux_cli.providers import NAMES, load
from tests.conftest import Stream

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STATES = ("submitting", "queued", "running", "succeeded", "failed", "cancelled", "unknown")


@pytest.fixture
def page(monkeypatch):
    """Return a function that makes a page of some width."""
    monkeypatch.setenv("TERM", "xterm-256color")

    def make(columns: int, encoding: str = "utf-8") -> TableRenderer:
        monkeypatch.setenv("COLUMNS", str(columns))
        stream = Stream(tty=True)
        stream.reconfigure(encoding=encoding)
        return TableRenderer(stream)

    return make


def row(status="succeeded", prompt="a red fox in the snow, engraved, by a river " * 3, **changes) -> tuple[str, ...]:
    fixed = {"id": "k3f9q2mx", "run": "r", "provider": "runcomfy", "model": "flux-1.1-pro-ultra", "created_at": 0.0}
    return table_row(Job(**{**fixed, "status": status, "prompt": prompt, **changes}))


def lines(text: str) -> list[str]:
    return COLOUR.sub("", text).split("\n")


@pytest.mark.parametrize("columns", [200, 80, 50, 20, 4, 1])
def test_a_list_fits_its_window_a_line_a_job(page, columns):
    """The prompt is cut first; at 80 columns everything else is whole, and each column begins in one place."""
    rows = [row(status) for status in STATES] + [row("queued", queue_position=12), row("running", progress=30.0)]

    shown = lines(page(columns).one_line_rows(HEAD, rows, row_style))

    assert len(shown) == len(rows) + 1
    assert max(map(cell_len, shown)) <= max(columns, 3)
    if columns >= 80:
        assert all(re.match(r"k3f9q2mx  .{12} runcomfy  ultra +\d\d-\d\d \d\d:\d\d +a red", line) for line in shown[1:])
        assert {line.index("runcomfy") for line in shown[1:]} == {shown[0].index("PROVIDER")}


def test_wide_letters_keep_columns_aligned_and_are_not_cut_in_half(page):
    shown = lines(page(60).one_line_rows(HEAD, [row(prompt="\u72d0" * 40), row(prompt="e\u0301" * 80)], row_style))

    assert max(map(cell_len, shown)) <= 60
    assert shown[1].index("runcomfy") == shown[2].index("runcomfy")


def test_a_state_has_a_colour_of_the_theme_beside_its_name(page):
    """Of the sixteen colours, and never alone: without them, nothing is missing."""
    text = page(80).one_line_rows(HEAD, [row(status) for status in STATES], row_style)

    assert {code for code in re.findall(r"\x1b\[([0-9;]*)m", text) if code != "0"} == {
        "1",
        "2",
        "31",
        "32",
        "36",
        "1;31",
    }
    assert [line.split()[1] for line in lines(text)[1:]] == list(STATES)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_left_out(page, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    made = page(80)
    monkeypatch.setenv("TERM", "dumb" if name == "TERM" else "xterm")

    text = made.one_line_rows(HEAD, [row("failed"), row("succeeded")], row_style)

    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)
    assert "failed" in text


def test_a_table_that_is_too_wide_is_folded_and_loses_nothing(page):
    rows = [("runware", "set (environment RUNWARE_API_KEY)", "pro $0.04, ultra $0.06", "while queued")]

    shown = lines(page(50).wrapped_rows(("PROVIDER", "KEY", "PRICE", "CANCEL"), rows))

    assert max(map(cell_len, shown)) <= 50
    assert "".join(" ".join(shown).split()).count("$0.06") == 1
    assert shown[1].split()[:2] == ["runware", "set"]
    assert len(shown) > 2


OPTIONS = ("OPTION", "ACCEPTS", "DEFAULT", "FIELD", "NOTE")


@pytest.mark.parametrize("columns", [80, 100, 150])
@pytest.mark.parametrize("provider", NAMES)
def test_no_word_of_an_option_table_is_broken(page, provider, columns):
    """Such as the name of a field, which is copied; columns without room follow in a table of their own."""
    for model in load(provider).models.values():
        rows = facts.table(model)

        shown = lines(page(columns).wrapped_rows(OPTIONS, rows))

        words = {word for row in (OPTIONS, *rows) for cell in row for word in cell.split()}
        assert words <= {word for line in shown for word in line.split()}
        assert max(map(cell_len, shown)) <= columns


def test_columns_without_room_follow_below_beside_the_first(page):
    rows = [
        ("--seed", "0 to 9223372036854775807", "providerSettings.bfl.promptUpsampling", "strict"),
        ("--raw", "", "raw", ""),
    ]

    assert lines(page(60).wrapped_rows(("OPTION", "ACCEPTS", "FIELD", "NOTE"), rows)) == [
        "OPTION  ACCEPTS",
        "--seed  0 to 9223372036854775807",
        "--raw",
        "",
        "OPTION  FIELD                                  NOTE",
        "--seed  providerSettings.bfl.promptUpsampling  strict",
        "--raw   raw",
    ]


def test_what_has_no_room_at_all_is_folded(page):
    """A path that is longer than the window, or a window as narrow as a word."""
    path = "/home/ann/" + "x" * 80

    for columns in (12, 30, 60):
        shown = lines(page(columns).wrapped_rows(("KEY", "VALUE", "FROM"), [("output", path, "file")]))

        assert "".join(shown).count("x") == 80
        assert max(map(cell_len, shown)) <= columns


def test_facts_go_on_below_themselves_and_links_stay_whole(page):
    """A long prompt is wrapped at its blanks; what would be copied is not broken."""
    link = "https://im.runware.ai/" + "x" * 60
    text = page(40).pairs(
        [("id", "k3f9q2mx"), ("prompt", "a red fox in the snow, engraved, by a river"), ("image", link)]
    )

    assert text.split("\n") == [
        "id      k3f9q2mx",
        "prompt  a red fox in the snow, engraved,",
        "        by a river",
        f"image   {link}",
    ]


def test_what_the_encoding_lacks_is_an_escape(page):
    """It is measured as such, and a cut needs no letter of its own."""
    made = page(74, "latin-1")

    table = lines(made.one_line_rows(HEAD, [row(prompt="\u72d0 f\u00fcr Ada " * 9)], row_style))[1]

    assert cell_len(table) == 74
    assert table.encode("latin-1")
    assert "\\u72d0" in table
    assert made.pairs([("prompt", "\u72d0 f\u00fcr")]) == "prompt  \\u72d0 f\u00fcr"


def test_nothing_is_obeyed(page):
    """Markup and control characters of a prompt are shown."""
    made = page(200)

    text = made.one_line_rows(HEAD, [row(prompt="[red]a\x1b[2J\nfox[/red]")], row_style)

    assert "[red]a\\x1b[2J fox[/red]" in text
    assert made.pairs([("prompt", "[b]\x07")]) == "prompt  [b]\\x07"


def test_no_line_ends_in_blanks(page):
    """So nothing but words is copied from the terminal."""
    made = page(60)

    one_line = made.one_line_rows(HEAD, [row(prompt="a fox"), row("failed", prompt="a red fox, engraved")], row_style)
    wrapped = made.wrapped_rows(("PROVIDER", "PRICE"), [("runware", "pro $0.04, ultra $0.06"), ("runflow", "")])

    assert all(line == line.rstrip() for line in lines(one_line) + lines(wrapped))
