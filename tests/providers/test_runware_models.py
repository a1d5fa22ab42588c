"""The FLUX family at Runware: what each model sends, against facts of the vendor's schemas and against the sandbox."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.providers import fit
from flux_cli.providers.conversation import encode
from flux_cli.providers.options import InvalidValue
from flux_cli.providers.runware import PROVIDER
from flux_cli.sandbox.world import World
from tests.providers.cells import Validators, group_rows
from tests.sandbox.talk import PICTURES, Line
from tests.sandbox.talk import order as checked

FACTS = json.loads((Path(__file__).parent / "schemas" / "runware.json").read_text())
SCHEMAS = {
    air: {
        "type": "object",
        "additionalProperties": False,
        "required": FACTS["required"] + one["required"],
        "properties": FACTS["common"] | one["properties"],
    }
    for one in FACTS["models"]
    for air in one["airs"]
}
VALIDATORS = Validators(SCHEMAS)
FOX, MASK = str(PICTURES / "fox.png"), str(PICTURES / "mask.png")
A, B = "https://h.example/a.png", "https://h.example/b.png"

TASK = {"taskType": "imageInference", "deliveryMethod": "async", "includeCost": True}
AIRS = {
    "flux-1.1-pro": "bfl:2@1",
    "flux-1.1-pro-ultra": "bfl:2@2",
    "flux-kontext-pro": "bfl:3@1",
    "flux-kontext-max": "bfl:4@1",
    "flux-kontext-dev": "runware:106@1",
    "flux-2-pro": "bfl:5@1",
    "flux-2-flex": "bfl:6@1",
    "flux-2-max": "bfl:7@1",
    "flux-2-dev": "runware:400@1",
    "flux-2-klein-4b": "runware:400@4",
    "flux-2-klein-4b-base": "runware:400@5",
    "flux-2-klein-9b": "runware:400@2",
    "flux-2-klein-9b-base": "runware:400@3",
    "flux-3-image": "bfl:flux@3-image",
    "flux-3-image-klein": "bfl:flux@3-image-klein",
    "flux-dev": "runware:101@1",
    "flux-schnell": "runware:100@1",
    "flux-fill-pro": "bfl:1@2",
}
ELEVEN = ("flux-1.1-pro", "flux-1.1-pro-ultra")
KONTEXT = ("flux-kontext-pro", "flux-kontext-max")
TWO = ("flux-2-pro", "flux-2-flex", "flux-2-max")
KLEIN = ("flux-2-dev", "flux-2-klein-4b", "flux-2-klein-4b-base", "flux-2-klein-9b", "flux-2-klein-9b-base")
SEEDED = ("flux-dev", "flux-schnell")
THREE, THREE_KLEIN, FILL, OPEN_KONTEXT = "flux-3-image", "flux-3-image-klein", "flux-fill-pro", "flux-kontext-dev"
UNSEEDED = (THREE, THREE_KLEIN)

SIZED = {
    "flux-1.1-pro": (1344, 768),
    "flux-1.1-pro-ultra": (2752, 1536),
    **dict.fromkeys((*KONTEXT, *TWO, *KLEIN, *SEEDED, THREE), (1024, 1024)),
}
"""The size that is sent when none is given. FLUX 3 sends none with an input image."""


def pixels(*sizes):
    return [(f"{width}x{height}", {"width": width, "height": height}) for width, height in sizes]


def rows(models, option, pairs):
    return [(model, option, value, sent) for model in models for value, sent in pairs]


def at(path, *values):
    return [(value, nest(path, value)) for value in values]


def nest(path, value):
    first, _, rest = path.partition(".")
    return {first: nest(rest, value) if rest else value}


def ratios(**sizes):
    return [(f"{name[1:].replace('_', ':')}", {"width": w, "height": h}) for name, (w, h) in sizes.items()]


KONTEXT_PAIRS = FACTS["pairs"]["bfl:3@1"]
THREE_PAIRS = FACTS["pairs"]["bfl:flux@3-image"]
BFL = "providerSettings.bfl"
SENT = [
    *rows(AIRS, "format", [(word, {"outputFormat": word.upper()}) for word in ("jpg", "png", "webp")]),
    *rows(AIRS, "quality", at("outputQuality", 20, 99)),
    *rows(AIRS, "check_content", at("safety.checkContent", True, False)),
    *rows(AIRS, "webhook", at("webhookURL", "https://you.example/h")),
    *rows([model for model in AIRS if model not in UNSEEDED], "seed", at("seed", 0, 2**63 - 1)),
    *rows((*ELEVEN, *KONTEXT, *TWO), "upsample_prompt", at(f"{BFL}.promptUpsampling", True, False)),
    *rows((*ELEVEN, *KONTEXT, FILL), "safety_tolerance", at(f"{BFL}.safetyTolerance", 0, 6)),
    *rows(TWO, "safety_tolerance", at(f"{BFL}.safetyTolerance", 0, 5)),
    *rows([THREE], "safety_tolerance", at("settings.safetyTolerance", 0, 4)),
    *rows(["flux-1.1-pro-ultra"], "raw", at(f"{BFL}.raw", True, False)),
    *rows(["flux-1.1-pro"], "size", pixels((256, 1440), (1440, 256))),
    *rows(["flux-1.1-pro"], "aspect_ratio", ratios(_21_9=(1344, 576), _1_1=(1024, 1024))),
    *rows(["flux-1.1-pro-ultra"], "size", pixels(*FACTS["pairs"]["bfl:2@2"])),
    *rows(["flux-1.1-pro-ultra"], "aspect_ratio", ratios(_9_21=(1344, 3136), _3_2=(2496, 1664))),
    *rows(KONTEXT, "size", pixels(*KONTEXT_PAIRS)),
    *rows(KONTEXT, "aspect_ratio", ratios(_21_9=(1568, 672), _3_4=(880, 1184), _1_1=(1024, 1024))),
    *rows(KONTEXT, "image", [(one, nest("inputs.referenceImages", one)) for one in ([A], [B, A])]),
    *rows([OPEN_KONTEXT], "size", pixels((128, 2048), (1008, 1024))),
    *rows([OPEN_KONTEXT], "image", [([B, A], nest("inputs.referenceImages", [B, A]))]),
    *rows([OPEN_KONTEXT], "steps", at("steps", 1, 100)),
    *rows([OPEN_KONTEXT], "guidance", at("CFGScale", 0, 2.5, 20)),
    *rows(TWO, "size", pixels((256, 2048), (2048, 2048), (1008, 1024))),
    *rows(TWO, "aspect_ratio", ratios(_16_9=(1360, 768), _9_16=(768, 1360), _1_1=(1024, 1024))),
    *rows(["flux-2-pro", "flux-2-max"], "image", [([A, B] * 4, nest("inputs.referenceImages", [A, B] * 4))]),
    *rows(["flux-2-flex"], "image", [([A, B] * 5, nest("inputs.referenceImages", [A, B] * 5))]),
    *rows(["flux-2-flex"], "steps", at("steps", 1, 50)),
    *rows(["flux-2-flex"], "guidance", at("CFGScale", 1, 2.5, 20)),
    *rows(KLEIN, "size", pixels((128, 2048), (2048, 2048), (1008, 1024))),
    *rows(KLEIN, "aspect_ratio", ratios(_16_9=(1360, 768), _1_1=(1024, 1024))),
    *rows(KLEIN, "image", [([B, A, B, A], nest("inputs.referenceImages", [B, A, B, A]))]),
    *rows(KLEIN, "steps", at("steps", 1, 50)),
    *rows(KLEIN, "guidance", at("CFGScale", 1, 3.5, 20)),
    *rows(KLEIN, "negative", at("negativePrompt", "cats", "c" * 10_000)),
    *rows((*SEEDED, OPEN_KONTEXT), "negative", at("negativePrompt", "cats", "c" * 3000)),
    *rows(SEEDED, "size", pixels((128, 2048), (1024, 960))),
    *rows(SEEDED, "aspect_ratio", ratios(_16_9=(1344, 768), _1_1=(1024, 1024))),
    *rows(SEEDED, "image", [(A, nest("inputs.seedImage", A))]),
    *rows(SEEDED, "mask", [(B, {"inputs": {"seedImage": A, "maskImage": B}})]),
    *rows(SEEDED, "strength", [(value, {"inputs": {"seedImage": A}, "strength": value}) for value in (0, 0.35, 1)]),
    *rows(SEEDED, "steps", at("steps", 1, 100)),
    *rows(SEEDED, "guidance", at("CFGScale", 0, 3.5, 20)),
    *rows([FILL], "image", [(A, {"inputs": {"seedImage": A, "maskImage": B}})]),
    *rows([FILL], "mask", [(A, {"inputs": {"seedImage": A, "maskImage": A}})]),
    *rows([FILL], "steps", at("steps", 15, 50)),
    *rows([FILL], "guidance", at("CFGScale", 1.5, 60, 100)),
    *rows([THREE], "size", pixels(*THREE_PAIRS)),
    *rows([THREE], "aspect_ratio", ratios(_21_9=(1568, 672), _7_5=(1216, 864), _4_5=(912, 1152), _1_2=(720, 1440))),
    *rows(
        [THREE],
        "resolution",
        [(word, {"width": n, "height": n}) for word, n in [("768", 768), ("1k", 1024), ("2k", 2048), ("4k", 4096)]],
    ),
    *rows([THREE], "image", [([A, B] * 5, nest("inputs.referenceImages", [A, B] * 5))]),
    *rows([THREE_KLEIN], "size", pixels((512, 512), (4096, 4096))),
    *rows([THREE_KLEIN], "aspect_ratio", ratios(_1_1=(1024, 1024))),
    *rows([THREE_KLEIN], "image", [(A, nest("inputs.referenceImages", [A]))]),
    *rows([THREE_KLEIN], "steps", at("steps", 1, 50)),
]  # fmt: skip
OUTSIDE = [
    *[(model, "quality", value) for model in AIRS for value in (19, 100)],
    *[("flux-1.1-pro", "size", value) for value in ("224x256", "1472x1024", "1000x1000")],
    *[(model, "size", "1024x768") for model in ("flux-1.1-pro-ultra", *KONTEXT, THREE)],
    *[(model, "size", value) for model in TWO for value in ("240x256", "2064x2048", "1000x1000")],
    *[(model, "size", value) for model in KLEIN for value in ("112x256", "2064x2048", "1000x1000")],
    *[(model, "size", value) for model in SEEDED for value in ("64x128", "2112x2048", "1040x1024")],
    *[(model, "aspect_ratio", "7:5") for model in (*KONTEXT, *TWO, *KLEIN, *SEEDED)],
    (THREE, "aspect_ratio", "9:8"),
    *[(THREE, "resolution", value) for value in ("1.5k", "1K", "1mp", "8k")],
    *[(model, "image", [A] * 3) for model in (*KONTEXT, OPEN_KONTEXT)],
    *[(model, "image", [A] * 9) for model in ("flux-2-pro", "flux-2-max")],
    *[(model, "image", [A] * 11) for model in ("flux-2-flex", THREE)],
    *[(model, "image", [A] * 5) for model in KLEIN],
    *[(model, "image", [A] * 2) for model in (*SEEDED, FILL)],
    *[(model, "steps", value) for model in ("flux-2-flex", *KLEIN) for value in (0, 51)],
    *[(model, "guidance", value) for model in ("flux-2-flex", *KLEIN) for value in (0.9, 20.1)],
    *[(model, "steps", value) for model in SEEDED for value in (0, 101)],
    *[(model, "guidance", value) for model in SEEDED for value in (-0.1, 20.1)],
    *[(model, "strength", value) for model in SEEDED for value in (-0.1, 1.1)],
    *[(FILL, option, value) for option, value in [("steps", 14), ("steps", 51), ("guidance", 1.4), ("guidance", 101)]],
    *[(model, "negative", "c" * 10_001) for model in KLEIN],
    *[(model, "negative", "c" * 3001) for model in SEEDED],
    *[(model, "safety_tolerance", value) for model in (*ELEVEN, *KONTEXT, FILL) for value in (-1, 7)],
    *[(model, "safety_tolerance", value) for model in TWO for value in (-1, 6)],
    *[(THREE, "safety_tolerance", value) for value in (-1, 5)],
]
NONE_OF = {
    "image": (A, ELEVEN),
    "image_strength": (0.5, AIRS),
    "mask": (B, set(AIRS) - {*SEEDED, FILL}),
    "strength": (0.5, set(AIRS) - {*SEEDED}),
    "raw": (True, set(AIRS) - {"flux-1.1-pro-ultra"}),
    "negative": ("cats", set(AIRS) - {*KLEIN, *SEEDED, OPEN_KONTEXT}),
    "steps": (20, (*ELEVEN, *KONTEXT, "flux-2-pro", "flux-2-max", THREE)),
    "guidance": (3, (*ELEVEN, *KONTEXT, "flux-2-pro", "flux-2-max", THREE)),
    "resolution": ("1k", set(AIRS) - {THREE}),
    "size": ("1024x1024", (FILL,)),
    "aspect_ratio": ("1:1", (FILL,)),
    "upsample_prompt": (True, (*KLEIN, *SEEDED, *UNSEEDED, OPEN_KONTEXT, FILL)),
    "safety_tolerance": (2, (*KLEIN, *SEEDED, OPEN_KONTEXT, THREE_KLEIN)),
}
LACKING = [(model, option, value) for option, (value, models) in NONE_OF.items() for model in sorted(models)]


def plan(model, *, seed=7, **options):
    """A planned job whose options went through the ordinary checks, with the images that they need."""
    if "strength" in options or "mask" in options or model == FILL:
        options = {"image": A, **options}
    if model == FILL:
        options = {"mask": B, **options}
    return checked("runware", model, seed=seed, handle="5e1fbc1e-5f5c-4d2a-9a37-2b1d6f0c8a11", **options)


def open_line(folder):
    return Line(World(folder, lambda: 1_790_000_000.0, 10.0, providers=providers.NAMES), PROVIDER)


@pytest.fixture
def line(tmp_path):
    return open_line(tmp_path)


def submit(planned):
    """The request of a submit, and its only task as it travels: local files as data URIs."""
    request = next(PROVIDER.submit(planned))
    parts = encode(request.json)
    read = [one if isinstance(one, bytes) else base64.b64encode(Path(one.path).read_bytes()) for one in parts]
    (task,) = json.loads(b"".join(read))
    return request, task


def follow_schema(task):
    """Assert that a task is one that the vendor's schema allows, also in the rules between its fields."""
    air = task["model"]
    VALIDATORS[air].validate(task)
    size = [task[name] for name in ("width", "height") if name in task]
    assert len(size) != 1
    assert not size or size in FACTS["pairs"].get(air, [size])
    assert "resolution" not in task or (not size and task["inputs"]["referenceImages"])


