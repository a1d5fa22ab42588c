"""RunComfy's models with their fields: the pages at https://www.runcomfy.com/models/blackforestlabs.

Where a page shows only the beginning of a schema, the rest is assumed to be that of the same model elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_cli.sandbox.schema import Field

_ROOT = "blackforestlabs"
ULTRA = f"{_ROOT}/flux-1-1-pro/ultra/text-to-image"
PRO = f"{_ROOT}/flux-1-1-pro/text-to-image"

_PROMPT = {"prompt": Field(kind="text", required=True)}
_SEED = {"seed": Field(kind="integer")}
_RATIO = {"aspect_ratio": Field(kind="text", pattern=r"\d+:\d+")}
_SIZES = {
    "auto": None,
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
PRESETS = {name: size for name, size in _SIZES.items() if size is not None}
"""Width and height in pixels by the name of a size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model."""

    title: str
    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    price: float
    """USD an image: that of the model's maker, because RunComfy does not document its own."""
    seed: int = 12345
    """The seed that is used if none is sent."""
    area: int = 2**20
    """Pixels of an image whose size is not requested."""


_IMAGES = {"image_urls": Field(kind="array", required=True, low=1, high=10, items=Field(kind="text"))}
_EDIT = {**_PROMPT, **_SEED, **_IMAGES}
_SIZED_EDIT = {**_EDIT, "image_size": Field(kind="text", choices=tuple(_SIZES))}
_KONTEXT = {**_PROMPT, **_SEED, **_RATIO, "image_url": Field(kind="text", required=True)}
_KLEIN = {
    **_PROMPT,
    **_SEED,
    "steps": Field(kind="integer", low=4, high=50),
    "width": Field(kind="integer", low=512, high=1536),
    "height": Field(kind="integer", low=512, high=1536),
}
ENTRIES = {
    ULTRA: Entry(
        title="Flux 1.1 Pro Ultra",
        fields={
            **_PROMPT,
            "aspect_ratio": Field(kind="text", choices=("21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21")),
            **_SEED,
            "raw": Field(kind="boolean"),
        },
        price=0.06,
        seed=90290776,
        area=4 * 2**20,
    ),
    PRO: Entry(
        title="FLUX 1.1 Pro",
        fields={
            **_PROMPT,
            "image_size": Field(kind="text", choices=("16:9", "4:3", "1:1", "1:1 (hd)", "3:4", "9:16", "Custom")),
            **_SEED,
            "raw": Field(kind="boolean"),
        },
        price=0.04,
        seed=81048285,
    ),
    f"{_ROOT}/flux-1-kontext/pro/edit": Entry(title="FLUX Kontext Pro", fields=_KONTEXT, price=0.04),
    f"{_ROOT}/flux-1-kontext/max/edit": Entry(title="FLUX Kontext Max", fields=_KONTEXT, price=0.08),
    f"{_ROOT}/flux-1-kontext/max/text-to-image": Entry(
        title="FLUX Kontext Max", fields={**_PROMPT, **_SEED, **_RATIO}, price=0.08
    ),
    **{
        f"{_ROOT}/flux-2/{path}/text-to-image": Entry(title=f"FLUX 2 {path}", fields={**_PROMPT, **_SEED}, price=price)
        for path, price in {"pro": 0.03, "flex": 0.05, "max": 0.07, "dev": 0.01, "turbo": 0.01, "flash": 0.01}.items()
    },
    **{
        f"{_ROOT}/flux-2/{path}/edit": Entry(
            title=f"FLUX 2 {path} edit", fields=_SIZED_EDIT if path == "pro" else _EDIT, price=price
        )
        for path, price in {"pro": 0.045, "flex": 0.1, "dev": 0.02, "turbo": 0.02, "flash": 0.02}.items()
    },
    f"{_ROOT}/flux-2-klein/4b/text-to-image": Entry(title="FLUX 2 klein 4B", fields=_KLEIN, price=0.014),
    f"{_ROOT}/flux-2-klein/9b/text-to-image": Entry(title="FLUX 2 klein 9B", fields=_KLEIN, price=0.015),
}
"""By id."""
