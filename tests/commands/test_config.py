"""``flux config``: the file without having to know where it is, and secrets that nobody is shown."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from flux_cli.sandbox.wire import reply

SECRET = "made-up-secret-0123456789"


def _file(home):
    return home / ".config" / "flux-cli" / "config.toml"


def test_set_get_show_unset(flux, home):
    """What is set is printed back, shown with where it came from, used, and removed again."""
    assert flux("config", "set", "generate.aspect_ratio", "1:1").code == 0
    assert flux("config", "get", "generate.aspect_ratio").out == "1:1\n"
    assert "generate.aspect_ratio\t1:1\tconfig file" in flux("config", "show").lines
    made = flux("generate", "a fox", "--sandbox", "--no-wait", "--json").object

    assert made["parameters"]["aspect_ratio"] == "1:1"
    assert _file(home).stat().st_mode & 0o777 == 0o600
    assert flux("config", "unset", "generate.aspect_ratio").code == 0
    gone = flux("config", "get", "generate.aspect_ratio")
    assert (gone.code, gone.out) == (1, "")


def test_path(flux, home, monkeypatch):
    """The path of the file, there or not; --config and $FLUX_CONFIG count."""
    assert flux("config", "path").out == f"{_file(home)}\n"
    assert flux("config", "path", "--config", "other.toml").out == "other.toml\n"
    monkeypatch.setenv("FLUX_CONFIG", "third.toml")
    assert flux("config", "path").out == "third.toml\n"


def test_a_secret_comes_from_stdin_and_is_never_shown(flux, home):
    """The key goes into the file, mode 600, and no command prints it."""
    done = flux("config", "set", "providers.runware.api_key", stdin=f"{SECRET}\n")

    seen = [
        done,
        flux("config", "get", "providers.runware.api_key"),
        flux("config", "show"),
        flux("config", "show", "--json"),
        flux("providers"),
        flux("providers", "runware", "--json"),
        flux("generate", "a fox", "--dry-run", "-p", "runware"),
    ]
    assert done.code == 0
    assert SECRET in _file(home).read_text("utf-8")
    assert _file(home).stat().st_mode & 0o777 == 0o600
    assert not any(SECRET in run.out + run.err for run in seen)
    assert seen[1].out == "set\n"
    assert any(line.startswith("providers.runware.api_key\tset") for line in seen[2].lines)
    assert "set (config file)" in seen[4].out


def test_a_secret_on_the_command_line_is_refused(flux, home):
    """Exit 2, nothing is written, and the key is not repeated."""
    done = flux("config", "set", "providers.runware.api_key", SECRET)

    assert done.code == 2
    assert SECRET not in done.err
    assert "stdin" in done.err
    assert not _file(home).exists()


def test_an_empty_key_is_refused(flux, home):
    """Nothing on stdin is no key."""
    assert flux("config", "set", "providers.runware.api_key", stdin="\n").code == 2
    assert not _file(home).exists()


@pytest.mark.parametrize("variable", ["RUNCOMFY_API_TOKEN", "RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY"])
def test_a_key_from_the_environment(flux, monkeypatch, variable):
    """``get`` of a secret says set or missing; ``providers`` says from where."""
    assert flux("config", "get", "providers.runcomfy.api_key").out == "missing\n"
    monkeypatch.setenv(variable, SECRET)

    assert flux("config", "get", "providers.runcomfy.api_key").out == "set\n"
    assert f"set ({variable})" in flux("providers").out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["set", "genrate.model", "pro"], "generate"),
        (["set", "generate.modle", "pro"], "generate.model"),
        (["set", "generate.count", "many"], "1 to 20"),
        (["set", "generate.model"], "VALUE"),
        (["set", "default_provider", "runwear"], "runware"),
        (["set", "providers.runware.base_url", "http://example.com"], "http"),
        (["get", "nonsense"], "the keys here are"),
        (["unset", "nonsense"], ""),
        (["unset", "generate.model"], "config"),
        (["shw"], "show"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes(flux, home, typed, said):
    """One line, one hint, exit 2, and no file."""
    done = flux("config", *typed)

    error, hint = done.err.splitlines()
    assert done.code == 2
    assert error.startswith("flux: error: ")
    assert hint.startswith("hint: ")
    assert said in error + hint
    assert not _file(home).exists()


def test_comments_are_kept(flux, config):
    """Setting one value leaves the rest of the file as it was written."""
    path = config("# mine\n[generate]\nmodel = 'pro'  # fast\n")

    flux("config", "set", "generate.seed", "5")

    text = path.read_text("utf-8")
    assert "# mine" in text
    assert "model = 'pro'  # fast" in text
    assert "seed = 5" in text


def test_init_needs_somebody_to_ask(flux, home):
    """Without a terminal: exit 2, and how to do it otherwise."""
    done = flux("config", "init")

    assert done.code == 2
    assert "config set" in done.err
    assert not _file(home).exists()


def test_config_alone_is_help(flux, capsys):
    """``flux config`` shows its commands and is no error."""
    done = flux("config")

    assert done.code == 0
    assert "unset" in done.out + capsys.readouterr().out
    assert done.err == ""


@pytest.fixture
def talk(home, monkeypatch):
    """Return a function that runs the installed program on a terminal of its own."""
    pexpect = pytest.importorskip("pexpect")
    program = shutil.which("flux", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("the program is not installed beside this Python")
    monkeypatch.setenv("TERM", "dumb")

    def start(*arguments):
        return pexpect.spawn(program, list(arguments), encoding="utf-8", timeout=30, dimensions=(40, 200))

    return start


@pytest.mark.slow
def test_init_on_a_terminal(talk, host, home, monkeypatch):
    """Provider, hidden key and folder are asked for; the key is checked and saved; nothing echoes it."""
    monkeypatch.delenv("RUNWARE_API_KEY")

    program = talk("config", "init")
    program.expect("Provider")
    program.sendline("runware")
    program.expect("key")
    program.expect(": ")
    program.sendline(SECRET)
    program.expect("The key works")
    program.expect("Folder")
    program.sendline("pictures")
    program.expect("Written")
    program.read()
    program.close()

    text = _file(home).read_text("utf-8")
    assert program.exitstatus == 0
    assert SECRET in text
    assert 'default_provider = "runware"' in text
    assert 'output = "pictures/"' in text
    assert _file(home).stat().st_mode & 0o777 == 0o600
    assert [seen.headers["authorization"] for seen in host.requests] == [f"Bearer {SECRET}"]


@pytest.mark.slow
def test_init_with_a_key_that_is_refused(talk, host, home, monkeypatch):
    """It can be kept; the end says so, as JSON where that is wanted, with exit 3."""
    monkeypatch.delenv("RUNWARE_API_KEY")
    host.script = lambda call: reply(401, {"errors": [{"code": "invalidApiKey", "message": "Invalid API key"}]})

    program = talk("config", "init", "--json")
    program.expect("Provider")
    program.sendline("runware")
    program.expect("not shown.*: ")
    program.sendline(SECRET)
    program.expect("Another key.*: ")
    program.sendline("")
    program.expect("Folder")
    program.sendline("")
    rest = program.read()
    program.close()

    error = json.loads(rest.splitlines()[-1])["error"]
    assert program.exitstatus == 3
    assert "the key is saved, but" in error["message"]
    assert "config set providers.runware.api_key" in error["hint"]
    assert SECRET in _file(home).read_text("utf-8")
    assert SECRET not in rest


@pytest.mark.slow
def test_a_key_is_asked_for_without_echo(talk, home):
    """``config set`` of a secret on a terminal asks, and shows nothing of what is typed."""
    program = talk("config", "set", "providers.apiframe.api_key")
    program.expect("not shown.*: ")
    program.sendline(SECRET)
    rest = program.read()
    program.close()

    assert program.exitstatus == 0
    assert SECRET not in rest
    assert SECRET in _file(home).read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, "cancelled"), ("n", 2, "queued")])
def test_cancel_all_asks_on_a_terminal(talk, flux, host, answer, code, left):
    """--all without --yes asks first; a no cancels nothing."""
    job = flux("generate", "a fox", "-p", "runcomfy", "--no-wait", "--json").object
    _hold(host, job)

    program = talk("cancel", "--all")
    program.expect("Cancel 1 job")
    program.sendline(answer)
    program.read()
    program.close()

    assert program.exitstatus == code
    assert flux("status", job["id"], "--offline", "--json").object["status"] == left


def _hold(host, job):
    """Keep a job in the queue until it is cancelled."""
    told = {"request_id": job["remote_id"], "status": "in_queue", "outcome": "cancelled"}
    host.script = lambda call: reply(202 if call.method == "POST" else 200, told)
