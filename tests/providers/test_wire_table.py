"""The table of options: where each option of each model arrives in the request, and which are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.jobs import Job
from flux_cli.providers.base import PlannedJob
from flux_cli.providers.fit import CONVERTED, check_seed, resolve
from tests.providers.cells import group_rows

HANDLE = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
MODELS = [
    ("runcomfy", "pro"),
    ("runcomfy", "ultra"),
    ("runflow", "pro"),
    ("runflow", "ultra"),
    ("apiframe", "pro"),
    ("apiframe", "ultra"),
    ("runware", "pro"),
    ("runware", "ultra"),
]
RUNFLOW = [("runflow", "pro"), ("runflow", "ultra")]
APIFRAME = [("apiframe", "pro"), ("apiframe", "ultra")]
RUNWARE = [("runware", "pro"), ("runware", "ultra")]
RUNCOMFY = [("runcomfy", "pro"), ("runcomfy", "ultra")]
HOOK = "https://you.example/hook"
PRO_SIZES = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "4:3": (1152, 864),
    "3:4": (864, 1152),
    "3:2": (1248, 832),
    "2:3": (832, 1248),
    "21:9": (1344, 576),
    "9:21": (576, 1344),
}
ULTRA_SIZES = {
    "21:9": (3136, 1344),
    "16:9": (2752, 1536),
    "4:3": (2368, 1792),
    "3:2": (2496, 1664),
    "1:1": (2048, 2048),
    "2:3": (1664, 2496),
    "3:4": (1792, 2368),
    "9:16": (1536, 2752),
    "9:21": (1344, 3136),
}


def cells(models, option, value, **expected):
    """Rows of the table: one for each model, each with the same value under the same dotted path."""
    return [(name, alias, option, value, expected) for name, alias in models]


def shape(alias, option, value, width, height):
    return ("runware", alias, option, value, {"width": width, "height": height})


SENT = [
    *[
        ("runcomfy", "pro", "aspect_ratio", ratio, {"image_size": ratio})
        for ratio in ("16:9", "4:3", "1:1", "1:1 (hd)", "3:4", "9:16")
    ],
    *[
        ("runcomfy", "ultra", "aspect_ratio", ratio, {"aspect_ratio": ratio})
        for ratio in ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21")
    ],
    *[
        (name, alias, "aspect_ratio", ratio, {"fluxParams.aspect_ratio": ratio})
        for name, alias in APIFRAME
        for ratio in ("1:1", "3:4", "4:3", "9:16", "16:9")
    ],
    *[shape("pro", "aspect_ratio", ratio, *size) for ratio, size in PRO_SIZES.items()],
    *[shape("ultra", "aspect_ratio", ratio, *size) for ratio, size in ULTRA_SIZES.items()],
    *[shape("ultra", "size", f"{width}x{height}", width, height) for width, height in ULTRA_SIZES.values()],
    *[
        shape("pro", "size", f"{width}x{height}", width, height)
        for width, height in ((256, 256), (1440, 1440), (288, 1408))
    ],
    *cells([("runware", "pro")], "size", "1024X768", width=1024, height=768),
    *cells(RUNCOMFY, "seed", 0, seed=0),
    *cells(RUNCOMFY, "seed", 90290776, seed=90290776),
    *[(*model, "seed", seed, {"seed": seed}) for model in RUNCOMFY for seed in (-(2**63), 2**63 - 1)],
    *[(*model, "seed", seed, {"input.seed": seed}) for model in RUNFLOW for seed in (1, 2**40)],
    *[
        ("runflow", "pro", "size", f"{width}x{height}", {"input.width": width, "input.height": height})
        for width, height in ((1440, 1440), (1024, 768), (333, 1))
    ],
    *[
        ("apiframe", "pro", "size", f"{width}x{height}", {"fluxParams.width": width, "fluxParams.height": height})
        for width, height in ((256, 256), (1440, 1440), (1024, 768))
    ],
    *[(*model, "seed", seed, {"fluxParams.seed": seed}) for model in APIFRAME for seed in (-1, 0, 2**40)],
    *[(*model, "seed", seed, {"seed": seed}) for model in RUNWARE for seed in (0, 2**63 - 1)],
    *[(*model, "raw", value, {"raw": value}) for model in RUNCOMFY for value in (True, False)],
    *[("apiframe", "ultra", "raw", value, {"fluxParams.raw": value}) for value in (True, False)],
    *[("runware", "ultra", "raw", value, {"providerSettings.bfl.raw": value}) for value in (True, False)],
    *[(*model, "image", "https://h/a.png", {"fluxParams.image_prompt": "https://h/a.png"}) for model in APIFRAME],
    *[
        (
            "apiframe",
            "ultra",
            "image_strength",
            value,
            {"fluxParams.image_prompt_strength": value, "fluxParams.image_prompt": "https://h/a.png"},
        )
        for value in (0, 0.35, 1)
    ],
    *[
        (*model, "format", word, {"fluxParams.output_format": word})
        for model in APIFRAME
        for word in ("jpg", "png", "webp")
    ],
    *[(*model, "format", word, {"outputFormat": word.upper()}) for model in RUNWARE for word in ("jpg", "png", "webp")],
    *[(*model, "quality", value, {"fluxParams.output_quality": value}) for model in APIFRAME for value in (0, 100)],
    *[(*model, "quality", value, {"outputQuality": value}) for model in RUNWARE for value in (20, 99)],
    *[
        ("apiframe", "pro", "upsample_prompt", value, {"fluxParams.prompt_upsampling": value})
        for value in (True, False)
    ],
    *[
        (*model, "upsample_prompt", value, {"providerSettings.bfl.promptUpsampling": value})
        for model in RUNWARE
        for value in (True, False)
    ],
    *[
        (*model, "safety_tolerance", value, {"providerSettings.bfl.safetyTolerance": value})
        for model in RUNWARE
        for value in (0, 6)
    ],
    *[(*model, "check_content", True, {"safety.checkContent": True}) for model in RUNWARE],
    *cells(RUNFLOW, "webhook", HOOK, callback_url=HOOK),
    *cells(APIFRAME, "webhook", HOOK, webhookUrl=HOOK),
    *cells(RUNWARE, "webhook", HOOK, webhookURL=HOOK),
    *cells(RUNFLOW, "metadata", {"shelf": "3"}, metadata={"shelf": "3"}),
    *[(*model, "format", "png", {}) for model in (*RUNCOMFY, *RUNFLOW)],
    *[(*model, "quality", 80, {}) for model in (*RUNCOMFY, *RUNFLOW)],
]
SAMPLES = {
    "aspect_ratio": "1:1",
    "size": "1024x1024",
    "raw": True,
    "image": "https://h/a.png",
    "image_strength": 0.5,
    "upsample_prompt": True,
    "safety_tolerance": 3,
    "check_content": True,
    "webhook": HOOK,
    "metadata": {"shelf": "3"},
}
"""A value of every option that at least one provider lacks."""

CAN = {
    "aspect_ratio": {*RUNCOMFY, *APIFRAME, *RUNWARE},
    "size": {("runflow", "pro"), ("apiframe", "pro"), *RUNWARE},
    "raw": {*RUNCOMFY, ("apiframe", "ultra"), ("runware", "ultra")},
    "image": {*APIFRAME},
    "image_strength": {("apiframe", "ultra")},
    "upsample_prompt": {("apiframe", "pro"), *RUNWARE},
    "safety_tolerance": {*RUNWARE},
    "check_content": {*RUNWARE},
    "webhook": {*RUNFLOW, *APIFRAME, *RUNWARE},
    "metadata": {*RUNFLOW},
}
REFUSED = [(*model, option) for option in SAMPLES for model in MODELS if model not in CAN[option]]


def body_of(name, alias, *, count=1, extra=None, typed=None, **options):
    """The body of the paid request for these options, checked as a command line would have them checked."""
    provider = providers.load(name)
    model = provider.models[providers.ALIASES[alias]]
    seed = options.pop("seed", 7)
    done = resolve(provider, model, options, typed=set(options) if typed is None else typed, extra=extra)
    check_seed(provider, model, seed)
    job = Job(
        id="k3f9q2mx",
        run="r",
        provider=name,
        model=model.name,
        prompt="a fox",
        created_at=0.0,
        seed=seed,
        count=count,
        parameters={**done.options, "param": extra or {}},
        idempotency_key=HANDLE,
    )
    first = next(provider.submit(PlannedJob(job=job, model=model)))
    return first.json[0] if isinstance(first.json, list) else first.json


def flat(body, above=""):
    """Every leaf of a body by its dotted path; ``metadata`` counts as one."""
    found = {}
    for name, value in body.items():
        if isinstance(value, dict) and name != "metadata":
            found.update(flat(value, f"{above}{name}."))
        else:
            found[above + name] = value
    return found


@pytest.mark.parametrize(("name", "cells"), group_rows(SENT))
def test_an_option_arrives_under_its_documented_field_and_changes_nothing_else(subtests, name, cells):
    for alias, option, value, expected in cells:
        with subtests.test(model=alias, option=option, value=value):
            plain = flat(body_of(name, alias))

            needed = {"image": "https://h/a.png"} if option == "image_strength" else {}

            sent = flat(body_of(name, alias, **needed, **{option: value}))

            assert sent == {**plain, **expected}


@pytest.mark.parametrize(("name", "alias", "option"), REFUSED)
def test_an_option_that_a_model_lacks_is_refused_with_the_names_of_those_that_have_it(name, alias, option):
    with pytest.raises(UsageError) as caught:
        body_of(name, alias, **{option: SAMPLES[option]})

    able = {one.name for one in providers.load_all() if any(option in model.options for model in one.models.values())}
    named = {other for other in providers.NAMES if other in caught.value.hint}
    assert f"--{option.replace('_', '-')}" in caught.value.message
    assert name in caught.value.message
    assert named <= able
    assert named or not able


def test_raw_is_refused_for_runware_pro_with_the_model_that_has_it():
    with pytest.raises(UsageError) as caught:
        body_of("runware", "pro", raw=True)

    assert caught.value.message == "runware has no --raw for flux-1.1-pro"
    assert caught.value.hint == "runcomfy does for flux-1.1-pro; at runware, flux-1.1-pro-ultra does"


def test_the_table_has_a_cell_for_every_option_that_a_model_offers():
    """What a model offers and no row above mentions would be sent unseen."""
    offered = {
        (name, alias, option)
        for name, alias in MODELS
        for option in providers.load(name).models[providers.ALIASES[alias]].options
    }

    assert offered == {row[:3] for row in SENT if row[2] not in CONVERTED or row[4]}


PLAIN = {
    ("runcomfy", "pro"): {"prompt": "a fox", "seed": 7},
    ("runcomfy", "ultra"): {"prompt": "a fox", "seed": 7},
    ("runflow", "pro"): {"client_ref": "k3f9q2mx", "input": {"prompt": "a fox", "seed": 7}},
    ("runflow", "ultra"): {"client_ref": "k3f9q2mx", "input": {"prompt": "a fox", "seed": 7}},
    ("apiframe", "pro"): {"prompt": "a fox", "model": "flux-1.1-pro", "fluxParams": {"seed": 7}},
    ("apiframe", "ultra"): {"prompt": "a fox", "model": "flux-1.1-pro-ultra", "fluxParams": {"seed": 7}},
    ("runware", "pro"): {"model": "bfl:2@1", "width": 1344, "height": 768},
    ("runware", "ultra"): {"model": "bfl:2@2", "width": 2752, "height": 1536},
}


@pytest.mark.parametrize(("name", "alias"), MODELS)
def test_a_bare_prompt_sends_the_prompt_the_seed_and_only_what_the_host_wants_besides(name, alias):
    task = {
        "taskType": "imageInference",
        "taskUUID": HANDLE,
        "positivePrompt": "a fox",
        "seed": 7,
        "deliveryMethod": "async",
        "includeCost": True,
    }

    assert body_of(name, alias) == {**(task if name == "runware" else {}), **PLAIN[name, alias]}


def test_several_images_are_one_job_at_runware_only():
    most = {(name, alias): providers.load(name).models[providers.ALIASES[alias]].max_images for name, alias in MODELS}

    assert most == {model: 20 if model in RUNWARE else 1 for model in MODELS}
    assert body_of("runware", "ultra", count=4)["numberResults"] == 4
    assert "numberResults" not in body_of("runware", "ultra", count=1)


REACHED = [
    ("runcomfy", "pro", "image_size", "Custom"),
    ("runcomfy", "pro", "width", 1024),
    ("runcomfy", "ultra", "height", 1024),
    ("runflow", "ultra", "callback_url", HOOK),
    ("runflow", "ultra", "metadata.shelf", 3),
    ("apiframe", "ultra", "webhookEvents", ["completed"]),
    ("apiframe", "pro", "fluxParams.width", 512),
    ("apiframe", "ultra", "fluxParams.steps", 30),
    ("runware", "ultra", "outputType", "base64Data"),
    ("runware", "ultra", "ttl", 60),
    ("runware", "pro", "uploadEndpoint", "https://bucket.example/x"),
    ("runware", "ultra", "deliveryMethod", "sync"),
    ("runware", "ultra", "safety.mode", "fast"),
    ("runware", "pro", "outputFormat", "PNG"),
    ("runware", "ultra", "includeCost", False),
]


@pytest.mark.parametrize(("name", "alias", "path", "value"), REACHED)
def test_a_param_reaches_every_other_field(name, alias, path, value):
    body = body_of(name, alias, extra={path: value})
    for step in path.split("."):
        body = body[step]

    assert body == value


def test_a_model_by_its_id_may_have_no_prompt():
    """Such as one that erases: all of its fields come from ``--param``."""
    provider = providers.load("runware")
    job = Job(id="k", run="r", provider="runware", model="bfl:flux@erase", prompt="", created_at=0.0, parameters={})

    body = PlannedJob(job=job, model=replace(provider.other_model, slug="bfl:flux@erase")).body(model="bfl:flux@erase")

    assert body == {"model": "bfl:flux@erase"}
