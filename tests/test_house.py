"""What the house promises about itself: how light it starts, how long its files are, what its papers say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import flux_cli
from flux_cli.cli import COMMANDS, app

ROOT = Path(__file__).parent.parent
HEAVY = {"httpx", "pydantic_settings", "sqlite3", "tomlkit", "PIL"}


def loaded(script: str, *arguments: str) -> set[str]:
    """Return the names of all modules that a fresh Python holds at the end of ``script``."""
    end = "import atexit, sys; atexit.register(lambda: print('\\n' + ' '.join(sys.modules)))\n"
    command = [sys.executable, "-c", end + script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def start(*arguments: str) -> set[str]:
    """Return the names of all modules that one run of the program loads."""
    return loaded("import sys; from flux_cli.cli import main; sys.exit(main())", *arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["generate", "--help"], ["config", "--help"], ["help"], ["help", "money"]]
)
def test_whoever_only_asks_waits_for_nothing_heavy(arguments):
    """Version and help load no HTTP, no settings, no database, no TOML writer and no Pillow."""
    modules = start(*arguments)

    assert "flux_cli.cli" in modules
    assert modules.isdisjoint(HEAVY)
    assert modules.isdisjoint({"flux_cli.http.client", "flux_cli.ledger.ledger", "flux_cli.engine.engine"})


@pytest.mark.slow
def test_looking_at_the_ledger_needs_no_http():
    """A command loads only the libraries it uses."""
    modules = start("status", "--offline")

    assert "sqlite3" in modules
    assert modules.isdisjoint({"httpx", "tomlkit", "PIL", "statistics"})


@pytest.mark.slow
def test_the_registry_loads_no_provider():
    modules = loaded("import flux_cli.providers")

    assert "flux_cli.providers" in modules
    assert modules.isdisjoint(f"flux_cli.providers.{name}" for name in flux_cli.providers.NAMES)


@pytest.mark.slow
def test_asking_for_one_provider_loads_no_other():
    modules = loaded("import flux_cli.providers; flux_cli.providers.load('runware')")

    assert {name for name in flux_cli.providers.NAMES if f"flux_cli.providers.{name}" in modules} == {"runware"}


def test_every_file_is_one_idea():
    """No module has 400 lines or more."""
    sources = [*(ROOT / "flux_cli").rglob("*.py")]

    lengths = {source.name: len(source.read_text(encoding="utf-8").splitlines()) for source in sources}

    assert len(lengths) > 20
    assert {name: length for name, length in lengths.items() if length >= 400} == {}


def test_no_module_is_named_after_nothing():
    """There is no room for what nobody found a place for."""
    names = {path.stem for path in (ROOT / "flux_cli").rglob("*")} - COMMANDS.keys()

    assert names.isdisjoint({"utils", "util", "helpers", "helper", "common", "misc", "core", "models"})


def test_the_changelog_knows_this_version():
    """The newest version in the changelog is the program's own, and what comes next has a place."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(flux_cli.__version__)} - \d{{4}}-\d\d-\d\d", headings[1])


def test_every_command_is_in_the_readme_and_has_help():
    """Whoever looks for a command finds it in both places."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [command.callback for command in app().registered_commands]
    groups = [group.name for group in app().registered_groups]

    assert {*(command.__name__ for command in commands), *groups} == set(COMMANDS)
    assert [command for command in commands if not command.__doc__] == []
    assert [name for name in COMMANDS if f"flux {name} " not in readme] == []


def test_the_help_of_the_program_lists_the_same_commands_without_building_them():
    """``flux --help`` shows the summaries that the commands themselves have, and imports none of them."""
    listed, built = get_command(app(())).commands, get_command(app()).commands

    assert {name: command.help for name, command in listed.items()} == COMMANDS
    assert {name: command.short_help for name, command in built.items()} == COMMANDS
    assert [name for name in start("--help") if re.fullmatch(r"flux_cli\.commands\.\w+\.command", name)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(flux, capsys, command):
    done = flux(command, "--help")

    printed = capsys.readouterr().out
    assert done.code == 0
    assert f"flux {command}" in printed
    assert "--sandbox" in printed or command in {"config", "help"}


def test_every_option_has_help():
    """No option stands there without a word, and none has two."""
    groups = [get_command(app())]
    commands = []
    while groups:
        for command in groups.pop().commands.values():
            (groups if hasattr(command, "commands") else commands).append(command)

    options = [(command.name, option) for command in commands for option in command.params]

    assert len(options) > 60
    assert [f"{name} {option.name}" for name, option in options if not (option.help or "").strip()] == []


def test_every_topic_travels_with_the_package():
    """What `.ci/run` looks for in the wheel is what there is."""
    listed = re.findall(r'"flux_cli/help/([a-z-]+)\.md"', (ROOT / ".ci" / "run").read_text(encoding="utf-8"))

    assert listed == sorted(path.stem for path in (ROOT / "flux_cli" / "help").glob("*.md"))


def test_types_travel_with_the_package():
    assert (Path(flux_cli.__file__).parent / "py.typed").is_file()
