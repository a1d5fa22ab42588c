"""The FLUX family at Runflow: what each id is sent, what it costs, and whether the sandbox agrees."""

from __future__ import annotations

import pytest

from flux_cli.errors import LostReplyError, NotFoundError, UsageError
from flux_cli.jobs import RemoteJob, Succeeded
from flux_cli.providers import fit
from flux_cli.providers.base import LostSubmit, count_megapixels
from flux_cli.providers.conversation import drive
from flux_cli.providers.runflow import PROVIDER
from flux_cli.sandbox.runflow_models import PRESETS as SIZES
from tests.providers.cells import ANY, encode_file, group_rows, send_as, write_uri
from tests.sandbox.talk import PICTURES, fetched, open_line, read_submit
from tests.sandbox.talk import order as checked

FOX, MASK = str(PICTURES / "fox.png"), str(PICTURES / "mask.png")
A, B = "https://h.example/a.png", "https://h.example/b.png"
MEGAPIXEL = 2**20

NAMES = {
    "flux-1-1-pro": "flux-1.1-pro",
    "flux-1-1-pro-ultra": "flux-1.1-pro-ultra",
    "flux-pro/kontext": "flux-kontext-pro",
    "flux-2-pro": "flux-2-pro",
    "flux-2-flex": "flux-2-flex",
    "flux-2-klein-4b": "flux-2-klein-4b",
    "flux-2-klein-4b/edit": "flux-2-klein-4b",
    "flux-2-klein-9b": "flux-2-klein-9b",
    "flux-2-klein-9b/edit": "flux-2-klein-9b",
    "flux-dev-lt1": "flux-dev",
    "flux-1-dev/edit": "flux-dev",
    "flux-1-schnell": "flux-schnell",
}
"""The name of a model by its id, without ``black-forest-labs/``."""
ULTRA, KONTEXT, DEV_EDIT = "flux-1-1-pro-ultra", "flux-pro/kontext", "flux-1-dev/edit"
TWO = ("flux-2-pro", "flux-2-flex")
KLEIN = ("flux-2-klein-4b", "flux-2-klein-9b")
KLEIN_EDIT = tuple(f"{slug}/edit" for slug in KLEIN)
UNSEEDED = ("flux-dev-lt1", DEV_EDIT, "flux-1-schnell")
RATIOS = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
PRESETS = {
    "16:9": "landscape_16_9",
    "4:3": "landscape_4_3",
    "1:1": "square_hd",
    "3:4": "portrait_4_3",
    "9:16": "portrait_16_9",
}


IMAGES = {
    KONTEXT: (A, {"image_url": A}),
    **dict.fromkeys(KLEIN_EDIT, (A, {"image_urls": [A]})),
    DEV_EDIT: (FOX, {"image_b64": encode_file(FOX)}),
}
"""The image of each id that needs one, and how it is sent."""


def rows(slugs, option, pairs):
    return [(slug, option, value, {"input": sent}) for slug in slugs for value, sent in pairs]


def size(width, height):
    return {"image_size": {"width": width, "height": height}}


