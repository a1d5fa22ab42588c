"""A new provider is two files and one name: everything else finds them by that name."""

from __future__ import annotations

import sys

import pytest

import flux_cli.sandbox
from flux_cli import providers

PROVIDER = """
from dataclasses import replace
from flux_cli.providers.runflow import PROVIDER as RUNFLOW
PROVIDER = replace(RUNFLOW, name="madeup", title="Made Up", base_url="https://api.madeup.test", origins=(),
                   key_variables=("MADEUP_API_KEY",))
"""
STAND_IN = """
from flux_cli.sandbox.runflow import answer, locate
HOSTS = ("api.madeup.test",)
FILES = "https://files.madeup.test"
"""


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """Put both files where the packages look for their modules, and the name into the registry."""
    for package, text in ((providers, PROVIDER), (flux_cli.sandbox, STAND_IN)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "madeup.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.setattr(providers, "NAMES", (*providers.NAMES, "madeup"))
    yield
    for package in (providers, flux_cli.sandbox):
        sys.modules.pop(f"{package.__name__}.madeup", None)
        vars(package).pop("madeup", None)


def test_a_new_provider_makes_an_image_in_the_sandbox(registered, flux):
    done = flux("generate", "a fox", "-p", "madeup", "--sandbox", "--json", "-s", "7")

    assert done.code == 0, done.err
    assert done.object["provider"] == "madeup"
    (image,) = done.object["images"]
    assert image["path"]


def test_it_is_shown_in_the_list_and_refused_where_it_has_no_key(registered, flux):
    rows = flux("providers", "--json").objects
    refused = flux("generate", "a fox", "-p", "madeup")

    assert [row["provider"] for row in rows] == list(providers.NAMES)
    assert "MADEUP_API_KEY" in refused.err


def test_a_name_without_a_provider_is_refused(flux):
    assert "there is no provider 'madeup'" in flux("generate", "a fox", "-p", "madeup", "--sandbox").err