@pytest.mark.parametrize(("model", "cells"), group_rows(SENT))
def test_an_option_arrives_as_the_schema_wants_it_and_the_sandbox_accepts_it(subtests, tmp_path, model, cells):
    for number, (option, value, expected) in enumerate(cells):
        with subtests.test(option=option, value=value):
            seed = value if option == "seed" else 7
            request, task = submit(plan(model, **({"seed": value} if option == "seed" else {option: value})))

            width, height = (None, None) if model == THREE and option == "image" else SIZED.get(model, (None, None))
            usual = {} if width is None else {"width": width, "height": height}
            usual |= {} if model in UNSEEDED else {"seed": seed}
            usual |= {"inputs": {"seedImage": A, "maskImage": B}} if model == FILL else {}
            handle = "5e1fbc1e-5f5c-4d2a-9a37-2b1d6f0c8a11"
            named = {"model": AIRS[model], "positivePrompt": "a fox", "taskUUID": handle}
            assert task == {**TASK, **named, **usual, **expected}
            if model != THREE_KLEIN:  # its fields are published nowhere
                follow_schema(task)
            assert open_line(tmp_path / str(number))(request).status == 200


@pytest.mark.parametrize(("model", "cells"), group_rows([*OUTSIDE, *LACKING]))
def test_a_value_just_outside_and_an_option_that_a_model_lacks_are_refused(subtests, model, cells):
    for option, value in cells:
        with subtests.test(option=option, value=value), pytest.raises(UsageError):
            plan(model, **{option: value})


