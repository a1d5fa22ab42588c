"""What `flux providers --check` says of this machine: each finding, and what to do about it."""

from __future__ import annotations

import os

import pytest

from flux_cli.commands.providers import environment as machine
from flux_cli.config.settings import Settings

OURS = "#!/usr/bin/python3\nfrom flux_cli.cli import main\n"
HOSTS = {"runcomfy": "model-api.runcomfy.net", "runware": "api.runware.ai"}


@pytest.fixture
def put(tmp_path):
    """Return a function that makes a program in a folder."""

    def make(folder: str, text: str = OURS, name: str = "flux"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        return path

    return make


def search(*programs) -> str:
    return os.pathsep.join(str(program.parent) for program in programs)


def test_no_config_file_is_no_fault():
    found = machine.check_config_file(Settings.load(None))

    assert (found.state, found.works) == ("none", True)
    assert "config init" in found.hint


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize(
    ("text", "mode", "state"),
    [
        ("[providers.runware]\napi_key = 'x'\n", 0o600, "fine"),
        ("[providers.runware]\napi_key = 'x'\n", 0o644, "open"),
        ("output = 'x/'\n", 0o644, "fine"),
    ],
)
def test_a_config_file_with_keys_is_for_its_owner(config, text, mode, state):
    """Others may read a file without a key; else the command that mends it is named."""
    path = config(text)
    path.chmod(mode)

    found = machine.check_config_file(Settings.load(None))

    assert found.state == state
    assert found.works == (state == "fine")
    assert (found.hint == f"`chmod 600 {path}`") == (state == "open")


def test_the_first_flux_is_this_one(put):
    ours = put("ours")

    found = machine.check_path(search(ours), ours)

    assert (found.state, found.detail, found.hint) == ("fine", str(ours), "")


def test_the_second_name_stands_beside_it(put):
    """Started as ``flux-cli``, the ``flux`` of the same folder is ours."""
    ours = put("ours")

    assert machine.check_path(search(ours), put("ours", name="flux-cli")).works


def test_a_link_is_what_it_leads_to(put, tmp_path):
    """As pipx and uv make one."""
    ours = put("ours")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "flux").symlink_to(ours)

    assert machine.check_path(str(tmp_path / "bin"), ours).works


def test_another_program_of_that_name_comes_first(put):
    """FluxCD and flux-framework have one: ours has a second name."""
    theirs, ours = put("theirs", "#!/bin/sh\n"), put("ours")

    found = machine.check_path(search(theirs, ours), ours)

    assert (found.state, found.works) == ("other", False)
    assert str(theirs) in found.detail
    assert "`flux-cli`" in found.hint
    assert str(ours.parent) in found.hint


def test_another_copy_of_ours_comes_first(put):
    older, ours = put("older"), put("ours")

    found = machine.check_path(search(older, ours), ours)

    assert (found.state, found.works) == ("two", False)
    assert str(older) in found.detail


def test_no_flux_on_the_path(put, tmp_path):
    ours = put("ours")

    found = machine.check_path(str(tmp_path), ours)

    assert (found.state, found.works) == ("missing", False)
    assert str(ours.parent) in found.hint


def test_no_proxy(monkeypatch):
    found = machine.check_proxy(HOSTS)

    assert (found.state, found.hint) == ("none", "")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_is_named_without_its_password(monkeypatch, variable):
    """Its host and port, who set it, who is left out of it."""
    monkeypatch.setenv(variable, "http://me:hidden@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "runware.ai")

    found = machine.check_proxy(HOSTS)

    assert (found.state, found.works) == ("in use", True)
    assert found.detail == f"proxy.example:3128, from {variable}, not for runware"
    assert variable in found.hint
    assert "hidden" not in str(found)


@pytest.mark.parametrize("address", ["http://", "http://[::1", "http://proxy.example:port"])
def test_a_proxy_that_is_none(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address)

    found = machine.check_proxy(HOSTS)

    assert (found.state, found.works) == ("wrong", False)
    assert "HTTPS_PROXY" in found.hint
