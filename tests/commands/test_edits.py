"""Edits at the providers as they are: the shape of the result, and what is reserved for it."""

from __future__ import annotations

import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def house():
    Image.new("RGB", (1024, 768), "navy").save("house.jpg")
    Image.new("RGB", (768, 1344), "navy").save("tower.jpg")


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (["-i", "house.jpg"], (1184, 880)),
        (["-i", "tower.jpg"], (752, 1392)),
        (["-i", "tower.jpg", "-i", "house.jpg"], (752, 1392)),
        (["-i", "house.jpg", "-a", "1:1"], (1024, 1024)),
        (["-i", "https://example.com/house.jpg"], (1024, 1024)),
    ],
)
def test_where_a_provider_requires_a_size_it_is_that_of_the_first_image(flux, words, size):
    done = flux("generate", "winter", "-m", "kontext", "-p", "runware", *words, "--sandbox", "--dry-run", "--json")

    (task,) = done.object["requests"][0]["body"]
    assert (task["width"], task["height"]) == size


def test_where_the_model_chooses_the_size_the_largest_is_reserved(flux):
    done = flux(
        "generate", "x", "-m", "flux-2-klein-4b", "-p", "fal", "-i", "house.jpg", "--sandbox", "--max-cost", "0.02"
    )

    assert done.code == 6
    assert "$0.056" in done.err


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("klein", "did you mean flux-2-klein-4b, flux-2-klein-4b-base, flux-2-klein-9b"),
        ("fill", "did you mean flux-fill-pro"),
        ("zebra", "`flux models` lists the models"),
        ("flux-pro-1.0-expand", "`-m bfl:flux-pro-1.0-expand` sends it as an id of bfl's own"),
    ],
)
def test_a_word_that_is_no_model_is_answered_with_those_that_contain_it(flux, word, hint):
    done = flux("generate", "x", "-m", word, "-p", "bfl", "--sandbox")

    assert done.code == 2
    assert hint in done.err


def test_a_model_without_options_is_not_called_unknown(flux):
    done = flux("generate", "x", "-m", "flux-schnell", "-p", "runflow", "--steps", "4", "--sandbox")

    assert done.code == 2
    assert "runflow has no --steps for flux-schnell" in done.err
    assert "runware and fal do for flux-schnell" in done.err


@pytest.mark.parametrize(("provider", "name"), [("fal", "fal-ai/../x"), ("replicate", "../x"), ("runcomfy", "a/./b")])
def test_an_id_is_no_way_to_another_address(flux, provider, name):
    assert flux("generate", "x", "-m", name, "-p", provider, "--sandbox", "--dry-run").code == 2
