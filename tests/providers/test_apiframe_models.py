"""The FLUX family at Apiframe: what each model sends, against the vendor's schema and against the sandbox."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flux_cli import providers
from flux_cli.errors import UnavailableError, UsageError
from flux_cli.jobs import RemoteJob
from flux_cli.providers import fit
from flux_cli.providers.apiframe import PROVIDER
from flux_cli.providers.base import LostSubmit
from flux_cli.providers.conversation import Response
from flux_cli.sandbox.world import World
from tests.providers.cells import group_rows
from tests.sandbox.talk import Line
from tests.sandbox.talk import order as checked

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "apiframe.json").read_text())
PICTURES = Path(__file__).parents[1] / "pictures"
FOX, MASK = str(PICTURES / "fox.png"), str(PICTURES / "mask.png")
A, B = "https://h.example/a.png", "https://h.example/b.png"
ACCEPTED = {"jobId": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "status": "QUEUED"}
FLUX_2 = ("flux-2-pro", "flux-2-flex", "flux-2-max", "flux-2-dev")
TIERED = FLUX_2[:3]
GENERATING = ("flux-1.1-pro", "flux-1.1-pro-ultra", *FLUX_2)
FILL = {"image": A, "mask": B}
RATIOS = ("16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16")
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list}


def violations(value, rule):
    """What is wrong with a value by a JSON schema; the keywords that this one uses."""
    found = [] if isinstance(value, TYPES[rule["type"]]) else ["type"]
    found += ["enum"] if value not in rule.get("enum", [value]) else []
    found += ["pattern"] if "pattern" in rule and not re.search(rule["pattern"], value) else []
    found += ["uri"] if rule.get("format") == "uri" and "://" not in value else []
    found += ["minimum"] if "minimum" in rule and value < rule["minimum"] else []
    found += ["maximum"] if "maximum" in rule and value > rule["maximum"] else []
    found += ["maxItems"] if len(value if isinstance(value, list) else []) > rule.get("maxItems", 99) else []
    return found + [why for one in (value if isinstance(value, list) else []) for why in violations(one, rule["items"])]


def follow_schema(model, body):
    """Assert that a request is one that the vendor's schema allows."""
    group = "fluxFillParams" if model == "flux-fill-pro" else "fluxParams"
    allowed = {"model", group, "webhookUrl", "webhookEvents"} | ({"prompt"} if group == "fluxParams" else set())
    assert body["model"] == model
    assert body.keys() <= allowed
    assert set(SCHEMA["required"][group]) <= (body[group] if group == "fluxFillParams" else body).keys()
    for name, value in body[group].items():
        rule = dict(SCHEMA[group][name])
        if name == "resolution" and SCHEMA["resolution"][model]:
            rule["enum"] = SCHEMA["resolution"][model]
        assert violations(value, rule) == [], name


def rows(models, option, pairs):
    return [(model, option, value, sent) for model in models for value, sent in pairs]


def at(path, *values):
    """Values that are sent unchanged."""
    return [(value, {path: value}) for value in values]


