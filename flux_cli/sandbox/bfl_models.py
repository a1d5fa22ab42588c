"""The routes of Black Forest Labs with their fields and prices: the OpenAPI document of https://api.bfl.ai."""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_cli.sandbox.schema import Field

_TEXT, _BOOLEAN = Field(kind="text", nullable=True), Field(kind="boolean", nullable=True)
_RATIO = Field(kind="text", pattern=r"\d+:\d+", nullable=True)
_OLD_SIDE = Field(kind="integer", low=256, high=1440)
_NEW_SIDE = Field(kind="integer", low=64, nullable=True)
_FORMAT = Field(kind="text", choices=("jpeg", "png", "webp"), nullable=True)
_COMMON = {
    "prompt": Field(kind="text", required=True),
    "seed": Field(kind="integer", nullable=True),
    "output_format": _FORMAT,
    "webhook_url": Field(kind="link", low=1, high=2083, nullable=True),
    "webhook_secret": _TEXT,
}
_OLD = {"width": _OLD_SIDE, "height": _OLD_SIDE, "image_prompt": _TEXT, "prompt_upsampling": _BOOLEAN}


def _tolerance(high: int) -> Field:
    return Field(kind="integer", low=0, high=high)


def _inputs(most: int) -> dict[str, Field]:
    return {"input_image" if number == 1 else f"input_image_{number}": _TEXT for number in range(1, most + 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One model: its fields, how it is billed, and what it makes without a size."""

    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    price: tuple[float, float, float] = (0.04, 0.0, 0.0)
    """USD for the first megapixel, each further one, and each of the input images."""
    tiers: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    """Pixels and price in USD by resolution."""
    step: int = 32
    """What width and height are multiples of."""
    most: int | None = None
    """Pixels of the largest image."""
    ratio: str = "1:1"
    area: int = 2**20
    """Pixels without a size."""
    strict: bool = False
    """Whether unknown fields are refused."""
    seed: bool = True


_FLUX_2 = {"width": _NEW_SIDE, "height": _NEW_SIDE, "safety_tolerance": _tolerance(5), **_COMMON}
_KONTEXT = {**_COMMON, **_inputs(4), "aspect_ratio": _RATIO, "prompt_upsampling": _BOOLEAN}
_ULTRA = {
    **_COMMON,
    "prompt_upsampling": _BOOLEAN,
    "aspect_ratio": _RATIO,
    "raw": _BOOLEAN,
    "image_prompt": _TEXT,
    "image_prompt_strength": Field(kind="number", low=0, high=1),
    "safety_tolerance": _tolerance(6),
}
_RATIOS = "auto 21:9 2:1 16:9 3:2 7:5 4:3 5:4 1:1 4:5 3:4 5:7 2:3 9:16 1:2 9:21"
_FLUX_3 = {
    "prompt": Field(kind="text", required=True, low=1),
    "images": Field(kind="array", low=1, high=10, items=Field(kind="text")),
    "aspect_ratio": Field(kind="text", choices=tuple(_RATIOS.split())),
    "resolution": Field(kind="text", choices=("768sq", "1k", "1.5k", "2k", "4k")),
    "safety_tolerance": _tolerance(4),
    "grounding": Field(kind="boolean"),
    "version": Field(kind="text"),
}
_FILL = {
    **_COMMON,
    "image": Field(kind="text", required=True),
    "mask": _TEXT,
    "steps": Field(kind="integer", low=15, high=50, nullable=True),
    "guidance": Field(kind="number", low=1.5, high=100, nullable=True),
    "prompt_upsampling": _BOOLEAN,
    "safety_tolerance": _tolerance(6),
}
_DEV = {
    "steps": Field(kind="integer", low=1, high=50, nullable=True),
    "guidance": Field(kind="number", low=1.5, high=5, nullable=True),
}
_FLEX = {
    "prompt_upsampling": _BOOLEAN,
    "steps": Field(kind="integer", low=1, high=50, nullable=True),
    "guidance": Field(kind="number", low=1.5, high=10, nullable=True),
}
_LARGE = 4 * 2**20
_KLEIN = {**_FLUX_2, **_inputs(4)}

ROUTES = {
    "flux-pro-1.1": Route(fields={**_COMMON, **_OLD, "safety_tolerance": _tolerance(6)}, ratio="4:3"),
    "flux-dev": Route(
        fields={**_COMMON, **_OLD, **_DEV, "safety_tolerance": _tolerance(6)}, price=(0.025, 0, 0), ratio="4:3"
    ),
    "flux-pro-1.1-ultra": Route(fields=_ULTRA, price=(0.06, 0, 0), ratio="16:9", area=_LARGE),
    "flux-kontext-pro": Route(fields={**_KONTEXT, "safety_tolerance": _tolerance(6)}),
    "flux-kontext-max": Route(fields={**_KONTEXT, "safety_tolerance": _tolerance(6)}, price=(0.08, 0, 0)),
    "flux-2-pro": Route(fields={**_FLUX_2, **_inputs(8)}, price=(0.03, 0.015, 0.015), step=16, most=_LARGE),
    "flux-2-flex": Route(fields={**_FLUX_2, **_inputs(8), **_FLEX}, price=(0.05, 0.05, 0.05), step=16, most=_LARGE),
    "flux-2-max": Route(fields={**_FLUX_2, **_inputs(8)}, price=(0.07, 0.03, 0.03), step=16, most=_LARGE),
    "flux-2-klein-4b": Route(fields=_KLEIN, price=(0.014, 0.001, 0), step=16, most=_LARGE),
    "flux-2-klein-9b": Route(fields=_KLEIN, price=(0.015, 0.002, 0), step=16, most=_LARGE),
    "flux-3-image": Route(
        fields=_FLUX_3,
        tiers={
            "768sq": (768 * 768, 0.041),
            "1k": (2**20, 0.048),
            "1.5k": (1536 * 1536, 0.07),
            "2k": (4 * 2**20, 0.10),
            "4k": (16 * 2**20, 0.607),
        },
        step=16,
        strict=True,
        seed=False,
    ),
    "flux-pro-1.0-fill": Route(fields=_FILL, price=(0.05, 0, 0)),
    "flux-pro-1.0-expand": Route(
        fields={
            **_FILL,
            **dict.fromkeys(("top", "bottom", "left", "right"), Field(kind="integer", low=0, high=2048, nullable=True)),
        },
        price=(0.05, 0, 0),
    ),
}
"""By the last part of the route."""

IMAGES = ("image_prompt", "image", "images", *_inputs(8))
"""The fields of input images, in order."""
