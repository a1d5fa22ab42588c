"""Conversations: what a provider says and hears, with no word about how it travels.

A provider is written as generator functions that ``yield`` a `Request`, are sent a `Response` and ``return`` what they
learned. Everything that differs between hosts is then a pure function, tested with plain values, and everything that
must not differ (keys, retries, time, money) exists once, in whoever drives the conversation. A failure of one
exchange is raised at the ``yield``, so a conversation that can do better than give up says so with an ordinary
``try``.

A wrong or missing field is an ordinary ``KeyError`` or ``TypeError`` in the conversation; `drive` turns it into a
`ProtocolError` that names the request, so a provider holds no defensive code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from flux_cli.errors import FluxError, ProtocolError

T = TypeVar("T")

_DEPTH = 64
"""Levels of nesting in an answer that are read: documented ones have six."""

Flow = Generator["Request", "Response", T]
"""A conversation that ends in a ``T``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A local file as the one field of a multipart body."""

    field: str
    path: str


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without credentials, so that it can be logged, compared, stored and printed as curl."""

    method: str
    path: str
    """Appended to the provider's base URL."""
    _: KW_ONLY
    json: Any = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    upload: Upload | None = None
    origin: str | None = None
    """Another origin than the base URL's; only one that the provider lists as its own."""
    paid: bool = False
    """Whether it may cost money if it arrives."""
    repeatable: bool = False
    """Whether a repeat, after a lost reply, is known to have no second effect. Reads (GET) always are."""
    mutates: bool = False
    """Whether it changes something without costing money: a cancel."""
    dry_run_answer: Any = None
    """What ``--dry-run`` pretends came back, where a later request needs it."""

    def __str__(self) -> str:
        return f"{self.method} {self.origin or ''}{self.path or '/'}"

    @property
    def idempotent(self) -> bool:
        """Whether it may be sent again when its reply is lost."""
        return self.method == "GET" or self.repeatable

    @property
    def outcome_matters(self) -> bool:
        """Whether a lost answer leaves open what it did."""
        return self.paid or self.mutates or not self.idempotent


@dataclass(frozen=True, kw_only=True)
class Response:
    """What came back: status, headers (lower-case names) and the whole body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @cached_property
    def json(self) -> Any:
        """The body as JSON. Raises ``ValueError`` where it is none (or is nested beyond reason)."""
        try:
            found = json.loads(self.body, parse_constant=_reject_constant)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if _is_nested_too_deeply(found):
            raise ValueError("nested too deeply")
        return found

    @property
    def object(self) -> dict[str, Any]:
        """The body as a JSON object, or an empty one: for reading refusals, whose shapes are not dependable."""
        try:
            found = self.json
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_nested_too_deeply(value: Any) -> bool:
    """Whether ``value`` is nested so deeply that showing it could exhaust the stack."""
    level: list[Any] = [value]
    for _ in range(_DEPTH):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [child for children in inner for child in children]
        if not level:
            return False
    return True


def encode(body: Any) -> bytes:
    """Return a JSON body as it is sent: compact, UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def drive(conversation: Flow[T], send: Callable[[Request], Response]) -> T:
    """Hold ``conversation``, letting ``send`` carry each request, and return its result.

    Raises whatever `FluxError` the conversation lets through, and `ProtocolError` for an answer it could not read.
    """
    request: Request | None = None
    reply: Response | None = None
    failure: FluxError | None = None
    while True:
        try:
            if failure is not None:
                request = conversation.throw(failure)
            elif reply is None:
                request = next(conversation)
            else:
                request = conversation.send(reply)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            message = f"cannot understand the answer to {request or 'nothing'} ({_describe_fault(error)})"
            raise ProtocolError(message) from error
        try:
            reply, failure = send(request), None
        except FluxError as error:
            failure = error


def _describe_fault(error: Exception) -> str:
    """Return in a few words what was wrong with an answer."""
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r}"
    if isinstance(error, json.JSONDecodeError):
        return "not JSON"
    return re.sub(r"\s+", " ", str(error))[:80] or type(error).__name__


def require_object(reply: Response) -> None:
    """Raise ``TypeError`` or ``ValueError`` where an answer is no JSON object, as of a proxy in the API's place."""
    if not isinstance(reply.json, dict):
        message = f"an answer must be an object, not {type(reply.json).__name__}"
        raise TypeError(message)


_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")


def as_id(value: Any) -> str:
    """Return ``value`` if it can stand in the path of a URL as an id. Raises ``TypeError`` or ``ValueError``."""
    if not isinstance(value, str):
        message = f"an id must be text, not {type(value).__name__}"
        raise TypeError(message)
    if not _IDENTIFIER.fullmatch(value):
        message = "an id with characters that do not belong there"
        raise ValueError(message)
    return value


def as_url(value: Any) -> str:
    """Return ``value`` if it is the text of an http or https address. Raises ``TypeError`` or ``ValueError``."""
    if not isinstance(value, str):
        message = f"a link must be text, not {type(value).__name__}"
        raise TypeError(message)
    if not re.fullmatch(r"https?://[^\s/\\][^\s\\]*", value) or not value.isprintable():
        message = "a link that is not a web address"
        raise ValueError(message)
    return value


def as_int(value: Any) -> int | None:
    """Return ``value`` if it is an integer (and no boolean), else ``None``."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def as_float(value: Any) -> float | None:
    """Return ``value``, a JSON number or a decimal string, as a finite float, else ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e15 else None  # noqa: PLR2004 - beyond any price or time, and false for NaN


def as_percent(value: Any) -> float | None:
    """Return ``value`` as a number from 0 to 100, else ``None``."""
    found = as_float(value)
    return None if found is None else min(max(found, 0.0), 100.0)


def as_bool(value: Any) -> bool | None:
    """Return ``value`` if it is a boolean, else ``None``."""
    return value if isinstance(value, bool) else None
