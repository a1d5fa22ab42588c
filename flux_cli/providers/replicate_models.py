"""The models of Replicate: the version pages at https://replicate.com/black-forest-labs."""

from __future__ import annotations

from dataclasses import replace

from flux_cli.providers.base import SEEDS, Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Link, Option, Range, Switch, same_values
from flux_cli.providers.sizes import Pixels

_SEED = Range(field="input.seed", low=SEEDS[0], high=SEEDS[1], default="random")
_WEBHOOK = Link(field="webhook", note="https only")
_CANCEL_AFTER = Range(field="", low=5, high=86_400, note="sent as the header Cancel-After")
_QUALITY = Range(field="input.output_quality", low=0, high=100, default="80")
_FORMATS = Choice(field="input.output_format", default="webp", values=same_values("webp", "jpg", "png"))
_JPG_PNG = Choice(field="input.output_format", default="png", values=same_values("jpg", "png"))
_CHECK = Switch(field="input.disable_safety_checker", inverted=True, default="on")
_UPSAMPLE = Switch(field="input.prompt_upsampling", default="off")
_COMMON: dict[str, Option] = {"seed": _SEED, "webhook": _WEBHOOK, "cancel_after": _CANCEL_AFTER}


def _tolerance(low: int, high: int) -> Range:
    return Range(field="input.safety_tolerance", low=low, high=high, default="2", note="0 or 1 is strictest")


def _image(field: str, most: int = 1, least: int = 0) -> ImageInput:
    return ImageInput(
        field=f"input.{field}",
        as_array=most > 1,
        least=least,
        most=most,
        travels="upload",
        inline_up_to=190_000,  # 256 kB as a data URI
        max_bytes=100_000_000,
        note="a larger local file goes to POST /files first",
    )


_LIKE_IMAGE = "match_input_image"


def _ratio(*values: str, default: str = "1:1", auto: str = "") -> Choice:
    words = {**({"auto": auto} if auto else {}), **same_values(*values)}
    like_image = ("auto",) if auto == _LIKE_IMAGE and default != "auto" else ()  # else 1:1 where there is no image
    return Choice(field="input.aspect_ratio", default=default, values=words, like_image=like_image)


def _size(low: int, high: int, step: int) -> Pixels:
    return Pixels(
        field="input.width, input.height", low=low, high=high, step=step, also={"input.aspect_ratio": "custom"}
    )


def _price(amount: float, further: float = 0.0, inputs: float = 0.0, source: str = "the model's page") -> Price:
    return Price(amount=amount, further=further, inputs=inputs, source=source, date="2026-10")


def _model(name: str, slug: str = "", **more: object) -> Model:
    fields: dict[str, object] = {"slug": f"black-forest-labs/{slug or name}", "prompt_field": "input.prompt", **more}
    return Model(name=name, **fields)  # type: ignore[arg-type]


_TEN = ("1:1", "16:9", "3:2", "2:3", "4:5", "5:4", "9:16", "3:4", "4:3")
_KONTEXT_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5", "5:4", "21:9", "9:21", "2:1", "1:2")
_KONTEXT = _model(
    "flux-kontext-pro",
    options={
        "aspect_ratio": _ratio(*_KONTEXT_RATIOS, default="auto", auto=_LIKE_IMAGE),
        **_COMMON,
        "image": _image("input_image"),
        "format": _JPG_PNG,
        "upsample_prompt": _UPSAMPLE,
        "safety_tolerance": replace(_tolerance(0, 6), note="0 is strictest; at most 2 with an input image"),
    },
)
_FLUX_2: dict[str, Option] = {
    "aspect_ratio": _ratio(*_TEN, auto=_LIKE_IMAGE),
    "size": _size(256, 2048, 16),
    "resolution": Choice(
        field="input.resolution",
        default="1mp",
        values={"0.5mp": "0.5 MP", "1mp": "1 MP", "2mp": "2 MP", "4mp": "4 MP", "match": _LIKE_IMAGE},
        sizes={"0.5mp": 2**19, "1mp": 2**20, "2mp": 2**21, "4mp": 2**22, "match": 2**22},
        like_image=("match",),
    ),
    **_COMMON,
    "image": _image("input_images", 8),
    "format": _FORMATS,
    "quality": _QUALITY,
    "safety_tolerance": _tolerance(1, 5),
}
_FLUX_2_PRO = _model("flux-2-pro", options=_FLUX_2, price=_price(0.03, 0.015, 0.015, "third parties"))
_KLEIN = _model(
    "flux-2-klein-4b",
    options={
        "aspect_ratio": replace(_ratio(*_TEN, auto=_LIKE_IMAGE), confidence="inferred"),
        **_COMMON,
        "image": _image("images", 5),
        "format": replace(_FORMATS, default="jpg", confidence="inferred"),
        "quality": replace(_QUALITY, default="95"),
        "check_content": _CHECK,
    },
)

