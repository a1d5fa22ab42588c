"""The models of RunComfy: their pages at https://www.runcomfy.com/models/blackforestlabs.

The pages of FLUX.2 and Kontext show only the first fields of each schema. What is known from other sources is marked,
and is sent on request only. Prices are known only from the provider's own answers.
"""

from __future__ import annotations

from dataclasses import replace

from flux_cli.providers.base import SEEDS, Model
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Option, Range, Switch, same_values
from flux_cli.providers.sizes import Pixels

_ROOT = "blackforestlabs"
SQUARE_HD = "1:1 (hd)"
_SEED = Range(
    field="seed", low=SEEDS[0], high=SEEDS[1], note="always sent: the provider's own default is a fixed example"
)
_UNSURE_SEED = Range(field="seed", low=SEEDS[0], high=SEEDS[1], confidence="inferred", note="sent only if you give it")
_RAW = Switch(field="raw", default="off", note="less processed, more natural-looking")
_FIXED_SEED = "without --seed, the provider may use the same seed each time"
_IMAGE = ImageInput(
    field="image_url",
    least=1,
    travels="data-uri",
    max_bytes=6 * 2**20,
    max_pixels=32_000_000,
    note="the pages ask for a web address; the vendor's own nodes send local files as data URIs",
)
_IMAGES = replace(_IMAGE, field="image_urls", as_array=True)
_UNCOUNTED = replace(_IMAGES, note=f"{_IMAGE.note}; how many it takes is not documented")
_KONTEXT_RATIO = Choice(
    field="aspect_ratio",
    default="that of the input image",
    values=same_values("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21"),
    confidence="inferred",
)
_PRESETS = Choice(
    field="image_size",
    default="auto",
    values={
        "auto": "auto",
        "16:9": "landscape_16_9",
        "4:3": "landscape_4_3",
        "1:1": "square_hd",
        "3:4": "portrait_4_3",
        "9:16": "portrait_16_9",
    },
    unoffered=("square",),
    confidence="inferred",
)

_ULTRA = Model(
    name="flux-1.1-pro-ultra",
    slug=f"{_ROOT}/flux-1-1-pro/ultra/text-to-image",
    options={
        "aspect_ratio": Choice(
            field="aspect_ratio",
            default="16:9",
            values=same_values("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21"),
        ),
        "seed": _SEED,
        "raw": _RAW,
    },
)
_PRO = Model(
    name="flux-1.1-pro",
    slug=f"{_ROOT}/flux-1-1-pro/text-to-image",
    options={
        "aspect_ratio": Choice(
            field="image_size",
            default="16:9",
            values=same_values("16:9", "4:3", "1:1", SQUARE_HD, "3:4", "9:16"),
            unoffered=("Custom",),
        ),
        "seed": _SEED,
        "raw": _RAW,
    },
)
_KONTEXT = Model(
    name="flux-kontext-pro",
    slug=f"{_ROOT}/flux-1-kontext/pro/edit",
    options={
        "image": _IMAGE,
        "aspect_ratio": _KONTEXT_RATIO,
        "seed": replace(_SEED, note=""),
    },
)


def _pair(name: str, path: str, *, image: ImageInput | None = None, **more: Option) -> Model:
    """Return a model of FLUX.2: one id for text alone, and another one for input images if it takes any."""
    text = Model(
        name=name,
        slug=f"{_ROOT}/{path}/text-to-image",
        options={"seed": _UNSURE_SEED, **more},
        note=_FIXED_SEED,
        largest=4 * 2**20,
    )
    if image is None:
        return text
    options = {"image": image, **text.options}
    return replace(text, variants=(replace(text, slug=f"{_ROOT}/{path}/edit", options=options),))


_FLUX_2_PRO = _pair("flux-2-pro", "flux-2/pro", image=replace(_UNCOUNTED, most=8))
_KLEIN_SIZE = Pixels(
    low=512, high=1536, default="1024x1024", confidence="third-party", note="no wider than 16:9, no taller than 9:16"
)
_ALL = (
    _PRO,
    _ULTRA,
    _KONTEXT,
    Model(
        name="flux-kontext-max",
        slug=f"{_ROOT}/flux-1-kontext/max/text-to-image",
        options={"aspect_ratio": replace(_KONTEXT_RATIO, default="1:1"), "seed": _UNSURE_SEED},
        note=_FIXED_SEED,
        variants=(
            Model(
                name="flux-kontext-max",
                slug=f"{_ROOT}/flux-1-kontext/max/edit",
                options={"image": _IMAGE, "aspect_ratio": _KONTEXT_RATIO, "seed": _UNSURE_SEED},
                note=_FIXED_SEED,
            ),
        ),
    ),
    replace(
        _FLUX_2_PRO,
        confidence="third-party",
        variants=tuple(replace(one, options={**one.options, "aspect_ratio": _PRESETS}) for one in _FLUX_2_PRO.variants),
    ),
    _pair("flux-2-flex", "flux-2/flex", image=replace(_IMAGES, most=10)),
    _pair("flux-2-max", "flux-2/max"),
    _pair("flux-2-dev", "flux-2/dev", image=replace(_UNCOUNTED, most=4)),
    _pair(
        "flux-2-klein-4b",
        "flux-2-klein/4b",
        size=_KLEIN_SIZE,
        steps=Range(field="steps", low=4, high=50, default="4", confidence="third-party"),
    ),
    _pair(
        "flux-2-klein-9b",
        "flux-2-klein/9b",
        size=_KLEIN_SIZE,
        steps=Range(field="steps", low=4, high=50, default="25", confidence="third-party"),
    ),
)
MODELS = {model.name: model for model in _ALL}
OTHER = Model(name="", slug="", prompt_length=(0, None), options={})
