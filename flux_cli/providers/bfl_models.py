"""The models of Black Forest Labs: https://docs.bfl.ai and the OpenAPI document of https://api.bfl.ai (2026-04-29)."""

from __future__ import annotations

from dataclasses import replace

from flux_cli.providers.base import SEEDS, Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Link, Option, Range, Switch, same_values
from flux_cli.providers.sizes import Pixels, Ratios, sizes_of_area

_MEGAPIXEL = 2**20
_RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21")
_SEED = Range(field="seed", low=SEEDS[0], high=SEEDS[1], default="random")
_WEBHOOK = Link(field="webhook_url", limit=2083)
_UPSAMPLE = Switch(field="prompt_upsampling", default="off")
_FORMAT = Choice(field="output_format", default="jpg", values={"jpg": "jpeg", "png": "png", "webp": "webp"})


def _tolerance(high: int) -> Range:
    return Range(field="safety_tolerance", low=0, high=high, default="2", note="0 is strictest")


def _image(field: str, most: int = 1, least: int = 0) -> ImageInput:
    return ImageInput(
        field=field,
        least=least,
        most=most,
        travels="base64",
        max_bytes=20_000_000,
        max_pixels=20_000_000,
        min_side=256,
    )


def _inputs(most: int) -> ImageInput:
    """Return numbered fields: ``input_image``, ``input_image_2`` and so on."""
    return _image(", ".join(["input_image", *(f"input_image_{number}" for number in range(2, most + 1))]), most)


def _price(amount: float, further: float = 0.0, inputs: float = 0.0) -> Price:
    return Price(amount=amount, further=further, inputs=inputs, source="the prices at docs.bfl.ai", date="2026-11")


_COMMON: dict[str, Option] = {"seed": _SEED, "format": _FORMAT, "webhook": _WEBHOOK}
_OLD_SIZES = {
    "aspect_ratio": Ratios(
        sizes=sizes_of_area(_RATIOS[1:-1], area=_MEGAPIXEL, step=32) | {"21:9": (1344, 576), "9:21": (576, 1344)},
        default="4:3",
    ),
    "size": Pixels(low=256, high=1440, step=32, default="1024x768"),
}
_NEW_SIZES = {
    "aspect_ratio": Ratios(sizes=sizes_of_area(_RATIOS, area=_MEGAPIXEL, step=16), default="that of the input image"),
    "size": Pixels(low=64, high=65536, step=16, most=4 * _MEGAPIXEL, default="that of the input image"),
}

