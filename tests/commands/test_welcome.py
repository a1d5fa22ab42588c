"""``flux`` alone: where somebody stands, and the way to a first image. Nothing is asked, nothing is made."""

from __future__ import annotations

import pytest

FOX = 'flux generate "a red fox in the snow"'


def commands(done) -> list[str]:
    return [line.strip().split("   ")[0] for line in done.lines if line.startswith("  ")]


def test_nothing_is_set_up_yet(flux, home):
    """Three lines to a first image; the sandbox comes first. Exit 0, on stdout, and nothing is written."""
    done = flux()

    assert (done.code, done.err) == (0, "")
    assert "No provider has a key yet" in done.out
    assert commands(done) == [f"{FOX} --sandbox", "flux config init", FOX]
    assert done.lines[-1] == "More: flux --help, flux help"
    assert list(home.iterdir()) == []


def test_ready(flux, monkeypatch):
    """One key is enough, and is not shown."""
    monkeypatch.setenv("RUNWARE_API_KEY", "made-up-ware")

    done = flux()

    assert "runware is ready (key: RUNWARE_API_KEY)." in done.lines
    assert commands(done)[0] == FOX
    assert "made-up-ware" not in done.out


def test_several_keys_and_no_choice(flux, monkeypatch):
    """As `flux generate` would say."""
    monkeypatch.setenv("RUNWARE_API_KEY", "made-up-ware")
    monkeypatch.setenv("RUNFLOW_API_KEY", "made-up-flow")

    done = flux()

    assert "runflow and runware have a key: choose one." in done.lines
    assert commands(done)[0] == "flux config set default_provider runflow"


def test_a_choice_without_a_key(flux, config):
    config("default_provider = 'apiframe'\n")

    done = flux()

    assert "apiframe is selected but has no key yet." in done.lines
    assert "flux config init" in commands(done)


def test_in_the_sandbox(flux, monkeypatch):
    monkeypatch.setenv("FLUX_SANDBOX", "1")

    done = flux()

    assert "In the sandbox, everything is free" in done.out
    assert commands(done)[0] == FOX


def test_a_broken_config_is_no_reason_to_be_silent(flux, config):
    """What is wrong stands where the state would, with commands that work all the same."""
    path = config("colour = 'red'\n")

    done = flux()

    assert done.code == 0
    assert f"config file {path}: there is no key colour" in done.out
    assert flux("config", "unset", "colour").code == 0
    assert "No provider has a key yet" in flux().out


@pytest.mark.parametrize("keys", [[], ["RUNWARE_API_KEY"], ["RUNWARE_API_KEY", "RUNFLOW_API_KEY"]])
def test_it_fits_a_small_window(flux, monkeypatch, keys):
    """80 columns, 24 rows, no control characters."""
    for name in keys:
        monkeypatch.setenv(name, "made-up")

    done = flux(tty=True)

    assert max(map(len, done.lines)) < 80
    assert len(done.lines) < 24
    assert done.out.replace("\n", "").isprintable()
