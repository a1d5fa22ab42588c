"""``flux generate --like``: an earlier image or job, made again or made otherwise."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from flux_cli.images.embed import embed, read
from flux_cli.images.inspect import inspect
from flux_cli.images.metadata import ImageMetadata
from flux_cli.providers import NAMES, runflow

PROVIDERS = NAMES


@pytest.fixture
def forget(home):
    """Return a function that removes the ledger."""
    return lambda: shutil.rmtree(home / ".local")


def submits(host) -> list:
    """Return the bodies of the paid requests, without what is made anew for each."""
    bodies = [seen.body[0] if isinstance(seen.body, list) else seen.body for seen in host.requests if seen.body]
    paid = [body for body in bodies if "taskType" not in body or body["taskType"] == "imageInference"]
    return [{name: value for name, value in body.items() if name not in {"taskUUID", "client_ref"}} for body in paid]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("known", [True, False])
def test_an_image_is_made_again_from_itself(flux, host, forget, provider, known):
    """The same request, with the ledger or without it."""
    typed = ("-f", "png", "--seed", "7") if provider == "runflow" else ("-m", "pro", "-a", "1:1", "--seed", "7")
    first = flux("generate", "a red f\u00f6x", "-p", provider, *typed, "-o", "fox.png")
    if not known:
        forget()

    done = flux("generate", "--like", "fox.png")

    assert (first.code, done.code) == (0, 0), (first, done)
    one, other = submits(host)
    assert one == other
    assert {seen.provider for seen in host.requests} == {provider}


def test_a_param_comes_along(flux, host, forget):
    flux("generate", "a fox", "-p", "runware", "-P", "ttl=60", "-o", "fox.jpg")
    forget()

    flux("generate", "--like", "fox.jpg")

    one, other = submits(host)
    assert one == other
    assert other["ttl"] == 60


def test_the_config_has_no_say_in_it(flux, host, config):
    """An image made before the config was changed is still made again."""
    flux("generate", "a fox", "-p", "runware", "-m", "pro", "-s", "7", "-o", "fox.jpg")
    config('[generate]\nmodel = "ultra"\nraw = true\naspect_ratio = "1:1"\ncount = 3\nseed = 9\nparam = {a = 1}\n')

    done = flux("generate", "--like", "fox.jpg")

    one, other = submits(host)
    assert (one, len(done.lines)) == (other, 1)


@pytest.mark.parametrize(
    ("typed", "field", "value"),
    [
        (("an owl",), "positivePrompt", "an owl"),
        (("-s", "8"), "seed", 8),
        (("-a", "1:1"), "width", 2048),
        (("-m", "pro"), "model", "bfl:2@1"),
        (("-n", "2"), "numberResults", 2),
        (("-P", "ttl=90"), "ttl", 90),
    ],
)
def test_what_is_typed_goes_first(flux, host, typed, field, value):
    """And nothing else changes."""
    flux("generate", "a fox", "-p", "runware", "-s", "7", "-P", "ttl=60", "-o", "fox.jpg")

    flux("generate", *typed, "--like", "fox.jpg")

    one, other = submits(host)
    kept = {*one} - {field, "width", "height"}
    assert other[field] == value
    assert {name: one[name] for name in kept} == {name: other[name] for name in kept}


def test_a_typed_size_takes_the_place_of_a_shape(flux, host):
    flux("generate", "a fox", "-p", "runware", "-m", "pro", "-a", "1:1", "-o", "fox.jpg")

    done = flux("generate", "--like", "fox.jpg", "--size", "512x768", "--json")

    assert (submits(host)[1]["width"], submits(host)[1]["height"]) == (512, 768)
    assert (done.object["parameters"]["size"], done.object["skipped"]) == ("512x768", [])


def test_a_typed_option_takes_the_place_of_a_param_that_fills_its_field(flux, host):
    flux("generate", "a fox", "-p", "runware", "-P", "outputFormat=PNG", "-o", "out")

    flux("generate", "--like", "out", "-f", "webp")

    assert submits(host)[1]["outputFormat"] == "WEBP"


def test_what_another_provider_cannot_honour_is_left_out_and_named(flux, host):
    """Not typed, so no error."""
    typed = ("-s", "0", "--safety-tolerance", "2", "-P", "ttl=60")
    first = flux("generate", "a fox", "-p", "runware", *typed, "-o", "fox.jpg", "--json")

    done = flux("generate", "--like", "fox.jpg", "-p", "runflow", "--json")

    assert (first.code, done.code) == (0, 0), (first, done)
    assert {"seed", "param"} <= set(done.object["skipped"])
    assert "ignored, because runflow does not support it: --seed, --param" in done.err
    assert "from fox.jpg\n" in done.err
    assert done.object["seed"] > 0


def test_a_model_that_another_provider_lacks_is_left_out_and_named(flux, host, monkeypatch):
    ultra = {"flux-1.1-pro-ultra": runflow.PROVIDER.models["flux-1.1-pro-ultra"]}
    monkeypatch.setattr(runflow, "PROVIDER", replace(runflow.PROVIDER, models=ultra))
    flux("generate", "a fox", "-p", "runware", "-m", "pro", "-o", "fox.jpg")

    done = flux("generate", "--like", "fox.jpg", "-p", "runflow", "--json")

    assert (done.object["model"], done.object["skipped"][0]) == ("flux-1.1-pro-ultra", "model")
    assert "so the model from fox.jpg is ignored" in done.err


def test_a_job_is_made_again_whole(flux, host):
    """All images of its run, from the seed of the first."""
    flux("generate", "a fox", "-p", "runflow", "-n", "3", "-s", "7")

    done = flux("generate", "--like", "@1")

    bodies = submits(host)
    assert len(done.lines) == 3
    assert sorted(map(str, bodies[:3])) == sorted(map(str, bodies[3:]))


def test_a_job_is_made_again_from_its_lowest_seed_in_whatever_order_it_was_sent(flux, host):
    Path("rows.jsonl").write_text("".join(f'{{"prompt": "a fox", "seed": {seed}}}\n' for seed in (9, 8, 7)))
    flux("generate", "-b", "rows.jsonl", "-p", "runflow")

    flux("generate", "--like", "@1")

    assert sorted(body["input"]["seed"] for body in submits(host)[3:]) == [7, 8, 9]


def test_an_image_of_several_is_made_again_alone(flux, host, forget):
    """With its own seed."""
    flux("generate", "a fox", "-p", "runware", "-n", "3", "-s", "7", "-o", "fox.jpg")

    done = [flux("generate", "--like", "fox-2.jpg", "-o", "a/"), forget(), flux("generate", "--like", "fox-2.jpg")]

    assert [len(done[0].lines), len(done[2].lines)] == [1, 1]
    assert [(body["seed"], body.get("numberResults", 1)) for body in submits(host)[1:]] == [(8, 1)] * 2


def test_an_image_without_a_story_is_known_to_the_ledger(flux, host):
    flux("generate", "a fox", "-p", "runware", "-s", "7", "--no-embed", "-o", "fox.jpg")

    flux("generate", "--like", "fox.jpg")

    one, other = submits(host)
    assert one == other


def test_a_new_image_tells_its_own_story(flux):
    flux("generate", "a fox", "--sandbox", "-o", "fox.png")

    job = flux("generate", "--like", "fox.png", "--sandbox", "-s", "8", "-o", "new.png", "--json").object

    assert (read(Path("new.png")).seed, read(Path("new.png")).job_id) == (8, job["id"])


@pytest.fixture
def claimed(tmp_path):
    """Return a function that makes an image with a story that nobody's ledger knows."""

    def make(**changes) -> str:
        fields = {"prompt": "a fox", "provider": "runware", "model": "flux-1.1-pro", "seed": 7, "job_id": "zzzzzzzz"}
        Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
        plain = tmp_path / "plain.png"
        metadata = ImageMetadata(**{**fields, "created_at": 1.8e9, **changes})
        embed(plain, Path("claimed.png"), inspect(plain), metadata)
        return "claimed.png"

    return make


