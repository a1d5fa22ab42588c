"""The models of Runflow: their pages at https://www.runflow.io/models and https://docs.runflow.io/models."""

from __future__ import annotations

from dataclasses import replace

from flux_cli.providers.base import Model, Price
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Confidence, Labels, Link, Option, Range, Switch, same_values
from flux_cli.providers.sizes import Pixels, Ratios, sizes_of_area

_MEGAPIXEL = 2**20
_NINE = ("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21")
_LABELS: dict[str, Option] = {
    "webhook": Link(field="callback_url", limit=2048),
    "metadata": Labels(field="metadata"),
}
_OPTIONS: dict[str, Option] = {
    "seed": Range(field="input.seed", low=1, high=2**63 - 1, default="random"),
    **_LABELS,
}
_IMAGE = ImageInput(
    field="input.image_url",
    least=1,
    travels="data-uri",
    max_bytes=50 * 2**20,
    note="a local file is sent as a data URI, which the provider stores as an asset",
)
_PRESETS = Choice(
    field="input.image_size",
    default="4:3",
    values={
        "16:9": "landscape_16_9",
        "4:3": "landscape_4_3",
        "1:1": "square_hd",
        "3:4": "portrait_4_3",
        "9:16": "portrait_16_9",
    },
)
_JPG_PNG = Choice(field="input.output_format", default="jpg", values={"jpg": "jpeg", "png": "png"})
_SQUARE = "1:1, set by flux: the provider's own default is not documented"
_EARLY = "early access: it may not be open to every key"


def _price(amount: float, further: float = 0.0, inputs: float = 0.0, source: str = "the model's page") -> Price:
    where = f"{source} at runflow.io"
    return Price(amount=amount, further=further, inputs=inputs, source=where, date="2026-04")


def _model(name: str, slug: str, options: dict[str, Option], price: Price | None, **more: object) -> Model:
    fields: dict[str, object] = {"prompt_field": "input.prompt", "price": price, **more}
    return Model(name=name, slug=f"black-forest-labs/{slug}", options=options, **fields)  # type: ignore[arg-type]


_ULTRA = _model(
    "flux-1.1-pro-ultra",
    "flux-1-1-pro-ultra",
    _OPTIONS,
    Price(amount=0.06, source="the model's page at docs.runflow.io", date="2026-11"),
    largest=4 * _MEGAPIXEL,
)
_PRO = _model(
    "flux-1.1-pro",
    "flux-1-1-pro",
    {
        "size": Pixels(field="input.width, input.height", low=1, high=1440, note="the smallest side is not documented"),
        **_OPTIONS,
    },
    Price(amount=0.04, source="the model's page at runflow.io", date="2026-11"),
    confidence="inferred",
)
_KONTEXT = _model(
    "flux-kontext-pro",
    "flux-pro/kontext",
    {
        "image": _IMAGE,
        "aspect_ratio": Choice(field="input.aspect_ratio", values=same_values(*_NINE)),
        **_OPTIONS,
        "format": _JPG_PNG,
        "guidance": Range(field="input.guidance_scale", low=1, high=20, fractions=True, default="3.5"),
        "upsample_prompt": Switch(field="input.enhance_prompt", default="off"),
        "safety_tolerance": Range(
            field="input.safety_tolerance", low=1, high=6, as_text=True, default="2", note="1 is strictest"
        ),
    },
    _price(0.04),
    max_images=4,
    count_field="input.num_images",
)
_FLUX_2: dict[str, Option] = {
    "aspect_ratio": Ratios(
        field="input.image_size",
        as_object=True,
        sizes=sizes_of_area(_NINE, area=_MEGAPIXEL, step=16),
        default=_SQUARE,
    ),
    "size": Pixels(
        field="input.image_size", as_object=True, low=1, high=4096, note="the smallest side is not documented"
    ),
    **_OPTIONS,
    "format": replace(_JPG_PNG, confidence="inferred"),
    "safety_tolerance": Range(
        field="input.safety_tolerance", low=1, high=5, as_text=True, default="2", confidence="inferred"
    ),
}
_KLEIN: dict[str, Option] = {
    "aspect_ratio": _PRESETS,
    **_OPTIONS,
    "format": Choice(field="input.output_format", default="png", values={"jpg": "jpeg", "png": "png", "webp": "webp"}),
    "steps": Range(field="input.num_inference_steps", low=1, high=50, default="4"),
    "guidance": Range(field="input.guidance_scale", low=0, high=20, fractions=True, default="2.5"),
    "check_content": Switch(field="input.enable_safety_checker", default="on"),
}


def _flux_2(size: str, price: Price, **more: Option) -> Model:
    """Return a model of FLUX.2. A size is always sent, so that its price is known."""
    name = f"flux-2-{size}"
    return _model(name, name, {**_FLUX_2, **more}, price, note=_EARLY, always_sent={"aspect_ratio": "1:1"})


def _klein(size: str, text: Price, edit: Price, unsure: Confidence = "") -> Model:
    """Return a klein model: one id for text alone, another one for input images.

    ``unsure`` marks what the pages show of the other klein model only.
    """
    model = _model(
        f"flux-2-klein-{size}",
        f"flux-2-klein-{size}",
        {**_KLEIN, "guidance": replace(_KLEIN["guidance"], confidence=unsure)},
        text,
        max_images=4,
        count_field="input.num_images",
    )
    options = {
        "image": replace(
            _IMAGE,
            field="input.image_urls",
            as_array=True,
            most=4,
            note=f"{_IMAGE.note}; how many it takes is not documented",
        ),
        "steps": Range(field="input.num_inference_steps", low=1, high=25, confidence=unsure),
        **_OPTIONS,
        "seed": replace(_OPTIONS["seed"], confidence="inferred"),
    }
    images = replace(
        model,
        slug=f"{model.slug}/edit",
        options=options,
        price=edit,
        max_images=1,
        count_field="",
        largest=4 * _MEGAPIXEL,
    )
    return replace(model, variants=(images,))


_ALL = (
    _PRO,
    _ULTRA,
    _KONTEXT,
    _flux_2("pro", _price(0.03, 0.015)),
    _flux_2(
        "flex",
        _price(0.05, 0.05),
        steps=Range(field="input.num_inference_steps", low=1, high=50, confidence="inferred"),
        guidance=Range(field="input.guidance_scale", low=1.5, high=10, fractions=True, confidence="inferred"),
    ),
    _klein("4b", _price(0.014, 0.014, source="the dearer of two prices"), _price(0.005, 0.005)),
    _klein("9b", _price(0.006, 0.006), _price(0.011, 0.011, 0.011), unsure="inferred"),
    replace(
        _model("flux-dev", "flux-dev-lt1", _LABELS, _price(0.025, 0.025), note="its fields are not documented"),
        variants=(
            _model(
                "flux-dev",
                "flux-1-dev/edit",
                {
                    "image": replace(_IMAGE, field="input.image_b64", travels="base64", links=False, note=""),
                    "strength": Range(field="input.strength", low=0, high=1, fractions=True),
                    "steps": Range(field="input.steps", low=1, high=50, confidence="inferred"),
                    **_LABELS,
                },
                _price(0.025),
            ),
        ),
    ),
    _model("flux-schnell", "flux-1-schnell", _LABELS, _price(0.003, 0.003), note="its fields are not documented"),
)
MODELS = {model.name: model for model in _ALL}
OTHER = _model("", "", _LABELS, None, prompt_length=(0, None))
