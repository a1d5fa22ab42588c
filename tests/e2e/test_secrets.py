from __future__ import annotations

from pathlib import Path

import pytest

from flux_cli.sandbox.wire import reply
from tests.e2e.conftest import KEYS
from tests.loopback import PROVIDERS


def files(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_appears_in_no_output_file_or_process_list(start, warm, host, home, provider):
    """Not in the list of processes, in no output and in no file, whether it goes well or the host throws it back."""
    key = KEYS[provider][1]
    program = start("generate", "-v", "-p", provider, "a red fox")
    program.err.wait("queued")
    listed = Path(f"/proc/{program.process.pid}/cmdline").read_bytes()
    host.finish_jobs()
    good = program.end()

    host.script = lambda _: reply(401, {"error": f"bad key {key}", "errors": [{"message": f"bad key {key}"}]})
    bad = warm("generate", "-v", "--json", "-p", provider, "a hare")

    assert (good.code, bad.code) == (0, 3)
    assert key not in good.out + good.err + bad.out + bad.err
    assert key.encode() not in listed
    assert not [path for path, data in files(home, Path.cwd()).items() if key.encode() in data]
    assert all(key in "".join(seen.headers.values()) for seen in host.requests if not seen.file)
    assert not any(key in "".join(seen.headers.values()) for seen in host.requests if seen.file)


@pytest.mark.parametrize("words", [["--dry-run"], ["-o", "no-such-folder/x.png"]])
def test_a_key_appears_in_no_dry_run_and_no_traceback(warm, host, words):
    """What people paste into bug reports holds no key, and nothing was sent for it."""
    ended = warm("generate", "-v", "-p", "runware", *words, "a red fox", more={"FLUX_DEBUG": "1"})

    assert ("curl" in ended.out) != ("Traceback" in ended.err)
    assert KEYS["runware"][1] not in ended.out + ended.err
    assert host.requests == []


def test_a_key_in_the_config_file_appears_nowhere_else(warm, home, env, tmp_path):
    """A key that is given on stdin is in the config file and in no other, and no command tells it."""
    config = tmp_path / "config.toml"
    env["FLUX_CONFIG"] = str(config)
    key = "rw-kept-in-the-file"
    given = warm("config", "set", "providers.runware.api_key", stdin=key.encode())

    typed = warm("config", "set", "providers.runware.api_key", "rw-on-the-command-line")
    told = [given, warm("config", "show", "-v"), warm("config", "get", "providers.runware.api_key"), warm("providers")]

    assert [one.code for one in told] == [0, 0, 0, 0]
    assert (typed.code, key in config.read_text()) == (2, True)
    assert not [one for one in told if key in one.out + one.err]
    assert not [path for path, data in files(home, Path.cwd()).items() if key.encode() in data]
    assert "rw-on-the-command-line" not in config.read_text() + typed.err + typed.out
