"""From a request to jobs that can be submitted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import PIL.Image
import pytest

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.images.inputs import InputReader
from flux_cli.providers.image_input import ImageInput
from flux_cli.runs import plan as orders

READ = InputReader(lambda: Path("/nonexistent")).read
RUNWARE, RUNFLOW, RUNCOMFY = (providers.load(name) for name in ("runware", "runflow", "runcomfy"))


def origin(seed=100):
    counter = itertools.count(1)
    made = {
        "run": "r",
        "new_id": lambda: f"id{next(counter)}",
        "new_handle": lambda: f"handle{next(counter)}",
        "new_seed": lambda: seed,
        "now": 5.0,
        "sandbox": False,
        "owner": "here:1",
    }
    return orders.RunContext(**made)


def plan(provider, count=1, typed=(), seed=100, **options):
    return orders.plan(request(provider, options, typed=frozenset(typed), count=count), origin(seed))


def request(provider, options, *, prompt="a fox", given=None, **more):
    model = provider.models["flux-1.1-pro-ultra"]
    return orders.make_request(provider, model, options, read=READ, **more).over(prompt, given)


def test_one_job_for_several_images_where_the_api_can():
    """Runware: one job of four images."""
    (only,) = plan(RUNWARE, 4)

    assert (only.job.count, only.job.first_index) == (4, 1)


def test_several_jobs_where_it_cannot():
    """Elsewhere: as many jobs, of one run, each with an id, a handle and a seed of its own; images counted on."""
    jobs = plan(RUNFLOW, 3, seed=100)

    assert [one.job.seed for one in jobs] == [98, 99, 100]
    assert [one.job.first_index for one in jobs] == [1, 2, 3]
    assert len({one.job.id for one in jobs}) == len({one.job.idempotency_key for one in jobs}) == 3
    assert len({one.job.run for one in jobs}) == 1


def test_a_drawn_seed_stays_in_range():
    """Counting up never leaves 1 to 2^31-1, from either end."""
    low = plan(RUNFLOW, 20, seed=1)
    high = plan(RUNFLOW, 20, seed=2**31 - 1)

    assert [one.job.seed for one in low] == list(range(1, 21))
    assert high[-1].job.seed == 2**31 - 1


def test_a_typed_seed_that_counts_out_of_range_is_refused():
    """The last of several seeds must fit too."""
    with pytest.raises(UsageError, match="seed"):
        request(RUNCOMFY, {}, count=2, given=2**63 - 1)


def test_what_a_job_remembers():
    """Parameters are what is sent, without the seed, which has a field of its own; --param under its name."""
    found = request(RUNWARE, {"raw": True, "webhook": "nope"}, extra={"ttl": 60})
    (only,) = orders.plan(found, origin())

    assert only.job.parameters == {"aspect_ratio": "16:9", "raw": True, "param": {"ttl": 60}}
    assert only.job.skipped == found.skipped == ("webhook",)
    assert (only.job.seed, only.job.created_at, only.job.status) == (100, 5.0, "submitting")


@pytest.mark.parametrize("count", [0, -1, 21])
def test_the_number_of_images(count):
    """1 to 20."""
    with pytest.raises(UsageError, match="1 to 20"):
        plan(RUNWARE, count)


def test_a_configured_model_gives_way_and_a_typed_one_does_not():
    """A model that the provider lacks: the default with a word about it, or an error."""
    ultra_only = replace(RUNFLOW, models={"flux-1.1-pro-ultra": RUNFLOW.models["flux-1.1-pro-ultra"]})
    model, note = orders.choose_model(ultra_only, "pro", {}, typed=False)

    assert (model.name, bool(note)) == ("flux-1.1-pro-ultra", True)
    with pytest.raises(UsageError):
        orders.choose_model(ultra_only, "pro", {}, typed=True)
    assert orders.choose_model(RUNWARE, "pro", {}, typed=False)[1] is None


def test_an_image_must_be_there(tmp_path):
    """A local image is opened before anything else happens; a web address is left alone."""
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    PIL.Image.new("L", (5300, 5300)).save(tmp_path / "large.png", compress_level=0)
    (tmp_path / "text.png").write_bytes(b"no image")
    frame = providers.load("apiframe")

    plan(frame, image=str(tmp_path / "a.png"))
    plan(frame, image="https://example.com/a.png")
    for missing in (tmp_path / "b.png", tmp_path, "nul\0"):
        with pytest.raises(UsageError, match="cannot read"):
            plan(frame, typed=["image"], image=str(missing))
    for name, said in (("large.png", "at most 25 MB"), ("text.png", "not an image that flux knows")):
        with pytest.raises(UsageError, match=said):
            plan(frame, typed=["image"], image=str(tmp_path / name))


@pytest.mark.parametrize("field", ["prompt", "option", "param"])
def test_text_that_is_no_unicode(field):
    """Lone surrogates, from arguments that are no UTF-8, never get as far as a request."""
    bad = "\udcff"
    options = {"webhook": f"https://example.com/{bad}"} if field == "option" else {}
    extra = {"ttl": bad} if field == "param" else {}

    with pytest.raises(UsageError, match="valid"):
        request(RUNWARE, options, prompt=bad if field == "prompt" else "a fox", typed=frozenset(options), extra=extra)


IMAGE_FIELDS = sorted(
    {
        (provider.name, model.name, field, name)
        for provider in providers.load_all()
        for model in provider.models.values()
        for one in (model, *model.variants)
        for name, option in one.options.items()
        if isinstance(option, ImageInput)
        for field in option.field.split(", ")
    }
)


@pytest.mark.parametrize(("host", "name", "field", "option"), IMAGE_FIELDS, ids=str)
def test_a_param_that_gives_an_input_image_is_refused_for_every_model_that_takes_one(host, name, field, option):
    """It would be counted in no estimate, so a budget could be exceeded; the hint names the option that is counted."""
    provider = providers.load(host)

    for path in (field, f"{field}.0"):
        with pytest.raises(UsageError) as caught:
            orders.make_request(
                provider, provider.models[name], {}, read=READ, extra={path: ["https://example.com/a.png"]}
            )

        assert caught.value.message == f"{host}: --param {path} sets the field of --{option}"
        assert caught.value.hint == f"use {'-i' if option == 'image' else '--mask'} instead"


def test_a_param_whose_name_only_begins_like_the_field_of_an_image_is_sent():
    bfl = providers.load("bfl")

    found = orders.make_request(bfl, bfl.models["flux-2-flex"], {}, read=READ, extra={"input_image_blob_path": "a/b"})

    assert found.extra == {"input_image_blob_path": "a/b"}


FOLLOWING = sorted(
    (model.name, one.slug)
    for model in RUNWARE.models.values()
    for one in (model, *model.variants)
    if one.image_input and "aspect_ratio" in one.always_sent
)


@pytest.mark.parametrize(("name", "slug"), FOLLOWING)
def test_an_edit_follows_its_image_where_no_ratio_that_the_model_has_is_given(tmp_path, name, slug):
    """A configured ratio that is left out counts as none; one that is kept, and a typed one, win over the image."""
    PIL.Image.new("RGB", (1024, 576)).save(tmp_path / "wide.png")
    image = {"image": str(tmp_path / "wide.png")}
    model = RUNWARE.models[name]

    def ratio(**options):
        made = orders.make_request(RUNWARE, model, {**image, **options}, read=READ)
        assert made.model.slug == slug
        return made.options["aspect_ratio"], made.skipped

    assert ratio() == ("16:9", ())
    assert ratio(aspect_ratio="7:3") == ("16:9", ("aspect_ratio",))
    assert ratio(aspect_ratio="1:1") == ("1:1", ())
