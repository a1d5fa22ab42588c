"""The endpoints of fal with their fields and prices.

From the types of ``@fal-ai/client`` 1.10.1 and the OpenAPI documents of FLUX 3. They have no ranges for numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_cli.sandbox.schema import Field

_BOOLEAN, _INTEGER, _NUMBER, _TEXT = (
    Field(kind="boolean"),
    Field(kind="integer"),
    Field(kind="number"),
    Field(kind="text"),
)
_PROMPT = Field(kind="text", required=True)
_SIDE = Field(kind="integer", low=1, high=14142)
_SIZE = {"image_size": Field(kind="object", fields={"width": _SIDE, "height": _SIDE})}
"""A preset, a text, is checked where the size is read."""
_RATIOS = "21:9 16:9 4:3 3:2 1:1 2:3 3:4 9:16 9:21"
_RATIO = {"aspect_ratio": Field(kind="text", choices=tuple(_RATIOS.split()))}
_COUNT = {"num_images": Field(kind="integer", low=1, high=4)}
_JPEG_PNG = {"output_format": Field(kind="text", choices=("jpeg", "png"))}
_ANY_FORMAT = {"output_format": Field(kind="text", choices=("jpeg", "png", "webp"))}
_COMMON = {"prompt": _PROMPT, "seed": _INTEGER, "sync_mode": _BOOLEAN, **_JPEG_PNG}
_OLD = {
    **_COMMON,
    **_COUNT,
    "enhance_prompt": _BOOLEAN,
    "safety_tolerance": Field(kind="text", choices=tuple("123456")),
}
_KONTEXT = {**_OLD, **_RATIO, "guidance_scale": _NUMBER}
_NEW = {
    **_COMMON,
    **_SIZE,
    "enable_safety_checker": _BOOLEAN,
    "safety_tolerance": Field(kind="text", choices=tuple("12345")),
}
_STEPS = {"num_inference_steps": Field(kind="integer", low=1)}
_GUIDED = {**_STEPS, "guidance_scale": _NUMBER}
_SPEED = {"acceleration": Field(kind="text", choices=("none", "regular", "high"))}
_OPEN = {**_COMMON, **_SIZE, **_COUNT, **_ANY_FORMAT, "enable_safety_checker": _BOOLEAN}
_FLUX_2 = {**_OPEN, **_GUIDED, **_SPEED, "enable_prompt_expansion": _BOOLEAN}
_FAST = {**_OPEN, "guidance_scale": _NUMBER, "enable_prompt_expansion": _BOOLEAN}
_KLEIN = {**_OPEN, **_STEPS}
_BASE = {**_OPEN, **_GUIDED, **_SPEED, "negative_prompt": _TEXT}
_DEV = {**_COMMON, **_SIZE, **_COUNT, **_GUIDED, **_SPEED, "enable_safety_checker": _BOOLEAN}
_WORDS_3 = "auto 21:9 2:1 16:9 3:2 7:5 4:3 5:4 1:1 4:5 3:4 5:7 2:3 9:16 1:2"
_FLUX_3 = {
    "prompt": _PROMPT,
    "aspect_ratio": Field(kind="text", choices=tuple(_WORDS_3.split())),
    "resolution": Field(kind="text", choices=("512sq", "768sq", "1k", "2k", "4k")),
    "enable_prompt_expansion": _BOOLEAN,
    "safety_tolerance": Field(kind="integer", low=0, high=4),
    "sync_mode": _BOOLEAN,
    "version": Field(kind="text", choices=("latest",)),
    **_JPEG_PNG,
}
_ONE = {"image_url": Field(kind="text", required=True)}
_KONTEXT_DEV = {
    **_COMMON,
    **_COUNT,
    **_ONE,
    **_GUIDED,
    **_SPEED,
    "resolution_mode": Field(kind="text", choices=("auto", "match_input", *_RATIOS.split(), "4:5", "5:4")),
    "enable_safety_checker": _BOOLEAN,
    "enhance_prompt": _BOOLEAN,
}


def _several(high: int | None = None) -> dict[str, Field]:
    return {"image_urls": Field(kind="array", required=True, low=1, high=high, items=_TEXT)}


def _without(fields: dict[str, Field], *names: str) -> dict[str, Field]:
    return {name: one for name, one in fields.items() if name not in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint: its fields, how it is billed, and what it makes without a size."""

    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    price: tuple[float, float, float] = (0.04, 0.0, 0.0)
    """USD for the first megapixel, each further one, and each of the input images."""
    unit: str = "megapixels"
    tiers: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    """Pixels and price in USD by resolution."""
    ratio: str = "4:3"
    area: int = 2**20
    """Pixels without a size."""
    format: str = "jpeg"
    plain: bool = False
    """Whether a result has only images and a seed."""
    seed: bool = True


_LARGE = 4 * 2**20
_PRO_PRICE, _FLEX_PRICE, _MAX_PRICE = (0.03, 0.015, 0.015), (0.05, 0.05, 0.05), (0.07, 0.03, 0.03)
_TIERS = {
    "512sq": (512 * 512, 0.041),
    "768sq": (768 * 768, 0.041),
    "1k": (2**20, 0.048),
    "2k": (4 * 2**20, 0.10),
    "4k": (16 * 2**20, 0.607),
}


