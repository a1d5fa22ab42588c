"""Read what Runware says of a task: polls are cumulative, and mix images and errors."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from flux_cli.errors import ModeratedError, PartialError, RefusedError
from flux_cli.jobs import Cancelled, Cost, Failed, Image, Queued, RemoteJob, Running, State, Succeeded
from flux_cli.providers.conversation import as_bool, as_float, as_int, as_percent, as_url
from flux_cli.providers.runware_codes import CANCELLED, explain
from flux_cli.text import printable, sentence


def read_state(body: Any, remote: RemoteJob, *, last: bool = False) -> State:
    """Return the state of one task from an answer: its images, its errors, and whether more will follow.

    ``last`` marks an answer after which nothing follows (synchronous delivery).
    """
    items = [one for one in body.get("data") or [] if _belongs_to(one, remote, silent=False)]
    errors = [one for one in list_errors(body) if _belongs_to(one, remote, silent=True)]
    errors += [one.get("error") or one for one in items if one.get("status") == "error"]
    made = {_key(one, place): one for place, one in enumerate(items) if _has_image(one)}
    waiting = [one for one in items if not _has_image(one) and one.get("status") != "error"]
    wanted, settled = as_int(remote.poll_state.get("count")) or 0, len(made) + len(errors)
    complete = settled >= wanted if wanted else bool(settled and not waiting)
    only_refused = bool(errors and not made and not waiting)  # then one error applies to every image
    if not (last or complete or only_refused):
        return _unfinished(waiting) if waiting or made else Queued(seen=False)
    if not made:
        return _end_without_image(errors)
    images = _sort_by_seed([_image(key, one) for key, one in made.items()])
    costs = [cost for one in made.values() if (cost := as_float(one.get("cost"))) is not None]
    wanted = max(wanted, settled)
    reason = explain(errors[0]).message if errors else "runware gave no reason"
    return Succeeded(
        images=images,
        seed=images[0].seed,
        cost=Cost(amount=round(sum(costs), 6)) if costs else None,
        error=PartialError(f"{wanted - len(made)} of {wanted} images were not made: {reason}")
        if len(made) < wanted
        else None,
    )


def _end_without_image(errors: list[Any]) -> State:
    """Return the state of a task that made no image. A block, which a repeat would meet again, takes precedence."""
    reasons = [explain(one) for one in errors] or [RefusedError("runware: the task ended without an image")]
    blocked = next((one for one in reasons if isinstance(one, ModeratedError)), None)
    if blocked is None and all(one.vendor_code == CANCELLED for one in reasons):
        return Cancelled(error=cancelled_error())
    return Failed(error=blocked or reasons[0])


def cancelled_error() -> RefusedError:
    """Return the error of a cancelled task. Whether it is billed is not documented; the vendor's client does so."""
    return RefusedError("runware: the task was cancelled", charged="unknown", retry="never")


def _sort_by_seed(images: list[Image]) -> tuple[Image, ...]:
    """Sort images by seed if they all have one: they come in any order, and their seeds count up from the first."""
    seeds = [image.seed for image in images]
    if None in seeds:
        return tuple(images)
    return tuple(sorted(images, key=lambda image: image.seed or 0))


def _unfinished(waiting: list[Any]) -> State:
    """Return the state of an unfinished task. An item without a status only acknowledges the task."""
    if waiting and all(one.get("status") is None for one in waiting):
        return Queued()
    named = (one["status"] for one in waiting if one.get("status") not in (None, "processing", "pending", "success"))
    known = next(named, None)
    return Running(
        progress=as_percent(next((one.get("progress") for one in waiting), None)),
        detail=None if known is None else sentence(str(known), limit=60),
    )


def _belongs_to(item: Any, remote: RemoteJob, *, silent: bool) -> bool:
    """Whether an item belongs to this task; ``silent`` is the answer for an item without a task id."""
    named = item.get("taskUUID")
    return silent if named is None else str(named).lower() == remote.id.lower()


def _key(item: Any, place: int) -> str:
    """Return a key that is unique within the task, because polls repeat earlier images."""
    names = (item.get("imageUUID"), item.get("resultIndex"), place)
    return printable(str(next(name for name in names if name not in (None, ""))), limit=128)


def list_errors(body: Any) -> list[Any]:
    """Return the errors in an answer."""
    found = body.get("errors") or body.get("error") or []
    return found if isinstance(found, list) else [found]


def _has_image(item: Any) -> bool:
    return any(item.get(name) for name in ("imageURL", "imageBase64Data", "imageDataURI"))


def _image(key: str, item: Any) -> Image:
    """Return the image of an item: a link, or its data in one of two encodings."""
    encoded = item.get("imageBase64Data") or (
        item["imageDataURI"].partition(";base64,")[2] if item.get("imageDataURI") else None
    )
    image = Image(key=key, seed=as_int(item.get("seed")), nsfw=as_bool(item.get("NSFWContent")))
    if encoded:
        return replace(image, data=base64.b64decode(encoded, validate=True))
    return replace(image, url=as_url(item["imageURL"]))