HOOK = "https://you.example/h"
SENT = [
    *[(slug, "webhook", HOOK, {"callback_url": HOOK}) for slug in NAMES],
    *[(slug, "metadata", {"shelf": "3"}, {"metadata": {"shelf": "3"}}) for slug in NAMES],
    *rows([slug for slug in NAMES if slug not in UNSEEDED], "seed", send_as("seed", 1, 2**63 - 1)),
    *rows(["flux-1-1-pro"], "size", [(f"{w}x{h}", {"width": w, "height": h}) for w, h in [(1, 1440), (1440, 333)]]),
    *rows([KONTEXT], "image", [*send_as("image_url", A), (FOX, {"image_url": write_uri(FOX)})]),
    *rows([KONTEXT], "aspect_ratio", send_as("aspect_ratio", *RATIOS)),
    *rows([KONTEXT], "guidance", send_as("guidance_scale", 1, 3.5, 20)),
    *rows([KONTEXT], "upsample_prompt", send_as("enhance_prompt", True, False)),
    *rows([KONTEXT], "safety_tolerance", [(1, {"safety_tolerance": "1"}), (6, {"safety_tolerance": "6"})]),
    *rows([KONTEXT, *TWO], "format", [("jpg", {"output_format": "jpeg"}), ("png", {"output_format": "png"})]),
    *rows(TWO, "size", [(f"{w}x{h}", size(w, h)) for w, h in [(1, 4096), (4096, 4096), (1920, 1080)]]),
    *rows(TWO, "aspect_ratio", [("21:9", size(1552, 672)), ("1:1", size(1024, 1024)), ("9:16", size(768, 1360))]),
    *rows(TWO, "safety_tolerance", [(1, {"safety_tolerance": "1"}), (5, {"safety_tolerance": "5"})]),
    *rows(["flux-2-flex", *KLEIN], "steps", send_as("num_inference_steps", 1, 50)),
    *rows(["flux-2-flex"], "guidance", send_as("guidance_scale", 1.5, 10)),
    *rows(KLEIN, "aspect_ratio", [(ratio, {"image_size": word}) for ratio, word in PRESETS.items()]),
    *rows(KLEIN, "guidance", send_as("guidance_scale", 0, 2.5, 20)),
    *rows(KLEIN, "check_content", send_as("enable_safety_checker", True, False)),
    *rows(KLEIN, "format", [(word, {"output_format": word.replace("jpg", "jpeg")}) for word in ("jpg", "png", "webp")]),
    *rows(KLEIN_EDIT, "image", [([B, A], {"image_urls": [B, A]}), ([A, B] * 2, {"image_urls": [A, B] * 2})]),
    *rows(KLEIN_EDIT, "image", [([FOX, A, MASK], {"image_urls": [write_uri(FOX), A, write_uri(MASK)]})]),
    *rows(KLEIN_EDIT, "steps", send_as("num_inference_steps", 1, 25)),
    *rows([DEV_EDIT], "image", [(MASK, {"image_b64": encode_file(MASK)})]),
    *rows([DEV_EDIT], "strength", send_as("strength", 0, 0.35, 1)),
    *rows([DEV_EDIT], "steps", send_as("steps", 1, 50)),
]
OUTSIDE = [
    *[(slug, "webhook", value) for slug in NAMES for value in ("you.example", HOOK + "x" * 2048)],
    *[("flux-1-1-pro", "size", value) for value in ("0x64", "1441x1440", "1024")],
    *[(KONTEXT, "aspect_ratio", value) for value in ("5:4", "square_hd")],
    *[(KONTEXT, "guidance", value) for value in (0.9, 20.1)],
    *[(KONTEXT, "safety_tolerance", value) for value in (0, 7)],
    *[(slug, "format", "webp") for slug in (KONTEXT, *TWO)],
    *[(slug, "size", value) for slug in TWO for value in ("0x64", "4097x4096")],
    *[(slug, "aspect_ratio", value) for slug in (*TWO, *KLEIN) for value in ("5:4", "square_hd")],
    *[(slug, "safety_tolerance", value) for slug in TWO for value in (0, 6)],
    *[(slug, "steps", value) for slug in ("flux-2-flex", *KLEIN, DEV_EDIT) for value in (0, 51)],
    *[("flux-2-flex", "guidance", value) for value in (1.4, 10.1)],
    *[(slug, "guidance", value) for slug in KLEIN for value in (-0.1, 20.1)],
    *[(slug, "steps", value) for slug in KLEIN_EDIT for value in (0, 26)],
    *[(slug, "image", [A] * 5) for slug in KLEIN_EDIT],
    *[(KONTEXT, "image", [A, B]), (DEV_EDIT, "image", [FOX, MASK]), (DEV_EDIT, "image", A)],
    *[(DEV_EDIT, "strength", value) for value in (-0.1, 1.1)],
]
HAVE = {row[:2] for row in SENT}
LACKING = [
    (slug, option, value)
    for slug in NAMES
    for option, value in ANY.items()
    if (slug, option) not in HAVE and not (option == "image" and slug in (*KLEIN, "flux-dev-lt1"))
]


def plan(slug, *, seed=7, **options):
    """A planned job whose options went through the ordinary checks, with the image that its id needs."""
    image = {"image": IMAGES[slug][0]} if slug in IMAGES else {}
    return checked("runflow", NAMES[slug], seed=seed, **{**image, **options})


@pytest.fixture
def now():
    return [1_790_000_000.0]


@pytest.fixture
def line(tmp_path, now):
    return open_line(PROVIDER, tmp_path, now)


@pytest.mark.parametrize(("slug", "cells"), group_rows(SENT))
def test_an_option_arrives_at_the_right_id_and_the_sandbox_accepts_it(subtests, tmp_path, now, slug, cells):
    for number, (option, value, expected) in enumerate(cells):
        with subtests.test(option=option, value=value):
            request, body = read_submit(PROVIDER, plan(slug, **{option: value}))

            usual = {
                "prompt": "a fox",
                **({} if slug in UNSEEDED else {"seed": 7}),
                **(size(1024, 1024) if slug in TWO else {}),
            }
            usual |= IMAGES[slug][1] if slug in IMAGES else {}
            assert request.path == f"/v1/models/black-forest-labs/{slug}/runs"
            assert body == {"client_ref": "k3f9q2mx", **expected, "input": {**usual, **expected.get("input", {})}}
            assert open_line(PROVIDER, tmp_path / str(number), now)(request).status == 201