def test_what_an_image_does_not_tell_is_said(flux, claimed):
    name = claimed(omitted=("image", "param webhook", "raw"))

    done = flux("generate", "--like", name, "--no-raw", "--dry-run", "-p", "runcomfy", "-m", "ultra")

    assert done.code == 0, done
    assert "claimed.png was made with --image and --param webhook as well, and does not record how" in done.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": ""}, "claimed.png records no prompt"),
        ({"omitted": ("prompt",)}, "claimed.png records only the beginning of its prompt"),
    ],
)
def test_a_prompt_that_is_not_there_has_to_be_typed(flux, claimed, changes, words):
    name = claimed(**changes)

    done = flux("generate", "--like", name, "--sandbox", "--dry-run")
    typed = flux("generate", "an owl", "--like", name, "--sandbox", "--dry-run")

    assert done.code == 2
    assert f"{words}\nhint: `flux generate --like {name} PROMPT`" in done.err
    assert typed.code == 0


@pytest.mark.parametrize("changes", [{"provider": "evil"}, {"model": "other"}, {"seed": -5}, {"seed": 2**80}])
def test_what_an_image_claims_is_checked_like_anything_typed(flux, claimed, changes):
    """Nothing breaks, and nothing is sent that the provider does not take."""
    done = flux("generate", "--like", claimed(**changes), "--dry-run", "--sandbox")

    assert done.code == (0 if "seed" in changes else 2)
    assert "unexpected" not in done.err


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nope.jpg", "there is no job or image nope.jpg"),
        ("plain.txt", "plain.txt has no flux metadata"),
        ("@1", "there is no job or image @1"),
        ("", "there is no job or image"),
    ],
)
def test_there_must_be_something_to_start_from(flux, reference, words):
    Path("plain.txt").write_text("text")

    done = flux("generate", "--like", reference, "--sandbox")

    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_run_of_several_prompts_is_no_wish(flux):
    Path("b.txt").write_text("a fox\nan owl\n")
    flux("generate", "--batch", "b.txt", "--sandbox", "-q", "-m", "pro")

    done = flux("generate", "--like", "@1", "--sandbox")

    assert done.code == 2
    assert "@1 matches jobs with different prompts" in done.err


def test_a_batch_may_start_from_an_image(flux, host):
    """Each row brings its prompt, and what it says goes first."""
    flux("generate", "a fox", "-p", "runware", "-m", "pro", "-a", "1:1", "-s", "7", "-o", "fox.jpg")
    Path("b.jsonl").write_text('{"prompt": "an owl"}\n{"prompt": "a hare", "seed": 8}\n')

    done = flux("generate", "--batch", "b.jsonl", "--like", "fox.jpg", "-q")

    assert done.code == 0, done
    found = {(body["positivePrompt"], body["seed"], body["width"], body["model"]) for body in submits(host)[1:]}
    assert found == {("an owl", 7, 1024, "bfl:2@1"), ("a hare", 8, 1024, "bfl:2@1")}
