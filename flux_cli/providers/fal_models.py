"""The models of fal: the types of ``@fal-ai/client`` 1.10.1, the OpenAPI documents of FLUX 3, and the models' pages.

Text, one image and several images may be different endpoints. Neither types nor pages have bounds for steps, guidance
and sides: those here are the maker's and of other hosts.
"""

from __future__ import annotations

from dataclasses import replace

from flux_cli.providers.base import SEEDS, Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Link, Option, Range, Switch, Words, same_values
from flux_cli.providers.sizes import Pixels, Ratios, sizes_of_area

_MEGAPIXEL = 2**20
_RATIOS = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
_AUTO = "that of the input image"
_WEBHOOK = Link(field="", note="sent as fal_webhook in the address")
_FORMAT = Choice(
    field="output_format",
    default="jpg",
    values={"jpg": "jpeg", "png": "png", "webp": "png"},
    note="for webp, a PNG is made, and flux converts it",
)
_ANY_FORMAT = replace(_FORMAT, default="png", values={**_FORMAT.values, "webp": "webp"}, note="")
_CHECK = Switch(field="enable_safety_checker", default="on", note="a blocked image comes black")
_ENHANCE = Switch(field="enhance_prompt", default="off")
_EXPAND = Switch(field="enable_prompt_expansion", default="off")
_COMMON: dict[str, Option] = {
    "seed": Range(field="seed", low=SEEDS[0], high=SEEDS[1], default="random"),
    "format": _FORMAT,
    "webhook": _WEBHOOK,
}


def _tolerance(high: int) -> Range:
    return Range(field="safety_tolerance", low=1, high=high, as_text=True, default="2", note="1 is strictest")


def _steps(default: int, high: int = 50) -> Range:
    return Range(field="num_inference_steps", low=1, high=high, default=str(default))


def _guidance(default: float, low: float = 1, high: float = 20) -> Range:
    return Range(field="guidance_scale", low=low, high=high, fractions=True, default=f"{default:g}")


def _image(least: int, most: int) -> ImageInput:
    """Return the input of an endpoint that takes one image, or of one that takes several."""
    return ImageInput(
        field="image_url" if most == 1 else "image_urls",
        as_array=most > 1,
        least=least,
        most=most,
        travels="upload",
        inline_up_to=192_000,  # as a data URI, 256 kB: ten of them fit into a request
        max_bytes=20_000_000,
        note="a larger local file goes to fal's storage first",
    )


def _sizes(low: int, high: int, step: int, default: str = "4:3") -> dict[str, Option]:
    """Return the options of ``image_size``, which is sent in pixels."""
    most = 4 * _MEGAPIXEL
    found = sizes_of_area(_RATIOS, area=_MEGAPIXEL, step=step)
    if max(found["21:9"]) > high:
        found |= {"21:9": (1344, 576), "9:21": (576, 1344)}
    shapes = Ratios(field="image_size", as_object=True, sizes=found, default=default)
    size = Pixels(field="image_size", as_object=True, low=low, high=high, step=step, most=most)
    return {"aspect_ratio": shapes, "size": size}


def _price(amount: float, further: float = 0.0, inputs: float = 0.0) -> Price:
    return Price(amount=amount, further=further, inputs=inputs, source="the models' pages at fal.ai", date="2026-11")


def _edit(model: Model, slug: str, image: ImageInput, **options: Option) -> Model:
    """Return ``model`` with an endpoint of its own for input images, whose shape the result has, up to 4 megapixels."""
    largest = model.largest if model.price is not None and model.price.steps else 4 * _MEGAPIXEL
    options = {**model.options, "image": image, **options}
    variant = replace(model, slug=slug, options=options, variants=(), largest=largest)
    return replace(model, variants=(*model.variants, variant))