SENT = [
    *rows(FLUX_2, "aspect_ratio", at("aspect_ratio", *RATIOS)),
    *rows(GENERATING, "seed", at("seed", -1, 0, 2**40)),
    *rows(
        TIERED,
        "resolution",
        [
            (word, {"resolution": sent})
            for word, sent in [
                ("0.5mp", "0.5MP"),
                ("1mp", "1MP"),
                ("2mp", "2MP"),
                ("4mp", "4MP"),
            ]
        ],
    ),
    *rows(TIERED, "resolution", [("match", {"resolution": "match_input_image", "input_images": [A]})]),
    *rows(
        TIERED,
        "size",
        [
            (f"{width}x{height}", {"width": width, "height": height})
            for width, height in [(256, 256), (2048, 2048), (1008, 2048)]
        ],
    ),
    *rows(
        ("flux-1.1-pro", "flux-2-dev"),
        "size",
        [
            (f"{width}x{height}", {"width": width, "height": height})
            for width, height in [(256, 1440), (1440, 1440), (1024, 768)]
        ],
    ),
    *rows(GENERATING, "format", at("output_format", "jpg", "png", "webp")),
    *rows(GENERATING, "quality", at("output_quality", 0, 100)),
    *rows(FLUX_2, "image", [(A, {"input_images": [A]}), ([B, A], {"input_images": [B, A]})]),
    *rows(("flux-2-pro", "flux-2-max"), "image", [([A] * 8, {"input_images": [A] * 8})]),
    *rows(("flux-2-flex", "flux-2-dev"), "image", [([A] * 10, {"input_images": [A] * 10})]),
    *rows(GENERATING[:2], "image", at("image_prompt", A)),
    *rows(("flux-2-flex",), "steps", at("steps", 1, 50)),
    *rows(("flux-2-flex",), "guidance", at("guidance", 1.5, 4, 10)),
    *rows(("flux-1.1-pro", "flux-2-flex"), "upsample_prompt", at("prompt_upsampling", True, False)),
    *rows(("flux-1.1-pro-ultra",), "raw", at("raw", True, False)),
    *rows(
        ("flux-1.1-pro-ultra",),
        "image_strength",
        [(n, {"image_prompt_strength": n, "image_prompt": A}) for n in (0, 0.4, 1)],
    ),
    *rows(("flux-fill-pro",), "image", at("image", A)),
    *rows(("flux-fill-pro",), "mask", at("mask", B)),
    *rows(("flux-fill-pro",), "seed", at("seed", -1, 0, 2**40)),
    *rows(("flux-fill-pro",), "steps", at("steps", 1, 50)),
    *rows(("flux-fill-pro",), "guidance", at("guidance", 2, 3.5, 5)),
    *rows(("flux-fill-pro",), "upsample_prompt", at("prompt_upsampling", True, False)),
    *rows(("flux-fill-pro",), "safety_tolerance", at("safety_tolerance", 1, 6)),
    *rows(("flux-fill-pro",), "format", at("output_format", "jpg", "png")),
]
OUTSIDE = [
    *[(model, "aspect_ratio", value) for model in FLUX_2 for value in ("custom", "match_input_image", "0:1")],
    *[(model, "size", value) for model in TIERED for value in ("240x256", "2064x2048", "1000x1000")],
    *[(model, "size", value) for model in ("flux-1.1-pro", "flux-2-dev") for value in ("224x256", "1472x1024")],
    *[(model, "resolution", value) for model in TIERED for value in ("3mp", "1MP", "768")],
    *[(model, "image", [A] * 9) for model in ("flux-2-pro", "flux-2-max")],
    *[(model, "image", [A] * 11) for model in ("flux-2-flex", "flux-2-dev")],
    *[("flux-2-flex", option, value) for option, value in [("steps", 0), ("steps", 51), ("guidance", 1.4)]],
    ("flux-2-flex", "guidance", 10.1),
    *[("flux-fill-pro", option, value) for option, value in [("steps", 0), ("steps", 51), ("guidance", 1.9)]],
    *[("flux-fill-pro", option, value) for option, value in [("guidance", 5.1), ("image", [A, B])]],
    *[("flux-fill-pro", "safety_tolerance", value) for value in (0, 7)],
    ("flux-fill-pro", "format", "webp"),
    *[(model, "quality", value) for model in FLUX_2 for value in (-1, 101)],
]
LACKING = [
    *[(model, "steps", 30) for model in GENERATING if model != "flux-2-flex"],
    *[(model, "guidance", 3) for model in GENERATING if model != "flux-2-flex"],
    *[(model, "resolution", "1mp") for model in ("flux-1.1-pro", "flux-1.1-pro-ultra", "flux-2-dev", "flux-fill-pro")],
    *[(model, "size", "1024x1024") for model in ("flux-1.1-pro-ultra", "flux-fill-pro")],
    *[(model, "mask", B) for model in GENERATING],
    *[(model, "raw", True) for model in (*FLUX_2, "flux-fill-pro", "flux-1.1-pro")],
    *[(model, "upsample_prompt", True) for model in ("flux-2-pro", "flux-2-max", "flux-2-dev", "flux-1.1-pro-ultra")],
    *[(model, "safety_tolerance", 2) for model in GENERATING],
    *[(model, option, value) for model in (*GENERATING, "flux-fill-pro") for option, value in [("negative", "cats")]],
    *[(model, "strength", 0.5) for model in (*GENERATING, "flux-fill-pro")],
    ("flux-fill-pro", "aspect_ratio", "1:1"),
]


def plan(model, *, seed=7, extra=None, **options):
    """A planned job whose options went through the ordinary checks."""
    given = {**FILL, **options} if model == "flux-fill-pro" else options
    if {"mask", "strength"} & given.keys() or given.get("resolution") == "match" or "image_strength" in given:
        given = {"image": A, **given}
    return checked("apiframe", model, seed=seed, extra=extra, handle="h", **given)


def open_line(folder):
    return Line(World(folder, lambda: 1_790_000_000.0, 10.0, providers=providers.NAMES), PROVIDER)


@pytest.fixture
def line(tmp_path):
    return open_line(tmp_path)


