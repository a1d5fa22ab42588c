"""Define calls and answers as plain values, and route a call by its method and path."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request as it arrives: header names in lower case, the path decoded, the body whole."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    base: str = ""
    """The address that the path is below, as the caller sees it, for answers that contain addresses of the API."""

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the body says that it is JSON."""
        return self.content_type == "application/json"

    @property
    def bearer(self) -> bool:
        """Whether there is an ``Authorization: Bearer`` header with a key in it."""
        return re.fullmatch(r"Bearer [!-~]+", self.headers.get("authorization", "")) is not None

    def json(self) -> Any:
        """Return the body as JSON. Raises ``ValueError`` if it is not JSON."""
        try:
            return json.loads(self.body, parse_constant=_reject_constant)
        except RecursionError as error:
            message = "nested too deeply"
            raise ValueError(message) from error


class Answer(NamedTuple):
    """One HTTP response: header names in lower case, the body whole."""

    status: int
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b""
    cut: int | None = None
    """After how many bytes of the body the connection breaks, if it does."""


class LostReply(Exception):  # noqa: N818 - what happened, not an error of ours
    """The call arrived and took effect, but its answer is lost."""


def reply(status: int, value: Any, **headers: str) -> Answer:
    """Return an answer whose body is ``value`` as JSON; ``retry_after="1"`` becomes the header ``retry-after``."""
    added = {name.replace("_", "-"): content for name, content in headers.items()}
    return Answer(
        status=status,
        headers={"content-type": "application/json", **added},
        body=json.dumps(value, separators=(",", ":")).encode(),
    )


def find(routes: Mapping[tuple[str, str], str], call: Call) -> tuple[str, str] | int:
    """Return the name of the route that ``call`` takes and the part of the path in parentheses, or 404 or 405.

    ``routes`` are names by method and by a pattern of the whole path.
    """
    status = 404
    for (method, pattern), name in routes.items():
        found = re.fullmatch(pattern, call.path)
        if found and method == call.method:
            return name, found[1] if found.re.groups else ""
        if found:
            status = 405
    return status


def stamp(seconds: float) -> str:
    """Return a time (seconds since 1970) as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reject_constant(name: str) -> Any:
    message = f"{name} is not JSON"
    raise ValueError(message)
