"""What is known about models at their providers: prices, kinds and options, as text and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flux_cli.providers.base import SEEDS, USD, Model, Price, Provider
from flux_cli.providers.fit import flag_name
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Option, Range
from flux_cli.providers.sizes import Ratios
from flux_cli.runtime import Runtime

DOUBT = "?"
"""Marks what the provider itself does not document."""
LEGEND = "not documented by the provider: reported by others, or inferred"


def find_price(runtime: Runtime, provider: Provider, model: Model) -> Price | None:
    """Return what an image costs, in USD where that is known, else in the host's credits if it said so."""
    return runtime.price(provider.name, model.name, model.price) or runtime.prices.reported.find(
        provider.name, model.name
    )


def lowest(price: Price) -> float:
    """Return the price of the cheapest image."""
    return price.steps[0][1] if price.steps else price.amount


def amount(price: Price | None) -> str | None:
    """Return what the cheapest image costs, for people, or ``None`` if it is unknown."""
    if price is None:
        return None
    shown = f"${lowest(price):g}" if price.currency == USD else f"{lowest(price):g} {price.currency}"
    return f"from {shown}" if price.steps or price.further or price.inputs else shown


def variants(model: Model) -> tuple[Model, ...]:
    """Return a model under each of its ids."""
    return (model, *model.variants)


KINDS = ("text", "image-prompt", "edit", "fill")
"""What models can do, in the order in which it is shown."""


def kinds(model: Model) -> list[str]:
    """Return which of `KINDS` a model can do.

    An image prompt, whose weight can be set, is not an image to edit.
    """
    every = variants(model)
    found = {
        "text": any(one.image_input is None or one.image_input.least == 0 for one in every),
        "image-prompt": any(_is_prompted(one) for one in every),
        "edit": any(one.image_input and not (_needs_mask(one) or _is_prompted(one)) for one in every),
        "fill": any("mask" in one.options for one in every),
    }
    return [name for name in KINDS if found[name]]


def _needs_mask(model: Model) -> bool:
    return "mask" in model.options and model.options["mask"].required


def _is_prompted(model: Model) -> bool:
    """Whether its input image is an image prompt."""
    taken = model.image_input
    return "image_strength" in model.options or (taken is not None and taken.field.endswith("image_prompt"))


def most_inputs(model: Model) -> int:
    """Return how many input images a model takes."""
    return max(one.image_input.most if one.image_input else 0 for one in variants(model))


def option_rows(model: Model) -> Iterator[tuple[str, Option]]:
    """Yield every option with its flag, and with when it applies if the ids of the model differ in it."""
    every = variants(model)
    seen: dict[str, list[tuple[str, str]]] = {}
    for one in every:
        for name, option in one.options.items():
            shape = (option.accepts, option.field)
            shared = isinstance(option, ImageInput) or all(name in other.options for other in every)
            if shape not in seen.get(name, []):
                yield flag_name(name) if shared and name not in seen else f"{flag_name(name)} ({_when(one)})", option
            seen.setdefault(name, []).append(shape)


def slugs(model: Model) -> str:
    """Return the provider's own ids of a model; where there are several, with when each is used."""
    found: dict[str, str] = {}
    for one in variants(model):
        found.setdefault(one.slug, _when(one))
    if len(found) == 1:
        return mark(model.slug, model.confidence)
    doubts = {one.slug: one.confidence for one in variants(model)}
    return ", ".join(f"{mark(slug, doubts[slug])} ({when})" for slug, when in found.items())


def _when(model: Model) -> str:
    return "with -i" if model.image_input else "without -i"


def mark(text: str, confidence: str) -> str:
    """Return ``text``, with a mark where it is not documented."""
    return f"{text} {DOUBT}" if confidence else text


def prompt_bounds(model: Model) -> str:
    """Return how long a prompt may be."""
    low, high = model.prompt_length
    return f"{low} to {high} characters" if high else f"{low} or more characters"


def count_bounds(model: Model) -> str:
    """Return how many images a job may make."""
    return f"1 to {model.max_images} in one job" if model.max_images > 1 else "1 to 20, a job each"


def values(option: Option, *, brief: bool = False) -> str:
    """Return the values of an option, marked if they are not documented; if ``brief``, ratios without pixels."""
    if isinstance(option, Range) and (option.low, option.high) == SEEDS:
        shown = "any integer of 64 bits"
    else:
        shown = " ".join(option.sizes) if brief and isinstance(option, Ratios) else option.accepts
    return mark(shown, option.confidence)


def table(model: Model, *, brief: bool = False) -> list[tuple[str, ...]]:
    """Return every option of a model: how it is typed, its values, the default, the provider's name, a note.

    If ``brief``, ratios come without their pixels.
    """
    return [
        ("PROMPT", prompt_bounds(model), "-", model.prompt_field, ""),
        ("--count", count_bounds(model), "1", model.count_field or "-", ""),
        *(
            (flag, values(option, brief=brief), option.default or "-", option.field or "-", option.note)
            for flag, option in option_rows(model)
        ),
    ]


def price_words(price: Price | None) -> str:
    """Return the price rule with its source and date."""
    if price is None:
        return "unknown"
    return ", ".join(word for word in (price.rule, price.source, price.date) if word)


def describe(provider: Provider, model: Model, price: Price | None) -> dict[str, Any]:
    """Return everything that is known of a model at a provider, as plain data."""
    ids: Sequence[Model] = variants(model)
    return {
        "provider": provider.name,
        "ids": list(dict.fromkeys(one.slug for one in ids)),
        "confidence": model.confidence or "documented",
        "note": model.note,
        "kinds": kinds(model),
        "most_input_images": most_inputs(model),
        "seed": model.takes_seed,
        "prompt_length": list(model.prompt_length),
        "prompt_field": model.prompt_field,
        "most_images": model.max_images,
        "count_field": model.count_field or None,
        "price": amount(price),
        "price_rule": price.rule if price else None,
        "price_source": price.source if price else None,
        "price_date": (price.date or None) if price else None,
        "options": [
            {
                "option": flag.partition(" ")[0],
                "applies": flag.partition(" ")[2].strip("()") or None,
                "accepts": option.accepts,
                "default": option.default or None,
                "field": option.field or None,
                "required": option.required,
                "confidence": option.confidence or "documented",
                "note": option.note,
            }
            for flag, option in option_rows(model)
        ],
    }
