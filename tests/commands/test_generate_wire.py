"""Every cell of the table of options, from what is typed to what arrives at the host and lands on the disk."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from tests.bare import bare

ULTRA, PRO = "ultra", "pro"
TASK = {
    "taskType": "imageInference",
    "positivePrompt": "a red fox",
    "seed": 7,
    "deliveryMethod": "async",
    "includeCost": True,
}
PLAIN: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("runcomfy", PRO): ("/v1/models/blackforestlabs/flux-1-1-pro/text-to-image", {"prompt": "a red fox", "seed": 7}),
    ("runcomfy", ULTRA): (
        "/v1/models/blackforestlabs/flux-1-1-pro/ultra/text-to-image",
        {"prompt": "a red fox", "seed": 7},
    ),
    ("runflow", PRO): (
        "/v1/models/black-forest-labs/flux-1-1-pro/runs",
        {"input": {"prompt": "a red fox", "seed": 7}},
    ),
    ("runflow", ULTRA): (
        "/v1/models/black-forest-labs/flux-1-1-pro-ultra/runs",
        {"input": {"prompt": "a red fox", "seed": 7}},
    ),
    ("apiframe", PRO): (
        "/v2/images/generate",
        {"prompt": "a red fox", "model": "flux-1.1-pro", "fluxParams": {"seed": 7}},
    ),
    ("apiframe", ULTRA): (
        "/v2/images/generate",
        {"prompt": "a red fox", "model": "flux-1.1-pro-ultra", "fluxParams": {"seed": 7}},
    ),
    ("runware", PRO): ("/v1", {**TASK, "model": "bfl:2@1", "width": 1344, "height": 768}),
    ("runware", ULTRA): ("/v1", {**TASK, "model": "bfl:2@2", "width": 2752, "height": 1536}),
}
"""Path and body of a job for which no option was typed but the seed."""

PIXELS = {
    PRO: "21:9=1344x576 16:9=1344x768 4:3=1152x864 3:2=1248x832 1:1=1024x1024 2:3=832x1248 3:4=864x1152 9:16=768x1344"
    " 9:21=576x1344",
    ULTRA: "21:9=3136x1344 16:9=2752x1536 4:3=2368x1792 3:2=2496x1664 1:1=2048x2048 2:3=1664x2496 3:4=1792x2368"
    " 9:16=1536x2752 9:21=1344x3136",
}
"""Runware's pixels for each ratio, from the table in the issue and the model's page."""


def _pixels(model):
    for pair in PIXELS[model].split():
        ratio, width, height = re.fullmatch(r"(.+)=(\d+)x(\d+)", pair).groups()
        yield ratio, int(width), int(height)


def _cells():
    """Yield provider, model, what is typed, and what that adds to the plain body, by dotted path."""
    for model, field, ratios in (
        (PRO, "image_size", ("16:9", "4:3", "1:1", "1:1 (hd)", "3:4", "9:16")),
        (ULTRA, "aspect_ratio", ("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21")),
    ):
        yield from (("runcomfy", model, ["-a", ratio], {field: ratio}) for ratio in ratios)
        yield "runcomfy", model, ["--raw"], {"raw": True}
        yield "runcomfy", model, ["--no-raw"], {"raw": False}
    yield "runcomfy", PRO, ["-P", "image_size=1:1"], {"image_size": "1:1"}
    yield "runflow", PRO, ["--size", "1440x1024"], {"input.width": 1440, "input.height": 1024}
    hook = "https://example.com/hook?a=1&b=%20"
    yield "runflow", ULTRA, ["--webhook", hook], {"callback_url": hook}
    yield "runflow", ULTRA, ["--metadata", "team=a=b", "--metadata", "n=1"], {"metadata": {"team": "a=b", "n": "1"}}
    yield "runflow", ULTRA, ["-P", "metadata.deep.er=[1, null]"], {"metadata": {"deep": {"er": [1, None]}}}
    for model in (PRO, ULTRA):
        for ratio in ("1:1", "3:4", "4:3", "9:16", "16:9"):
            yield "apiframe", model, ["-a", ratio], {"fluxParams.aspect_ratio": ratio}
        yield (
            "apiframe",
            model,
            ["-i", "https://example.com/a.png"],
            {"fluxParams.image_prompt": "https://example.com/a.png"},
        )
        for name in ("jpg", "png", "webp"):
            yield "apiframe", model, ["-f", name], {"fluxParams.output_format": name}
        yield "apiframe", model, ["--quality", "0"], {"fluxParams.output_quality": 0}
        yield "apiframe", model, ["--quality", "100"], {"fluxParams.output_quality": 100}
        yield "apiframe", model, ["--webhook", hook], {"webhookUrl": hook}
        yield (
            "apiframe",
            model,
            ["-P", 'webhookEvents=["completed"]', "--webhook", hook],
            {
                "webhookEvents": ["completed"],
                "webhookUrl": hook,
            },
        )
        yield (
            "apiframe",
            model,
            ["-P", "fluxParams.width=512", "-P", "fluxParams.height=768"],
            {
                "fluxParams.width": 512,
                "fluxParams.height": 768,
            },
        )
    yield "apiframe", ULTRA, ["--raw"], {"fluxParams.raw": True}
    yield (
        "apiframe",
        ULTRA,
        ["-i", "https://example.com/a.png", "--image-strength", "0.25"],
        {"fluxParams.image_prompt": "https://example.com/a.png", "fluxParams.image_prompt_strength": 0.25},
    )
    yield "apiframe", PRO, ["--upsample-prompt"], {"fluxParams.prompt_upsampling": True}
    yield "apiframe", PRO, ["--no-upsample-prompt"], {"fluxParams.prompt_upsampling": False}
    for model in (PRO, ULTRA):
        for ratio, width, height in _pixels(model):
            yield "runware", model, ["-a", ratio], {"width": width, "height": height}
        for name, sent in (("jpg", "JPG"), ("png", "PNG"), ("webp", "WEBP")):
            yield "runware", model, ["-f", name], {"outputFormat": sent}
        yield "runware", model, ["--quality", "20"], {"outputQuality": 20}
        yield "runware", model, ["--quality", "99"], {"outputQuality": 99}
        yield "runware", model, ["--upsample-prompt"], {"providerSettings.bfl.promptUpsampling": True}
        yield "runware", model, ["--no-upsample-prompt"], {"providerSettings.bfl.promptUpsampling": False}
        yield "runware", model, ["--safety-tolerance", "0"], {"providerSettings.bfl.safetyTolerance": 0}
        yield "runware", model, ["--safety-tolerance", "6"], {"providerSettings.bfl.safetyTolerance": 6}
        yield "runware", model, ["--check-content"], {"safety.checkContent": True}
        yield "runware", model, ["--webhook", hook], {"webhookURL": hook}
        yield "runware", model, ["-P", "ttl=60"], {"ttl": 60}
        yield (
            "runware",
            model,
            ["-P", "uploadEndpoint=https://example.com/put"],
            {"uploadEndpoint": "https://example.com/put"},
        )
        yield "runware", model, ["-P", "safety.mode=fast"], {"safety.mode": "fast"}
        yield "runware", model, ["-P", "outputFormat=PNG"], {"outputFormat": "PNG"}
        for kind in ("URL", "base64Data", "dataURI"):
            yield "runware", model, ["-P", f"outputType={kind}"], {"outputType": kind}
        yield "runware", model, ["-P", "deliveryMethod=sync"], {"deliveryMethod": "sync"}
    yield "runware", PRO, ["--size", "256x1440"], {"width": 256, "height": 1440}
    yield "runware", ULTRA, ["--size", "3136x1344"], {"width": 3136, "height": 1344}
    yield "runware", ULTRA, ["--raw"], {"providerSettings.bfl.raw": True}
    yield "runware", ULTRA, ["--no-raw"], {"providerSettings.bfl.raw": False}


CELLS = list(_cells())

SHAPES_BYTES = ("-f", "--quality", "output", "deliveryMethod")


def _with(body, added):
    """Return ``body`` with values put at dotted paths."""
    whole = copy.deepcopy(body)
    for path, value in added.items():
        here = whole
        *parents, last = path.split(".")
        for name in parents:
            here = here.setdefault(name, {})
        here[last] = value
    return whole


def _submits(host):
    """Return path and body of every paid request that arrived, Runware's as the one task in it."""
    bodies = [seen for seen in host.requests if seen.method == "POST" and seen.path != "/v2/uploads"]
    for seen in bodies:
        body = seen.body
        if isinstance(body, list):
            (body,) = body
            if body["taskType"] != "imageInference":
                continue
        yield seen.path, body


