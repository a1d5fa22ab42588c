"""The composition root: builds settings, transport, ledger and engine when they are first wanted.

All imports of heavy libraries happen here, inside functions, so that a command loads only what it uses.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from flux_cli import providers
from flux_cli.clock import SystemClock
from flux_cli.errors import AuthError
from flux_cli.jobs import Image, Job
from flux_cli.output import Human, Json, Output
from flux_cli.progress import Lines, Live, Progress, Silent
from flux_cli.streams import Streams

if TYPE_CHECKING:
    import httpx

    from flux_cli.channel import Channel
    from flux_cli.downloads import Destination, Fields
    from flux_cli.engine import Engine
    from flux_cli.flow import Request, Response
    from flux_cli.ledger import Ledger
    from flux_cli.orders import Origin
    from flux_cli.providers.base import Provider
    from flux_cli.seams import Shelf
    from flux_cli.settings import Settings
    from flux_cli.transport import Transport

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of ids: what people neither confuse nor mistype."""


def new_id() -> str:
    """Return a short random id. It starts with a letter."""
    return secrets.choice(_ALPHABET[:23]) + "".join(secrets.choice(_ALPHABET) for _ in range(7))


def new_seed() -> int:
    """Return a seed that every provider takes."""
    return secrets.randbelow(2**31 - 1) + 1


@dataclass(kw_only=True)
class Flags:
    """The options that every command has."""

    config: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where images are to go, and in which format where that was said."""

    destination: Destination
    format: str | None = None
    anew: bool = False
    """Whether images that were saved before, and are still there, are saved again."""


@dataclass
class Runtime:
    """Everything about the outside, as attributes that a test can replace."""

    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: SystemClock = field(default_factory=SystemClock)
    flags: Flags = field(default_factory=Flags)
    connect: Callable[[], httpx.BaseTransport] | None = None
    """Makes what stands behind httpx; the network where it is ``None``."""
    new_id: Callable[[], str] = new_id
    new_seed: Callable[[], int] = new_seed
    new_handle: Callable[[], str] = field(default_factory=lambda: lambda: str(uuid.uuid4()))

    @cached_property
    def streams(self) -> Streams:
        """Stdout and stderr."""
        return Streams(self.stdout, self.stderr)

    @property
    def output(self) -> Output:
        """How results are printed: for people, or as JSON."""
        kind = Json if self.flags.json else Human
        return kind(self.streams, quiet=self.flags.quiet)

    def progress(self) -> Progress:
        """Return a display for as long as we wait: live on a terminal, plain lines elsewhere."""
        if self.flags.quiet:
            return Silent()
        if self.stderr.isatty() and self.environ.get("TERM") != "dumb" and not self.flags.verbose:
            return Live(self.stderr, self.clock.monotonic)
        return Lines(self.streams.err)

    @cached_property
    def settings(self) -> Settings:
        """The config file and the environment. Raises `ConfigError`."""
        from flux_cli.settings import Settings

        settings = Settings.load(self.flags.config)
        for warning in settings.warnings:
            self.output.warning(warning)
        return settings

    @property
    def sandbox(self) -> bool:
        """Whether we are in the sandbox's world."""
        return self.flags.sandbox or self.settings.sandbox

    @cached_property
    def ledger(self) -> Ledger:
        """The jobs of both worlds. Raises `LedgerError`."""
        from flux_cli.ledger import Ledger
        from flux_cli.settings import state_path

        return Ledger(state_path() / "ledger.sqlite3")

    @cached_property
    def wire(self) -> Routes:
        """How requests travel."""
        return Routes(self)

    @cached_property
    def engine(self) -> Engine:
        """What does the work."""
        from flux_cli.engine import Engine

        return Engine(wire=self.wire, book=self.ledger, clock=self.clock, load=providers.load)

    def origin(self) -> Origin:
        """Return what the jobs of a new run start from."""
        from flux_cli.orders import Origin

        return Origin(
            new_id=self.new_id,
            new_handle=self.new_handle,
            new_seed=self.new_seed,
            now=self.clock.now(),
            sandbox=self.sandbox,
        )

    def shelf(self, job: Job, place: Place, *, first: int, placed: Callable[[str], None]) -> Shelf:
        """Return where the images of ``job`` go, the first of them being number ``first`` of its run.

        ``placed`` hears each path, as it would be typed from here.
        """
        from flux_cli import images
        from flux_cli.downloads import Saver
        from flux_cli.seams import Shelf

        model = providers.load(job.provider).models.get(job.model or "")
        ours = model is None or "quality" not in model.options
        saver = Saver(
            place.destination,
            inspect=images.inspect,
            convert=images.convert,
            format=place.format or job.parameters.get("format"),
            quality=job.parameters.get("quality") if ours else None,
            note=self.output.note,
            reencode=ours,
        )

        def save(chunks: Iterable[bytes], image: Image, index: int) -> Image:
            fields = self._fields(job, image, first + index - 1)
            if place.destination.kind == "stdout":
                with self.streams.reader():
                    saver.save_to(chunks, fields, self.streams.binary())
                return image
            saved = saver.save(chunks, fields)
            placed(saved.shown)
            return replace(
                image,
                path=str(saved.path),
                width=saved.width,
                height=saved.height,
                content_type=saved.content_type,
                size=saved.size,
            )

        def kept(image: Image) -> bool:
            return not place.anew and image.path is not None and Path(image.path).exists()

        return Shelf(save=save, kept=kept)

    @staticmethod
    def _fields(job: Job, image: Image, index: int) -> Fields:
        """Return what a file name may be made of."""
        from flux_cli.downloads import Fields

        return Fields(
            prompt=job.prompt,
            provider=job.provider,
            model=job.model or "",
            seed=image.seed if image.seed is not None else job.seed,
            id=job.id,
            index=index,
            row=job.row,
            created_at=job.created_at,
        )

    def close(self) -> None:
        """Let go of connections and files."""
        for name in ("wire", "ledger"):
            if name in self.__dict__:
                self.__dict__[name].close()


