"""Presets: ``[presets.NAME]`` in the config, and ``--preset NAME``."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

CONFIG = """
[generate]
aspect_ratio = "16:9"
count = 2
no_wait = true
[presets.cover]
provider = "runware"
model = "flux-2-pro"
size = "1024x1536"
count = 1
[presets.plain]
[presets.quick]
model = "flux-schnell"
[presets.edit]
seed = 7
raw = true
image_strength = 0.5
"""


RATIO = ["aspect_ratio"]
"""Of ``[generate]``, which Runflow does not have either."""


@pytest.fixture(autouse=True)
def presets(config, monkeypatch) -> Path:
    monkeypatch.setenv("FLUX_SANDBOX", "1")
    return config(CONFIG)


@pytest.mark.parametrize(
    ("typed", "provider", "model", "parameters", "images"),
    [
        ((), "runware", "flux-2-pro", {"size": "1024x1536"}, 1),
        (("-m", "flux-2-max"), "runware", "flux-2-max", {"size": "1024x1536"}, 1),
        (("-p", "runflow"), "runflow", "flux-2-pro", {"size": "1024x1536"}, 1),
        (("-a", "1:1", "-n", "3"), "runware", "flux-2-pro", {"aspect_ratio": "1:1"}, 3),
    ],
)
def test_a_preset_wins_over_the_config_and_what_is_typed_over_both(flux, typed, provider, model, parameters, images):
    """A size replaces a ratio, whichever of them was typed, configured or recorded."""
    done = flux("generate", "a fox", "--preset", "cover", "--json", *typed)

    assert done.code == 0, done
    assert {(job["provider"], job["model"]) for job in done.objects} == {(provider, model)}
    assert done.object["parameters"] == parameters
    assert sum(job["count"] for job in done.objects) == images


def test_params_are_merged(flux, config):
    config('[generate.param]\n"x.a" = 1\nb = 2\n[presets.p.param]\nb = 3\nc = 4\n')

    done = flux("generate", "a fox", "--preset", "p", "-P", "c=5", "-p", "runware", "--dry-run", "--json")

    body = done.object["requests"][0]["body"][0]
    assert (body["x"], body["b"], body["c"]) == ({"a": 1}, 3, 5)


def test_what_the_provider_lacks_is_left_out_but_never_the_model(flux):
    """Another model than that of the preset would be a surprise that costs money."""
    left_out = flux("generate", "a fox", "--preset", "edit", "-p", "runflow", "-n", "1", "--json")
    refused = flux("generate", "a fox", "--preset", "quick", "-p", "bfl")

    assert (left_out.code, left_out.object["skipped"], left_out.object["seed"]) == (
        0,
        [*RATIO, "raw", "image_strength"],
        7,
    )
    assert ", --raw and --image-strength from the config and its preset edit" in left_out.err
    assert (refused.code, "bfl does not host flux-schnell" in refused.err) == (2, True)


def test_an_empty_preset_is_one(flux):
    assert flux("generate", "a fox", "--preset", "plain").code == 0


@pytest.mark.parametrize(
    ("name", "hint"), [("covr", "did you mean cover?"), ("zzz", "the presets are cover, plain, quick and edit")]
)
def test_an_unknown_preset_is_refused(flux, name, hint):
    done = flux("generate", "a fox", "--preset", name)

    assert done.code == 2
    assert f"there is no preset '{name}' in the config" in done.err
    assert hint in done.err


def test_without_any_the_hint_says_where_to_read_on(flux, config):
    config("")

    done = flux("generate", "a fox", "--preset", "cover")

    assert (done.code, "`flux help config`" in done.err) == (2, True)


def test_with_like_it_overrides_the_earlier_job(flux):
    first = flux("generate", "a heron", "-p", "bfl", "-m", "ultra", "-a", "1:1", "--raw", "--json", "-n", "1").object

    again = flux("generate", "--like", first["id"], "--preset", "cover", "--json").object

    assert (again["prompt"], again["seed"], again["provider"]) == ("a heron", first["seed"], "runware")
    assert (again["model"], again["parameters"]) == ("flux-2-pro", {"size": "1024x1536"})


def test_each_row_of_a_batch_is_made_with_it(flux):
    Path("p.jsonl").write_text('{"prompt": "a fox"}\n{"prompt": "a hare", "model": "flux-2-max"}\n', "utf-8")

    done = flux("generate", "--batch", "p.jsonl", "--preset", "cover", "--json")

    assert sorted((job["prompt"], job["model"], job["parameters"]["size"]) for job in done.objects) == [
        ("a fox", "flux-2-pro", "1024x1536"),
        ("a hare", "flux-2-max", "1024x1536"),
    ]


def test_presets_are_set_shown_and_removed(flux, presets):
    assert flux("config", "set", "presets.new.seed", "8").code == 0
    assert flux("config", "get", "presets.new.seed").out == "8\n"
    assert "presets.cover.provider\trunware\tconfig file" in flux("config", "show").lines
    assert flux("config", "unset", "presets.cover").code == 0
    assert flux("generate", "a fox", "--preset", "new", "--json").object["seed"] == 8

    assert "cover" not in tomllib.loads(presets.read_text("utf-8"))["presets"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[presets.a]\nseed = 'x'", "presets.a.seed takes a whole number", ""),
        ("[presets.a]\nmodel = 'flux-2-prop'", "presets.a.model takes the name of a model", "did you mean flux-2-pro?"),
        ("[presets.a]\nsede = 7", "there is no key presets.a.sede", "did you mean presets.a.seed?"),
        ("[presets.a]\nprovider = 'runwar'", "presets.a.provider takes the name of a provider", "runware"),
        ("[presets]\na = 1", "presets.a takes a table", "[presets.a]"),
        ("[presets.'a b']\nseed = 7", "there is no key presets.a b", "letters, digits, dashes and underscores"),
        ("[preset.a]\nseed = 7", "there is no key preset", "did you mean presets?"),
    ],
)
def test_a_wrong_preset_is_named(flux, config, text, message, hint):
    config(text)

    done = flux("generate", "a fox", "--preset", "a")

    assert done.code == 2
    assert message in done.err
    assert hint in done.err