_RATIO = Choice(field="aspect_ratio", default="16:9", values=same_values(*_RATIOS))
_OLD: dict[str, Option] = {**_COMMON, "upsample_prompt": _ENHANCE, "safety_tolerance": _tolerance(6)}
_PRO = _edit(
    Model(
        name="flux-1.1-pro",
        slug="fal-ai/flux-pro/v1.1",
        options={**_sizes(256, 1440, 32), **_OLD},
        max_images=4,
        count_field="num_images",
        price=_price(0.04, 0.04),
    ),
    "fal-ai/flux-pro/v1.1/redux",
    _image(1, 1),
    steps=_steps(28),
    guidance=_guidance(3.5),
)
_ULTRA = Model(
    name="flux-1.1-pro-ultra",
    slug="fal-ai/flux-pro/v1.1-ultra",
    options={
        "aspect_ratio": _RATIO,
        **_OLD,
        "raw": Switch(field="raw", default="off", note="closer to the model's direct output"),
        "image": _image(0, 1),
        "image_strength": Range(
            field="image_prompt_strength", low=0, high=1, fractions=True, default="0.1", about_image=True
        ),
    },
    max_images=4,
    count_field="num_images",
    largest=4 * _MEGAPIXEL,
    price=_price(0.06),
)


def _kontext(name: str, path: str, price: float) -> Model:
    """Return a Kontext model: one endpoint for text, one for an image, one for several."""
    text = Model(
        name=name,
        slug=f"{path}/text-to-image",
        options={"aspect_ratio": replace(_RATIO, default="1:1"), **_OLD, "guidance": _guidance(3.5)},
        max_images=4,
        count_field="num_images",
        price=_price(price),
    )
    ratio = replace(_RATIO, default=_AUTO)
    one = _edit(text, path, _image(1, 1), aspect_ratio=ratio)
    return _edit(one, f"{path}/multi", replace(_image(2, 4), note="experimental"), aspect_ratio=ratio)


_KONTEXT_DEV = Model(
    name="flux-kontext-dev",
    slug="fal-ai/flux-kontext/dev",
    options={
        "aspect_ratio": Choice(
            field="resolution_mode",
            default="match_input",
            values=same_values("auto", "match_input", *_RATIOS, "5:4", "4:5"),
        ),
        **_COMMON,
        "image": _image(1, 1),
        "steps": _steps(28),
        "guidance": _guidance(2.5),
        "upsample_prompt": _ENHANCE,
        "check_content": _CHECK,
    },
    max_images=4,
    count_field="num_images",
)


def _flux_2(name: str, most: int, price: Price, **more: Option) -> Model:
    """Return a FLUX.2 model of the maker's own: one image a request."""
    options = {**_sizes(256, 2048, 16), **_COMMON, "safety_tolerance": _tolerance(5), "check_content": _CHECK, **more}
    text = Model(name=name, slug=f"fal-ai/{name}", options=options, price=price)
    images = replace(_image(1, most), note="how many it takes is not documented")
    return _edit(text, f"fal-ai/{name}/edit", images, **_sizes(256, 2048, 16, _AUTO))


def _open(
    name: str, path: str, more: dict[str, Option], *, formats: Choice = _ANY_FORMAT, price: Price | None = None
) -> Model:
    """Return a model with open weights that fal runs itself: FLUX.2 [dev] or [klein]."""
    options = {**_sizes(512, 2048, 16), **_COMMON, "format": formats, "check_content": _CHECK, **more}
    text = Model(name=name, slug=path, options=options, max_images=4, count_field="num_images", price=price)
    changed = {**_sizes(512, 2048, 16, _AUTO), "format": _ANY_FORMAT}
    return _edit(text, f"{path}/edit", _image(1, 4), **changed)


