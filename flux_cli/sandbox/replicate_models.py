"""Replicate's models of Black Forest Labs with their inputs: the version pages at https://replicate.com."""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_cli.sandbox.schema import Field

_TEXT, _LINK = Field(kind="text"), Field(kind="text")
_SIDE = Field(kind="integer", low=256, high=2048)
_OLD_SIDE = Field(kind="integer", low=256, high=1440)
_COMMON = {"prompt": Field(kind="text", required=True), "seed": Field(kind="integer")}
_FORMAT = {"output_format": Field(kind="text", choices=("webp", "jpg", "png"))}
_QUALITY = {"output_quality": Field(kind="integer", low=0, high=100)}
_BOOLEAN = Field(kind="boolean")


def _tolerance(low: int, high: int) -> dict[str, Field]:
    return {"safety_tolerance": Field(kind="integer", low=low, high=high)}


def _ratio(words: str) -> dict[str, Field]:
    return {"aspect_ratio": Field(kind="text", choices=tuple(words.split()))}


def _images(name: str, most: int) -> dict[str, Field]:
    return {name: Field(kind="array", high=most, items=_LINK)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model: its inputs, and what it makes."""

    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    format: str = "webp"
    step: int = 16
    """What a custom size is rounded to."""
    area: int = 2**20
    """Pixels without a resolution."""
    listed: bool = False
    """Whether the output is a list."""


_TEN = "1:1 16:9 3:2 2:3 4:5 5:4 9:16 3:4 4:3"
_KONTEXT = {
    **_COMMON,
    **_ratio("match_input_image 1:1 16:9 9:16 4:3 3:4 3:2 2:3 4:5 5:4 21:9 9:21 2:1 1:2"),
    "input_image": _LINK,
    "prompt_upsampling": _BOOLEAN,
    "output_format": Field(kind="text", choices=("png", "jpg")),
    **_tolerance(0, 6),
}
_FLUX_2 = {
    **_COMMON,
    **_images("input_images", 8),
    **_ratio(f"match_input_image custom {_TEN}"),
    "resolution": Field(kind="text", choices=("match_input_image", "0.5 MP", "1 MP", "2 MP", "4 MP")),
    "width": _SIDE,
    "height": _SIDE,
    **_tolerance(1, 5),
    **_FORMAT,
    **_QUALITY,
}
_FLEX = {
    **_images("input_images", 10),
    "prompt_upsampling": _BOOLEAN,
    "steps": Field(kind="integer", low=1, high=50),
    "guidance": Field(kind="number", low=1.5, high=10),
}
_KLEIN = {
    **_COMMON,
    **_images("images", 5),
    **_ratio(f"match_input_image {_TEN}"),
    "output_megapixels": _TEXT,
    "go_fast": _BOOLEAN,
    **_FORMAT,
    **_QUALITY,
    "disable_safety_checker": _BOOLEAN,
}
_DEV = {
    **_COMMON,
    **_ratio(_TEN),
    "image": _LINK,
    "prompt_strength": Field(kind="number", low=0, high=1),
    "num_outputs": Field(kind="integer", low=1, high=4),
    "num_inference_steps": Field(kind="integer", low=1, high=50),
    "guidance": Field(kind="number", low=0, high=10),
    **_FORMAT,
    **_QUALITY,
    "disable_safety_checker": _BOOLEAN,
}

ENTRIES = {
    "flux-1.1-pro": Entry(
        fields={
            **_COMMON,
            "image_prompt": _LINK,
            **_ratio(f"custom {_TEN}"),
            "width": _OLD_SIDE,
            "height": _OLD_SIDE,
            **_tolerance(1, 6),
            "prompt_upsampling": _BOOLEAN,
            **_FORMAT,
            **_QUALITY,
        },
        step=32,
    ),
    "flux-1.1-pro-ultra": Entry(
        fields={
            **_COMMON,
            "image_prompt": _LINK,
            "image_prompt_strength": Field(kind="number", low=0, high=1),
            **_ratio("21:9 16:9 3:2 4:3 5:4 1:1 4:5 3:4 2:3 9:16 9:21"),
            **_tolerance(1, 6),
            "raw": _BOOLEAN,
            "output_format": Field(kind="text", choices=("jpg", "png")),
        },
        format="jpg",
        area=4 * 2**20,
    ),
    "flux-kontext-pro": Entry(fields=_KONTEXT, format="png"),
    "flux-kontext-max": Entry(fields=_KONTEXT, format="png"),
    "flux-2-pro": Entry(fields=_FLUX_2),
    "flux-2-max": Entry(fields=_FLUX_2),
    "flux-2-flex": Entry(fields={**_FLUX_2, **_FLEX}, step=32),
    "flux-2-dev": Entry(
        fields={
            **_COMMON,
            **_images("input_images", 4),
            "go_fast": _BOOLEAN,
            **_ratio(f"match_input_image custom {_TEN}"),
            "width": _OLD_SIDE,
            "height": _OLD_SIDE,
            **_FORMAT,
            **_QUALITY,
            "disable_safety_checker": _BOOLEAN,
        },
        step=32,
    ),
    "flux-2-klein-4b": Entry(fields=_KLEIN, format="jpg", listed=True),
    "flux-2-klein-9b-base": Entry(
        fields={**_KLEIN, "guidance": Field(kind="number", low=1, high=10)}, format="jpg", listed=True
    ),
    "flux-3-image": Entry(
        fields={
            "prompt": Field(kind="text", required=True),
            **_images("images", 10),
            **_ratio(f"auto 21:9 2:1 {_TEN} 1:2 9:21"),
            "resolution": Field(kind="text", choices=("768sq", "1k", "1.5k", "2k", "4k")),
            "grounding": _BOOLEAN,
            **_tolerance(0, 4),
            **_FORMAT,
            **_QUALITY,
        },
    ),
    "flux-dev": Entry(fields=_DEV, listed=True),
    "flux-fill-pro": Entry(
        fields={
            **_COMMON,
            "image": Field(kind="text", required=True),
            "mask": _LINK,
            **_FORMAT,
        },
    ),
}
"""By the name below ``black-forest-labs/``."""

AREAS = {
    "0.5 MP": 2**19,
    "1 MP": 2**20,
    "2 MP": 2**21,
    "4 MP": 2**22,
    "match_input_image": 2**20,
    "768sq": 768**2,
    "1k": 2**20,
    "1.5k": 1536**2,
    "2k": 2**22,
    "4k": 2**24,
}
"""Pixels by resolution."""
IMAGES = ("image_prompt", "input_image", "input_images", "images", "image")
"""The fields of input images."""
