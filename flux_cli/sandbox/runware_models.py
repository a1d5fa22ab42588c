"""Runware's models by AIR: what each takes beside the common fields, and what it costs.

From https://runware.ai/docs/models and the types of the vendor's client 1.8.0. Every field that a model does not name
is refused, at the top and inside objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_cli.sandbox import shapes
from flux_cli.sandbox.schema import Field

_IMAGE = Field(kind="text")
_NEEDED = Field(kind="text", required=True)
_OBJECT = Field(kind="object")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model."""

    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    """Its own fields, without the prompt and the common ones."""
    prompt: tuple[int, int] | None = (2, 3000)
    """Shortest and longest prompt; ``None`` if it takes none."""
    sides: tuple[int, int, int] | None = None
    """Shortest and longest side, and what both are multiples of."""
    table: tuple[tuple[int, int], ...] = ()
    """The only sizes, instead."""
    price: tuple[float, float, float] = (0.04, 0.0, 0.0)
    """USD for the first megapixel, each further one, and each of the input images."""
    steps: tuple[tuple[int, float], ...] = ()
    """Instead, the price of images of up to so many pixels."""
    tiers: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict[str, tuple[tuple[int, int], ...]])
    """Sizes by resolution."""
    least_side: int = 1
    """Shortest side of a reference image, in pixels."""
    conflicts: tuple[str, ...] = ()
    """Fields of which at most one may be sent."""
    safety_modes: bool = True
    """Whether ``safety`` has a ``mode``."""


def _bfl(tolerance: int, *, raw: bool = False) -> dict[str, Field]:
    fields = {
        "promptUpsampling": Field(kind="boolean"),
        "safetyTolerance": Field(kind="integer", low=0, high=tolerance),
        **({"raw": Field(kind="boolean")} if raw else {}),
    }
    return {"providerSettings": Field(kind="object", fields={"bfl": Field(kind="object", fields=fields)})}


def _inputs(required: bool = False, **fields: Field) -> dict[str, Field]:  # noqa: FBT001, FBT002 - as a schema says it
    return {"inputs": Field(kind="object", required=required, fields=fields)}


def _references(most: int, low: int = 0) -> dict[str, Field]:
    return _inputs(referenceImages=Field(kind="array", low=low, high=most, items=_IMAGE))


def _size(required: bool = True) -> dict[str, Field]:  # noqa: FBT001, FBT002 - as a schema says it
    return {name: Field(kind="integer", required=required) for name in ("width", "height")}


def _numbers(steps: tuple[int, int], guidance: tuple[float, float]) -> dict[str, Field]:
    return {
        "steps": Field(kind="integer", low=steps[0], high=steps[1]),
        "CFGScale": Field(kind="number", low=guidance[0], high=guidance[1]),
    }


def _tier(pairs: str) -> tuple[tuple[int, int], ...]:
    wide = [(int(one), int(other)) for one, other in (pair.split("x") for pair in pairs.split())]
    return (*wide, *((high, width) for width, high in wide if width != high))


_SEED = {"seed": Field(kind="integer", low=0, high=2**63 - 1)}
_ARRAY = Field(kind="array")
_OPEN = {"scheduler": Field(kind="text"), "lora": _ARRAY, "acceleratorOptions": _OBJECT}
_OPEN_1 = {"trueCFGScale": Field(kind="number"), "ultralytics": _OBJECT}
"""Documented fields of the open models, and of those of FLUX.1."""


def _negative(low: int, high: int) -> dict[str, Field]:
    return {"negativePrompt": Field(kind="text", low=low, high=high)}


_KONTEXT_TABLE = _tier("1568x672 1392x752 1184x880 1248x832 1024x1024")
_FLUX_3 = {
    "0.75K": _tier("1168x496 1088x544 1024x576 944x624 912x656 880x672 864x688 768x768"),
    "1K": _tier("1568x672 1440x720 1360x768 1248x832 1216x864 1184x880 1152x912 1024x1024"),
    "2K": _tier("3136x1344 2896x1440 2736x1536 2512x1664 2416x1728 2368x1776 2288x1824 2048x2048"),
    "4K": _tier("6256x2688 5792x2896 5456x3072 5024x3344 4848x3456 4736x3552 4576x3664 4096x4096"),
}
_FLUX_3_PRICES = {"0.75K": 0.041, "1K": 0.048, "2K": 0.10, "4K": 0.607}
_FLUX_2 = {**_references(8), **_size(), **_SEED, **_bfl(6)}
_KLEIN = {
    **_references(4, low=1),
    **_size(),
    **_SEED,
    **_OPEN,
    **_negative(1, 10_000),
    **_numbers((1, 50), (1, 20)),
    "acceleration": Field(kind="text", choices=("none", "low", "medium", "high")),
}
_SCHNELL = {
    **_inputs(seedImage=_IMAGE, maskImage=_IMAGE),
    **_size(),
    **_SEED,
    **_OPEN,
    **_OPEN_1,
    **_negative(2, 3000),
    **_numbers((1, 100), (0, 20)),
    "strength": Field(kind="number", low=0, high=1),
    "maskMargin": Field(kind="integer", low=32, high=128),
    "outpaint": _OBJECT,
    "promptWeighting": Field(kind="text", choices=("sdEmbeds",)),
}
_DEV = {**_SCHNELL, "controlNet": _ARRAY, "ipAdapters": _ARRAY, "pulid": _OBJECT}
_BOX = Field(kind="array", nullable=True, low=4, high=4, items=Field(kind="integer", low=0, high=1000))
_BOXES = Field(
    kind="array",
    low=1,
    items=Field(
        kind="object",
        fields={
            "id": Field(kind="text", required=True),
            "description": Field(kind="text"),
            "referenceIndex": Field(kind="integer", nullable=True, low=0, high=9),
            "sourceBox": _BOX,
            "targetBox": _BOX,
        },
    ),
)
_ANY = (1, 32_000)
_ACCELERATION = ("acceleration", "acceleratorOptions")
_GRID, _KLEIN_GRID = (256, 2048, 16), (128, 2048, 16)