@pytest.mark.parametrize(
    ("provider", "model", "typed", "added"), CELLS, ids=[f"{p}-{m}-{'_'.join(t)}" for p, m, t, _ in CELLS]
)
def test_a_cell_of_the_table(flux, host, provider, model, typed, added):
    """What is typed arrives in the documented field, nothing else does, and the image is what the host sent."""
    path, plain = PLAIN[provider, model]
    pictured = model == PRO or provider == "runflow" or any(word in " ".join(typed) for word in SHAPES_BYTES)
    leave = [] if pictured else ["--no-wait"]  # Ultra's pictures are large, and these options do not change bytes

    done = flux("generate", "a red fox", "-p", provider, "-m", model, "-s", "7", *typed, *leave)

    assert done.code == 0, done
    ((sent_to, body),) = _submits(host)
    body = dict(body)
    assert ("taskUUID" in body) == (provider == "runware")
    assert ("client_ref" in body) == (provider == "runflow")
    body.pop("taskUUID", None)
    body.pop("client_ref", None)
    assert (sent_to, body) == (path, _with(plain, added))
    if leave:
        return
    (saved,) = done.lines
    if host.images:
        (sent,) = host.images.values()
        assert bare(Path(saved).read_bytes()) == sent
    else:
        assert any("outputType" in word for word in typed)
