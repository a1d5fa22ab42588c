"""Which commands of a hint are listed as ready to run: for every hint in the source, and with hostile text."""

from __future__ import annotations

import re
import shlex

import pytest

from flux_cli.commands.help.topics import topics
from flux_cli.completion.parse import load_table
from flux_cli.display.next_commands import next_commands
from flux_cli.errors import tree
from tests.error_table import BLANK, table

BUYS = {"generate"}


@pytest.fixture(scope="module")
def filled() -> list[str]:
    """Return the hints with a command, as the source has them, with an id or a topic in each gap."""
    hints = sorted({row.hint for row in table() if row.hint and "`" in row.hint})
    assert len(hints) > 100
    return [re.sub(rf"(?<=flux help ){BLANK}", "money", hint).replace(BLANK, "k3f9q2mx") for hint in hints]


def parse(command: str) -> dict[str, list[str]]:
    """Return the options of a command, each with what it takes, and its arguments under ""; fail if there is no such.

    Read with the program's own table of commands and options.
    """
    program, *words = shlex.split(command)
    assert program == "flux", command
    here = load_table()["program"]
    while words and words[0] in here.get("commands", {}):
        here = here["commands"][words.pop(0)]
    assert "commands" not in here or words == ["--help"], f"{command}: no such command"
    known = {name: option for option in here["options"] for name in option["names"]}
    found: dict[str, list[str]] = {"": []}
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            found[""].append(word)
            continue
        assert word in known, f"{command}: no such option"
        found[word] = [words.pop(0)] if known[word]["takes"] else []
    assert not found[""] or here.get("arguments"), f"{command}: takes no arguments"
    return found


def test_each_command_of_each_hint_is_known_to_the_parser(filled):
    options = ["--sandbox", "--config", "my config.toml"]
    for command in [one for hint in filled for one in next_commands(hint, options=options)]:
        found = parse(command)
        assert not re.search(r"[A-Z]{2}|…|\.\.\.|[<>|$;&`]", command), command
        if " help" not in command and "--help" not in found:
            assert found["--config"] == ["my config.toml"], command
            assert "--sandbox" in found, command


def test_none_buys_removes_or_sets_anything(filled):
    """This holds for every error, and above all if an image exists or may exist."""
    for command in [one for hint in filled for one in next_commands(hint)]:
        words = shlex.split(command)
        assert words[1] not in BUYS or words[-1] == "--help", command
        assert not {"--forget", "--forget-older-than", "--accept-loss", "set", "unset", "init"} & set(words), command


def test_what_is_paid_for_comes_with_a_command():
    """The first one fetches the image, or shows where it is."""
    paid = sorted({row.hint for row in table() if row.kind.exit_code in {8, 10} and row.hint})

    assert paid
    for hint in paid:
        ready = next_commands(hint.replace(BLANK, "k3f9q2mx"))
        if "starts" not in hint:  # a lost image can only be bought again, which a person has to decide
            assert re.match(r"flux result (--wait |--url )?k3f9q2mx$|flux status$", ready[0]), hint


@pytest.mark.parametrize(
    ("hint", "commands"),
    [
        ("", []),
        ("raise --max-cost", []),
        ("`flux result --wait k3f9q2mx` fetches it", ["flux result --wait k3f9q2mx"]),
        (
            "`flux cancel k3f9q2mx` tries again; `flux result --wait k3f9q2mx` fetches it",
            ["flux cancel k3f9q2mx", "flux result --wait k3f9q2mx"],
        ),
        ("`flux status`; `flux status`", ["flux status"]),
        ("`flux generate --help`", ["flux generate --help"]),
        ("`python -m flux_cli status --help`", ["python -m flux_cli status --help"]),
        ("`flux models 'my poster' -p runware`", ["flux models 'my poster' -p runware"]),
        ("`flux result --wait JOB`", []),
        ("`flux models MODEL -p runware`", []),
        ("`flux result …`", []),
        ("`flux status --quiet ...`", []),
        ("use -o with `flux result --wait`", []),
        ("`flux result --all`", ["flux result --all"]),
        ('`flux generate "a red fox"`', []),
        ("`flux generate --like k3f9q2mx`", []),
        ("`flux config set providers.runware.api_key`", []),
        ("`flux config init`", []),
        ("`flux config show`", ["flux config show"]),
        ("`flux status --accept-loss`", []),
        ("`flux status --forget @1`", []),
        ("`iconv -t UTF-8`", []),
        ("`fluxus status`", []),
        ("`flux`", []),
        ("`flux status 'a", []),
        ("`flux status k3f9; rm -rf x`", []),
        ("`flux status $(rm x)`", []),
        ("`flux status k3f9 > x`", []),
        ("`flux status 'not closed`", []),
    ],
)
def test_only_whole_commands_that_are_always_safe_are_ready(hint, commands):
    assert next_commands(hint) == commands


def test_each_kind_of_error_names_a_topic_that_exists_or_none():
    named = {name: kind.docs for name, kind in tree().items()}

    assert {topic for topic in named.values() if topic is not None} <= set(topics())
    assert {kind.code for kind in tree().values() if kind.docs is None} == {"usage"}


def test_a_script_gets_the_command_for_its_sandbox_and_config(flux, tmp_path):
    """And it runs as it is."""
    config = tmp_path / "a config.toml"
    config.write_text("")
    words = ("--sandbox", "--config", config, "--json")

    error = flux("generate", "a fox sandbox:never", "--timeout", "1", *words).object["error"]

    (command,) = error["commands"]
    assert re.fullmatch(rf"flux result --wait \w{{8}} --sandbox --config '{config}'", command)
    assert error["docs"] == "exit-codes"
    assert flux(*shlex.split(command)[1:], "--timeout", "1").code == 8


def test_the_error_of_a_check_has_commands_too(flux, monkeypatch):
    monkeypatch.setenv("FLUX_SANDBOX", "1")

    for line in flux("providers", "--check", "--json").objects:
        assert line["error"] is None or isinstance(line["error"]["commands"], list)


def test_what_may_have_been_bought_is_asked_about_and_not_bought_again(flux):
    error = flux("generate", "a fox sandbox:lost-replies", "-p", "runflow", "--sandbox", "--json").object["error"]

    (command,) = error["commands"]
    assert error["exit_code"] == 7
    assert re.fullmatch(r"flux status \w{8} --sandbox", command)
    assert flux(*shlex.split(command)[1:]).code == 0
