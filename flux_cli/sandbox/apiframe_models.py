"""The models that the stand-in for Apiframe knows: what each takes, at which endpoint, and how large its images are.

Read from the OpenAPI file of 2026-07-16; a field of the family that a model's own page does not list is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flux_cli.sandbox import shapes
from flux_cli.sandbox.schema import Field

CREDITS = {
    "flux-1.1-pro": 8,
    "flux-1.1-pro-ultra": 12,
    "flux-2-pro": 9,
    "flux-2-flex": 14,
    "flux-2-max": 16,
    "flux-2-dev": 5,
    "flux-lora": 6,
    "flux-fill-pro": 10,
}
"""Credits per image of each model, made up because they are not documented."""
PARAMETERS = dict.fromkeys(CREDITS, "fluxParams") | {
    "flux-lora": "fluxLoraParams",
    "flux-fill-pro": "fluxFillParams",
}
"""The object in the request that has a model's options."""

_LINK = Field(kind="link")
_PROMPT = Field(kind="text", required=True, low=1, high=2000)
_SIDE = Field(kind="integer", low=256, high=2048)
_TIERS = {"0.5MP": 2**19, "1MP": 2**20, "2MP": 2 * 2**20, "4MP": 4 * 2**20}
_FAMILY = {
    "aspect_ratio": Field(kind="text", pattern=r"\d+:\d+"),
    "width": _SIDE,
    "height": _SIDE,
    "image_prompt": _LINK,
    "image_prompt_strength": Field(kind="number", low=0, high=1),
    "input_images": Field(kind="array", high=10, items=_LINK),
    "output_format": Field(kind="text", choices=("jpg", "png", "webp")),
    "output_quality": Field(kind="integer", low=0, high=100),
    "prompt_upsampling": Field(kind="boolean"),
    "raw": Field(kind="boolean"),
    "resolution": Field(kind="text"),
    "seed": Field(kind="integer"),
    "steps": Field(kind="integer", low=1, high=50),
    "guidance": Field(kind="number", low=1.5, high=10),
    "go_fast": Field(kind="boolean"),
}
_TIER = {"resolution": Field(kind="text", choices=(*_TIERS, "match_input_image"))}
_EIGHT = {"input_images": Field(kind="array", high=8, items=_LINK)}
_FLUX_1 = {"image_prompt", "image_prompt_strength", "raw", "go_fast"}


def _without(*names: str, **changed: Field) -> dict[str, Field]:
    """Return the fields of the family without those that the page of a model does not list."""
    return {name: field for name, field in {**_FAMILY, **changed}.items() if name not in names}


_FIELDS: dict[str, dict[str, Field]] = {
    "flux-1.1-pro": _without("raw", "image_prompt_strength"),
    "flux-1.1-pro-ultra": _without("prompt_upsampling"),
    "flux-2-pro": _without(*_FLUX_1, "steps", "guidance", "prompt_upsampling", **_TIER, **_EIGHT),
    "flux-2-flex": _without(*_FLUX_1, **_TIER),
    "flux-2-max": _without(*_FLUX_1, "steps", "guidance", "prompt_upsampling", **_TIER, **_EIGHT),
    "flux-2-dev": _FAMILY,
    "flux-lora": {
        "loraId": Field(kind="text", required=True, pattern=r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "aspect_ratio": Field(kind="text", choices=("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3")),
        "guidance_scale": Field(kind="number", low=1, high=10),
        "lora_strength": Field(kind="number", low=0, high=1.5),
        "num_inference_steps": Field(kind="integer", low=4, high=50),
        "num_outputs": Field(kind="integer", low=1, high=4),
        "output_format": Field(kind="text", choices=("png", "jpg", "webp")),
        "seed": Field(kind="integer"),
    },
    "flux-fill-pro": {
        "image": Field(kind="link", required=True),
        "prompt": _PROMPT,
        "mode": Field(kind="text", required=True, choices=("inpaint", "outpaint")),
        "mask": _LINK,
        "outpaint": Field(
            kind="text",
            choices=(
                "Zoom out 1.5x",
                "Zoom out 2x",
                "Make square",
                "Left outpaint",
                "Right outpaint",
                "Top outpaint",
                "Bottom outpaint",
            ),
        ),
        "steps": Field(kind="integer", low=1, high=50),
        "guidance": Field(kind="number", low=2, high=5),
        "prompt_upsampling": Field(kind="boolean"),
        "safety_tolerance": Field(kind="integer", low=1, high=6),
        "output_format": Field(kind="text", choices=("jpg", "png")),
        "seed": Field(kind="integer"),
    },
}
_EVENTS = Field(kind="text", choices=("progress", "completed", "failed"))


def body(model: Any, *, edit: bool) -> Field:
    """Return the schema of a submit of ``model``, to the endpoint for edits or to the other one."""
    models = tuple(name for name in CREDITS if (name == "flux-fill-pro") is edit)
    known = model if isinstance(model, str) and model in models else models[0]
    return Field(
        kind="object",
        fields={
            **({} if edit else {"prompt": _PROMPT}),
            "model": Field(kind="text", required=True, choices=models),
            PARAMETERS[known]: Field(kind="object", required=PARAMETERS[known] != "fluxParams", fields=_FIELDS[known]),
            "webhookUrl": _LINK,
            "webhookEvents": Field(kind="array", low=1, items=_EVENTS),
        },
    )


def images(sent: dict[str, Any]) -> dict[str, str]:
    """Return the links of the input images by the path of their field, in order, without the mask."""
    found = {name: sent[name] for name in ("image_prompt", "image") if name in sent}
    return found | {f"input_images.{index}": link for index, link in enumerate(sent.get("input_images", []))}


def size(model: str, sent: dict[str, Any], inputs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return width and height of an image, given the sizes of the input images that are known."""
    if model == "flux-fill-pro":
        return _outpaint(sent.get("outpaint", ""), *(inputs[0] if inputs else (1024, 1024)))
    if not model.startswith("flux-2"):
        width, height = shapes.size(sent.get("aspect_ratio", "16:9"), ultra=model.endswith("ultra"))
    else:
        ratio = sent.get("aspect_ratio") or ("{}:{}".format(*inputs[0]) if inputs else "1:1")
        area = inputs[0][0] * inputs[0][1] if inputs and sent.get("resolution") == "match_input_image" else 2**20
        width, height = shapes.size_of_area(ratio, _TIERS.get(sent.get("resolution", ""), area), 16)
    return max(sent.get("width", width), 16), max(sent.get("height", height), 16)


def _outpaint(preset: str, width: int, height: int) -> tuple[int, int]:
    """Return the size of an image after its canvas was extended by a preset; unchanged without one."""
    match preset.split():
        case ["Zoom", *_, factor]:
            return int(width * float(factor[:-1])), int(height * float(factor[:-1]))
        case ["Make", *_]:
            return max(width, height), max(width, height)
        case ["Left" | "Right", _]:
            return width * 3 // 2, height
        case ["Top" | "Bottom", _]:
            return width, height * 3 // 2
        case _:
            return width, height