class Routes:
    """The two worlds as one wire: the providers' own hosts, and the sandbox."""

    def __init__(self, runtime: Runtime) -> None:
        """Take settings and keys from ``runtime``, when they are first needed."""
        self._runtime = runtime
        self._channels: dict[tuple[str, bool], Channel] = {}
        self._transports: dict[bool, Transport] = {}
        self._lock = threading.RLock()

    def send(self, provider: Provider, request: Request, *, sandbox: bool, tries: int) -> Response:
        """Return the answer to ``request``. Raises `FluxError`."""
        return self._transport(sandbox=sandbox).send(self.channel(provider, sandbox=sandbox), request, tries=tries)

    def download(self, url: str, *, sandbox: bool) -> Iterator[bytes]:
        """Yield the bytes behind a result's link. Raises `FluxError`."""
        return self._transport(sandbox=sandbox).download(url)

    def channel(self, provider: Provider, *, sandbox: bool) -> Channel:
        """Return where a provider is reached, and the key. Raises `AuthError` where there is none."""
        from flux_cli.channel import Channel

        with self._lock:
            if (provider.name, sandbox) not in self._channels:
                base_url, key = provider.base_url, "sandbox"
                if not sandbox:
                    settings = self._runtime.settings
                    base_url = settings.base_url(provider.name) or provider.base_url
                    found = settings.key(provider)
                    if found is None:
                        raise no_key(provider)
                    key = found.value.get_secret_value()
                self._channels[provider.name, sandbox] = Channel(provider=provider, base_url=base_url, key=key)
            return self._channels[provider.name, sandbox]

    def _transport(self, *, sandbox: bool) -> Transport:
        from flux_cli.transport import Transport

        with self._lock:
            if sandbox not in self._transports:
                options: dict[str, Any] = {"connect": self._sandbox if sandbox else self._runtime.connect}
                if self._runtime.flags.verbose:
                    options["say"] = self._runtime.streams.err
                self._transports[sandbox] = Transport(clock=self._runtime.clock, **options)
            return self._transports[sandbox]

    def _sandbox(self) -> httpx.BaseTransport:
        from flux_cli.sandbox.transport import SandboxTransport
        from flux_cli.sandbox.world import World
        from flux_cli.settings import state_path

        seconds = self._runtime.settings.sandbox_seconds
        return SandboxTransport(World(state_path() / "sandbox", self._runtime.clock.now, seconds))

    def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            transport.close()


def no_key(provider: Provider) -> AuthError:
    """Return the error of a provider whose key is not set, saying how to go on."""
    return AuthError(
        f"there is no key for {provider.name}",
        hint=f"`flux config set providers.{provider.name}.api_key` asks for it (or set {provider.key_variables[0]}); "
        f"keys are made in {provider.key_page}; `--sandbox` needs none",
    )