@pytest.mark.parametrize(("slug", "cells"), group_rows([*OUTSIDE, *LACKING]))
def test_a_value_just_outside_and_an_option_that_an_id_lacks_are_refused(subtests, slug, cells):
    for option, value in cells:
        with subtests.test(option=option, value=value), pytest.raises(UsageError):
            plan(slug, **{option: value})


@pytest.mark.parametrize("slug", NAMES)
def test_a_seed_outside_its_bounds_is_refused_and_any_where_there_is_none(slug):
    table = plan(slug).model

    for seed in (0, -1, 2**63, *((7,) if slug in UNSEEDED else ())):
        with pytest.raises(UsageError, match="--seed"):
            fit.check_seed(PROVIDER, table, seed)


def test_the_table_has_a_row_for_every_option_of_every_id():
    every = [one for model in PROVIDER.models.values() for one in (model, *model.variants)]

    assert {(one.slug.removeprefix("black-forest-labs/"), option) for one in every for option in one.options} == HAVE
    assert {one.slug.removeprefix("black-forest-labs/"): one.name for one in every} == NAMES


def test_kontext_needs_an_image():
    with pytest.raises(UsageError, match="needs an input image"):
        fit.fit_images(PROVIDER, PROVIDER.models["flux-kontext-pro"], {}, typed=set())


# sizes


@pytest.mark.parametrize("slug", TWO)
@pytest.mark.parametrize("word", ["square", *PRESETS.values()])
def test_a_preset_goes_out_as_a_param_in_place_of_the_size(line, slug, word):
    request, body = read_submit(PROVIDER, plan(slug, extra={"input.image_size": word}))

    line(request)

    (job,) = line.world.jobs("runflow")
    assert body["input"]["image_size"] == word
    assert (job.width, job.height) == SIZES[word]


@pytest.mark.parametrize("slug", [*TWO, *KLEIN, ULTRA])
def test_a_word_that_is_no_preset_is_refused_by_the_sandbox(line, slug):
    request, _ = read_submit(PROVIDER, plan(slug, extra={"input.image_size": "huge"}))

    with pytest.raises(UsageError, match="image_size"):
        line(request)


@pytest.mark.parametrize("slug", KLEIN)
def test_klein_takes_presets_only(line, slug):
    request, _ = read_submit(PROVIDER, plan(slug, extra={"input.image_size": {"width": 64, "height": 64}}))

    with pytest.raises(UsageError, match="image_size"):
        line(request)


@pytest.mark.parametrize("name", TWO)
def test_the_ratio_that_is_listed_as_the_default_is_the_one_that_is_sent(name):
    table = PROVIDER.models[name]

    assert table.options["aspect_ratio"].default.startswith("1:1, set by flux: ")
    assert table.always_sent == {"aspect_ratio": "1:1"}


# counts


@pytest.mark.parametrize(
    ("slug", "most"), [(slug, 4 if slug in (KONTEXT, *KLEIN) else 1) for slug in NAMES], ids=list(NAMES)
)
def test_as_many_images_as_an_id_makes_travel_in_one_run_and_are_billed_one_by_one(line, now, slug, most):
    planned = plan(slug, count=most)
    request, body = read_submit(PROVIDER, planned)
    run = line(request).json
    now[0] += 60

    state = drive(PROVIDER.poll(RemoteJob(id=run["id"])), line)

    assert planned.model.max_images == most
    assert body["input"].get("num_images") == (4 if most == 4 else None)
    assert isinstance(state, Succeeded)
    assert len(state.images) == most
    assert state.cost.amount == pytest.approx(most * line.world.jobs("runflow")[0].cost)
    assert fetched(line.world, state.images[-1].url).body


# prices

