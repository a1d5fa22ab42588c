from __future__ import annotations

import os
import sys

import pytest

from flux_cli import providers
from flux_cli.config.schema import KEYS, is_secret
from flux_cli.config.settings import COMMAND_SECONDS, Settings, run_key_command
from flux_cli.errors import AuthError, ConfigError

RUNWARE = providers.load("runware")
RUNCOMFY = providers.load("runcomfy")


@pytest.fixture
def load(tmp_path):
    def load_text(text: str = "") -> Settings:
        file = tmp_path / "config.toml"
        file.write_bytes(text.encode())
        return Settings.load(str(file))

    return load_text


def test_the_key_is_taken_from_the_first_place_that_has_one(load, monkeypatch, tmp_path):
    """The provider's variables in order, ours, the file, the command; empty ones do not count."""
    marker = tmp_path / "ran"
    command = f"{sys.executable} -c \"open('{marker}','w'); print('from-command')\""
    document = f"[providers.runcomfy]\napi_key = ' from-file '\napi_key_command = '''{command}'''"
    bare = document.replace(" from-file ", " ")
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", " ")
    monkeypatch.setenv("RUNCOMFY_TOKEN", "second\n")
    monkeypatch.setenv("RUNCOMFY_API_KEY", "third")
    monkeypatch.setenv("FLUX_PROVIDERS__RUNCOMFY__API_KEY", "ours")
    found = []

    for name in ("RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY", "FLUX_PROVIDERS__RUNCOMFY__API_KEY", None):
        settings = load(document)
        key = settings.key(RUNCOMFY)
        assert key.source == settings.key_source(RUNCOMFY)
        found.append((key.source, key.value.get_secret_value()))
        if name:
            monkeypatch.delenv(name)

    assert found == [
        ("RUNCOMFY_TOKEN", "second"),
        ("RUNCOMFY_API_KEY", "third"),
        ("FLUX_PROVIDERS__RUNCOMFY__API_KEY", "ours"),
        ("config file", "from-file"),
    ]
    assert load(bare).key_source(RUNCOMFY) == "api_key_command"
    assert not marker.exists()
    assert load(bare).key(RUNCOMFY).value.get_secret_value() == "from-command"
    assert load().key(RUNCOMFY) is None
    assert load().key_source(RUNCOMFY) is None


def test_a_command_in_the_environment_wins_over_a_key_in_the_file(load, monkeypatch):
    monkeypatch.setenv("FLUX_PROVIDERS__RUNWARE__API_KEY_COMMAND", "echo fresh")

    key = load("providers.runware.api_key = 'old'").key(RUNWARE)

    assert key.value.get_secret_value() == "fresh"


def test_a_key_that_no_header_can_carry_is_refused_unseen(load, monkeypatch):
    for bad in ("SEC\x01RET", "SECRET\u0142", "SEC\nRET", "SEC\u00a0RET"):
        monkeypatch.setenv("RUNWARE_API_KEY", bad)

        with pytest.raises(ConfigError, match="RUNWARE_API_KEY") as caught:
            load().key(RUNWARE)

        assert "RET" not in caught.value.message + caught.value.hint


def test_a_key_never_shows(load, monkeypatch):
    """Neither a repr, nor rows, nor get tells a secret."""
    monkeypatch.setenv("RUNWARE_API_KEY", "TOPSECRET")
    settings = load("providers.runflow.api_key = 'TOPSECRET'\nproviders.apiframe.api_key = ''")

    shown = repr([settings.rows(), settings.key(RUNWARE), settings.generate, vars(settings)])

    assert "TOPSECRET" not in shown
    assert ("providers.runware.api_key", "set", "environment RUNWARE_API_KEY") in settings.rows()
    assert ("providers.runflow.api_key", "set", "config file") in settings.rows()
    states = {names[1]: settings.get(".".join(names)) for names in KEYS if is_secret(names)}
    assert states == {name: "set" if name in {"runware", "runflow"} else "missing" for name in providers.NAMES}


def test_a_command_runs_once_without_a_shell_and_without_stdin(load, tmp_path):
    """Its first line is the key; the rest is ignored."""
    count = tmp_path / "count"
    program = tmp_path / "key.py"
    program.write_text(
        f"import sys\nopen({str(count)!r}, 'a').write('x')\n"
        f"assert sys.stdin.read() == ''\nprint(sys.argv[1] + '\\nmore')"
    )
    settings = load(f"[providers.runware]\napi_key_command = '{sys.executable} {program} \"$HOME;x y\"'")

    keys = [settings.key(RUNWARE).value.get_secret_value() for _ in range(3)]

    assert keys == ["$HOME;x y"] * 3
    assert count.read_text() == "x"


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("import sys; print('SECRET'); sys.exit(3)", AuthError, "failed with exit code 3"),
        ("print('  ')", AuthError, "printed nothing"),
        ("print('SECRET\\x07x')", ConfigError, "cannot be used"),
        ("import sys; sys.stdout.buffer.write(b'SECRET\\xff')", ConfigError, "cannot be used"),
    ],
)
def test_a_command_that_fails_is_explained_without_its_output(load, capfd, tmp_path, code, kind, said):
    program = tmp_path / "key.py"
    program.write_text(code + "\n")
    settings = load(f"[providers.runware]\napi_key_command = '{sys.executable} {program}'")

    with pytest.raises(kind) as caught:
        settings.key(RUNWARE)

    assert said in caught.value.message
    assert "api_key_command of runware" in caught.value.message
    assert "SECRET" not in caught.value.message + caught.value.hint + "".join(capfd.readouterr())


def test_a_command_that_is_missing_or_slow_is_named():
    """Only the program's name is told: its arguments may hold a secret. A slow one is ended."""
    with pytest.raises(ConfigError, match="x: nosuchprogram cannot be started") as missing:
        run_key_command("/nowhere/nosuchprogram SECRET", "x")
    with pytest.raises(AuthError, match=r"took longer than 0\.05 s") as slow:
        run_key_command(f"{sys.executable} -c 'import time; time.sleep(60) # SECRET'", "x", seconds=0.05)

    assert "SECRET" not in missing.value.message + slow.value.message
    assert COMMAND_SECONDS == 30


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_key_in_a_file_that_others_can_read_is_warned_of(tmp_path):
    """Only where there is a key to lose, and with the command that helps."""
    file = tmp_path / "config.toml"
    file.write_text("providers.runware.api_key = 'k'")
    file.chmod(0o600)
    calm = Settings.load(str(file)).warnings
    file.chmod(0o644)

    worried = Settings.load(str(file)).warnings
    file.write_text("output = 'x'")

    assert calm == ()
    assert worried == (f"config file {file} is readable by others; chmod 600 {file}",)
    assert Settings.load(str(file)).warnings == ()
