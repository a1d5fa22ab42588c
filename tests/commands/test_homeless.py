"""A user without HOME and without an entry in passwd, as containers with a random user id have one."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from flux_cli.completion import answer as completion

FOX = Path(__file__).parent.parent / "pictures" / "fox.png"


@pytest.fixture
def homeless(home, tmp_path, monkeypatch):
    """Take the home away, and return the folder for temporary files."""

    def unknown(_):
        raise KeyError

    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return temporary


REFUSED = {
    "generate": ["generate", "a fox", "-p", "runware"],
    "status": ["status"],
    "result": ["result", "@1"],
    "providers": ["providers"],
    "config": ["config", "path"],
    "completion": ["--install-completion"],
}


@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_what_needs_a_home_says_how_to_name_one(flux, homeless, monkeypatch, line):
    monkeypatch.setenv("SHELL", "/bin/bash")

    done = flux(*line)

    assert done.code == 2
    assert "flux: error: there is no home folder" in done.err
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "FLUX_CONFIG"):
        assert name in done.err


@pytest.mark.parametrize("how", ["option", "environment"])
def test_the_sandbox_works_from_a_temporary_folder(flux, homeless, monkeypatch, how):
    """Later commands find what earlier ones made."""
    flag = ["--sandbox"] if how == "option" else []
    if not flag:
        monkeypatch.setenv("FLUX_SANDBOX", "1")

    made = flux("generate", "a fox", "-s", "7", "-q", *flag)
    listed = flux("status", *flag)

    assert (made.code, made.lines) == (0, ["a-fox-7.jpg"])
    assert (listed.code, len(listed.lines)) == (0, 1)
    (folder,) = homeless.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_is_not_ours_is_not_used(flux, homeless, tmp_path):
    flux("status", "--sandbox")
    (folder,) = homeless.iterdir()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")

    done = flux("status", "--sandbox")

    assert done.code == 2
    assert "belongs to another user" in done.err


@pytest.mark.parametrize("config", ["XDG_CONFIG_HOME", "FLUX_CONFIG"])
def test_variables_that_name_folders_do_without_a_home(flux, host, homeless, monkeypatch, tmp_path, config):
    (tmp_path / "named.toml").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(config, str(tmp_path / ("named.toml" if config == "FLUX_CONFIG" else "config")))

    done = flux("generate", "a fox", "-p", "runware", "-q")

    assert (done.code, host.paid["runware"]) == (0, 1)
    assert (tmp_path / "state" / "flux-cli" / "ledger.sqlite3").exists()


def test_a_home_in_the_config_that_is_not_there_is_an_error(flux, homeless, monkeypatch, tmp_path):
    monkeypatch.setenv("FLUX_OUTPUT", "~/pictures")

    done = flux("generate", "a fox", "--sandbox")

    assert done.code == 2
    assert "there is no home folder" in done.err


def test_completion_goes_on_with_what_needs_no_home(homeless, capfdbinary):
    completion.answer("zsh", ["status", "--lim"])
    completion.answer("zsh", ["result", "a"])

    assert b"--limit" in capfdbinary.readouterr().out


def test_the_sandbox_takes_a_home_that_cannot_be_written_to_for_none(flux, homeless, home, monkeypatch):
    """HOME is ``/`` in a container with a user id that has no name."""
    monkeypatch.setenv("HOME", str(home / "missing"))
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, *how, **more: path != home and allowed(path, *how, **more))

    made = flux("generate", "a fox", "-s", "7", "-q", "--sandbox")
    listed = flux("status", "--sandbox")

    assert (made.code, made.lines) == (0, ["a-fox-7.jpg"])
    assert (listed.code, len(listed.lines)) == (0, 1)
    assert [path.name for path in homeless.iterdir()] == [f"flux-cli-{os.getuid()}"]


def test_a_named_folder_that_cannot_be_written_to_is_an_error(flux, home, monkeypatch):
    """The sandbox puts nothing elsewhere than where you said."""
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file" / "state"))

    done = flux("status", "--sandbox")

    assert done.code == 1
    assert f"cannot use the job ledger {home / 'file' / 'state'}" in done.err


WITHOUT_TEMPORARY = {
    "sandbox without a home": (["status", "--sandbox"], "set TMPDIR to one"),
    "image from a pipe": (["generate", "winter", "-m", "kontext", "-i", "-", "--sandbox"], "set TMPDIR to one"),
    "image to a pipe": (["generate", "winter", "-o", "-", "--sandbox"], "choose another path with -o"),
}


@pytest.mark.parametrize(("line", "hint"), WITHOUT_TEMPORARY.values(), ids=WITHOUT_TEMPORARY)
def test_without_a_folder_for_temporary_files_an_error_says_what_to_set(
    flux, homeless, home, monkeypatch, tmp_path, line, hint
):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    if line[0] == "generate":
        monkeypatch.setenv("HOME", str(home))

    done = flux(*line, stdin=FOX.read_bytes().decode("utf-8", "surrogateescape"))

    assert done.code == 2
    assert hint in done.err