@pytest.mark.parametrize(("model", "cells"), group_rows(SENT))
def test_an_option_arrives_as_the_schema_wants_it_and_the_sandbox_accepts_it(subtests, talk, tmp_path, model, cells):
    group = "fluxFillParams" if model == "flux-fill-pro" else "fluxParams"
    least = {"image": A, "mask": B, "mode": "inpaint", "prompt": "a fox"} if model == "flux-fill-pro" else {}
    for number, (option, value, expected) in enumerate(cells):
        with subtests.test(option=option, value=value):
            wanted = plan(model, **{option: value})

            (request,) = talk(PROVIDER, PROVIDER.submit(wanted), ACCEPTED).requests

            top = {"model": model} if model == "flux-fill-pro" else {"model": model, "prompt": "a fox"}
            assert request.json == {**top, group: {"seed": 7, **least, **expected}}
            assert request.path == ("/v2/images/edit" if model == "flux-fill-pro" else "/v2/images/generate")
            follow_schema(model, request.json)
            assert open_line(tmp_path / str(number))(request).status == 202


@pytest.mark.parametrize(("model", "cells"), group_rows([*OUTSIDE, *LACKING]))
def test_a_value_just_outside_and_an_option_that_a_model_lacks_are_refused(subtests, model, cells):
    for option, value in cells:
        with subtests.test(option=option, value=value), pytest.raises(UsageError):
            plan(model, **{option: value})


def test_the_table_has_a_row_for_every_option_of_every_model():
    offered = {(model.name, option) for model in PROVIDER.models.values() for option in model.options}
    elsewhere = {(model, "aspect_ratio") for model in GENERATING[:2]} | {
        (model, "webhook") for model in PROVIDER.models
    }

    assert offered == {row[:2] for row in SENT} | elsewhere
    assert set(PROVIDER.models) == {*GENERATING, "flux-fill-pro"}


@pytest.mark.parametrize("model", [*GENERATING, "flux-fill-pro"])
def test_a_webhook_stands_beside_the_parameters(talk, line, model):
    (request,) = talk(PROVIDER, PROVIDER.submit(plan(model, webhook="https://you.example/h")), ACCEPTED).requests

    assert request.json["webhookUrl"] == "https://you.example/h"
    follow_schema(model, request.json)
    assert line(request).status == 202


def test_a_fill_needs_an_image_and_a_mask():
    model = PROVIDER.models["flux-fill-pro"]

    with pytest.raises(UsageError, match="needs an input image"):
        fit.fit_images(PROVIDER, model, {}, typed=set())
    with pytest.raises(UsageError, match="needs --mask"):
        fit.resolve(PROVIDER, model, {"image": A}, typed={"image"})


def test_the_mode_of_a_fill_is_not_a_param():
    with pytest.raises(UsageError, match="flux fills in this field itself"):
        plan("flux-fill-pro", extra={"fluxFillParams.mode": "outpaint"})


def test_a_size_whose_effect_is_not_documented_goes_out_with_a_note():
    model = PROVIDER.models["flux-2-pro"]

    sized = fit.resolve(PROVIDER, model, {"size": "512x512"}, typed={"size"})
    plain = fit.resolve(PROVIDER, model, {"resolution": "1mp"}, typed={"resolution"})

    assert "does not document --size" in sized.notes[0]
    assert plain.notes == ()


# input images


def uploads(*names):
    return [{"url": f"https://cdn2.apiframe.ai/uploads/{name}.png"} for name in names]


def test_several_images_keep_their_order_and_each_file_is_uploaded_once(talk):
    wanted = plan("flux-2-pro", image=[MASK, A, FOX, MASK])

    said = talk(PROVIDER, PROVIDER.submit(wanted), *uploads("mask", "fox"), ACCEPTED)

    assert [request.upload.path if request.upload else request.path for request in said.requests] == [
        MASK,
        FOX,
        "/v2/images/generate",
    ]
    assert [request.paid for request in said.requests] == [False, False, True]
    mask, fox = (answer["url"] for answer in uploads("mask", "fox"))
    assert said.bodies[-1]["fluxParams"]["input_images"] == [mask, A, fox, mask]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_upload_buys_nothing(talk, lost):
    answers = [*uploads("mask")[:lost], UnavailableError("down")]

    said = talk(PROVIDER, PROVIDER.submit(plan("flux-2-flex", image=[MASK, FOX])), *answers)

    assert isinstance(said.error, UnavailableError)
    assert not any(request.paid for request in said.requests)


def test_a_fill_uploads_the_image_and_its_mask(talk):
    said = talk(
        PROVIDER, PROVIDER.submit(plan("flux-fill-pro", image=FOX, mask=MASK)), *uploads("fox", "mask"), ACCEPTED
    )

    fox, mask = (answer["url"] for answer in uploads("fox", "mask"))
    sent = said.bodies[-1]["fluxFillParams"]
    assert (sent["image"], sent["mask"], sent["prompt"], sent["mode"]) == (fox, mask, "a fox", "inpaint")
    follow_schema("flux-fill-pro", said.bodies[-1])