@pytest.mark.parametrize("model", AIRS)
def test_a_seed_outside_its_bounds_is_refused_and_any_where_there_is_none(model):
    table = PROVIDER.models[model]

    for seed in (-1, 2**63, *((0, 7) if model in UNSEEDED else ())):
        with pytest.raises(UsageError, match="--seed"):
            fit.check_seed(PROVIDER, table, seed)


def test_the_table_has_a_row_for_every_option_of_every_model():
    offered = {
        (model.name, option)
        for model in PROVIDER.models.values()
        for variant in (model, *model.variants)
        for option in variant.options
    }

    assert offered == {row[:2] for row in SENT}
    assert {model.name: model.slug for model in PROVIDER.models.values()} == AIRS


@pytest.mark.parametrize("model", AIRS)
def test_twenty_images_travel_in_one_task(line, model):
    assert PROVIDER.models[model].max_images == 20

    request, task = submit(checked("runware", model, count=20, **({"image": A} if model == FILL else {})))

    assert task["numberResults"] == 20
    assert line(request).status == 200


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {}),
        ({"resolution": "2k"}, {"resolution": "2K"}),
        ({"resolution": "768"}, {"resolution": "0.75K"}),
        ({"aspect_ratio": "16:9"}, {"width": 1360, "height": 768}),
        ({"aspect_ratio": "16:9", "resolution": "2k"}, {"width": 2736, "height": 1536}),
        ({"size": "5456x3072"}, {"width": 5456, "height": 3072}),
    ],
)
def test_an_edit_with_flux_3_sends_a_tier_or_a_size_and_never_both(line, options, sent):
    request, task = submit(plan(THREE, image=[A, B], **options))

    assert {name: task[name] for name in ("resolution", "width", "height") if name in task} == sent
    follow_schema(task)
    assert line(request).status == 200


