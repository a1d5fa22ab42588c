"""The platform API of fal, on a host of its own: prices, and the list of requests that finds a lost one."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from flux_cli.errors import FluxError, NotFoundError, UsageError
from flux_cli.jobs import Cost, RemoteJob
from flux_cli.providers.base import Account, LostSubmit, Model, Published
from flux_cli.providers.conversation import Flow, Request, as_float, as_id
from flux_cli.providers.drift import from_schema, read_fields
from flux_cli.providers.fal_models import MODELS
from flux_cli.text import sentence

PLATFORM = "https://api.fal.ai"
_LIST = "/v1/models/requests/by-endpoint"
_UNUSED = ("sync_mode", "version", "acceleration")
"""Fields that need no option."""
_NO_REQUEST = "00000000-0000-0000-0000-000000000000"
_PAGES = 10
"""How many pages of 100 requests are searched for a lost one."""
_SLACK, _LONGEST = 120.0, 900.0
"""Seconds: how much two clocks may differ, and the longest a submit with its retries may take."""


def find(lost: LostSubmit) -> Flow[RemoteJob | None]:
    """Look for the only request of that time with the same input. Local files are left out of the comparison."""
    endpoint = lost.path.lstrip("/")
    wanted = {name: value for name, value in lost.body.items() if not _describes_file(value)}
    query = {"endpoint_id": endpoint, "start": _stamp(lost.sent_at - _SLACK), "expand": "payloads", "limit": "100"}
    found: list[str] = []
    for _ in range(_PAGES):
        try:
            reply = yield Request("GET", _LIST, query=query, origin=PLATFORM)
        except UsageError:  # with another base URL, this host is not asked
            return None
        for one in reply.json["items"]:
            fields = one.get("json_input") or {}
            late = datetime.fromisoformat(one["sent_at"]).timestamp() - lost.sent_at
            same = {name: fields.get(name) for name in wanted} == wanted
            found += [as_id(one["request_id"])] if same and -_SLACK <= late <= _LONGEST else []
        cursor = reply.json.get("next_cursor")
        if not isinstance(cursor, str):
            break
        query = {**query, "cursor": cursor}
    return RemoteJob(id=found[0], poll_state={"endpoint": endpoint}) if len(found) == 1 else None


def check() -> Flow[Account]:
    """Read the prices, which needs a key. The balance needs a key of another kind."""
    try:
        found = yield from _read_prices(*(one.slug for one in MODELS.values() if not one.confidence))
    except UsageError:  # with another base URL, this host is not asked: the queue knows the key, if not the request
        with suppress(NotFoundError):
            yield Request("GET", f"/fal-ai/flux/requests/{_NO_REQUEST}/status")
        return Account()
    units = {name: found[one.slug] for name, one in MODELS.items() if one.slug in found}
    return Account(prices={name: price for name, (price, unit) in units.items() if _is_whole(MODELS[name], unit)})


def read_cost(endpoint: str | None, units: float | None) -> Flow[Cost | None]:
    """Return what the billed units cost, if the price can be read."""
    if endpoint is None or units is None:
        return None
    try:
        prices = yield from _read_prices(endpoint)
    except FluxError:
        return None
    return Cost(amount=round(units * prices[endpoint][0], 6)) if endpoint in prices else None


def _read_prices(*endpoints: str) -> Flow[dict[str, tuple[float, str]]]:
    """Return price and unit of endpoints that are billed in USD."""
    reply = yield Request("GET", "/v1/models/pricing", query={"endpoint_id": ",".join(endpoints)}, origin=PLATFORM)
    return {
        one["endpoint_id"]: (price, str(one.get("unit")))
        for one in reply.json["prices"]
        if (price := as_float(one.get("unit_price"))) is not None and one.get("currency") == "USD"
    }


def describe(model: str) -> Flow[Published]:
    """Read the title of an endpoint and the schema of its input, which are public."""
    found = None
    with suppress(NotFoundError):
        found = (yield from _read_models(model)).get(model)
    if found is None:
        raise NotFoundError(f"fal has no endpoint {model}", hint="its ids are those of https://fal.ai/models")
    about = found.get("metadata")
    title = about.get("display_name") if isinstance(about, dict) else None
    return Published(
        facts={"title": sentence(str(title), limit=80)} if title else {}, fields=read_fields(_input(found))
    )


def compare(model: Model) -> Flow[tuple[str, ...]]:
    """Compare the published schema of each of a model's endpoints with its table."""
    every = {one.slug: one for one in (model, *model.variants)}
    published = yield from _read_models(*every)
    known = (*_UNUSED, *filter(None, [model.count_field]))
    found = [from_schema(one, _input(published.get(slug, {})), known=known) for slug, one in every.items()]
    return tuple(dict.fromkeys(difference for one in found for difference in one))


def _read_models(*endpoints: str) -> Flow[dict[str, Any]]:
    query = {"endpoint_id": ",".join(endpoints), "expand": "openapi-3.0"}
    reply = yield Request("GET", "/v1/models", query=query, origin=PLATFORM, keyless=True)
    return {one["endpoint_id"]: one for one in reply.json["models"]}


def _input(found: Any) -> Any:
    """Return the schema of what an endpoint takes; that of what it makes has a prompt, too."""
    schemas = ((found.get("openapi") or {}).get("components") or {}).get("schemas") or {}
    fields = [one for one in schemas.values() if isinstance(one, dict) and "prompt" in (one.get("properties") or {})]
    return next((one for one in fields if "images" not in one["properties"]), None)


def _is_whole(model: Model, unit: str) -> bool:
    """Whether the price of a unit is that of an image, or of each of its megapixels."""
    evenly = model.price is not None and model.price.further == model.price.amount and not model.price.inputs
    return unit.rstrip("s") == "image" or (unit.rstrip("s") == "megapixel" and evenly)


def _describes_file(value: Any) -> bool:
    """Whether a stored field describes a local file, which is not stored itself."""
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and one.startswith("(data-uri of ") for one in texts)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