def _image(fields: dict[str, Field], price: float, ratio: str = "1:1", area: int = 2**20) -> Endpoint:
    return Endpoint(fields=fields, price=(price, 0, 0), unit="images", ratio=ratio, area=area)


def _flux_2(price: tuple[float, float, float], fields: dict[str, Field]) -> Endpoint:
    return Endpoint(fields=fields, price=price, plain=True)


def _flux_3(fields: dict[str, Field]) -> Endpoint:
    return Endpoint(fields=fields, tiers=_TIERS, unit="images", ratio="1:1", seed=False)


def _open(fields: dict[str, Field], price: float, form: str = "png") -> Endpoint:
    return Endpoint(fields=fields, price=(price, price, 0), format=form)


_FLEX = {**_NEW, **_GUIDED}
ENDPOINTS = {
    "fal-ai/flux-pro/v1.1": Endpoint(fields={**_OLD, **_SIZE}, price=(0.04, 0.04, 0)),
    "fal-ai/flux-pro/v1.1/redux": Endpoint(
        fields={**_OLD, **_SIZE, **_GUIDED, **_ONE, "prompt": _TEXT}, price=(0.04, 0.04, 0)
    ),
    "fal-ai/flux-pro/v1.1-ultra": _image(
        {
            **_OLD,
            "aspect_ratio": Field(kind="text", pattern=r"\d+:\d+"),
            "raw": _BOOLEAN,
            "image_url": _TEXT,
            "image_prompt_strength": Field(kind="number", low=0, high=1),
        },
        0.06,
        "16:9",
        _LARGE,
    ),
    "fal-ai/flux-pro/kontext/text-to-image": _image(_KONTEXT, 0.04),
    "fal-ai/flux-pro/kontext": _image({**_KONTEXT, **_ONE}, 0.04),
    "fal-ai/flux-pro/kontext/multi": _image({**_KONTEXT, **_several()}, 0.04),
    "fal-ai/flux-pro/kontext/max/text-to-image": _image(_KONTEXT, 0.08),
    "fal-ai/flux-pro/kontext/max": _image({**_KONTEXT, **_ONE}, 0.08),
    "fal-ai/flux-pro/kontext/max/multi": _image({**_KONTEXT, **_several()}, 0.08),
    "fal-ai/flux-kontext/dev": _image(_KONTEXT_DEV, 0.025),
    "fal-ai/flux-pro/v1/fill": _image({**_OLD, **_ONE, "mask_url": Field(kind="text", required=True)}, 0.05),
    "fal-ai/flux-2-pro": _flux_2(_PRO_PRICE, _NEW),
    "fal-ai/flux-2-pro/edit": _flux_2(_PRO_PRICE, {**_NEW, **_several()}),
    "fal-ai/flux-2-flex": _flux_2(_FLEX_PRICE, _FLEX),
    "fal-ai/flux-2-flex/edit": _flux_2(_FLEX_PRICE, {**_FLEX, **_several()}),
    "fal-ai/flux-2-max": _flux_2(_MAX_PRICE, _NEW),
    "fal-ai/flux-2-max/edit": _flux_2(_MAX_PRICE, {**_NEW, **_several()}),
    "fal-ai/flux-2": _open(_FLUX_2, 0.012),
    "fal-ai/flux-2/edit": _open({**_FLUX_2, **_several(4)}, 0.012),
    "fal-ai/flux-2/turbo": _open(_FAST, 0.008),
    "fal-ai/flux-2/turbo/edit": _open({**_FAST, **_several(4)}, 0.008),
    "fal-ai/flux-2/flash": _open(_FAST, 0.005),
    "fal-ai/flux-2/flash/edit": _open({**_FAST, **_several(4)}, 0.005),
    "fal-ai/flux-2/klein/4b": _open(_KLEIN, 0.014),
    "fal-ai/flux-2/klein/4b/edit": _open({**_KLEIN, **_several(4)}, 0.014),
    "fal-ai/flux-2/klein/9b": _open({**_KLEIN, **_JPEG_PNG}, 0.015, "jpeg"),
    "fal-ai/flux-2/klein/9b/edit": _open({**_KLEIN, **_several(4)}, 0.015),
    "fal-ai/flux-2/klein/4b/base": _open(_BASE, 0.009),
    "fal-ai/flux-2/klein/4b/base/edit": _open({**_BASE, **_several(4)}, 0.009),
    "fal-ai/flux-2/klein/9b/base": _open(_BASE, 0.011),
    "fal-ai/flux-2/klein/9b/base/edit": _open({**_BASE, **_several(4)}, 0.011),
    "fal-ai/flux/dev": _open(_DEV, 0.025, "jpeg"),
    "fal-ai/flux/dev/image-to-image": _open(
        {**_without(_DEV, "image_size"), **_ONE, "strength": _NUMBER}, 0.025, "jpeg"
    ),
    "fal-ai/flux/schnell": _open(_DEV, 0.003, "jpeg"),
    "fal-ai/flux/krea": _open(_DEV, 0.025, "jpeg"),
    "blackforestlabs/flux-3/text-to-image": _flux_3(_FLUX_3),
    "blackforestlabs/flux-3/edit-image": _flux_3({**_FLUX_3, **_several(10)}),
    "blackforestlabs/flux-3/klein/text-to-image": _open(_without(_KLEIN, "enable_safety_checker"), 0.009, "jpeg"),
}
"""By id."""

PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""Width and height by the words of ``image_size``; an edit also takes ``auto``."""
