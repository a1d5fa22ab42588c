"""Plug-ins: found by their entry points, refused with a clear line when broken, and tested by the conformance run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import venv
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from flux_cli import conformance, providers
from flux_cli.errors import UsageError
from flux_cli.jobs import Image, Queued, Succeeded
from flux_cli.providers import plugins
from flux_cli.providers.conversation import Request
from tests import json_lines

EXAMPLE = Path(__file__).parent / "plugin_example"
sys.path.append(str(EXAMPLE))

from flux_acme import PROVIDER as ACME  # noqa: E402 - an example of a package that is not installed here


def test_the_example_keeps_the_contract():
    assert conformance.list_failures(ACME) == []


def opens_a_file(planned):
    Path(os.devnull).read_text()
    return (yield from ACME.submit(planned))


def opens_a_connection(_remote):
    socket.create_connection(("127.0.0.1", 9))
    yield Request("GET", "/")
    return Queued()


def buys_twice(planned):
    yield Request("POST", "/images", json=planned.body(), paid=True, dry_run_answer={"id": "a1"})
    return (yield from ACME.submit(planned))


def carries_the_key(planned):
    yield Request("POST", "/images", json=planned.body(), headers={"Authorization": "x"}, paid=True)


def forgets_the_prompt(_planned):
    yield Request("POST", "/images", json={}, paid=True)


def crashes(_remote):
    yield Request("GET", "/")
    raise RuntimeError("oops")


def invents_an_image(_remote):
    yield Request("GET", "/")
    return Succeeded(images=(Image(url="https://a.example/b"),))


BAD = {
    "a file": ({"submit": opens_a_file}, "a provider does no I/O"),
    "a connection": ({"poll": opens_a_connection}, "a provider does no I/O"),
    "two payments": ({"submit": buys_twice}, "a submit sends exactly one paid request"),
    "a key": ({"submit": carries_the_key}, "the header Authorization is for flux to add"),
    "no prompt": ({"submit": forgets_the_prompt}, "the prompt is not in the body"),
    "a crash": ({"poll": crashes}, "RuntimeError"),
    "a wrong state": ({"poll": invents_an_image}, "is succeeded, not queued"),
    "no refusals": ({"refusal": lambda _response: None}, "HTTP 401 is no refusal, not auth"),
    "no examples": ({"examples": ()}, "there is no example whose result is accepted"),
    "http": ({"base_url": "http://api.acme.example"}, "is not https"),
    "another's key": ({"key_variables": ("RUNWARE_API_KEY",)}, "it reads RUNWARE_API_KEY, the key of runware"),
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=BAD)
def test_a_bad_provider_fails_for_the_right_reason(change, reason):
    failures = conformance.list_failures(replace(ACME, **change))

    assert [failure for failure in failures if reason in failure]


@pytest.fixture
def install(monkeypatch):
    """Make entry points as installed packages would: ``install(acme="module:name")``."""

    def install(**entries):
        found = {name: EntryPoint(name, value, plugins.GROUP) for name, value in entries.items()}
        monkeypatch.setattr(plugins, "list_entry_points", lambda: found)
        plugins.find_plugin.cache_clear()

    yield install
    plugins.find_plugin.cache_clear()


def test_a_plugin_is_a_provider_like_any_other(install):
    install(acme="flux_acme:PROVIDER")

    assert providers.names() == (*providers.NAMES, "acme")
    assert providers.load("acme") is ACME
    assert ACME in providers.load_all()


@pytest.mark.parametrize(
    ("entries", "name", "problem"),
    [
        ({"acme": "no_such_module:X"}, "acme", "it cannot be imported (ModuleNotFoundError"),
        ({"acme": "flux_acme:submit"}, "acme", "its entry point is a function, not a Provider"),
        ({"other": "flux_acme:PROVIDER"}, "other", "its name is 'acme', and the entry point's is 'other'"),
    ],
)
def test_a_broken_plugin_is_refused_with_the_reason(install, entries, name, problem):
    install(**entries)

    with pytest.raises(UsageError) as caught:
        providers.load(name)

    assert f"the plug-in {name} of" in caught.value.message
    assert problem in caught.value.message
    assert len(providers.load_all()) == len(providers.NAMES)


def test_a_plugin_cannot_take_the_name_of_a_provider(install):
    install(runware="flux_acme:PROVIDER")

    assert providers.load("runware").title == "Runware"
    assert plugins.find_plugin("runware").problem == "the name runware belongs to flux"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"interface": 2}, "it is made for version 2 of the interface, and this flux has 1"),
        ({"origins": ("http://a.example",)}, "its origin http://a.example is not https"),
        ({"trusted_urls": "http.*"}, "its pattern of trusted addresses does not begin with https://"),
        ({"key_variables": ()}, "it names no environment variable for its key"),
        ({"key_variables": ("FLUX_KEY",)}, "it names no environment variable for its key"),
        ({"models": {}}, "it has no models"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_named(change, problem):
    assert plugins.list_problems("acme", replace(ACME, **change)) == [problem]


@pytest.mark.slow
def test_the_example_is_installed_and_used_in_a_clean_environment(tmp_path):
    """pip builds and installs it; the installed program lists it and plans a job with it, but not in the sandbox."""
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    packages = next((home / "lib").glob("python*")) / "site-packages"
    roots = [sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "outer.pth").write_text("\n".join([*dict.fromkeys(roots), str(Path(conformance.__file__).parents[1])]))
    settings = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ACME_API_KEY": "acme-key-1234"}

    def run(*words, module="flux_cli"):
        words = [python, "-m", module, *words]
        done = subprocess.run(words, capture_output=True, text=True, env=settings, check=False)
        json_lines.check_output(done.stdout)
        return done

    pip = run("install", "-q", "--no-index", "--no-deps", "--no-build-isolation", str(EXAMPLE), module="pip")
    assert pip.returncode == 0, pip.stderr

    tested = run("acme", module="flux_cli.conformance")
    listed = run("providers", "--json")
    planned = run("generate", "a red fox", "-p", "acme", "-m", "flux-2-pro", "--dry-run")
    sandbox = run("generate", "a red fox", "-p", "acme", "-m", "flux-2-pro", "--sandbox")

    assert tested.stdout == "acme: 1 models, 8 examples, 0 failures\n"
    assert '"acme"' in listed.stdout
    assert (
        'curl -sS -X POST https://api.acme.example/v1/images -H "Authorization: Bearer $ACME_API_KEY"' in planned.stdout
    )
    assert sandbox.returncode == 2
    assert "acme is a plug-in, and the sandbox has no stand-in for it" in sandbox.stderr
    assert "acme-key-1234" not in listed.stdout + planned.stdout + sandbox.stderr


def test_of_two_packages_with_one_name_the_first_counts(monkeypatch):
    entries = [EntryPoint("acme", "flux_acme:PROVIDER", plugins.GROUP), EntryPoint("acme", "x:y", plugins.GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries)
    plugins.list_entry_points.cache_clear()

    found = plugins.list_entry_points()

    plugins.list_entry_points.cache_clear()
    assert found == {"acme": entries[0]}
