from __future__ import annotations

from pathlib import Path

import pytest

from flux_cli.sandbox.wire import reply
from tests.e2e.conftest import KEYS
from tests.loopback import PROVIDERS


def files(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_is_nowhere(start, flux, host, home, provider):
    """Not in the list of processes, in no output and in no file, whether it goes well, badly, or is only rehearsed."""
    key = KEYS[provider][1]
    program = start("generate", "-v", "-p", provider, "a red fox")
    program.err.wait("queued")
    listed = Path(f"/proc/{program.process.pid}/cmdline").read_bytes()
    host.finish_jobs()

    told = [
        program.end(),
        flux("generate", "-v", "--dry-run", "-p", provider, "a red fox"),
        flux("generate", "-v", "-p", provider, "-o", "no-such-folder/x.png", "a red fox", more={"FLUX_DEBUG": "1"}),
        flux("generate", "-v", "-p", provider, "sandbox:unauthorized"),
    ]
    host.script = lambda _: reply(401, {"error": f"bad key {key}", "errors": [{"message": f"bad key {key}"}]})
    told.append(flux("generate", "-v", "--json", "-p", provider, "a hare"))

    assert [one.code for one in told] == [0, 0, 2, 3, 3]
    assert "Traceback" in told[2].err
    assert key.encode() not in listed
    assert not [one for one in told if key in one.out + one.err]
    assert not [path for path, data in files(home, Path.cwd()).items() if key.encode() in data]
    assert all(key in "".join(seen.headers.values()) for seen in host.requests if not seen.file)
    assert not any(key in "".join(seen.headers.values()) for seen in host.requests if seen.file)


def test_a_key_in_the_file_stays_there(flux, home, env, tmp_path):
    """A key that is given on stdin is in the config file and in no other, and no command tells it."""
    config = tmp_path / "config.toml"
    env["FLUX_CONFIG"] = str(config)
    key = "rw-kept-in-the-file"
    given = flux("config", "set", "providers.runware.api_key", stdin=key.encode())

    typed = flux("config", "set", "providers.runware.api_key", "rw-on-the-command-line")
    told = [given, flux("config", "show", "-v"), flux("config", "get", "providers.runware.api_key"), flux("providers")]

    assert [one.code for one in told] == [0, 0, 0, 0]
    assert (typed.code, key in config.read_text()) == (2, True)
    assert not [one for one in told if key in one.out + one.err]
    assert not [path for path, data in files(home, Path.cwd()).items() if key.encode() in data]
    assert "rw-on-the-command-line" not in config.read_text() + typed.err + typed.out