@pytest.mark.parametrize(("model", "options"), [("flux-2-max", {"image": [FOX, MASK]}), ("flux-fill-pro", {})])
def test_a_dry_run_of_uploads_ends_in_a_body_of_links(talk, model, options):
    wanted = plan(model, **(options or {"image": FOX, "mask": MASK}))
    conversation = PROVIDER.submit(wanted)
    first = next(conversation).dry_run_answer
    second = conversation.send(Response(status=200, body=json.dumps(first).encode())).dry_run_answer

    said = talk(PROVIDER, PROVIDER.submit(wanted), first, second, ACCEPTED)

    assert [answer["url"].rsplit("/", 1)[1] for answer in (first, second)] == ["fox.png", "mask.png"]
    follow_schema(model, said.bodies[-1])


# lost jobs


def body_of(talk, wanted):
    return talk(PROVIDER, PROVIDER.submit(wanted), ACCEPTED).bodies[-1]


@pytest.mark.parametrize("model", [*FLUX_2, "flux-fill-pro"])
def test_a_lost_job_is_found_by_its_prompt_and_seed(talk, model):
    mine, other = body_of(talk, plan(model)), body_of(talk, plan(model, seed=8))
    lost = LostSubmit(job_id="k", idempotency_key="h", body=mine, sent_at=0.0)
    jobs = {"jobs": [{"id": "one", "createdAt": None}, {"id": "two", "createdAt": None}], "nextCursor": None}

    said = talk(PROVIDER, PROVIDER.find(lost), jobs, {"id": "one", "input": mine}, {"id": "two", "input": other})
    none = talk(PROVIDER, PROVIDER.find(lost), jobs, {"id": "one", "input": other}, {"id": "two", "input": None})

    assert said.result == RemoteJob(id="one")
    assert none.result is None
    assert said.requests[0].query["model"] == model


def test_a_lost_job_without_a_seed_is_not_looked_for(talk):
    lost = LostSubmit(
        job_id="k", idempotency_key="h", body={"prompt": "a fox", "model": "flux-3", "fluxParams": {}}, sent_at=0.0
    )

    said = talk(PROVIDER, PROVIDER.find(lost))

    assert (said.result, said.requests) == (None, [])


# other models


LORA = {"fluxLoraParams.loraId": "b2c3d4e5-f6a7-8901-bcde-f23456789012", "fluxLoraParams.seed": 4}


@pytest.mark.parametrize(
    ("word", "extra", "path", "body"),
    [
        (
            "flux-lora",
            LORA,
            "/v2/images/generate",
            {
                "model": "flux-lora",
                "prompt": "a fox",
                "fluxLoraParams": {"loraId": LORA["fluxLoraParams.loraId"], "seed": 4},
            },
        ),
        (
            "apiframe:flux-fill-pro",
            {
                "fluxFillParams.image": A,
                "fluxFillParams.mode": "outpaint",
                "fluxFillParams.outpaint": "Zoom out 2x",
            },
            "/v2/images/edit",
            {
                "model": "flux-fill-pro",
                "fluxFillParams": {"prompt": "a fox", "image": A, "mode": "outpaint", "outpaint": "Zoom out 2x"},
            },
        ),
    ],
)
def test_a_documented_id_without_a_table_is_reached_with_params(talk, line, word, extra, path, body):
    (request,) = talk(PROVIDER, PROVIDER.submit(checked("apiframe", word, extra=extra, handle="h")), ACCEPTED).requests

    assert (request.path, request.json) == (path, body)
    assert line(request).status == 202


def test_an_id_that_looks_like_a_misspelled_name_needs_the_providers_name():
    with pytest.raises(UsageError, match="there is no model 'flux-2-prp'"):
        fit.find_model(PROVIDER, "flux-2-prp", {})

    model = fit.find_model(PROVIDER, "apiframe:flux-2-prp", {})

    assert (model.slug, model.takes_seed) == ("flux-2-prp", False)


# the catalogue


def entry(model, low, high, **more):
    return {"id": model, "label": model, "modality": "image", "costMin": low, "costMax": high, **more}


def test_a_check_tells_the_prices_and_what_the_catalogue_has_beside_our_tables(talk):
    known = [entry(model, 9, 9, pricingMode="flat") for model in PROVIDER.models if model != "flux-2-dev"]
    new = [entry("flux-3-image", 20, 20), entry("flux-lora", 6, 6), entry("seedream-4", 5, 5)]

    said = talk(PROVIDER, PROVIDER.check(), {"team": None}, {"models": [*known, *new]})

    assert said.result.differences == (
        "flux-2-dev is no longer in the catalogue",
        "the catalogue lists flux-3-image, which flux does not know",
    )
    assert said.result.credit_prices == {one["id"]: 9 for one in known}