@pytest.mark.parametrize("tier", ["768", "1k", "2k", "4k"])
def test_every_ratio_of_flux_3_has_a_pair_in_every_tier(tier):
    pairs = {
        (task["width"], task["height"])
        for ratio in PROVIDER.models[THREE].options["aspect_ratio"].sizes
        for task in [submit(plan(THREE, aspect_ratio=ratio, resolution=tier))[1]]
    }

    assert len(pairs) == 15
    assert [list(pair) in THREE_PAIRS for pair in pairs] == [True] * 15


# input images


def uri(path):
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


@pytest.mark.parametrize("model", [*KONTEXT, OPEN_KONTEXT, *TWO, *KLEIN, *UNSEEDED])
def test_a_file_and_a_link_travel_in_order(line, model):
    request, task = submit(plan(model, image=[FOX, A]))

    assert task["inputs"] == {"referenceImages": [uri(FOX), A]}
    assert line(request).status == 200


@pytest.mark.parametrize("model", [*SEEDED, FILL])
def test_an_image_and_its_mask_travel_as_files(line, model):
    request, task = submit(plan(model, image=FOX, mask=MASK))

    assert task["inputs"] == {"seedImage": uri(FOX), "maskImage": uri(MASK)}
    assert ("width" in task) is (model != FILL)
    follow_schema(task)
    assert line(request).status == 200


