"""Runflow's models with their fields and prices: https://www.runflow.io/models and https://docs.runflow.io/models."""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_cli.sandbox.schema import Field

PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""Width and height in pixels by the name of a size."""

_PROMPT = {"prompt": Field(kind="text", required=True)}
_SEED = {"seed": Field(kind="integer", low=1)}
_OLD_SIDE = Field(kind="integer", low=1, high=1440)
_SIDE = Field(kind="integer", required=True, low=1, high=4096)
_OBJECT_SIZE = Field(kind="object", fields={"width": _SIDE, "height": _SIDE})
PRESET_SIZE = Field(kind="text", choices=tuple(PRESETS))
_RATIO = Field(kind="text", choices=("21:9", "16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "9:21"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model."""

    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    price: tuple[float, float, float] = (0.04, 0.0, 0.0)
    """USD for the first megapixel, each further one, and each of the input images."""
    size: tuple[int, int] = (1024, 1024)
    """Pixels of an image whose size is not requested."""
    format: str = "jpg"


def _tolerance(most: int) -> Field:
    return Field(kind="text", choices=tuple(str(number) for number in range(1, most + 1)))


def _flux_2(**more: Field) -> dict[str, Field]:
    return {
        **_PROMPT,
        **_SEED,
        "image_size": _OBJECT_SIZE,
        "safety_tolerance": _tolerance(5),
        "output_format": Field(kind="text", choices=("jpeg", "png")),
        **more,
    }


_STEPS = Field(kind="integer", low=1, high=50)
_KLEIN = {
    **_PROMPT,
    **_SEED,
    "image_size": PRESET_SIZE,
    "num_images": Field(kind="integer", low=1, high=4),
    "num_inference_steps": _STEPS,
    "guidance_scale": Field(kind="number", low=0, high=20),
    "output_format": Field(kind="text", choices=("jpeg", "png", "webp")),
    "enable_safety_checker": Field(kind="boolean"),
    "sync_mode": Field(kind="boolean"),
}
_EDIT = {
    **_PROMPT,
    **_SEED,
    "image_urls": Field(kind="array", required=True, low=1, high=4, items=Field(kind="text")),
    "num_inference_steps": Field(kind="integer", low=1, high=25),
}
ENTRIES = {
    "flux-1-1-pro-ultra": Entry(fields={**_PROMPT, **_SEED}, price=(0.06, 0, 0), size=(2752, 1536)),
    "flux-1-1-pro": Entry(fields={**_PROMPT, **_SEED, "width": _OLD_SIDE, "height": _OLD_SIDE}),
    "flux-pro/kontext": Entry(
        fields={
            **_PROMPT,
            **_SEED,
            "image_url": Field(kind="text", required=True),
            "aspect_ratio": _RATIO,
            "num_images": Field(kind="integer", low=1, high=4),
            "guidance_scale": Field(kind="number", low=1, high=20),
            "output_format": Field(kind="text", choices=("jpeg", "png")),
            "safety_tolerance": _tolerance(6),
            "enhance_prompt": Field(kind="boolean"),
            "sync_mode": Field(kind="boolean"),
        },
    ),
    "flux-2-pro": Entry(fields=_flux_2(), price=(0.03, 0.015, 0)),
    "flux-2-flex": Entry(
        fields=_flux_2(num_inference_steps=_STEPS, guidance_scale=Field(kind="number", low=1.5, high=10)),
        price=(0.05, 0.05, 0),
    ),
    "flux-2-klein-4b": Entry(fields=_KLEIN, price=(0.014, 0.014, 0), size=(1024, 768), format="png"),
    "flux-2-klein-4b/edit": Entry(fields=_EDIT, price=(0.005, 0.005, 0), format="png"),
    "flux-2-klein-9b": Entry(fields=_KLEIN, price=(0.006, 0.006, 0), size=(1024, 768), format="png"),
    "flux-2-klein-9b/edit": Entry(fields=_EDIT, price=(0.011, 0.011, 0.011), format="png"),
    "flux-dev-lt1": Entry(fields=_PROMPT, price=(0.025, 0.025, 0)),
    "flux-1-dev/edit": Entry(
        fields={
            **_PROMPT,
            "image_b64": Field(kind="text", required=True),
            "strength": Field(kind="number", low=0, high=1),
            "steps": _STEPS,
        },
        price=(0.025, 0, 0),
    ),
    "flux-1-schnell": Entry(fields=_PROMPT, price=(0.003, 0.003, 0)),
}
"""By the id below ``black-forest-labs/``."""