_BASE: dict[str, Option] = {
    "steps": _steps(28),
    "guidance": _guidance(5),
    "negative": Words(field="negative_prompt"),
}
_WORDS_3 = "auto 21:9 2:1 16:9 3:2 7:5 4:3 5:4 1:1 4:5 3:4 5:7 2:3 9:16 1:2"
_FLUX_3 = _edit(
    Model(
        name="flux-3-image",
        slug="blackforestlabs/flux-3/text-to-image",
        options={
            "aspect_ratio": Choice(field="aspect_ratio", default="auto", values=same_values(*_WORDS_3.split())),
            "resolution": Choice(
                field="resolution",
                default="1k",
                values={"512": "512sq", "768": "768sq", "1k": "1k", "2k": "2k", "4k": "4k"},
                sizes={"512": 270_000, "768": 600_000, "1k": 1_053_696, "2k": 4_214_784, "4k": 16_816_128},
            ),
            "format": _FORMAT,
            "upsample_prompt": _EXPAND,
            "safety_tolerance": Range(field="safety_tolerance", low=0, high=4, default="2", note="0 is strictest"),
            "webhook": _WEBHOOK,
        },
        largest=1_053_696,
        price=Price(
            amount=0.048,
            steps=((600_000, 0.041), (1_060_000, 0.048), (4_220_000, 0.10), (16_820_000, 0.607)),
            source="the model's page at fal.ai; above 1k the maker's prices",
            date="2026-11",
        ),
    ),
    "blackforestlabs/flux-3/edit-image",
    replace(_image(1, 10), min_side=256, max_pixels=4 * _MEGAPIXEL),
)
_FLUX_3_KLEIN = Model(
    name="flux-3-image-klein",
    slug="blackforestlabs/flux-3/klein/text-to-image",
    options={**_sizes(512, 4096, 16), **_COMMON, "format": _ANY_FORMAT, "steps": _steps(12)},
    max_images=4,
    count_field="num_images",
    price=Price(
        amount=0.009,
        steps=((600_000, 0.008), (1_060_000, 0.009), (2_400_000, 0.011), (4_220_000, 0.014), (16_820_000, 0.036)),
        source="planned prices at fal.ai",
        date="2026-10",
    ),
)
_DEV = _edit(
    Model(
        name="flux-dev",
        slug="fal-ai/flux/dev",
        options={
            **_sizes(256, 1536, 32),
            **_COMMON,
            "steps": _steps(28),
            "guidance": _guidance(3.5),
            "check_content": _CHECK,
        },
        max_images=4,
        count_field="num_images",
        price=_price(0.025, 0.025),
    ),
    "fal-ai/flux/dev/image-to-image",
    _image(1, 1),
    steps=_steps(40),
    strength=Range(field="strength", low=0, high=1, fractions=True, default="0.95", note="1 ignores the input image"),
)
_UNSIZED = {name: option for name, option in _DEV.variants[0].options.items() if name not in {"aspect_ratio", "size"}}

_ALL = (
    _PRO,
    _ULTRA,
    _kontext("flux-kontext-pro", "fal-ai/flux-pro/kontext", 0.04),
    _kontext("flux-kontext-max", "fal-ai/flux-pro/kontext/max", 0.08),
    _KONTEXT_DEV,
    _flux_2("flux-2-pro", 9, _price(0.03, 0.015, 0.015)),
    _flux_2("flux-2-flex", 10, _price(0.05, 0.05, 0.05), steps=_steps(28), guidance=_guidance(3.5, 1.5, 10)),
    _flux_2("flux-2-max", 10, _price(0.07, 0.03, 0.03)),
    _open(
        "flux-2-dev",
        "fal-ai/flux-2",
        {"steps": _steps(28), "guidance": _guidance(2.5), "upsample_prompt": _EXPAND},
    ),
    replace(
        _open("flux-2-klein-4b", "fal-ai/flux-2/klein/4b", {"steps": _steps(4)}, price=_price(0.014, 0.014)),
        confidence="third-party",
    ),
    _open("flux-2-klein-9b", "fal-ai/flux-2/klein/9b", {"steps": _steps(8)}, formats=_FORMAT),
    _open("flux-2-klein-4b-base", "fal-ai/flux-2/klein/4b/base", _BASE, price=_price(0.009, 0.009)),
    _open("flux-2-klein-9b-base", "fal-ai/flux-2/klein/9b/base", _BASE),
    _FLUX_3,
    _FLUX_3_KLEIN,
    replace(_DEV, variants=(replace(_DEV.variants[0], options=_UNSIZED),)),
    Model(
        name="flux-schnell",
        slug="fal-ai/flux/schnell",
        options={
            **_sizes(256, 1536, 32),
            **_COMMON,
            "steps": _steps(4, 12),
            "guidance": _guidance(3.5),
            "check_content": _CHECK,
        },
        max_images=4,
        count_field="num_images",
        price=_price(0.003, 0.003),
    ),
    Model(
        name="flux-fill-pro",
        slug="fal-ai/flux-pro/v1/fill",
        options={
            **_OLD,
            "image": _image(1, 1),
            "mask": replace(_image(1, 1), field="mask_url", required=True, note="white is painted anew"),
        },
        max_images=4,
        count_field="num_images",
    ),
)
MODELS = {model.name: model for model in _ALL}
OTHER = Model(name="", slug="", options={"webhook": _WEBHOOK})
