"""``flux help agents``: a skill made from the program's tables; each claim is tested, and it can be uninstalled.

Its commands are run as examples of a page, see `tests.test_pages`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from pathlib import Path

import pytest

from flux_cli import providers
from flux_cli.cli import COMMANDS
from flux_cli.commands.help.install import HOMES
from flux_cli.commands.help.skill import is_unchanged, read_skill
from flux_cli.commands.help.topics import topics
from flux_cli.completion.parse import load_table
from flux_cli.errors import exit_codes

LONGEST = 150
"""Lines of the page, at most."""
FILE = Path("flux") / "SKILL.md"


@pytest.fixture
def page(flux) -> str:
    return flux("help", "agents").out


def front_matter(page: str) -> dict[str, str]:
    """Return the keys of the front matter, as a reader of YAML sees them."""
    start, matter, _ = page.split("---\n", 2)
    assert start == ""
    return dict(re.fullmatch(r' *([\w-]+): ?"?([^":#]*)"?', line).groups() for line in matter.splitlines())


def table(page: str, head: str) -> list[list[str]]:
    """Return the rows of the table that begins with ``head``."""
    rows = page[page.index(f"| {head} |") :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_it_is_a_skill_in_the_form_that_agents_read(page):
    """The bounds are those of agentskills.io; the name is that of the folder."""
    found = front_matter(page)

    assert list(found) == ["name", "description", "license", "compatibility", "metadata", "version", "sha256"]
    assert found["name"] == FILE.parent.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found["name"])
    assert 0 < len(found["description"]) <= 1024
    assert "Use it when" in found["description"]
    assert len(found["compatibility"]) <= 500


def test_it_is_short(page):
    assert len(page.splitlines()) <= LONGEST


def test_nothing_is_left_to_fill_in(page):
    assert "<!--" not in page


def test_its_commands_are_those_of_the_program(page):
    assert dict(table(page, "command")) == {f"`flux {name}`": about.rstrip(".") for name, about in COMMANDS.items()}


def test_its_options_are_those_of_the_program(page):
    known = {one["names"][0]: one for one in load_table()["program"]["commands"]["generate"]["options"]}

    for typed, about in table(page, "option"):
        flag, _, takes = typed.strip("`").replace("\\|", "|").partition(" ")
        assert (takes, about) == (known[flag]["takes"], known[flag]["help"])


def test_its_providers_are_those_of_the_program(page):
    listed = re.findall(r"`(\w+)` \((\d+) models, `(\w+)`\)", page)

    loaded = [providers.load(name) for name in providers.NAMES]
    assert listed == [(one.name, str(len(one.models)), one.key_variables[0]) for one in loaded]


def test_its_exit_codes_are_those_of_the_errors(page):
    listed = {int(code): (name, when, advice) for code, name, when, advice in table(page, "code")}

    assert listed.pop(0)[0] == "ok"
    assert listed == {code: (one.code, one.meaning, one.advice) for code, one in exit_codes().items()}


CAUSES = {
    0: ["generate", "a fox"],
    1: ["generate", "a fox sandbox:fail"],
    2: ["generate", "a fox", "-a", "16:10"],
    3: ["generate", "a fox sandbox:unauthorized"],
    4: ["generate", "a fox sandbox:rate-limit"],
    5: ["generate", "a fox sandbox:moderated"],
    6: ["generate", "a fox", "--max-cost", "0.01"],
    7: ["generate", "a fox sandbox:lost-replies", "-p", "runflow"],
    8: ["generate", "a fox sandbox:never", "--timeout", "1"],
    9: ["generate", "--batch", "rows.txt"],
    10: ["generate", "a fox sandbox:bad-image"],
}
AGAIN = {4: "safe", 7: "never", 8: "never", 10: "never"}
"""The value of ``retry`` for each exit code whose advice says whether to run the command again."""


def test_each_exit_code_has_a_cause(page):
    assert [int(code) for code, *_ in table(page, "code")] == list(CAUSES)


@pytest.mark.parametrize("code", CAUSES)
def test_each_exit_code_happens_and_its_advice_holds(flux, code):
    """What the page says to do works: it fetches or asks, and buys nothing."""
    Path("rows.txt").write_text("a fox\na hare sandbox:fail\n")

    done = flux(*CAUSES[code], "--sandbox", "--json", "-q")

    assert done.code == code
    errors = [line["error"] for line in done.objects if line["error"]]
    assert bool(errors) == (code != 0)
    for error in errors:
        assert error["exit_code"] == code or code == 9
        assert error["retry"] == AGAIN.get(code, error["retry"])
        assert not any(" generate " in command and "--help" not in command for command in error["commands"])
    if "`flux " in exit_codes().get(code, exit_codes()[1]).advice:
        (error,) = errors
        verb = re.search("`flux ([a-z]+)", exit_codes()[code].advice)[1]
        assert error["commands"][0].split()[1] == verb
    before = flux("status", "--spend", "--sandbox", "--json").objects[-1]["jobs"]
    for command in [command for error in errors for command in error["commands"]]:
        flux(*command.split()[1:], *(["--timeout", "1"] if "--wait" in command else []))
    assert flux("status", "--spend", "--sandbox", "--json").objects[-1]["jobs"] == before


SAFE = [
    ["status"],
    ["result", "@1"],
    ["models"],
    ["providers"],
    ["help"],
    ["generate", "a hare", "--dry-run"],
    ["generate", "a hare", "--sandbox"],
]


@pytest.mark.parametrize("words", SAFE, ids=" ".join)
def test_what_is_safe_to_repeat_buys_nothing(flux, host, page, words):
    """With a host that counts what it was asked to make."""
    flux("generate", "a fox", "-p", "runware")
    made = len(host.images)

    assert flux(*words, *(["-p", "runware"] if words[0] == "generate" else [])).code == 0

    assert f"`flux {words[0]}`" in page or words[-1] in page
    assert len(host.images) == made


def test_on_a_terminal_it_is_read_without_its_front_matter(flux):
    done = flux("help", "agents", tty=True)

    assert "sha256" not in done.out
    assert "Money" in done.out


def test_a_folder_is_all_that_has_to_be_named(flux, page):
    done = flux("help", "agents", "--install", "skills")

    path = Path("skills").absolute() / FILE
    assert (done.code, done.out, done.err) == (0, f"{path}\twritten\n", "")
    assert path.read_text(encoding="utf-8") == page
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["SKILL.md"]  # noqa: PTH208 - names


def test_it_can_be_written_twice_and_removed_twice(flux):
    seen = [flux("help", "agents", f"--{word}install", "skills", "--json") for word in ("", "", "un", "un")]

    assert [done.code for done in seen] == [0, 0, 0, 0]
    changes = [[line["change"] for line in done.objects] for done in seen]
    assert changes == [["written"], ["unchanged"], ["removed"], []]
    assert os.listdir("skills") == []  # noqa: PTH208 - names


def test_nothing_but_the_page_is_removed(flux):
    flux("help", "agents", "--install", "skills")
    other = Path("skills/flux/mine.md")
    other.write_text("mine")

    assert flux("help", "agents", "--uninstall", "skills").code == 0
    assert [path.name for path in Path("skills").rglob("*")] == ["flux", "mine.md"]


def test_the_page_of_an_earlier_version_is_replaced(flux, page):
    """Its digest shows that flux wrote it, so it is replaced without a question."""
    flux("help", "agents", "--install", "skills")
    path = Path("skills") / FILE
    older = re.sub(r'  sha256: "\w+"\n', "", page).replace("Money", "Costs")
    digest = hashlib.sha256(older.encode()).hexdigest()
    path.write_text(older.replace("---\n\n#", f'  sha256: "{digest}"\n---\n\n#', 1))

    done = flux("help", "agents", "--install", "skills")

    assert done.out.endswith("\twritten\n")
    assert path.read_text(encoding="utf-8") == page


NOT_OURS = {
    "changed": lambda path, page: path.write_text(page.replace("Money", "Gold")),
    "another's": lambda path, _page: path.write_text("---\nname: flux\n---\n"),
    "not text": lambda path, _page: path.write_bytes(b"\xff\xfe"),
    "a link": lambda path, page: (path.with_name("x").write_text(page), path.symlink_to("x")),
    "a folder": lambda path, _page: path.mkdir(),
}


@pytest.mark.parametrize("kind", NOT_OURS)
def test_a_file_that_is_not_as_flux_wrote_it_stays(flux, page, kind):
    """Even with --yes: only a person at a terminal can confirm it."""
    path = Path("skills") / FILE
    path.parent.mkdir(parents=True)
    NOT_OURS[kind](path, page)
    before = sorted((one.name, one.lstat().st_mtime_ns) for one in path.parent.iterdir())

    written = flux("help", "agents", "--install", "skills", "--yes")
    removed = flux("help", "agents", "--uninstall", "skills")

    assert (written.code, removed.code) == (2, 2)
    assert "was changed, or flux did not write it" in written.err
    assert "was changed, or flux did not write it" in removed.err
    assert sorted((one.name, one.lstat().st_mtime_ns) for one in path.parent.iterdir()) == before


@pytest.fixture
def agents(home) -> list[Path]:
    """Make the folders of agents. Return where the page belongs in each."""
    for name in HOMES:
        (home / name.removeprefix("~/")).mkdir()
    return [home / name.removeprefix("~/") / "skills" / FILE for name in HOMES]


def test_without_a_terminal_it_takes_yes(flux, agents):
    refused = flux("help", "agents", "--install")

    assert refused.code == 2
    assert all(str(path) in refused.err for path in agents)
    assert "add --yes" in refused.err
    assert not any(path.exists() for path in agents)

    assert flux("help", "agents", "--install", "--yes").out == "".join(f"{path}\twritten\n" for path in agents)
    assert all(is_unchanged(path.read_text(encoding="utf-8")) for path in agents)
    assert flux("help", "agents", "--uninstall").out == "".join(f"{path}\tremoved\n" for path in agents)


def test_without_a_folder_of_an_agent_it_is_the_one_that_most_share(flux, home):
    assert flux("help", "agents", "--install", "--yes").code == 0

    assert [path for path in home.rglob("*") if path.is_file()] == [home / ".agents" / "skills" / FILE]


@pytest.mark.parametrize(("answers", "code"), [("yy", 0), ("ny", 0), ("nn", 2)])
def test_on_a_terminal_each_folder_is_a_question(flux, monkeypatch, capsys, agents, answers, code):
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))

    assert flux("help", "agents", "--install", tty=True).code == code

    assert capsys.readouterr().err == "".join(f"Write {path}? [y/N]:" for path in agents)
    assert [path.exists() for path in agents] == [answer == "y" for answer in answers]


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_a_foreign_file_is_a_question(flux, monkeypatch, page, answer):
    path = Path("skills") / FILE
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))

    done = flux("help", "agents", "--install", "skills", tty=True)

    assert done.code == {"y": 0, "n": 2}[answer]
    assert path.read_text(encoding="utf-8") == {"y": page, "n": "mine"}[answer]


def test_a_folder_that_takes_no_file_is_an_error(flux):
    Path("skills").write_text("a file")

    done = flux("help", "agents", "--install", "skills")

    assert done.code == 2
    assert "cannot write" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["money", "--install"],
        ["--install"],
        ["--uninstall"],
        ["agents", "a", "b", "--install"],
        ["agents", "--install", ""],
        ["agents", "--install", "--uninstall"],
        ["agents", "--uninstall", "--yes"],
        ["agents", "--yes"],
        ["agents", "skills"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused(flux, words):
    done = flux("help", *words)

    assert (done.code, done.out) == (2, "")
    assert list(Path().rglob("*")) == []


def test_it_is_a_topic_as_the_others_are(flux):
    assert "agents" in topics()
    assert "agents" in load_table()["topics"]
    assert flux("help", "agents", "--json").object["text"] + "\n" == read_skill()
