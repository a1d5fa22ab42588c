"""Describe how an image was made, as `ImageMetadata` and as JSON text.

Anyone who gets the file can read its metadata, so it holds what shaped the picture and nothing about the person or the
machine: no webhook, no labels, no path of a local image prompt, no web address that might carry a token. Options that
are left out are named. Metadata that is read from a file is checked like any other input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flux_cli import __version__
from flux_cli.image_options import IMAGE_SHAPING
from flux_cli.jobs import Image, Job
from flux_cli.text import cut_bytes

SHORTENED = (20_000, 5_000)
"""Bytes of prompt to try, in order, if the metadata is too long for the file format."""

LARGEST = 1 << 18
"""Characters of JSON that are read at most."""

_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_LATEST = 2**33
"""Seconds since 1970; a later time is refused."""
_DELICATE = re.compile(r"token|secret|key|passw|auth|webhook|callback", re.IGNORECASE)
"""Names of fields that may hold a secret."""
_INNER = re.compile(r'"([^"]*)":')
"""The names within a JSON value."""
_ID = re.compile(r"[a-z0-9]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetadata:
    """How one image was made."""

    prompt: str
    """Empty if unknown."""
    provider: str
    model: str | None
    seed: int | None
    """The image's own; ``None`` if only that of a job of several images is known."""
    job_id: str
    """The job's id in the ledger."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The options of `IMAGE_SHAPING`, and ``param`` with ``--param`` values by path."""
    omitted: tuple[str, ...] = ()
    """Names of what else shaped the image: options, ``param`` paths, ``prompt`` if it is cut."""
    created_at: float
    """When the job was made, in seconds since 1970, UTC."""
    sandbox: bool = False
    version: str = __version__
    """The version of flux that wrote it."""

    @classmethod
    def of(cls, job: Job, image: Image) -> ImageMetadata:
        """Return the metadata of one ``image`` of ``job``."""
        public, omitted = _split_public(job.parameters)
        shared = job.seed if job.count == 1 else None
        return cls(
            prompt=job.prompt,
            provider=job.provider,
            model=job.model,
            seed=image.seed if image.seed is not None else shared,
            job_id=job.id,
            parameters=public,
            omitted=omitted,
            created_at=float(int(job.created_at)),
            sandbox=job.sandbox,
        )

    @classmethod
    def read(cls, text: str) -> ImageMetadata | None:
        """Return the metadata in what `text` returned, or ``None`` for any other text."""
        try:
            if len(text) > LARGEST:
                return None
            found = json.loads(text, parse_constant=_refuse_constant)
            json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
            return cls._from_json(found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    @classmethod
    def _from_json(cls, found: Mapping[str, Any]) -> ImageMetadata:
        """Return the metadata in parsed JSON. Raises ``TypeError``, ``KeyError`` or ``ValueError``."""
        public, hidden = _split_public(_expect(found["parameters"], dict))
        at = datetime.strptime(found["created_at"], _STAMP).replace(tzinfo=UTC).timestamp()
        if not 0 <= at < _LATEST or not _ID.fullmatch(found["job"]):
            raise ValueError("not a time or not an id")
        names = [_expect(name, str) for name in _expect(found["withheld"], list)]
        return cls(
            prompt=_expect(found["prompt"], str),
            provider=_expect(found["provider"], str),
            model=_expect(found["model"], str, None),
            seed=_expect(found["seed"], int, None),
            job_id=found["job"],
            parameters=public,
            omitted=tuple(dict.fromkeys([*names, *hidden])),
            created_at=at,
            sandbox=_expect(found["sandbox"], bool),
            version=_expect(found["flux"], str),
        )

    @property
    def created(self) -> str:
        """When the job was made, as ISO 8601."""
        return datetime.fromtimestamp(self.created_at, UTC).strftime(_STAMP)

    @property
    def text(self) -> str:
        """The metadata as JSON on one line, without characters that XML cannot hold."""
        fields = {
            "flux": self.version,
            "prompt": self.prompt,
            "provider": self.provider,
            "model": self.model,
            "seed": self.seed,
            "job": self.job_id,
            "parameters": dict(self.parameters),
            "withheld": list(self.omitted),
            "created_at": self.created,
            "sandbox": self.sandbox,
        }
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return re.sub(r"[\x7f-\x9f\u2028\u2029\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)

    def shortened_versions(self) -> Iterator[ImageMetadata]:
        """Yield the metadata whole, then without parameters, then with less and less of the prompt."""
        yield self
        names = [*self.omitted, *(name for name in self.parameters if name != "param")]
        names += [f"param {path}" for path in self.parameters.get("param", {})]
        bare = replace(self, parameters={}, omitted=tuple(dict.fromkeys(cut_bytes(name, 200) for name in names[:20])))
        yield bare
        for limit in SHORTENED:
            yield replace(bare, prompt=cut_bytes(self.prompt, limit), omitted=("prompt", *bare.omitted))

    def as_job(self, image: Image) -> Job:
        """Return the job as far as the metadata describes it: succeeded, with this one image."""
        return Job(
            id=self.job_id,
            run="",
            provider=self.provider,
            model=self.model,
            prompt=self.prompt,
            created_at=self.created_at,
            status="succeeded",
            sandbox=self.sandbox,
            seed=self.seed,
            parameters=self.parameters,
            images=(replace(image, seed=self.seed),),
        )


def _split_public(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return those of a job's ``parameters`` that anyone may see, and the names of the others that shape the image."""
    public: dict[str, Any] = {}
    hidden: list[str] = []
    for name in IMAGE_SHAPING:
        value = parameters.get(name)
        texts = [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
        if not (isinstance(value, str | int | float) or (texts and texts == value)):
            continue
        if name in {"image", "mask"} and not all(map(_is_public, texts or (value,))):
            hidden.append(name)
        else:
            public[name] = value
    extra = parameters.get("param")
    kept: dict[str, Any] = {}
    for path, value in extra.items() if isinstance(extra, Mapping) else ():
        text = json.dumps(value)
        if "://" in text or any(_DELICATE.search(name) for name in (path, *_INNER.findall(text))):
            hidden.append(f"param {path}")
        else:
            kept[path] = value
    return {**public, **({"param": kept} if kept else {})}, tuple(hidden)


def _is_public(address: object) -> bool:
    """Whether ``address`` is a web address without user, query and fragment, which may hold a key."""
    try:
        parts = urlsplit(str(address))
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and not (parts.query or parts.fragment or "@" in parts.netloc)


def _expect(value: Any, *kinds: type | None) -> Any:
    """Return ``value`` if it has one of the types ``kinds``, or is the ``None`` among them. Raises ``TypeError``."""
    if type(value) not in {type(None) if kind is None else kind for kind in kinds}:
        raise TypeError("wrong type")
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
