"""``--help`` at 80 columns: the common options on the first screen, an example at the end, and examples that hold."""

from __future__ import annotations

import re
import shlex

import pytest

from flux_cli.cli import drop_absurd_sizes
from flux_cli.commands import examples

ROWS = 24
COMMON = {
    "generate": [
        "PROMPT",
        *("--provider", "--model", "--output", "--aspect-ratio", "--count", "--seed", "--image", "--format"),
        *("--no-wait", "--dry-run", "--help"),
    ],
    "status": ["JOB", "--provider", "--limit", "--active", "--offline"],
    "result": ["JOB", "--output", "--wait", "--all", "--url", "--provider", "--format", "--help"],
    "cancel": ["JOB", "--all", "--yes", "--provider", "--help", "--json", "--sandbox"],
    "providers": ["PROVIDER", "--check", "--json", "--sandbox", "Example"],
    "config": ["init", "show", "get", "set", "unset", "path", "Example"],
}
PATHS = [[], *([name] for name in examples.COMMANDS), *(["config", name] for name in examples.CONFIG)]


@pytest.fixture
def screen(flux, capsys, monkeypatch):
    """Return a function that shows a command's help in 80 columns, as lines."""
    monkeypatch.setenv("COLUMNS", "80")

    def shown(*path: str) -> list[str]:
        done = flux(*path, "--help")
        assert done.code == 0
        return capsys.readouterr().out.splitlines()

    return shown


@pytest.mark.parametrize("command", COMMON)
def test_the_common_options_are_on_the_first_screen(screen, command):
    first = "\n".join(screen(command)[: ROWS - 1])  # the last row is the shell's or the pager's

    assert [word for word in COMMON[command] if word not in first] == []


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_each_ends_with_examples(screen, path):
    """Nothing is cut off at 80 columns, and the last lines are commands to type."""
    lines = screen(*path)

    last = [line.strip() for line in lines if line.strip()][-1]
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines).replace("8 …", "")
    assert last.startswith(" ".join(["flux", *path]).rstrip())


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_no_type_of_python_is_shown(screen, path):
    """Each argument of the usage line has its sentence instead, above the options."""
    lines = screen(*path)

    usage = next(line for line in lines if "Usage:" in line)
    before = "\n".join(lines).partition("─ Options ─")[0]
    arguments = set(re.findall(r"[A-Z]{2,}", usage)) - {"OPTIONS", "COMMAND", "ARGS"}
    assert not re.search(r"<\w+|\blist\[|\bbool\b", "\n".join(lines))
    assert [word for word in arguments if not re.search(rf"^ {word}: \w", before, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("size", "kept"),
    [("80", True), ("20", True), ("1000", True), ("0", False), ("1", False), ("19", False), ("1001", False),
     ("1000000", False), ("9" * 5000, False), ("-3", False), ("8O", False), ("٨٠", False), ("", False)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["COLUMNS", "TERMINAL_WIDTH"])
def test_a_width_that_makes_no_sense_is_as_good_as_none(name, size, kept):
    environ = {name: size, "LINES": "1", "HOME": "0"}

    drop_absurd_sizes(environ)

    assert environ == {"LINES": "1", "HOME": "0"} | ({name: size} if kept else {})


def test_a_height_of_nothing_is_none():
    environ = {"LINES": "0"}

    drop_absurd_sizes(environ)

    assert environ == {}


EXAMPLES = [
    line
    for text in (examples.PROGRAM, *examples.COMMANDS.values(), *examples.CONFIG.values())
    for line in text.splitlines()[1:]
]
SETTLED = {
    "flux config init": 2,
    "flux config get default_provider": 1,
    "flux config unset generate.aspect_ratio": 2,
    "flux result --all -o out/": 8,
}
"""Exit codes of those that need a person, something that was set before, or a job that is finished."""


@pytest.mark.parametrize("line", sorted(set(EXAMPLES)))
def test_every_example_can_be_typed(flux, monkeypatch, tmp_path, line):
    """Tried in the sandbox, where there is one job and a file of prompts and one of columns."""
    monkeypatch.setenv("FLUX_SANDBOX", "1")
    (tmp_path / "work" / "prompts.txt").write_text("a fox\n", "utf-8")
    (tmp_path / "work" / "rows.csv").write_text("animal,place\nfox,Rome\n", "utf-8")
    typed = shlex.split(line)[1:]
    if typed[0] in {"status", "result", "cancel"}:
        provider = "runcomfy" if typed[0] == "cancel" else "runware"
        assert flux("generate", "a fox", "-p", provider, "--no-wait").code == 0

    done = flux(*typed, stdin="made-up-key\n")

    assert done.code == SETTLED.get(line, 0), done
    assert not re.search(r"no such option|unexpected", done.err)