PRICES = [
    ("flux-1-1-pro", {}, 0.04),
    ("flux-1-1-pro", {"size": "1440x1440"}, 0.04),
    (ULTRA, {}, 0.06),
    (KONTEXT, {}, 0.04),
    (KONTEXT, {"image": FOX, "aspect_ratio": "21:9"}, 0.04),
    ("flux-2-pro", {}, 0.03),
    ("flux-2-pro", {"size": "1024x1024"}, 0.03),
    ("flux-2-pro", {"size": "1024x1025"}, 0.045),
    ("flux-2-pro", {"size": "1920x1080"}, 0.045),
    ("flux-2-pro", {"size": "2048x2048"}, 0.075),
    ("flux-2-pro", {"size": "4096x4096"}, 0.255),
    ("flux-2-flex", {}, 0.05),
    ("flux-2-flex", {"size": "512x512"}, 0.05),
    ("flux-2-flex", {"size": "1024x1024"}, 0.05),
    ("flux-2-flex", {"size": "1920x1080"}, 0.10),
    ("flux-2-klein-4b", {}, 0.014),
    ("flux-2-klein-4b", {"aspect_ratio": "1:1"}, 0.014),
    ("flux-2-klein-9b", {}, 0.006),
    ("flux-2-klein-9b", {"aspect_ratio": "16:9"}, 0.006),
    ("flux-dev-lt1", {}, 0.025),
    (DEV_EDIT, {}, 0.025),
    ("flux-1-schnell", {}, 0.003),
]


@pytest.mark.parametrize(("slug", "options", "amount"), PRICES)
def test_an_estimate_and_the_bill_are_the_example_of_the_models_page(line, slug, options, amount):
    planned = plan(slug, **options)
    price = planned.model.price

    line(read_submit(PROVIDER, planned)[0])

    assert price.estimate(planned.model.count_pixels(planned.job.parameters)) == pytest.approx(amount)
    assert line.world.jobs("runflow")[0].cost == pytest.approx(amount)
    assert (price.source, price.date) != ("", "")


@pytest.mark.parametrize(
    ("slug", "images", "amount"),
    [
        ("flux-2-klein-4b/edit", [FOX], 0.005),
        ("flux-2-klein-4b/edit", [FOX, MASK], 0.005),
        ("flux-2-klein-9b/edit", [FOX], 0.022),
        ("flux-2-klein-9b/edit", [FOX, MASK], 0.033),
    ],
)
def test_an_edit_of_a_megapixel_costs_what_its_page_says_and_up_to_four_are_reserved(line, slug, images, amount):
    planned = plan(slug, image=images)
    price, inputs = planned.model.price, [one.width * one.height for one in planned.files.values()]

    line(read_submit(PROVIDER, planned)[0])

    assert price.estimate(MEGAPIXEL, inputs) == pytest.approx(amount)
    assert line.world.jobs("runflow")[0].cost == pytest.approx(amount)
    assert count_megapixels(planned.model.count_pixels(planned.job.parameters)) == 4


# notes


@pytest.mark.parametrize(
    ("slug", "options", "flag"),
    [
        *[(slug, {"format": "png"}, "--format") for slug in TWO],
        *[(slug, {"safety_tolerance": 2}, "--safety-tolerance") for slug in TWO],
        *[("flux-2-flex", {option: 5}, f"--{option}") for option in ("steps", "guidance")],
        ("flux-2-klein-9b", {"guidance": 3}, "--guidance"),
        ("flux-2-klein-9b/edit", {"steps": 4}, "--steps"),
        (DEV_EDIT, {"steps": 4}, "--steps"),
    ],
)
def test_what_the_provider_does_not_document_goes_out_with_a_note(slug, options, flag):
    found = fit.resolve(PROVIDER, plan(slug).model, options, typed=set(options))

    assert any(f"does not document {flag}" in note for note in found.notes)


@pytest.mark.parametrize("slug", NAMES)
def test_a_seed_is_drawn_where_the_page_shows_the_field(slug):
    assert plan(slug).model.draws_seed is (slug not in (*UNSEEDED, *KLEIN_EDIT))


# a lost answer


@pytest.mark.parametrize("slug", NAMES)
def test_a_run_whose_answer_was_lost_is_found_by_its_label(line, slug):
    request, body = read_submit(PROVIDER, plan(slug, prompt="sandbox:lost-reply"))
    lost = LostSubmit(job_id="k3f9q2mx", idempotency_key="h", body=body, path=request.path, sent_at=1_790_000_000.0)

    assert drive(PROVIDER.find(lost), line) is None
    with pytest.raises(LostReplyError):
        line(request)

    (job,) = line.world.jobs("runflow")
    assert drive(PROVIDER.find(lost), line) == RemoteJob(id=job.id)
    assert line.paid == 1


# other models


def test_an_id_that_flux_has_no_table_for_is_sent_as_it_is_written(line):
    slug = "black-forest-labs/flux-2-max"
    request, body = read_submit(PROVIDER, checked("runflow", slug, extra={"input.seed": 5}))

    assert request.path == f"/v1/models/{slug}/runs"
    assert body["input"] == {"prompt": "a fox", "seed": 5}
    with pytest.raises(NotFoundError):
        line(request)
