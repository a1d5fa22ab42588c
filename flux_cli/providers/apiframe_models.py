"""The models at Apiframe, as its OpenAPI file of 2026-07-16 and the pages at docs-v2.apiframe.ai describe them.

The file gives all models of the family the same ``fluxParams``; the pages say which of them a model heeds. One job
makes one image. Prices are in credits, and only the catalogue tells them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flux_cli.providers.base import SEEDS, Model
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Link, Range, Switch, same_values
from flux_cli.providers.sizes import Pixels

if TYPE_CHECKING:
    from flux_cli.providers.options import Option

_PARAMS, _FILL = "fluxParams", "fluxFillParams"
_PROMPT = (1, 2000)
_IMAGE = ImageInput(travels="upload", max_bytes=25 * 2**20, note="a local file goes to POST /v2/uploads first")
_WEBHOOK = Link(field="webhookUrl")
_UPSAMPLE = Switch(field=f"{_PARAMS}.prompt_upsampling")
_SIZE = Pixels(
    field=f"{_PARAMS}.width, {_PARAMS}.height",
    low=256,
    high=2048,
    step=16,
    confidence="inferred",  # the pages: only with the aspect ratio "custom", a word that the schema refuses
)
_SMALL_SIZE = replace(_SIZE, high=1440, step=32)


def _ratios(*ratios: str) -> Choice:
    return Choice(field=f"{_PARAMS}.aspect_ratio", values=same_values(*ratios))


_COMMON: dict[str, Option] = {
    "aspect_ratio": _ratios("1:1", "3:4", "4:3", "9:16", "16:9"),
    "seed": Range(field=f"{_PARAMS}.seed", low=SEEDS[0], high=SEEDS[1], default="random"),
    "format": Choice(field=f"{_PARAMS}.output_format", default="jpg", values=same_values("jpg", "png", "webp")),
    "quality": Range(field=f"{_PARAMS}.output_quality", low=0, high=100, default="90"),
    "webhook": _WEBHOOK,
}
_FLUX_1 = {**_COMMON, "image": replace(_IMAGE, field=f"{_PARAMS}.image_prompt")}
_FLUX_2 = {
    **_COMMON,
    "aspect_ratio": _ratios("16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16"),
    "size": _SIZE,
    "image": replace(_IMAGE, field=f"{_PARAMS}.input_images", as_array=True, most=8),
}
_RESOLUTION = {
    "resolution": Choice(
        field=f"{_PARAMS}.resolution",
        values={"0.5mp": "0.5MP", "1mp": "1MP", "2mp": "2MP", "4mp": "4MP", "match": "match_input_image"},
        sizes={"0.5mp": 2**19, "1mp": 2**20, "2mp": 2 * 2**20, "4mp": 4 * 2**20},
        note="match: as the input image",
        like_image=("match",),
    )
}


def _steps(params: str, default: str = "") -> Range:
    return Range(field=f"{params}.steps", low=1, high=50, default=default)


_PRO = Model(
    name="flux-1.1-pro",
    slug="flux-1.1-pro",
    options={**_FLUX_1, "upsample_prompt": _UPSAMPLE, "size": _SMALL_SIZE},
    prompt_length=_PROMPT,
)
_ULTRA = replace(
    _PRO,
    name="flux-1.1-pro-ultra",
    slug="flux-1.1-pro-ultra",
    options={
        **_FLUX_1,
        "raw": Switch(field=f"{_PARAMS}.raw", default="off", note="here: no prompt enhancement"),
        "image_strength": Range(
            field=f"{_PARAMS}.image_prompt_strength", low=0, high=1, fractions=True, default="0.5", about_image=True
        ),
    },
    largest=4 * 2**20,
)
_PRO_2 = Model(
    name="flux-2-pro",
    slug="flux-2-pro",
    options={**_FLUX_2, **_RESOLUTION},
    prompt_length=_PROMPT,
    largest=4 * 2**20,
)
_MAX_2 = replace(_PRO_2, name="flux-2-max", slug="flux-2-max")
_FLEX_2 = replace(
    _PRO_2,
    name="flux-2-flex",
    slug="flux-2-flex",
    options={
        **_PRO_2.options,
        "image": replace(_IMAGE, field=f"{_PARAMS}.input_images", as_array=True, most=10),
        "steps": _steps(_PARAMS, "30"),
        "guidance": Range(field=f"{_PARAMS}.guidance", low=1.5, high=10, fractions=True, default="4.5"),
        "upsample_prompt": _UPSAMPLE,
    },
)
_DEV_2 = replace(
    _PRO_2,
    name="flux-2-dev",
    slug="flux-2-dev",
    options={
        **_FLUX_2,
        "size": _SMALL_SIZE,
        "image": replace(_IMAGE, field=f"{_PARAMS}.input_images", as_array=True, most=10),
    },
    largest=2 * 2**20,
)
_FILL_PRO = Model(
    name="flux-fill-pro",
    slug="flux-fill-pro",
    endpoint="/v2/images/edit",
    prompt_field=f"{_FILL}.prompt",
    prompt_length=_PROMPT,
    fixed={f"{_FILL}.mode": "inpaint"},
    options={
        "image": replace(_IMAGE, field=f"{_FILL}.image", least=1),
        "mask": replace(_IMAGE, field=f"{_FILL}.mask", required=True),
        "seed": Range(field=f"{_FILL}.seed", low=SEEDS[0], high=SEEDS[1], default="random"),
        "steps": _steps(_FILL),
        "guidance": Range(field=f"{_FILL}.guidance", low=2, high=5, fractions=True),
        "upsample_prompt": Switch(field=f"{_FILL}.prompt_upsampling"),
        "safety_tolerance": Range(field=f"{_FILL}.safety_tolerance", low=1, high=6),
        "format": Choice(field=f"{_FILL}.output_format", values=same_values("jpg", "png")),
        "webhook": _WEBHOOK,
    },
    largest=4 * 2**20,
)

MODELS = {model.name: model for model in (_PRO, _ULTRA, _PRO_2, _FLEX_2, _MAX_2, _DEV_2, _FILL_PRO)}
"""By name."""

OTHER = Model(name="", slug="", options={"webhook": _WEBHOOK}, prompt_length=_PROMPT)
"""Any other model."""
OTHER_IDS = ("flux-lora",)
"""Documented, without a table here."""
PATTERN = r"[a-z0-9]+([.-][a-z0-9]+)*"
"""Of ids."""
