"""The models of Runware, by AIR: https://runware.ai/docs/models and the types of the vendor's client 1.8.0."""

from __future__ import annotations

from dataclasses import replace

from flux_cli.providers.base import Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Link, Option, Range, Switch, Words
from flux_cli.providers.sizes import Pixels, Ratios, sizes_of_area

_MEGAPIXEL = 2**20
_WIDE, _SQUARE = (f"{ratio}, set by flux: the provider requires a size" for ratio in ("16:9", "1:1"))
_NINE = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
_ULTRA_SIZES = {
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
_PRO_SIZES = {
    "21:9": (1344, 576),
    "16:9": (1344, 768),
    "4:3": (1152, 864),
    "3:2": (1248, 832),
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:4": (864, 1152),
    "9:16": (768, 1344),
    "9:21": (576, 1344),
}
_KONTEXT_SIZES = {
    "21:9": (1568, 672),
    "16:9": (1392, 752),
    "4:3": (1184, 880),
    "3:2": (1248, 832),
    "1:1": (1024, 1024),
    "2:3": (832, 1248),
    "3:4": (880, 1184),
    "9:16": (752, 1392),
    "9:21": (672, 1568),
}


def _parse_tier(pairs: str) -> dict[str, tuple[int, int]]:
    """Return the sizes of one tier of FLUX 3, wide ones as they are listed and tall ones turned."""
    wide = dict(zip(("21:9", "2:1", "16:9", "3:2", "7:5", "4:3", "5:4", "1:1"), pairs.split(), strict=True))
    found: dict[str, tuple[int, int]] = {}
    for ratio, pair in wide.items():
        width, height = map(int, pair.split("x"))
        found[ratio] = width, height
        found[":".join(reversed(ratio.split(":")))] = height, width
    return found


_FLUX_3_SIZES = {
    "768": _parse_tier("1168x496 1088x544 1024x576 944x624 912x656 880x672 864x688 768x768"),
    "1k": _parse_tier("1568x672 1440x720 1360x768 1248x832 1216x864 1184x880 1152x912 1024x1024"),
    "2k": _parse_tier("3136x1344 2896x1440 2736x1536 2512x1664 2416x1728 2368x1776 2288x1824 2048x2048"),
    "4k": _parse_tier("6256x2688 5792x2896 5456x3072 5024x3344 4848x3456 4736x3552 4576x3664 4096x4096"),
}
_FLUX_3_PIXELS = {
    tier: max(width * height for width, height in sizes.values()) for tier, sizes in _FLUX_3_SIZES.items()
}

_DELIVERY: dict[str, Option] = {
    "format": Choice(field="outputFormat", default="JPG", values={"jpg": "JPG", "png": "PNG", "webp": "WEBP"}),
    "quality": Range(field="outputQuality", low=20, high=99, default="95"),
    "check_content": Switch(field="safety.checkContent", default="off"),
    "webhook": Link(field="webhookURL"),
}
_SEED = {"seed": Range(field="seed", low=0, high=2**63 - 1, default="random")}
_UPSAMPLE = {"upsample_prompt": Switch(field="providerSettings.bfl.promptUpsampling", default="off")}


def _negative(limit: int) -> dict[str, Option]:
    return {"negative": Words(field="negativePrompt", limit=limit, note="heeded if the guidance is above 1")}


def _tolerance(high: int) -> dict[str, Option]:
    field = "providerSettings.bfl.safetyTolerance"
    return {"safety_tolerance": Range(field=field, low=0, high=high, default="2", note="0 is strictest")}


def _sizes(low: int, high: int, step: int) -> dict[str, Option]:
    """Return any size on a grid, and ratios of about a megapixel."""
    ratios = Ratios(sizes=sizes_of_area(_NINE, area=_MEGAPIXEL, step=step), default=_SQUARE)
    return {"aspect_ratio": ratios, "size": Pixels(low=low, high=high, step=step)}


def _table(sizes: dict[str, tuple[int, int]], default: str) -> dict[str, Option]:
    """Return the sizes of a table, by ratio and one by one."""
    return {
        "aspect_ratio": Ratios(sizes=sizes, default=default),
        "size": Pixels(table=tuple(sizes.values())),
    }


def _references(most: int, *, least: int = 0, min_side: int = 1) -> dict[str, Option]:
    found = ImageInput(
        field="inputs.referenceImages",
        as_array=True,
        least=least,
        most=most,
        travels="data-uri",
        max_bytes=20 * 2**20,
        min_side=min_side,
    )
    return {"image": found}


def _seed_image(least: int = 0) -> ImageInput:
    return ImageInput(field="inputs.seedImage", least=least, travels="data-uri", max_bytes=20 * 2**20)


_MASK = ImageInput(field="inputs.maskImage", travels="data-uri", max_bytes=20 * 2**20, note="white changes")


def _steps(low: int, high: int, default: str = "") -> dict[str, Option]:
    return {"steps": Range(field="steps", low=low, high=high, default=default)}


def _guidance(low: float, high: float, default: str = "") -> dict[str, Option]:
    return {"guidance": Range(field="CFGScale", low=low, high=high, fractions=True, default=default)}


def _price(amount: float, further: float = 0.0, inputs: float = 0.0) -> Price:
    source = "the model's page at runware.ai/docs"
    return Price(amount=amount, further=further, inputs=inputs, source=source, date="2026-11")


def _open_price(amount: float) -> Price:
    """Return the price of a model whose page gives only that of 1024x1024."""
    return _price(amount, amount)._replace(source="the model's page for 1024x1024; more is inferred")


_PRO = Model(
    name="flux-1.1-pro",
    slug="bfl:2@1",
    options={
        "aspect_ratio": Ratios(sizes=_PRO_SIZES, default=_WIDE),
        "size": Pixels(low=256, high=1440, step=32),
        **_SEED,
        **_DELIVERY,
        **_UPSAMPLE,
        **_tolerance(6),
    },
    prompt_field="positivePrompt",
    prompt_length=(2, 3000),
    max_images=20,
    count_field="numberResults",
    always_sent={"aspect_ratio": "16:9"},
    price=_price(0.04),
)
_ULTRA = replace(
    _PRO,
    name="flux-1.1-pro-ultra",
    slug="bfl:2@2",
    options={
        **_table(_ULTRA_SIZES, _WIDE),
        "raw": Switch(field="providerSettings.bfl.raw", default="off", note="closer to the model's direct output"),
        **_SEED,
        **_DELIVERY,
        **_UPSAMPLE,
        **_tolerance(6),
    },
    price=_price(0.06),
)
_KONTEXT = replace(
    _PRO,
    name="flux-kontext-pro",
    slug="bfl:3@1",
    options={
        **_table(_KONTEXT_SIZES, _SQUARE),
        **_references(2),
        **_SEED,
        **_DELIVERY,
        **_UPSAMPLE,
        **_tolerance(6),
    },
    always_sent={"aspect_ratio": "1:1"},
)
_KONTEXT_DEV = replace(
    _PRO,
    name="flux-kontext-dev",
    slug="runware:106@1",
    options={
        **{name: replace(option, confidence="inferred") for name, option in _references(2).items()},
        **_SEED,
        **_DELIVERY,
        **_negative(3000),
        "steps": Range(field="steps", low=1, high=100, confidence="inferred"),
        "guidance": Range(field="CFGScale", low=0, high=20, fractions=True, confidence="inferred"),
        "size": Pixels(low=128, high=2048, step=16, confidence="inferred"),
    },
    always_sent={},
    price=_price(0.0105),
)
_FLUX_2 = replace(
    _PRO,
    name="flux-2-pro",
    slug="bfl:5@1",
    options={
        **_sizes(256, 2048, 16),
        **_references(8),
        **_SEED,
        **_DELIVERY,
        **{name: replace(option, confidence="third-party") for name, option in {**_UPSAMPLE, **_tolerance(5)}.items()},
    },
    prompt_length=(1, 32_000),
    always_sent={"aspect_ratio": "1:1"},
    price=_price(0.03, 0.015, 0.015)._replace(
        source="the model's page for 1024x1024; more, and input images, by the price list of the model's maker",
    ),
    largest=4 * _MEGAPIXEL,
)
_KLEIN = replace(
    _PRO,
    name="flux-2-klein-9b",
    slug="runware:400@2",
    options={
        **_sizes(128, 2048, 16),
        **_references(4),
        **_SEED,
        **_DELIVERY,
        **_negative(10_000),
        **_steps(1, 50, "4"),
        **_guidance(1, 20, "3.5"),
    },
    prompt_length=(1, 10_000),
    always_sent={"aspect_ratio": "1:1"},
    price=_open_price(0.00078),
    largest=4 * _MEGAPIXEL,
)
_KLEIN_BASE = replace(_KLEIN, options={**_KLEIN.options, **_steps(1, 50), **_guidance(1, 20)})
_DEV = replace(
    _PRO,
    name="flux-dev",
    slug="runware:101@1",
    options={
        **_sizes(128, 2048, 64),
        "image": _seed_image(),
        "mask": _MASK,
        "strength": Range(field="strength", low=0, high=1, fractions=True, default="0.8"),
        **_SEED,
        **_DELIVERY,
        **_negative(3000),
        **_steps(1, 100, "28"),
        **_guidance(0, 20),
    },
    always_sent={"aspect_ratio": "1:1"},
    price=Price(
        amount=0.0038,
        steps=((2**18, 0.0019), *((count * _MEGAPIXEL, count * 0.0038) for count in (1, 2, 3, 4))),
        source="the model's page at runware.ai/docs for 28 steps and up to 1024x1024; more is inferred",
        date="2026-10",
    ),
    largest=4 * _MEGAPIXEL,
)
_FILL = replace(
    _PRO,
    name="flux-fill-pro",
    slug="bfl:1@2",
    options={
        "image": _seed_image(1),
        "mask": replace(_MASK, required=True),
        **_SEED,
        **_DELIVERY,
        **_steps(15, 50, "50"),
        **_guidance(1.5, 100, "60"),
        "safety_tolerance": replace(_tolerance(6)["safety_tolerance"], confidence="inferred"),
    },
    always_sent={},
    price=Price(amount=0.05, source="the price list of the model's maker", date="2026-11"),
)
_TIER = Choice(
    field="resolution",
    default="1k",
    values={"768": "0.75K", "1k": "1K", "2k": "2K", "4k": "4K"},
    sizes=_FLUX_3_PIXELS,
    unless=("aspect_ratio", "size"),
)
_FLUX_3 = replace(
    _PRO,
    name="flux-3-image",
    slug="bfl:flux@3-image",
    options={
        "aspect_ratio": Ratios(sizes=_FLUX_3_SIZES["1k"], tiers=_FLUX_3_SIZES, default="1:1"),
        "size": Pixels(table=tuple(size for sizes in _FLUX_3_SIZES.values() for size in sizes.values())),
        "resolution": replace(_TIER, field="", note="chooses among the sizes of a ratio"),
        **_DELIVERY,
        "safety_tolerance": Range(field="settings.safetyTolerance", low=0, high=4, default="2", note="0 is strictest"),
    },
    prompt_length=(2, 32_000),
    always_sent={"aspect_ratio": "1:1"},
    price=Price(
        amount=0.048,
        steps=tuple(
            (_FLUX_3_PIXELS[tier], amount)
            for tier, amount in {"768": 0.041, "1k": 0.048, "2k": 0.10, "4k": 0.607}.items()
        ),
        source="the model's page at runware.ai/docs",
        date="2026-10",
    ),
    largest=_FLUX_3_PIXELS["1k"],
)
_FLUX_3_EDIT = replace(
    _FLUX_3,
    options={
        **_FLUX_3.options,
        **_references(10, least=1, min_side=128),
        "aspect_ratio": Ratios(sizes=_FLUX_3_SIZES["1k"], tiers=_FLUX_3_SIZES, default="that of the input image"),
        "resolution": _TIER,
    },
    always_sent={},
)
_FLUX_3_KLEIN = replace(
    _PRO,
    name="flux-3-image-klein",
    slug="bfl:flux@3-image-klein",
    options={
        **{name: replace(one, default="", confidence="inferred") for name, one in _sizes(512, 4096, 16).items()},
        **{name: replace(option, confidence="inferred") for name, option in _references(10).items()},
        **_DELIVERY,
        "steps": Range(field="steps", low=1, high=50, default="16", confidence="inferred"),
    },
    always_sent={},
    price=Price(
        amount=0.006,
        steps=((2**18, 0.003), (2**20, 0.006), (1536 * 1024, 0.0089), (2**22, 0.0179), (2**24, 0.101)),
        source="measured at runware.ai/docs with 16 steps",
        date="2026-10",
    ),
    largest=2**24,
    note="the provider documents that it takes text, images, steps and sizes, and not under which names",
)
_ALL = (
    _PRO,
    _ULTRA,
    _KONTEXT,
    replace(_KONTEXT, name="flux-kontext-max", slug="bfl:4@1", price=_price(0.08)),
    _KONTEXT_DEV,
    _FLUX_2,
    replace(
        _FLUX_2,
        name="flux-2-flex",
        slug="bfl:6@1",
        options={**_FLUX_2.options, **_references(10), **_steps(1, 50), **_guidance(1, 20, "2.5")},
        price=_price(0.06, 0.06, 0.06)._replace(source="the model's page for up to 1024x1024; more is inferred"),
    ),
    replace(_FLUX_2, name="flux-2-max", slug="bfl:7@1", price=_price(0.07, 0.03, 0.03)),
    replace(
        _KLEIN_BASE,
        name="flux-2-dev",
        slug="runware:400@1",
        price=Price(amount=0.009, further=0.009, source="third parties", date="2026-10"),
    ),
    replace(_KLEIN, name="flux-2-klein-4b", slug="runware:400@4", price=_open_price(0.0006)),
    replace(_KLEIN_BASE, name="flux-2-klein-4b-base", slug="runware:400@5", price=None),
    _KLEIN,
    replace(_KLEIN_BASE, name="flux-2-klein-9b-base", slug="runware:400@3", price=_open_price(0.00416)),
    _FLUX_3,
    _FLUX_3_KLEIN,
    _DEV,
    replace(
        _DEV,
        name="flux-schnell",
        slug="runware:100@1",
        options={**_DEV.options, **_steps(1, 100)},
        price=None,
    ),
    _FILL,
)
MODELS = {model.name: replace(model, variants=(_FLUX_3_EDIT,)) if model is _FLUX_3 else model for model in _ALL}
OTHER = replace(
    _PRO,
    name="",
    slug="",
    options={"webhook": _DELIVERY["webhook"]},
    prompt_length=(0, None),
    always_sent={},
    price=None,
)