_ALL = (
    _model(
        "flux-1.1-pro",
        options={
            "aspect_ratio": _ratio(*_TEN),
            "size": _size(256, 1440, 32),
            **_COMMON,
            "image": _image("image_prompt"),
            "format": _FORMATS,
            "quality": _QUALITY,
            "upsample_prompt": _UPSAMPLE,
            "safety_tolerance": _tolerance(1, 6),
        },
        price=_price(0.04),
    ),
    _model(
        "flux-1.1-pro-ultra",
        options={
            "aspect_ratio": _ratio("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21"),
            **_COMMON,
            "raw": Switch(field="input.raw", default="off", note="closer to the model's direct output"),
            "image": _image("image_prompt"),
            "image_strength": Range(
                field="input.image_prompt_strength", low=0, high=1, fractions=True, default="0.1", about_image=True
            ),
            "format": replace(_JPG_PNG, default="jpg"),
            "safety_tolerance": _tolerance(1, 6),
        },
        price=_price(0.06),
    ),
    _KONTEXT,
    replace(_KONTEXT, name="flux-kontext-max", slug="black-forest-labs/flux-kontext-max"),
    _FLUX_2_PRO,
    _model(
        "flux-2-flex",
        options={
            **_FLUX_2,
            "size": _size(256, 2048, 32),
            "image": _image("input_images", 10),
            "steps": Range(field="input.steps", low=1, high=50, default="30"),
            "guidance": Range(field="input.guidance", low=1.5, high=10, fractions=True, default="4.5"),
            "upsample_prompt": replace(_UPSAMPLE, default="on"),
        },
    ),
    replace(_FLUX_2_PRO, name="flux-2-max", slug="black-forest-labs/flux-2-max", price=None),
    _model(
        "flux-2-dev",
        options={
            "aspect_ratio": replace(_ratio(*_TEN, auto=_LIKE_IMAGE), confidence="inferred"),
            "size": _size(256, 1440, 32),
            **_COMMON,
            "image": _image("input_images", 4),
            "format": replace(_FORMATS, confidence="inferred"),
            "quality": _QUALITY,
            "check_content": _CHECK,
        },
    ),
    _KLEIN,
    replace(
        _KLEIN,
        name="flux-2-klein-9b-base",
        slug="black-forest-labs/flux-2-klein-9b-base",
        options={
            **_KLEIN.options,
            "guidance": Range(field="input.guidance", low=1, high=10, fractions=True, default="4"),
        },
    ),
    _model(
        "flux-3-image",
        options={
            "aspect_ratio": replace(
                _ratio("21:9", "2:1", *_TEN, "1:2", "9:21", default="auto", auto="auto"), confidence="inferred"
            ),
            "resolution": Choice(
                field="input.resolution",
                default="1k",
                values={"768": "768sq", "1k": "1k", "1.5k": "1.5k", "2k": "2k", "4k": "4k"},
                sizes={"768": 600_000, "1k": 1_053_696, "1.5k": 2_400_000, "2k": 4_214_784, "4k": 16_816_128},
            ),
            "webhook": _WEBHOOK,
            "cancel_after": _CANCEL_AFTER,
            "image": replace(_image("images", 10), min_side=256, max_pixels=16_000_000),
            "safety_tolerance": _tolerance(0, 4),
        },
    ),
    _model(
        "flux-dev",
        options={
            "aspect_ratio": replace(_ratio(*_TEN), confidence="inferred"),
            **_COMMON,
            "image": _image("image"),
            "strength": Range(field="input.prompt_strength", low=0, high=1, fractions=True, default="0.8"),
            "steps": Range(field="input.num_inference_steps", low=1, high=50, default="50"),
            "guidance": Range(field="input.guidance", low=0, high=10, fractions=True, default="3.5"),
            "format": _FORMATS,
            "quality": _QUALITY,
            "check_content": _CHECK,
        },
        max_images=4,
        count_field="input.num_outputs",
        price=_price(0.025),
    ),
    _model(
        "flux-fill-pro",
        options={
            "webhook": _WEBHOOK,
            "cancel_after": _CANCEL_AFTER,
            "image": _image("image", least=1),
            "mask": replace(_image("mask"), required=True),
        },
        note="no more of its fields are known; --param sends others",
    ),
)
MODELS = {model.name: model for model in _ALL}
OTHER = Model(
    name="",
    slug="",
    prompt_field="input.prompt",
    prompt_length=(0, None),
    options={"webhook": _WEBHOOK, "cancel_after": _CANCEL_AFTER},
)