_PRO = Model(
    name="flux-1.1-pro",
    slug="flux-pro-1.1",
    options={
        **_OLD_SIZES,
        **_COMMON,
        "image": _image("image_prompt"),
        "upsample_prompt": _UPSAMPLE,
        "safety_tolerance": _tolerance(6),
    },
    price=_price(0.04),
)
_ULTRA = Model(
    name="flux-1.1-pro-ultra",
    slug="flux-pro-1.1-ultra",
    options={
        "aspect_ratio": Choice(field="aspect_ratio", default="16:9", values=same_values(*_RATIOS)),
        **_COMMON,
        "raw": Switch(field="raw", default="off", note="closer to the model's direct output"),
        "image": _image("image_prompt"),
        "image_strength": Range(
            field="image_prompt_strength", low=0, high=1, fractions=True, default="0.1", about_image=True
        ),
        "upsample_prompt": _UPSAMPLE,
        "safety_tolerance": _tolerance(6),
    },
    largest=4 * _MEGAPIXEL,
    price=_price(0.06),
)
_KONTEXT = Model(
    name="flux-kontext-pro",
    slug="flux-kontext-pro",
    options={
        "aspect_ratio": Choice(
            field="aspect_ratio", default="that of the input image, else 1:1", values=same_values(*_RATIOS)
        ),
        **_COMMON,
        "format": replace(_FORMAT, default="png"),
        "image": replace(_inputs(4), note="more than one is experimental"),
        "upsample_prompt": _UPSAMPLE,
        "safety_tolerance": _tolerance(6),
    },
    price=_price(0.04),
)
_FLUX_2 = Model(
    name="flux-2-pro",
    slug="flux-2-pro",
    options={**_NEW_SIZES, **_COMMON, "image": _inputs(8), "safety_tolerance": _tolerance(5)},
    largest=4 * _MEGAPIXEL,
    price=_price(0.03, 0.015, 0.015),
)
_KLEIN = Model(
    name="flux-2-klein-4b",
    slug="flux-2-klein-4b",
    options={**_NEW_SIZES, **_COMMON, "image": _inputs(4), "safety_tolerance": _tolerance(5)},
    largest=4 * _MEGAPIXEL,
    price=_price(0.014, 0.001),
)
_FLUX_3 = Model(
    name="flux-3-image",
    slug="flux-3-image",
    options={
        "aspect_ratio": Choice(
            field="aspect_ratio",
            default="auto",
            values=same_values(
                "auto",
                "21:9",
                "2:1",
                "16:9",
                "3:2",
                "7:5",
                "4:3",
                "5:4",
                "1:1",
                "4:5",
                "3:4",
                "5:7",
                "2:3",
                "9:16",
                "1:2",
                "9:21",
            ),
        ),
        "resolution": Choice(
            field="resolution",
            default="1k",
            values={"768": "768sq", "1k": "1k", "1.5k": "1.5k", "2k": "2k", "4k": "4k"},
            sizes={"768": 600_000, "1k": 1_053_696, "1.5k": 2_400_000, "2k": 4_214_784, "4k": 16_816_128},
        ),
        "image": replace(_image("images", 10), as_array=True, max_bytes=15_000_000, max_pixels=16_000_000),
        "safety_tolerance": _tolerance(4),
    },
    largest=1_053_696,
    price=Price(
        amount=0.048,
        steps=((600_000, 0.041), (1_060_000, 0.048), (2_400_000, 0.07), (4_220_000, 0.10), (16_820_000, 0.607)),
        source="the prices at docs.bfl.ai; above 1k those of a reseller at list price",
        date="2026-11",
    ),
)
_FILL = Model(
    name="flux-fill-pro",
    slug="flux-pro-1.0-fill",
    options={
        **_COMMON,
        "image": _image("image", least=1),
        "mask": replace(_image("mask"), required=True, note="white is painted anew"),
        "steps": Range(field="steps", low=15, high=50, default="50"),
        "guidance": Range(field="guidance", low=1.5, high=100, fractions=True, default="60"),
        "upsample_prompt": _UPSAMPLE,
        "safety_tolerance": _tolerance(6),
    },
    price=_price(0.05),
)

_ALL = (
    _PRO,
    _ULTRA,
    _KONTEXT,
    replace(_KONTEXT, name="flux-kontext-max", slug="flux-kontext-max", price=_price(0.08)),
    _FLUX_2,
    replace(
        _FLUX_2,
        name="flux-2-flex",
        slug="flux-2-flex",
        options={
            **_FLUX_2.options,
            "steps": Range(field="steps", low=1, high=50, default="50"),
            "guidance": Range(field="guidance", low=1.5, high=10, fractions=True, default="5"),
            "upsample_prompt": replace(_UPSAMPLE, default="on"),
        },
        price=_price(0.05, 0.05, 0.05),
    ),
    replace(_FLUX_2, name="flux-2-max", slug="flux-2-max", price=_price(0.07, 0.03, 0.03)),
    _KLEIN,
    replace(_KLEIN, name="flux-2-klein-9b", slug="flux-2-klein-9b", price=_price(0.015, 0.002)),
    _FLUX_3,
    Model(
        name="flux-dev",
        slug="flux-dev",
        options={
            **_OLD_SIZES,
            **_COMMON,
            "image": _image("image_prompt"),
            "steps": Range(field="steps", low=1, high=50, default="28"),
            "guidance": Range(field="guidance", low=1.5, high=5, fractions=True, default="3"),
            "upsample_prompt": _UPSAMPLE,
            "safety_tolerance": _tolerance(6),
        },
    ),
    _FILL,
)
MODELS = {model.name: model for model in _ALL}
OTHER = Model(name="", slug="", prompt_length=(0, None), options={"webhook": _WEBHOOK})
