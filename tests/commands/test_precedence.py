"""Option over environment over file over default; and what becomes of configured options that cannot be honoured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.providers import runflow
from tests.hosts import KEYS


def _task(host):
    return host.requests[-1].body[0]


def test_option_environment_file_default(flux, host, config, monkeypatch):
    """Each place wins over the next."""
    send = ("generate", "a fox", "-p", "runware", "--no-wait")

    flux(*send)
    default = _task(host)
    config('[generate]\naspect_ratio = "1:1"\nmodel = "pro"\nseed = 5\nraw = true\n[generate.param]\nttl = 60\n')
    flux(*send, "-m", "ultra")
    file = _task(host)
    monkeypatch.setenv("FLUX_GENERATE__ASPECT_RATIO", "9:16")
    flux(*send)
    environment = _task(host)
    flux(*send, "-a", "21:9", "-s", "6", "-P", "ttl=90")
    option = _task(host)

    assert (default["width"], default["model"]) == (2752, "bfl:2@2")
    assert (file["width"], file["height"], file["model"], file["seed"]) == (2048, 2048, "bfl:2@2", 5)
    assert (file["providerSettings"], file["ttl"]) == ({"bfl": {"raw": True}}, 60)
    assert (environment["width"], environment["height"], environment["model"]) == (768, 1344, "bfl:2@1")
    assert (option["width"], option["height"], option["seed"], option["ttl"]) == (1344, 576, 6, 90)


def test_the_provider(flux, host, config, monkeypatch):
    """-p over FLUX_DEFAULT_PROVIDER over default_provider over the only one with a key."""

    def asked(*typed):
        assert flux("generate", "a fox", "--no-wait", *typed).code == 0
        return host.requests[-1].provider

    config('default_provider = "runflow"\n')
    assert asked() == "runflow"
    monkeypatch.setenv("FLUX_DEFAULT_PROVIDER", "apiframe")
    assert asked() == "apiframe"
    assert asked("-p", "runcomfy") == "runcomfy"
    monkeypatch.delenv("FLUX_DEFAULT_PROVIDER")
    config("")
    for name, (variable, _) in KEYS.items():
        if name != "apiframe":
            monkeypatch.delenv(variable)
    assert asked() == "apiframe"


def test_where_images_land(flux, config):
    """-o over [generate] output over output over the current folder."""
    home = Path.home()

    config('output = "~/Pictures/"\n')
    general = flux("generate", "a fox", "--sandbox", "-s", "5").lines
    config('output = "~/Pictures/"\n[generate]\noutput = "~/Special/"\n')
    special = flux("generate", "a fox", "--sandbox", "-s", "5").lines
    typed = flux("generate", "a fox", "--sandbox", "-s", "5", "-o", "here/").lines

    assert general == [str(home / "Pictures" / "a-fox-5.jpg")]
    assert special == [str(home / "Special" / "a-fox-5.jpg")]
    assert typed == ["here/a-fox-5.jpg"]


LEFT_OUT = [
    ("runflow", 'aspect_ratio = "1:1"', "aspect_ratio"),
    ("runflow", "raw = true", "raw"),
    ("runcomfy", 'webhook = "https://example.com/"', "webhook"),
    ("runcomfy", "safety_tolerance = 2", "safety_tolerance"),
    ("apiframe", 'aspect_ratio = "21:9"', "aspect_ratio"),
    ("apiframe", "[generate.metadata]\na = 'b'", "metadata"),
    ("runware", "image_strength = 0.5", "image_strength"),
    ("runware", "quality = 100", "quality"),
]


@pytest.mark.parametrize(("provider", "line", "name"), LEFT_OUT)
def test_a_configured_option_that_cannot_be_honoured(flux, host, config, provider, line, name):
    """It is left out, with one line on stderr, and named under ``skipped``; the job is made."""
    config(f"[generate]\n{line}\n")

    done = flux("generate", "a fox", "-p", provider, "--no-wait", "--json")

    notes = [one for one in done.err.splitlines() if one.startswith("flux: note: ")]
    assert done.code == 0
    assert done.object["skipped"] == [name]
    assert name not in done.object["parameters"] or provider == "runware"
    assert len(notes) == 1
    assert f"--{name.replace('_', '-')}" in notes[0]


def test_a_configured_model_that_the_provider_lacks(flux, host, config, monkeypatch):
    """Is left out with a note, and told as skipped; a typed one is an error."""
    ultra = {"flux-1.1-pro-ultra": runflow.PROVIDER.models["flux-1.1-pro-ultra"]}
    monkeypatch.setattr(runflow, "PROVIDER", replace(runflow.PROVIDER, models=ultra))
    config('[generate]\nmodel = "pro"\n')

    done = flux("generate", "a fox", "-p", "runflow", "--no-wait", "--json")
    typed = flux("generate", "a fox", "-p", "runflow", "-m", "pro", "--no-wait")

    assert done.object["model"] == "flux-1.1-pro-ultra"
    assert done.object["skipped"] == ["model"]
    assert "flux-1.1-pro" in done.err
    assert typed.code == 2


def test_the_sandbox_by_environment(flux, monkeypatch):
    """FLUX_SANDBOX=1 is --sandbox for every command, and asks for no key."""
    monkeypatch.setenv("FLUX_SANDBOX", "1")

    made = flux("generate", "a fox", "--json").object

    assert made["sandbox"] is True
    assert made["provider"] == "runware"
    assert flux("status", "--json").object["id"] == made["id"]


def test_how_long_the_sandbox_takes(flux, monkeypatch):
    """FLUX_SANDBOX_SECONDS says how long a job takes there."""
    monkeypatch.setenv("FLUX_SANDBOX_SECONDS", "1000")

    assert flux("generate", "a fox", "--sandbox").code == 8


@pytest.mark.parametrize("how", ["option", "variable"])
def test_another_file(flux, monkeypatch, how):
    """--config and $FLUX_CONFIG name another file; one that is missing is an error."""
    Path("other.toml").write_text('default_provider = "apiframe"\n', "utf-8")
    if how == "variable":
        monkeypatch.setenv("FLUX_CONFIG", "other.toml")
    typed = ["--config", "other.toml"] if how == "option" else []

    assert flux("generate", "a fox", "--sandbox", "--json", *typed).object["provider"] == "apiframe"
    Path("other.toml").unlink()
    assert flux("generate", "a fox", "--sandbox", *typed).code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[generate]\nmodle = 'pro'\n", "did you mean generate.model?"),
        ("default_provider = 'runwear'\n", "runware"),
        ("[generate\n", "TOML"),
        ("[generate]\ncount = 21\n", "1 to 20"),
        ("[providers.runware]\nbase_url = 'http://example.com'\n", "http"),
    ],
)
def test_a_file_that_cannot_be(flux, config, text, said):
    """Exit 2, naming the file and the key; nothing is sent."""
    path = config(text)

    done = flux("generate", "a fox", "--sandbox")

    assert done.code == 2
    assert str(path) in done.err
    assert said in done.err


def test_a_configured_no_wait_gives_way(flux, config):
    """What is typed about saving wins over a configured ``no_wait``."""
    config("[generate]\nno_wait = true\n")

    assert len(flux("generate", "a fox", "--sandbox").lines[0]) == 8
    assert flux("generate", "a fox", "--sandbox", "-o", "fox.jpg").lines == ["fox.jpg"]


def test_a_file_that_others_can_read(flux, config):
    """A key in a readable file earns a warning on stderr, without the key."""
    path = config('[providers.runware]\napi_key = "made-up-secret"\n')
    path.chmod(0o644)

    done = flux("providers")

    assert done.code == 0
    assert "flux: warning: " in done.err
    assert "chmod 600" in done.err
    assert "made-up-secret" not in done.err + done.out