def test_an_image_of_flux_3_with_a_short_side_is_refused():
    planned = checked("runware", THREE, image=FOX)
    option, file = planned.model.image_input, planned.files[FOX]

    option.check_file(replace(file, width=128, height=4000))
    with pytest.raises(InvalidValue, match="at least 128 pixels a side"):
        option.check_file(replace(file, width=127, height=4000))


def test_a_fill_needs_an_image_and_a_mask():
    model = PROVIDER.models[FILL]

    with pytest.raises(UsageError, match="needs an input image"):
        fit.fit_images(PROVIDER, model, {}, typed=set())
    with pytest.raises(UsageError, match="needs --mask"):
        fit.resolve(PROVIDER, model, {"image": A}, typed={"image"})


# notes


@pytest.mark.parametrize(
    ("model", "options", "flag"),
    [
        (OPEN_KONTEXT, {"image": A}, "--image"),
        (OPEN_KONTEXT, {"steps": 20}, "--steps"),
        ("flux-2-pro", {"upsample_prompt": True}, "--upsample-prompt"),
        (THREE_KLEIN, {"steps": 20}, "--steps"),
        (FILL, {"image": A, "mask": B, "safety_tolerance": 2}, "--safety-tolerance"),
    ],
)
def test_what_the_provider_does_not_document_goes_out_with_a_note(model, options, flag):
    found = fit.resolve(PROVIDER, PROVIDER.models[model], options, typed=set(options))

    assert any(f"does not document {flag}" in note for note in found.notes)


@pytest.mark.parametrize("model", [name for name in AIRS if name != THREE_KLEIN])
def test_what_is_always_sent_goes_out_without_a_note(model):
    options = {"image": A, "mask": B} if model == FILL else {}

    assert fit.resolve(PROVIDER, PROVIDER.models[model], options, typed=set()).notes == ()


@pytest.mark.parametrize("model", ["flux-dev", "flux-schnell", "flux-2-dev", "flux-2-klein-9b-base", "flux-2-flex"])
def test_no_default_is_claimed_that_the_provider_does_not_state(model):
    options = PROVIDER.models[model].options
    stated = {"flux-dev": ("28", ""), "flux-2-flex": ("", "2.5")}

    assert (options["steps"].default, options["guidance"].default) == stated.get(model, ("", ""))


