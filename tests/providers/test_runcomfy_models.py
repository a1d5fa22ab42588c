"""The FLUX family at RunComfy: what each id is sent, what it costs, and whether the sandbox agrees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli.errors import LostReplyError, UsageError
from flux_cli.jobs import RemoteJob, Succeeded
from flux_cli.providers import fit
from flux_cli.providers.conversation import drive
from flux_cli.providers.options import InvalidValue
from flux_cli.providers.runcomfy import PROVIDER
from flux_cli.sandbox.runcomfy_models import PRESETS as SIZES
from tests.providers.cells import ANY, group_rows, send_as, write_uri
from tests.sandbox.talk import PICTURES, fetched, open_line, read_submit
from tests.sandbox.talk import order as checked

FOX, MASK = str(PICTURES / "fox.png"), str(PICTURES / "mask.png")
A, B = "https://h.example/a.png", "https://h.example/b.png"

NAMES = {
    "flux-1-1-pro/text-to-image": "flux-1.1-pro",
    "flux-1-1-pro/ultra/text-to-image": "flux-1.1-pro-ultra",
    "flux-1-kontext/pro/edit": "flux-kontext-pro",
    "flux-1-kontext/max/text-to-image": "flux-kontext-max",
    "flux-1-kontext/max/edit": "flux-kontext-max",
    "flux-2/pro/text-to-image": "flux-2-pro",
    "flux-2/pro/edit": "flux-2-pro",
    "flux-2/flex/text-to-image": "flux-2-flex",
    "flux-2/flex/edit": "flux-2-flex",
    "flux-2/max/text-to-image": "flux-2-max",
    "flux-2/dev/text-to-image": "flux-2-dev",
    "flux-2/dev/edit": "flux-2-dev",
    "flux-2-klein/4b/text-to-image": "flux-2-klein-4b",
    "flux-2-klein/9b/text-to-image": "flux-2-klein-9b",
}
"""The name of a model by its id, without ``blackforestlabs/``."""
PRO, ULTRA = "flux-1-1-pro/text-to-image", "flux-1-1-pro/ultra/text-to-image"
KONTEXT_EDIT = ("flux-1-kontext/pro/edit", "flux-1-kontext/max/edit")
KONTEXT = (*KONTEXT_EDIT, "flux-1-kontext/max/text-to-image")
PRO_EDIT = "flux-2/pro/edit"
MOST = {PRO_EDIT: 8, "flux-2/flex/edit": 10, "flux-2/dev/edit": 4}
KLEIN = ("flux-2-klein/4b/text-to-image", "flux-2-klein/9b/text-to-image")
IMAGES = {
    **{slug: (A, {"image_url": A}) for slug in KONTEXT_EDIT},
    **{slug: (A, {"image_urls": [A]}) for slug in MOST},
}
"""The image of each id that needs one, and how it is sent."""
WORDS = {
    "auto": "auto",
    "16:9": "landscape_16_9",
    "4:3": "landscape_4_3",
    "1:1": "square_hd",
    "3:4": "portrait_4_3",
    "9:16": "portrait_16_9",
}


def rows(slugs, option, pairs):
    return [(slug, option, value, sent) for slug in slugs for value, sent in pairs]


SENT = [
    *rows(NAMES, "seed", send_as("seed", -(2**63), 0, 2**63 - 1)),
    *rows((PRO, ULTRA), "raw", send_as("raw", True, False)),
    *rows([PRO], "aspect_ratio", send_as("image_size", "16:9", "4:3", "1:1", "1:1 (hd)", "3:4", "9:16")),
    *rows([ULTRA], "aspect_ratio", send_as("aspect_ratio", "21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21")),
    *rows(KONTEXT, "aspect_ratio", send_as("aspect_ratio", "21:9", "3:2", "1:1", "2:3", "9:21")),
    *rows([PRO_EDIT], "aspect_ratio", [(ratio, {"image_size": word}) for ratio, word in WORDS.items()]),
    *rows(KLEIN, "size", [(f"{w}x{h}", {"width": w, "height": h}) for w, h in [(512, 512), (1536, 1536), (513, 900)]]),
    *rows(KLEIN, "steps", send_as("steps", 4, 25, 50)),
    *rows(KONTEXT_EDIT, "image", [*send_as("image_url", A), (FOX, {"image_url": write_uri(FOX)})]),
    *rows(MOST, "image", [([B, A], {"image_urls": [B, A]})]),
    *rows(MOST, "image", [([FOX, A, MASK], {"image_urls": [write_uri(FOX), A, write_uri(MASK)]})]),
    *[(slug, "image", [A] * most, {"image_urls": [A] * most}) for slug, most in MOST.items()],
]
OUTSIDE = [
    *[(PRO, "aspect_ratio", value) for value in ("Custom", "21:9", "3:2")],
    *[(ULTRA, "aspect_ratio", value) for value in ("1:1 (hd)", "3:2")],
    *[(slug, "aspect_ratio", value) for slug in KONTEXT for value in ("5:4", "auto")],
    *[(PRO_EDIT, "aspect_ratio", value) for value in ("21:9", "3:2", "square_hd")],
    *[(slug, "size", value) for slug in KLEIN for value in ("511x512", "1537x1536", "1024")],
    *[(slug, "steps", value) for slug in KLEIN for value in (3, 51)],
    *[(slug, "image", [A, B]) for slug in KONTEXT_EDIT],
    *[(slug, "image", [A] * (most + 1)) for slug, most in MOST.items()],
]
HAVE = {row[:2] for row in SENT}
EDITED = {NAMES[slug] for slug in IMAGES}
LACKING = [
    (slug, option, value)
    for slug in NAMES
    for option, value in ANY.items()
    if (slug, option) not in HAVE and not (option == "image" and NAMES[slug] in EDITED)
]


def plan(slug, *, seed=7, **options):
    """A planned job whose options went through the ordinary checks, with the image that its id needs."""
    image = {"image": IMAGES[slug][0]} if slug in IMAGES else {}
    return checked("runcomfy", NAMES[slug], seed=seed, **{**image, **options})


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

            assert request.path == f"/v1/models/blackforestlabs/{slug}"
            assert body == {"prompt": "a fox", "seed": 7, **(IMAGES[slug][1] if slug in IMAGES else {}), **expected}
            assert open_line(PROVIDER, tmp_path / str(number), now)(request).status == 200


@pytest.mark.parametrize(("slug", "cells"), group_rows([*OUTSIDE, *LACKING]))
def test_a_value_just_outside_and_an_option_that_an_id_lacks_are_refused(subtests, slug, cells):
    for option, value in cells:
        with subtests.test(option=option, value=value), pytest.raises(UsageError):
            plan(slug, **{option: value})


@pytest.mark.parametrize("slug", NAMES)
def test_a_seed_of_more_than_64_bits_is_refused(slug):
    for seed in (-(2**63) - 1, 2**63):
        with pytest.raises(UsageError, match="--seed"):
            fit.check_seed(PROVIDER, plan(slug).model, seed)


def test_the_table_has_a_row_for_every_option_of_every_id():
    every = [one for model in PROVIDER.models.values() for one in (model, *model.variants)]

    assert {(one.slug.removeprefix("blackforestlabs/"), option) for one in every for option in one.options} == HAVE
    assert {one.slug.removeprefix("blackforestlabs/"): one.name for one in every} == NAMES
    assert len(PROVIDER.models) == 10


def test_kontext_pro_needs_an_image():
    with pytest.raises(UsageError, match="needs an input image"):
        fit.fit_images(PROVIDER, PROVIDER.models["flux-kontext-pro"], {}, typed=set())


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"size": 6 * 2**20 + 1}, "at most 6 MB"), ({"width": 8000, "height": 4001}, "at most 32 megapixels")],
)
@pytest.mark.parametrize("slug", IMAGES)
def test_a_local_image_is_limited_as_in_the_vendors_own_client(slug, changes, why):
    planned = plan(slug, image=FOX)
    option, file = planned.model.image_input, planned.files[FOX]

    option.check_file(replace(file, size=6 * 2**20, width=8000, height=4000))
    with pytest.raises(InvalidValue, match=why):
        option.check_file(replace(file, **changes))


# what the sandbox makes of it


@pytest.mark.parametrize(
    ("slug", "options", "size"),
    [
        *[(PRO_EDIT, {"aspect_ratio": ratio}, SIZES[word]) for ratio, word in WORDS.items() if word != "auto"],
        (PRO_EDIT, {"aspect_ratio": "auto", "image": FOX}, (1024, 1024)),
        *[(slug, {}, (1024, 1024)) for slug in KLEIN],
        (KLEIN[0], {"size": "1536x864"}, (1536, 864)),
    ],
)
def test_the_image_has_the_size_that_was_asked_for(line, slug, options, size):
    line(read_submit(PROVIDER, plan(slug, **options))[0])

    (job,) = line.world.jobs("runcomfy")
    assert (job.width, job.height) == size


@pytest.mark.parametrize("slug", NAMES)
def test_a_job_of_every_id_ends_with_one_image_at_the_price_that_its_description_tells(line, now, slug):
    planned = plan(slug)
    request, _ = read_submit(PROVIDER, planned)
    accepted = line(request).json
    now[0] += 60

    state = drive(PROVIDER.poll(RemoteJob(id=accepted["request_id"])), line)

    published = drive(PROVIDER.describe(planned.model.slug), line)
    assert planned.model.max_images == 1
    assert isinstance(state, Succeeded)
    assert len(state.images) == 1
    assert published.facts["price"] == f"${state.cost.amount:g} per output"
    assert fetched(line.world, state.images[0].url).body


# prices


def test_no_price_is_claimed_that_no_page_states():
    assert {one.price for model in PROVIDER.models.values() for one in (model, *model.variants)} == {None}


def test_a_check_learns_the_price_of_every_model_and_finds_no_field_that_flux_does_not_know(line):
    account = drive(PROVIDER.check(), line)

    assert account.prices.keys() == PROVIDER.models.keys()
    assert account.differences == ()


# notes


@pytest.mark.parametrize(
    ("slug", "options", "flag"),
    [
        *[(slug, {"aspect_ratio": "1:1"}, "--aspect-ratio") for slug in (*KONTEXT, PRO_EDIT)],
        *[(slug, {"size": "512x512"}, "--size") for slug in KLEIN],
        *[(slug, {"steps": 4}, "--steps") for slug in KLEIN],
    ],
)
def test_what_the_provider_does_not_document_goes_out_with_a_note(slug, options, flag):
    found = fit.resolve(PROVIDER, plan(slug).model, options, typed=set(options))

    assert any(f"does not document {flag}" in note for note in found.notes)


@pytest.mark.parametrize("slug", NAMES)
def test_a_seed_is_drawn_where_the_page_shows_the_field_and_the_others_say_that_it_may_be_fixed(slug):
    model = plan(slug).model

    assert model.draws_seed is (slug in (PRO, ULTRA, "flux-1-kontext/pro/edit"))
    assert ("may use the same seed each time" in model.note) is not model.draws_seed


def test_the_id_that_only_third_parties_report_goes_out_with_a_note():
    unsure = [slug for slug in NAMES if plan(slug).model.confidence]

    assert unsure == ["flux-2/pro/text-to-image"]


# a lost answer, and other models


@pytest.mark.parametrize("slug", NAMES)
def test_a_lost_answer_is_not_looked_for_because_nothing_lists_the_jobs(line, slug):
    request, _ = read_submit(PROVIDER, plan(slug, prompt="sandbox:lost-reply"))

    with pytest.raises(LostReplyError):
        line(request)
    assert PROVIDER.find is None
    assert line.paid == 1


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        ("flux-2/turbo/text-to-image", {}),
        ("flux-2/flash/edit", {"image_urls": [A, B]}),
    ],
)
def test_an_id_that_flux_has_no_table_for_is_reached_with_params(line, path, extra):
    slug = f"blackforestlabs/{path}"
    request, body = read_submit(PROVIDER, checked("runcomfy", slug, extra=extra))

    assert request.path == f"/v1/models/{slug}"
    assert body == {"prompt": "a fox", **extra}
    assert line(request).status == 200


@pytest.mark.parametrize(
    "extra", [{"image_urls": [A]}, {"guidance_scale": 3}, {"output_format": "png"}, {"image_size": "square_hd"}]
)
def test_a_field_that_no_page_shows_is_refused_by_the_sandbox(line, extra):
    request, _ = read_submit(PROVIDER, plan("flux-2/max/text-to-image", extra=extra))

    with pytest.raises(UsageError, match="is not a known field"):
        line(request)