ENTRIES = {
    "bfl:2@1": Entry(fields={**_size(), **_SEED, **_bfl(6)}, sides=(256, 1440, 32)),
    "bfl:2@2": Entry(
        fields={**_size(), **_SEED, **_bfl(6, raw=True)}, table=tuple(shapes.ULTRA.values()), price=(0.06, 0, 0)
    ),
    "bfl:3@1": Entry(fields={**_references(2), **_size(), **_SEED, **_bfl(6)}, table=_KONTEXT_TABLE),
    "bfl:4@1": Entry(
        fields={**_references(2), **_size(), **_SEED, **_bfl(6)}, table=_KONTEXT_TABLE, price=(0.08, 0, 0)
    ),
    "runware:106@1": Entry(
        fields={
            **_references(2),
            **_size(required=False),
            **_SEED,
            **_OPEN,
            **_OPEN_1,
            **_negative(2, 3000),
            **_numbers((1, 100), (0, 20)),
        },
        sides=_KLEIN_GRID,
        price=(0.0105, 0, 0),
    ),
    "bfl:5@1": Entry(fields=_FLUX_2, prompt=_ANY, sides=_GRID, price=(0.03, 0.015, 0.015)),
    "bfl:6@1": Entry(
        fields={**_FLUX_2, **_references(10), **_numbers((1, 50), (1, 20))},
        prompt=_ANY,
        sides=_GRID,
        price=(0.06, 0.06, 0.06),
    ),
    "bfl:7@1": Entry(fields={**_FLUX_2, **_size(required=False)}, prompt=_ANY, sides=_GRID, price=(0.07, 0.03, 0.03)),
    "runware:400@1": Entry(
        fields=_KLEIN, conflicts=_ACCELERATION, prompt=(1, 10_000), sides=_KLEIN_GRID, price=(0.009, 0.009, 0)
    ),
    "runware:400@4": Entry(
        fields=_KLEIN, conflicts=_ACCELERATION, prompt=(1, 10_000), sides=_KLEIN_GRID, price=(0.0006, 0.0006, 0)
    ),
    "runware:400@5": Entry(
        fields=_KLEIN, conflicts=_ACCELERATION, prompt=(1, 10_000), sides=_KLEIN_GRID, price=(0.003, 0.003, 0)
    ),
    "runware:400@2": Entry(
        fields=_KLEIN, conflicts=_ACCELERATION, prompt=(1, 10_000), sides=_KLEIN_GRID, price=(0.00078, 0.00078, 0)
    ),
    "runware:400@6": Entry(
        fields=_KLEIN, conflicts=_ACCELERATION, prompt=(1, 10_000), sides=_KLEIN_GRID, price=(0.00078, 0.00078, 0)
    ),
    "runware:400@3": Entry(
        fields=_KLEIN, conflicts=_ACCELERATION, prompt=(1, 10_000), sides=_KLEIN_GRID, price=(0.00416, 0.00416, 0)
    ),
    "bfl:flux@3-image": Entry(
        fields={
            **_references(10, low=1),
            **_size(required=False),
            "resolution": Field(kind="text", choices=tuple(_FLUX_3)),
            "settings": Field(
                kind="object",
                fields={
                    "safetyTolerance": Field(kind="integer", low=0, high=4),
                    "boundingBoxes": _BOXES,
                },
            ),
        },
        prompt=(2, 32_000),
        table=tuple(size for sizes in _FLUX_3.values() for size in sizes),
        steps=tuple((max(w * h for w, h in sizes), _FLUX_3_PRICES[tier]) for tier, sizes in _FLUX_3.items()),
        tiers=_FLUX_3,
        least_side=128,
        safety_modes=False,
    ),
    "bfl:flux@3-image-klein": Entry(
        fields={**_references(10), **_size(required=False), "steps": Field(kind="integer", low=1, high=50)},
        prompt=(1, 32_000),
        sides=(512, 4096, 16),
        steps=((2**18, 0.003), (2**20, 0.006), (1536 * 1024, 0.0089), (2**22, 0.0179), (2**24, 0.101)),
    ),
    "runware:101@1": Entry(
        fields=_DEV,
        sides=(128, 2048, 64),
        steps=((2**18, 0.0019), *((count * 2**20, count * 0.0038) for count in (1, 2, 3, 4))),
    ),
    "runware:100@1": Entry(fields=_SCHNELL, sides=(128, 2048, 64), price=(0.0013, 0.0013, 0)),
    "bfl:1@2": Entry(
        fields={
            **_inputs(required=True, seedImage=_NEEDED, maskImage=_NEEDED),
            **_SEED,
            **_numbers((15, 50), (1.5, 100)),
            **_bfl(6),
        },
        price=(0.05, 0, 0),
    ),
}
"""By AIR."""

LOOSE = {
    "bfl:1@3": True,
    "runware:102@1": True,
    "runware:107@1": True,
    "runware:111@1": True,
    "bfl:flux@erase": False,
    "bfl:flux@outpainting": False,
    "bfl:flux@vto": True,
}
"""Models whose fields are not checked here, and whether they take a prompt."""
