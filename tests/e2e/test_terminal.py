from __future__ import annotations

import re
import signal
import stat
import subprocess
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import KEYS
from tests.e2e.process import Terminal

KEY = KEYS["runcomfy"][1]
COLOUR = rb"\x1b\[[0-9;]*3[0-7]m"
HIDE = b"\x1b[?25l"
"""What hides the cursor: the first thing that is drawn."""


@pytest.fixture
def config(env, home) -> Path:
    env["FLUX_CONFIG"] = str(home / "config.toml")
    return home / "config.toml"


def test_progress_is_drawn_and_removed(terminal, host):
    """While we wait: provider, state, place in the queue, elapsed time. In the end: the path, and the cursor."""
    shown = terminal("generate", "-p", "runcomfy", "-s", "7", "a red fox")

    line = shown.wait("queued (position ")
    hidden = shown.cursor_hidden
    host.finish_jobs()
    code = shown.end()

    assert re.search(r"runcomfy ultra [\u2501\u2578\u257a]+ queued \(position [1-3]\) +\d+ s +a red fox", line)
    assert hidden
    assert (code, shown.screen) == (0, ["a-red-fox-7.png"])
    assert not shown.cursor_hidden
    assert re.search(COLOUR, shown.raw)


def test_several_jobs_leave_several_paths(terminal, host):
    """Paths are printed while other jobs are still drawn, below a bar for all; nothing of the drawing stays."""
    shown = terminal("generate", "-p", "runcomfy", "-n", "3", "-s", "7", "fox")
    shown.wait_for(lambda: sum("queued" in line for line in shown.screen) == 3)
    shown.wait("\u2501", "0 of 3 done, 3 in flight")
    host.finish_jobs()

    code = shown.end()

    assert code == 0
    assert sorted(shown.screen) == ["fox-7.png", "fox-8.png", "fox-9.png"]
    assert not shown.cursor_hidden


def test_ctrl_c_removes_the_progress_and_shows_the_cursor(terminal, host):
    """Ctrl-C takes the progress away, gives the cursor back and leaves the message."""
    shown = terminal("generate", "-p", "runcomfy", "a red fox")
    shown.wait("queued")

    shown.type(b"\x03")
    code = shown.end()

    assert code == -signal.SIGINT
    assert "continues at runcomfy and is billed" in " ".join(shown.screen)
    assert not any("\u280b" <= character <= "\u28ff" for character in "".join(shown.screen))
    assert not shown.cursor_hidden
    assert host.accepted("runcomfy") == 1


def test_a_second_ctrl_c_shows_the_cursor(terminal, host):
    """Also whoever leaves at once gets an orderly terminal."""
    held = host.hold("POST", "/v1/models/")
    shown = terminal("generate", "-p", "runcomfy", "a red fox")
    shown.wait("sending")
    held.wait()

    while shown.process.poll() is None:
        shown.type(b"\x03")  # which also throws away what the terminal has not shown yet: so not too often
        with suppress(subprocess.TimeoutExpired):
            shown.process.wait(0.5)
    code = shown.end()

    assert code == -signal.SIGINT
    assert not shown.cursor_hidden


@pytest.fixture
def shell(env, cleaned) -> Terminal:
    """Return bash on a terminal, which hands that on from job to job."""
    shown = Terminal(["bash", "--norc", "--noprofile", "--noediting", "-i"], env | {"PS1": "$ "})
    cleaned.callback(shown.clear)
    shown.wait("$")
    return shown


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back(shell, host):
    """Stopped twice: each time the lines are gone and the cursor is there, and both come back with ``fg``."""
    shell.type(b"flux generate -p runcomfy -s 7 'a red fox'\n")
    hidden, stopped = [], []
    for times in (1, 2):
        shell.wait("runcomfy ultra", "queued (position ")
        hidden.append(shell.cursor_hidden)
        shell.type(b"\x1a")
        shell.wait_for(lambda: sum("Stopped" in line for line in shell.screen) == times)  # noqa: B023 - called at once
        stopped.append((shell.cursor_hidden, any("queued" in line for line in shell.screen)))
        shell.type(b"fg\n")
    shell.wait("runcomfy ultra", "queued (position ")
    host.finish_jobs()
    shell.wait("a-red-fox-7.png")
    shell.type(b"exit\n")
    code = shell.end()

    assert (hidden, stopped) == ([True, True], [(False, False), (False, False)])
    assert code == 0
    assert not shell.cursor_hidden
    assert host.accepted("runcomfy") == 1


def test_nothing_is_drawn_in_the_background(shell, host):
    """Neither behind ``&`` nor after Ctrl-Z and ``bg``: the prompt is somebody else's. With ``fg`` the lines come."""
    shell.type(b"flux generate -p runcomfy -s 7 'a red fox' &\n")
    looks = len(host.requests)
    shell.wait_for(lambda: len(host.requests) >= looks + 2)
    behind = shell.raw
    shell.type(b"fg\n")
    shell.wait("runcomfy ultra", "queued (position ")
    shell.type(b"\x1a")
    shell.wait("Stopped")
    shell.type(b"bg\n")
    begun, looks = len(shell.raw), len(host.requests)
    shell.wait_for(lambda: len(host.requests) >= looks + 1)
    after = shell.raw[begun:]
    host.finish_jobs()
    shell.wait("a-red-fox-7.png")
    shell.type(b"exit\n")
    shell.end()

    assert HIDE not in behind
    assert HIDE not in after
    assert not shell.cursor_hidden