@pytest.mark.parametrize("model", AIRS)
def test_the_ratio_that_is_listed_as_the_default_is_the_one_that_is_sent(model):
    table = PROVIDER.models[model]
    option = table.options.get("aspect_ratio")

    listed = option.default.partition(",")[0] if option is not None else ""
    assert listed == table.always_sent.get("aspect_ratio", "")


# prices

MEGAPIXEL = 2**20
PRICES = [
    ("flux-1.1-pro", {}, [], 0.04),
    ("flux-1.1-pro-ultra", {}, [], 0.06),
    ("flux-kontext-pro", {}, [], 0.04),
    ("flux-kontext-max", {}, [MEGAPIXEL], 0.08),
    ("flux-kontext-dev", {}, [], 0.0105),
    ("flux-2-pro", {}, [], 0.03),
    ("flux-2-flex", {"size": "512x512"}, [], 0.06),
    ("flux-2-flex", {"size": "1024x1024"}, [], 0.06),
    ("flux-2-max", {"size": "1024x1024"}, [], 0.07),
    ("flux-2-max", {"size": "2048x1024"}, [], 0.10),
    ("flux-2-max", {"size": "1024x1024"}, [MEGAPIXEL], 0.10),
    ("flux-2-dev", {}, [], 0.009),
    ("flux-2-klein-4b", {}, [], 0.0006),
    ("flux-2-klein-9b", {}, [], 0.00078),
    ("flux-2-klein-9b-base", {}, [], 0.00416),
    ("flux-3-image", {"resolution": "768"}, [], 0.041),
    ("flux-3-image", {}, [], 0.048),
    ("flux-3-image", {"resolution": "1k"}, [], 0.048),
    ("flux-3-image", {"resolution": "2k", "aspect_ratio": "21:9"}, [], 0.10),
    ("flux-3-image", {"resolution": "4k", "aspect_ratio": "16:9"}, [], 0.607),
    ("flux-3-image-klein", {"size": "512x512"}, [], 0.003),
    ("flux-3-image-klein", {"size": "1024x1024"}, [], 0.006),
    ("flux-3-image-klein", {"size": "1344x768"}, [], 0.006),
    ("flux-3-image-klein", {"size": "1536x1024"}, [], 0.0089),
    ("flux-3-image-klein", {"size": "2048x2048"}, [], 0.0179),
    ("flux-3-image-klein", {"size": "4096x4096"}, [], 0.101),
    ("flux-dev", {"size": "512x512"}, [], 0.0019),
    ("flux-dev", {"size": "1024x1024"}, [], 0.0038),
]


@pytest.mark.parametrize(("model", "options", "inputs", "amount"), PRICES)
def test_an_estimate_is_the_example_of_the_price_page(model, options, inputs, amount):
    table = PROVIDER.models[model]

    sent = fit.resolve(PROVIDER, table, options, typed=set(options)).options

    assert table.price.estimate(table.count_pixels(sent), inputs) == pytest.approx(amount)
    assert (table.price.source, table.price.date) != ("", "")


@pytest.mark.parametrize(("tier", "amount"), [("768", 0.041), ("1k", 0.048), ("2k", 0.10), ("4k", 0.607)])
@pytest.mark.parametrize("ratio", ["1:1", "21:9", "2:1", "4:5", "5:4"])
def test_every_pair_of_flux_3_is_estimated_and_billed_at_the_price_of_its_tier(line, tier, amount, ratio):
    table = PROVIDER.models[THREE]
    request, task = submit(plan(THREE, aspect_ratio=ratio, resolution=tier))

    line(request)

    assert table.price.estimate(task["width"] * task["height"]) == amount
    assert line.world.jobs("runware")[0].cost == amount


@pytest.mark.parametrize("model", ["flux-schnell", "flux-2-klein-4b-base"])
def test_a_price_that_no_page_states_is_not_invented(model):
    assert PROVIDER.models[model].price is None


# other models


@pytest.mark.parametrize(
    ("air", "extra"),
    [
        ("bfl:1@3", {"inputs.seedImage": A, "outpaint.left": 256}),
        ("bfl:flux@vto", {"inputs.referenceImages": [A, B]}),
        ("runware:400@6", {"width": 1024, "height": 1024}),
        ("runware:107@1", {"width": 1024, "height": 1024}),
    ],
)
def test_an_air_that_flux_has_no_table_for_is_reached_with_params(line, air, extra):
    request, task = submit(checked("runware", air, extra=extra))

    assert task["model"] == air
    assert "seed" not in task
    assert line(request).status == 200
