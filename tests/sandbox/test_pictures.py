from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from flux_cli.sandbox.pictures import picture

WORDS = {"prompt": "a fox", "label": "runware  bfl:2@2", "seed": 7}


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize(("kind", "name"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")])
@pytest.mark.parametrize(
    "prompt",
    [
        "a fox",
        "",
        "\x00\x1b[31m\ud800\u202e",
        "\U0001f98a \U0001f469\u200d\U0001f680 \u72d0\u72f8 \u062b\u0639\u0644\u0628",
        "x" * 3000,
        "\n\n\t",
        "word " * 600,
    ],
)
def test_any_prompt_makes_a_real_image(kind, name, prompt):
    """Every format comes out whole and of the right size, whatever the prompt holds."""
    data = picture(kind, 320, 256, **{**WORDS, "prompt": prompt})

    image = opened(data)
    assert (image.format, image.size) == (name, (320, 256))


@pytest.mark.parametrize("size", [(8, 8), (1, 300), (1440, 256), (3136, 1344)])
@pytest.mark.parametrize("quality", [0, 100])
def test_any_size_and_quality(size, quality):
    """The smallest and the largest sizes and qualities work."""
    data = picture("jpg", *size, quality=quality, **WORDS)

    assert opened(data).size == size


def test_seeds_differ_and_repeat():
    """The same arguments give the same bytes, another seed another colour."""
    one, again, other = (picture("png", 300, 200, **{**WORDS, "seed": seed}) for seed in (7, 7, 8))
    picture.cache_clear()
    fresh = picture("png", 300, 200, **WORDS)

    assert one == again == fresh
    assert opened(one).getpixel((1, 1)) != opened(other).getpixel((1, 1))


@pytest.mark.parametrize("change", [{"prompt": "a dog"}, {"label": "runflow"}])
def test_the_words_are_in_the_picture(change):
    """The prompt, the provider and the model can be seen."""
    assert picture("png", 600, 400, **WORDS) != picture("png", 600, 400, **{**WORDS, **change})


def test_quality_is_honoured():
    """A lower quality makes a smaller file."""
    assert len(picture("jpg", 600, 400, quality=20, **WORDS)) < len(picture("jpg", 600, 400, quality=95, **WORDS))


def test_large_images_are_quick():
    """Four megapixels take a small part of a second (the bound is wide: machines differ)."""
    picture.cache_clear()
    before = time.process_time()

    for seed in range(3):
        picture("jpg", 2752, 1536, **{**WORDS, "seed": seed})

    assert time.process_time() - before < 1.5