@pytest.mark.parametrize("more", [{"COLUMNS": "0", "LINES": "0"}, {"TERMINAL_WIDTH": "wide"}], ids=str)
def test_help_has_room_whatever_the_environment_says_of_the_window(flux, more):
    plain, told = flux("--help"), flux("--help", more=more)

    assert (told.code, told.out) == (0, plain.out)
    assert "Make images with FLUX" in told.out


def test_progress_follows_the_size_of_the_window(terminal, host):
    """A narrower and a wider window are drawn into, and the image comes."""
    shown = terminal("generate", "-p", "runcomfy", "-s", "7", "a red fox in a wide and empty landscape of snow")
    shown.wait("runcomfy")

    for columns in (20, 200, 1):
        before = len(shown.raw)
        shown.resize(columns)
        shown.wait_for(lambda: len(shown.raw) > before)  # noqa: B023 - called before the next round
    shown.resize(80)
    host.finish_jobs()
    code = shown.end()

    assert code == 0
    assert shown.screen[-1] == "a-red-fox-in-a-wide-and-empty-landscape-of-snow-7.png"
    assert not shown.cursor_hidden


def test_watch_ends_with_the_last_job_and_leaves_the_table(terminal, flux, host):
    """A line for each job while it lasts; then the jobs as they ended, and the cursor."""
    flux("generate", "-p", "runcomfy", "--no-wait", "a red fox")
    shown = terminal("status", "--watch")

    line = shown.wait("queued (position ")
    host.finish_jobs()
    code = shown.end()

    assert "runcomfy ultra" in line
    assert (code, len(shown.screen), shown.screen[0].split()[0]) == (0, 2, "ID")
    assert shown.screen[1].split()[1:4] == ["succeeded", "runcomfy", "ultra"]
    assert not shown.cursor_hidden


def test_a_dumb_terminal_gets_plain_lines(terminal):
    """Where nothing can be redrawn, states come as plain lines."""
    shown = terminal("generate", "-s", "7", "fox", TERM="dumb")

    code = shown.end()

    assert code == 0
    assert b"\x1b" not in shown.raw
    assert [line.split()[-1] for line in shown.screen] == ["sending", "queued", "succeeded", "saving", "fox-7.jpg"]


def test_quiet_prints_the_path_and_nothing_else(terminal):
    """With ``-q`` there is the path and nothing else, not even an invisible code."""
    shown = terminal("generate", "-q", "-s", "7", "fox")

    shown.end()

    assert shown.raw == b"fox-7.jpg\r\n"


def test_no_color_keeps_the_progress_and_drops_the_colours(terminal, host):
    """``NO_COLOR`` takes the colours out and leaves the progress."""
    shown = terminal("generate", "-p", "runcomfy", "fox", NO_COLOR="1")
    shown.wait("queued")

    shown.type(b"\x03")
    shown.end()

    assert not re.search(COLOUR, shown.raw)
    assert host.accepted("runcomfy") == 1


@pytest.mark.parametrize(("more", "mark"), [({"TERM": "dumb"}, rb"\x1b"), ({"NO_COLOR": "1"}, COLOUR)])
def test_help_has_no_codes_on_a_plain_terminal(terminal, more, mark):
    """Nothing to obey where nothing can be obeyed, no colours where none are wanted; the end is an example."""
    shown = terminal("cancel", "--help", **more)

    code = shown.end()

    assert code == 0
    assert not re.search(mark, shown.raw)
    assert shown.screen[-1].strip() == "flux cancel --all --yes"


def test_escape_sequences_in_a_prompt_are_not_obeyed(terminal, host):
    """What a prompt says is shown on the screen, not obeyed by it."""
    shown = terminal("generate", "-p", "runcomfy", "\x1b]0;mine\x07[bold]fox\x1b[2J")

    line = shown.wait("queued")
    shown.type(b"\x03")
    shown.end()

    assert "[bold]fox" in line
    assert b"\x1b]0;" not in shown.raw
    assert host.accepted("runcomfy") == 1


def test_config_init_does_not_show_the_key(terminal, flux, host, env, config):
    """``config init`` shows no key while it is typed, checks it, and keeps it where only its owner reads."""
    del env[KEYS["runcomfy"][0]]
    shown = terminal("config", "init")

    shown.wait("Provider (")
    shown.type(b"runcomfy\r")
    shown.wait("key (not shown)")
    shown.wait_for(lambda: shown.raw.endswith(b": "))  # what is typed before that is thrown away
    shown.type(KEY.encode() + b"\r")
    shown.wait("Folder")
    shown.type(b"pictures\r")
    code = shown.end()

    assert code == 0, shown.screen
    assert KEY.encode() not in shown.raw
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert tomllib.loads(config.read_text())["providers"]["runcomfy"]["api_key"] == KEY
    assert {seen.headers["authorization"] for seen in host.requests} == {f"Bearer {KEY}"}
    assert KEY not in flux("config", "show").out


@pytest.mark.parametrize("prompts", [["Provider ("], ["Provider (", "key (not shown)"]])
def test_ctrl_c_in_config_init_leaves_no_file(terminal, config, prompts):
    """Giving up half-way leaves no file, and what is typed next is shown again."""
    shown = terminal("config", "init")
    for prompt in prompts[:-1]:
        shown.wait(prompt)
        shown.type(b"\r")
    shown.wait(prompts[-1])

    shown.type(b"\x03")
    code = shown.end()

    assert code == -signal.SIGINT
    assert not config.exists()
    assert "Traceback" not in " ".join(shown.screen)
    assert shown.echoes
