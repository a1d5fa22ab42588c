from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli import __version__
from flux_cli.images.metadata import LARGEST, ImageMetadata
from flux_cli.jobs import Image, Job

JOB = Job(
    id="k3f9q2mx",
    run="w8t2c5ra",
    provider="runware",
    model="flux-1.1-pro-ultra",
    prompt="a red fox",
    created_at=1_795_000_000.25,
    seed=7,
    status="succeeded",
    parameters={"aspect_ratio": "16:9", "raw": True},
)
METADATA = ImageMetadata.of(JOB, Image())
FIELDS = json.loads(METADATA.text)


def described(**parameters) -> ImageMetadata:
    return ImageMetadata.of(replace(JOB, parameters=parameters), Image())


def test_metadata_says_what_was_asked_of_whom():
    found = ImageMetadata.of(JOB, Image())

    assert found == ImageMetadata(
        prompt="a red fox",
        provider="runware",
        model="flux-1.1-pro-ultra",
        seed=7,
        job_id="k3f9q2mx",
        parameters={"aspect_ratio": "16:9", "raw": True},
        created_at=1_795_000_000.0,
        version=__version__,
    )


def test_what_was_written_is_read_again():
    assert ImageMetadata.read(METADATA.text) == METADATA


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(prompt=TEXT, path=st.from_regex(r"[abc]+(\.[abc]+)?", fullmatch=True), value=st.booleans() | st.integers())
def test_any_prompt_survives(prompt, path, value):
    """On one line, and without a character that XML cannot hold."""
    metadata = replace(METADATA, prompt=prompt, parameters={"param": {path: value}})

    assert ImageMetadata.read(metadata.text) == metadata
    assert all(character >= " " and character not in "\ufffe\uffff\u2028\x85" for character in metadata.text)


@pytest.mark.parametrize(
    ("image", "count", "seed"), [(Image(seed=9), 3, 9), (Image(), 1, 7), (Image(), 3, None), (Image(seed=9), 1, 9)]
)
def test_the_seed_is_the_images_own(image, count, seed):
    """That of a job of several images is not the seed of any one of them."""
    found = ImageMetadata.of(replace(JOB, count=count), image)

    assert found.seed == seed


def test_what_is_private_is_left_out():
    metadata = described(webhook="https://example.com/T0/secret", metadata={"client": "Smith"}, size="1024x1024")

    assert metadata.parameters == {"size": "1024x1024"}
    assert metadata.omitted == ()


@pytest.mark.parametrize(
    "image", ["/home/me/fox.png", "fox.png", "https://x.com/a.png?sig=1", "https://me:pw@x.com/a.png", "http://[", 5]
)
def test_an_image_prompt_that_tells_of_its_owner_is_named_only(image):
    metadata = described(image=image, image_strength=0.5)

    assert metadata.parameters == {"image_strength": 0.5}
    assert metadata.omitted == ("image",)


def test_a_public_image_prompt_is_kept():
    assert described(image="https://x.com/a.png").parameters == {"image": "https://x.com/a.png"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("webhookURL", "x"),
        ("auth.token", "x"),
        ("a.Secret", 1),
        ("apiKey", 1),
        ("a", {"b": [{"password": 1}]}),
        ("a", "https://x.com/a?b=c"),
        ("a", ["ftp://x"]),
    ],
)
def test_a_param_that_may_be_a_secret_is_named_only(path, value):
    metadata = described(param={path: value, "steps": 4})

    assert metadata.parameters == {"param": {"steps": 4}}
    assert metadata.omitted == (f"param {path}",)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": None},
        {"prompt": 5},
        {"prompt": "\ud800"},
        {"provider": None},
        {"model": 5},
        {"seed": True},
        {"seed": "7"},
        {"seed": 1.5},
        {"job": "@1"},
        {"job": ""},
        {"job": 5},
        {"job": "a" * 65},
        {"parameters": []},
        {"parameters": None},
        {"withheld": "prompt"},
        {"withheld": [5]},
        {"created_at": "yesterday"},
        {"created_at": 5},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"created_at": "9999-01-01T00:00:00Z"},
        {"sandbox": 0},
        {"flux": 1},
    ],
)
def test_metadata_of_another_shape_is_none(changes):
    assert ImageMetadata.read(json.dumps({**FIELDS, **changes})) is None


@pytest.mark.parametrize("name", list(FIELDS))
def test_metadata_with_a_part_missing_is_none(name):
    assert ImageMetadata.read(json.dumps({key: value for key, value in FIELDS.items() if key != name})) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "[" * 100_000,
        METADATA.text.replace("7,", "NaN,"),
        METADATA.text.replace("7,", "9" * 5000 + ","),
        METADATA.text.replace("a red fox", "x" * LARGEST),
    ],
)
def test_what_is_no_metadata_is_none(text):
    """However large, deep or odd."""
    assert ImageMetadata.read(text) is None


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.dictionaries(TEXT, inner)))
def test_no_parameters_break_the_reading(parameters):
    """What is read is written again just the same."""
    found = ImageMetadata.read(json.dumps({**FIELDS, "parameters": parameters}))

    assert found is None or ImageMetadata.read(found.text) == found


def test_metadata_from_a_file_cannot_name_a_file():
    """Made again, it would send it to the provider."""
    found = ImageMetadata.read(json.dumps({**FIELDS, "parameters": {"image": "/etc/passwd", "other": 1}}))

    assert found is not None
    assert (found.parameters, found.omitted) == ({}, ("image",))


def test_metadata_that_is_too_long_is_shortened_from_the_end():
    """The parameters go first, then the end of the prompt; each is named."""
    metadata = replace(
        METADATA, prompt="\u00fc" * 30_000, parameters={"raw": True, "param": {"a": 1}}, omitted=("image",)
    )

    whole, bare, long, short = metadata.shortened_versions()

    assert whole == metadata
    assert (bare.parameters, bare.omitted) == ({}, ("image", "raw", "param a"))
    assert [len(one.prompt.encode()) for one in (bare, long, short)] == [60_000, 20_000, 5_000]
    assert long.omitted == ("prompt", "image", "raw", "param a")


def test_metadata_is_a_job_as_far_as_it_goes():
    job = METADATA.as_job(Image(path="/fox.jpg", width=4, height=3))

    assert (job.id, job.status, job.prompt, job.seed, job.parameters) == (
        "k3f9q2mx",
        "succeeded",
        "a red fox",
        7,
        {"aspect_ratio": "16:9", "raw": True},
    )
    assert [(image.path, image.width, image.seed) for image in job.images] == [("/fox.jpg", 4, 7)]


@pytest.mark.parametrize(
    ("images", "kept"),
    [
        (["https://x.com/a.png", "https://x.com/b.png"], True),
        (["https://x.com/a.png", "/home/me/fox.png"], False),
        (["https://x.com/a.png", "https://x.com/b.png?sig=1"], False),
        (["-"], False),
    ],
)
def test_several_images_are_kept_together_or_not_at_all(images, kept):
    """Some of them would be another request."""
    metadata = described(image=images, files={"/home/me/fox.png": "5a"})

    assert metadata.parameters == ({"image": images} if kept else {})
    assert metadata.omitted == (() if kept else ("image",))
    assert ImageMetadata.read(metadata.text) == metadata
