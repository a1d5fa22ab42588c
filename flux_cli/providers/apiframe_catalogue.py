"""Read Apiframe's public catalogue of models: titles and prices in credits, and no fields."""

from __future__ import annotations

from typing import Any

from flux_cli.errors import NotFoundError
from flux_cli.providers.apiframe_models import MODELS
from flux_cli.providers.base import Published
from flux_cli.providers.conversation import Flow, Request, as_float
from flux_cli.text import sentence


def describe(model: str) -> Flow[Published]:
    """Read the entry of a model in the public catalogue, which has its title and price, and no fields."""
    reply = yield Request("GET", "/v2/models", keyless=True)
    entry = _entries(reply.json).get(model)
    if entry is None:
        message = f"apiframe does not list {model} in its catalogue"
        raise NotFoundError(message, hint="its ids are like flux-2-pro")
    low, high = as_float(entry.get("costMin")), as_float(entry.get("costMax"))
    facts = {"title": sentence(str(entry.get("label") or ""), limit=80)}
    facts["kind"] = sentence(str(entry.get("modality") or ""), limit=20)
    if low is not None and high is not None:
        mode = sentence(str(entry.get("pricingMode") or ""), limit=20)
        facts["price"] = f"{low:g} credits" if low == high else f"{low:g} to {high:g} credits"
        facts["price"] += f" ({mode})" if mode else ""
    return Published(facts={name: said for name, said in facts.items() if said})


def _entries(published: Any) -> dict[Any, dict[str, Any]]:
    """Return the entries of the catalogue by id."""
    listed = published.get("models") if isinstance(published, dict) else published
    return {one.get("id"): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}


def list_prices(published: Any) -> dict[str, float]:
    """Return the price of an image in credits, for models where the catalogue gives one price, not a range."""
    entries = _entries(published)
    found: dict[str, float] = {}
    for model in MODELS.values():
        entry = entries.get(model.slug, {})
        low, high = as_float(entry.get("costMin")), as_float(entry.get("costMax"))
        if high and low == high and entry.get("pricingMode") in {None, "flat", "per-output"}:
            found[model.name] = high
    return found
