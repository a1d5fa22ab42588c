"""``flux help``: the topics, in a pipe and on a terminal, and the help of every command."""

from __future__ import annotations

import re

import pytest

from flux_cli.cli import COMMANDS
from flux_cli.commands.examples import CONFIG
from flux_cli.commands.help.skill import read_skill
from flux_cli.commands.help.topics import FOLDER, read_topic, topics

TOPICS = sorted(path.stem for path in FOLDER.glob("*.md"))
ESCAPE = re.compile(r"\x1b\[[\d;]*m")
COMMAND_LINES = [[name] for name in COMMANDS if name not in TOPICS] + [["config", name] for name in CONFIG]


def test_without_a_word_it_lists_the_topics_with_what_each_is_about(flux):
    done = flux("help")

    assert (done.code, done.err) == (0, "")
    assert [line.split("\t") for line in done.lines] == [[name, about] for name, about in topics().items()]


def test_on_a_terminal_it_also_says_what_to_type(flux):
    done = flux("help", tty=True)

    assert all(name in done.out for name in TOPICS)
    assert "`flux help COMMAND`" in done.lines[-1]


@pytest.mark.parametrize("topic", TOPICS)
def test_in_a_pipe_a_topic_is_its_markdown_without_control_characters(flux, topic):
    done = flux("help", topic)

    assert (done.code, done.err) == (0, "")
    assert done.out == (read_skill() if topic == "agents" else (FOLDER / f"{topic}.md").read_text(encoding="utf-8"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.out)


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("topic", TOPICS)
def test_on_a_terminal_a_topic_is_laid_out_for_the_window(flux, monkeypatch, topic, columns):
    """Headings and code without their marks, and no line wider than the window or than is good to read."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")

    done = flux("help", topic, tty=True)

    plain = ESCAPE.sub("", done.out)
    assert done.code == 0
    assert done.out != plain
    assert plain.count("…") == read_topic(topic).count("…")  # nothing is cut off
    assert not re.search(r"^#|^```|\*\*", plain.replace("# not yet", "").replace("# …", ""), re.MULTILINE)
    assert max(map(len, plain.splitlines())) <= min(columns, 100)


def test_a_topic_has_no_colour_where_none_is_wanted(flux, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")

    assert "\x1b" not in flux("help", "money", tty=True).out


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_begins_with_its_title_and_one_line_about_it(topic):
    title, empty, about, following, *_ = (FOLDER / f"{topic}.md").read_text(encoding="utf-8").split("\n")

    assert title.removeprefix("# ").lower().replace(" ", "-") == topic
    assert (empty, following) == ("", "")
    assert about.endswith(".")
    assert len(about) <= 90


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_the_name_of_a_command_prints_that_commands_help(flux, capsys, words):
    assert flux("help", *words).code == 0
    shown = capsys.readouterr().out

    assert flux(*words, "--help").code == 0
    assert shown.strip() == capsys.readouterr().out.strip()
    assert f"Usage: flux {' '.join(words)}" in shown


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["exit-code"], "there is no topic or command 'exit-code'", "did you mean `flux help exit-codes`?"),
        (["generat"], "there is no topic or command 'generat'", "did you mean `flux help generate`?"),
        (["presets"], "there is no topic or command 'presets'", "`flux help config` has a section on it"),
        (["exit"], "there is no topic or command 'exit'", "did you mean `flux help exit-codes`?"),
        (
            ["template"],
            "there is no topic or command 'template'",
            "`flux help batches` and `flux help names` have a section on it",
        ),
        (["xyzzy"], "there is no topic or command 'xyzzy'", "`flux help` lists them"),
        (["config", "sett"], "there is no command 'config sett'", "did you mean `flux help config set`?"),
        (["status", "foo"], "there is no command 'status foo'", "`flux help status` lists them"),
        (["money", "json"], "flux help shows one topic at a time", "`flux help money`"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(flux, words, error, hint):
    done = flux("help", *words)

    assert (done.code, done.out) == (2, "")
    assert done.err == f"flux: error: {error}\nhint: {hint}\n"
