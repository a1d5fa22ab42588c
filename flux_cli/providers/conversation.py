"""Define requests, responses, and the conversations of providers, independently of how they are transported.

A conversation is a generator function that yields a `Request`, receives a `Response`, and returns its result. What
differs between providers is thus a pure function, tested with plain values; what must not differ (keys, retries, time,
money) exists once, in the code that drives the conversation. If an exchange fails, its error is raised at the
``yield``, and a conversation that can recover from it uses an ordinary ``try``.

A wrong or missing field raises an ordinary ``KeyError`` or ``TypeError`` in the conversation. `drive` turns it into a
`ProtocolError` that names the request, so providers need no defensive code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from uuid import uuid4

from flux_cli.errors import FluxError, ProtocolError
from flux_cli.jobs import LocalFile

T = TypeVar("T")

_DEPTH = 64
"""The deepest nesting that is accepted in an answer; documented answers have six levels."""

Flow = Generator["Request", "Response", T]
"""A conversation that returns a ``T``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A local file, sent as the only field of a multipart body, or as the body itself."""

    field: str = ""
    """The name of the field; empty for a body that is the file."""
    path: str
    media_type: str = "application/octet-stream"
    """Of a body that is the file."""
    file: LocalFile | None = None
    """The file as it was checked; one that changed since is not sent."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without credentials, so that it can be logged, compared, stored and printed as curl."""

    method: str
    path: str
    """Appended to the provider's base URL."""
    _: KW_ONLY
    json: Any = None
    """Plain JSON, and a `LocalFile` in place of a text."""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    upload: Upload | None = None
    origin: str | None = None
    """The origin, if it is not that of the base URL; must be one that the provider lists."""
    url: str | None = None
    """An address from an answer, used instead of path and query if the key may be sent there."""
    keyless: bool = False
    """Whether the address is public, so the key is not sent, and need not be set."""
    secret_answer: bool = False
    """Whether the answer holds a secret, which ``-v`` must not show."""
    paid: bool = False
    """Whether the request may cost money."""
    repeatable: bool = False
    """Whether it is safe to repeat the request after a lost answer. A GET always is."""
    mutates: bool = False
    """Whether the request changes something without costing money, as a cancel does."""
    dry_run_answer: Any = None
    """The answer that ``--dry-run`` assumes, if a later request depends on it."""

    def __str__(self) -> str:
        return f"{self.method} {self.origin or ''}{self.path or '/'}"

    @property
    def idempotent(self) -> bool:
        """Whether the request may be sent again after its answer was lost."""
        return self.method == "GET" or self.repeatable

    @property
    def outcome_matters(self) -> bool:
        """Whether it matters what the request did when its answer was lost."""
        return self.paid or self.mutates or not self.idempotent


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer: status, headers (names in lower case) and the whole body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @cached_property
    def json(self) -> Any:
        """The body as JSON. Raises ``ValueError`` if it is not JSON or is nested too deeply."""
        try:
            found = json.loads(self.body, parse_constant=_reject_constant)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if _is_nested_too_deeply(found):
            raise ValueError("nested too deeply")
        return found

    @property
    def object(self) -> dict[str, Any]:
        """The body as a JSON object, or an empty one: for errors, whose structure cannot be relied on."""
        try:
            found = self.json
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_nested_too_deeply(value: Any) -> bool:
    """Whether ``value`` is nested so deeply that printing it could exhaust the stack."""
    level: list[Any] = [value]
    for _ in range(_DEPTH):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [child for children in inner for child in children]
        if not level:
            return False
    return True


def encode(body: Any) -> list[bytes | LocalFile]:
    """Encode a JSON body as it is sent, compact and in UTF-8, with each local file where its base64 belongs."""
    mark = f"file-{uuid4().hex}"
    files: list[LocalFile] = []

    def take(value: Any) -> str:
        if not isinstance(value, LocalFile):
            message = f"{type(value).__name__} cannot be sent as JSON"
            raise TypeError(message)
        files.append(value)
        return mark

    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=take)
    first, *others = text.encode().split(mark.encode())
    parts: list[bytes | LocalFile] = [first]
    for file, following in zip(files, others, strict=True):
        parts += [file.prefix.encode(), file, following]
    return parts


def describe_body(body: Any) -> Any:
    """Return a JSON body with a description in place of each local file, as it is stored and shown."""
    if isinstance(body, LocalFile):
        return str(body)
    if isinstance(body, dict):
        return {name: describe_body(value) for name, value in body.items()}
    return [describe_body(value) for value in body] if isinstance(body, list) else body


def drive(conversation: Flow[T], send: Callable[[Request], Response]) -> T:
    """Run ``conversation``, sending each request with ``send``, and return its result.

    Raises every `FluxError` that the conversation does not catch, and `ProtocolError` for an answer it cannot read.
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
    """Describe in a few words what was wrong with an answer."""
    if isinstance(error, KeyError):
        return f"no {error.args[0]!r}"
    if isinstance(error, json.JSONDecodeError):
        return "not JSON"
    return re.sub(r"\s+", " ", str(error))[:80] or type(error).__name__


def require_object(reply: Response) -> None:
    """Raise ``TypeError`` or ``ValueError`` if an answer is not a JSON object, such as one sent by a proxy."""
    if not isinstance(reply.json, dict):
        message = f"an answer must be an object, not {type(reply.json).__name__}"
        raise TypeError(message)


_ID = r"[A-Za-z0-9_-]{1,128}"


def as_id(value: Any) -> str:
    """Return ``value`` if it is an id that is safe in a URL path. Raises ``TypeError`` or ``ValueError``."""
    if not isinstance(value, str):
        message = f"an id must be text, not {type(value).__name__}"
        raise TypeError(message)
    if not re.fullmatch(_ID, value):
        message = "an id with characters that are not allowed"
        raise ValueError(message)
    return value


def as_url(value: Any) -> str:
    """Return ``value`` if it is an http or https URL. Raises ``TypeError`` or ``ValueError``."""
    if not isinstance(value, str):
        message = f"a link must be text, not {type(value).__name__}"
        raise TypeError(message)
    if not re.fullmatch(r"https?://[^\s/\\][^\s\\]*", value) or not value.isprintable():
        message = "a link that is not a web address"
        raise ValueError(message)
    return value


def as_int(value: Any) -> int | None:
    """Return ``value`` if it is a 64-bit integer and not a boolean, else ``None``."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def as_float(value: Any) -> float | None:
    """Return ``value``, a JSON number or a decimal string, as a finite float, else ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e15 else None  # noqa: PLR2004 - larger than any price or time, and false for NaN


def as_percent(value: Any) -> float | None:
    """Return ``value`` as a number from 0 to 100, else ``None``."""
    found = as_float(value)
    return None if found is None else min(max(found, 0.0), 100.0)


def as_bool(value: Any) -> bool | None:
    """Return ``value`` if it is a boolean, else ``None``."""
    return value if isinstance(value, bool) else None
