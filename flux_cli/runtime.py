"""Build settings, transport, ledger and engine on first use: the composition root.

Heavy libraries are imported inside functions, so that a command loads only what it uses.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from flux_cli import providers
from flux_cli.clock import SystemClock
from flux_cli.display.streams import Streams

if TYPE_CHECKING:
    from flux_cli.config.settings import Settings
    from flux_cli.display.output import Output
    from flux_cli.display.plain import Progress
    from flux_cli.engine.engine import Engine
    from flux_cli.engine.fetch import Fetcher
    from flux_cli.http.client import Connect
    from flux_cli.http.router import Router
    from flux_cli.images.inputs import InputReader
    from flux_cli.jobs import Job, LocalFile, ReadyInterval
    from flux_cli.ledger.ledger import Ledger
    from flux_cli.money.limits import Limit
    from flux_cli.money.prices import Prices
    from flux_cli.money.totals import BatchTotals
    from flux_cli.providers.base import Price

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""The letters and digits of ids: without those that look alike."""

LONGEST_SUBMIT = 1800.0
"""Seconds after which every submit has ended, with all its repeats and time-outs."""


def is_running(pid: int) -> bool:
    """Whether a process with this number runs on this machine."""
    if os.name == "nt":
        return True  # a signal would end it on Windows; the time limit decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def new_id() -> str:
    """Return a short random id. It starts with a letter."""
    first, *others = secrets.token_bytes(8)
    return _ALPHABET[first % 23] + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in others)


def new_seed() -> int:
    """Return a seed that every provider takes."""
    return secrets.randbelow(2**31 - 1) + 1


@dataclass(kw_only=True)
class Flags:
    """Options that are not part of a job. Every command has the first five."""

    config: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    sandbox: bool = False
    print0: bool = False
    """Whether paths, ids and links end in NUL."""
    preview: bool | None = None
    """Whether saved images are shown in the terminal; ``None`` leaves it to the config."""

    def words(self) -> list[str]:
        """Return what a later command has to be typed with to find the same jobs and keys."""
        return [*(["--sandbox"] if self.sandbox else []), *(["--config", self.config] if self.config else [])]


@dataclass
class Runtime:
    """The outside world, as attributes that a test can replace."""

    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: SystemClock = field(default_factory=SystemClock)
    flags: Flags = field(default_factory=Flags)
    connect: Connect | None = None
    """Makes the transport behind httpx; ``None`` is the network."""
    new_id: Callable[[], str] = new_id
    new_seed: Callable[[], int] = new_seed
    new_idempotency_key: Callable[[], str] = field(default_factory=lambda: lambda: str(uuid.uuid4()))

    @cached_property
    def streams(self) -> Streams:
        """Stdout and stderr."""
        return Streams(self.stdout, self.stderr)

    @property
    def output(self) -> Output:
        """How results are printed: for people, or as JSON."""
        from flux_cli.display.output import Human, Json

        if self.flags.json:
            return Json(self.streams, quiet=self.flags.quiet, options=self.flags.words())
        return Human(self.streams, quiet=self.flags.quiet, end="\0" if self.flags.print0 else "\n")

    def progress(self, totals: BatchTotals | None = None, *, batch: bool = False) -> Progress:
        """Return the progress display: bars on a terminal, else lines for each state, of a ``batch`` for each job."""
        from flux_cli.display.plain import NoProgress, PlainBatchProgress, PlainProgress

        if self.flags.quiet:
            return NoProgress()
        if self.stderr.isatty() and self.environ.get("TERM") != "dumb" and not self.flags.verbose:
            from flux_cli.display.progress import LiveProgress

            return LiveProgress(self.stderr, self.clock.now, totals, expected=self._expected, environ=self.environ)
        return PlainBatchProgress(self.streams.err, totals) if totals and batch else PlainProgress(self.streams.err)

    def _expected(self, job: Job) -> float | None:
        return self.engine.expected(job)

    @cached_property
    def settings(self) -> Settings:
        """The config file and the environment. Raises `ConfigError`."""
        from flux_cli.config.settings import Settings

        settings = Settings.load(self.flags.config, sandbox=self.flags.sandbox)
        for warning in settings.warnings:
            self.output.warning(warning)
        return settings

    @property
    def sandbox(self) -> bool:
        """Whether this run uses the sandbox."""
        return self.flags.sandbox or self.settings.sandbox

    @cached_property
    def ledger(self) -> Ledger:
        """The jobs, those of the sandbox included. Raises `LedgerError`."""
        from flux_cli.config.paths import state_path
        from flux_cli.ledger.ledger import Ledger

        ledger = Ledger(state_path(sandbox=self.sandbox) / "ledger.sqlite3")
        if ledger.notice:
            self.output.warning(ledger.notice)
        return ledger

    @cached_property
    def prices(self) -> Prices:
        """Prices of images. Those that providers report are kept next to the ledger, the sandbox's separately."""
        from flux_cli.config.paths import state_path
        from flux_cli.money.prices import PriceFile, Prices

        name = "prices-sandbox.json" if self.sandbox else "prices.json"
        return Prices(
            own=self.settings.price,
            reported=PriceFile(state_path(sandbox=self.sandbox) / name),
            paid=lambda provider, model: self.ledger.paid_prices(provider, model, sandbox=self.sandbox),
        )

    def price(self, provider: str, model: str, listed: Price | None = None) -> Price | None:
        """Return what an image of ``model`` costs at ``provider``, in USD, or ``None`` if it is unknown.

        ``listed`` is the price in the provider's table, if it is not that of the model's name.
        """
        return self.prices.of(provider, model, listed)

    @cached_property
    def input_images(self) -> InputReader:
        """Reads local input images; copies of them last as long as this run."""
        from flux_cli.images.inputs import InputReader

        return InputReader(lambda: self._copies)

    def read_image(self, name: str) -> LocalFile:
        """Return a local input image, checked. Raises `UsageError`."""
        return self.input_images.read(name)

    @cached_property
    def _copies(self) -> Path:
        from tempfile import mkdtemp

        from flux_cli.saving.home import temporary_folder

        return Path(mkdtemp(prefix="flux-", dir=temporary_folder()))

    def keep_copies(self) -> Path | None:
        """Leave copies of input images where they are, and return their folder; ``None`` if there are none."""
        folder: Path | None = self.__dict__.pop("_copies", None)
        return folder

    def limits(self, *, run: str = "", max_cost: float | None = None) -> tuple[Limit, ...]:
        """Return the spending limits of ``run`` as of now: ``--max-cost``, and the budgets of the config.

        Raises `UsageError` for a ``max_cost`` that is not an amount.
        """
        from flux_cli.money.limits import limits

        return limits(self.settings.budget, run=run, max_cost=max_cost, now=self.clock.now())

    @cached_property
    def router(self) -> Router:
        """Sends requests."""
        from flux_cli.http.router import Router

        return Router(
            settings=lambda: self.settings,
            clock=self.clock,
            connect=self.connect,
            say=self.streams.err if self.flags.verbose else None,
        )

    @cached_property
    def engine(self) -> Engine:
        """Submits, polls and cancels jobs."""
        from flux_cli.engine.engine import Engine

        return Engine(
            transport=self.router,
            store=self.ledger,
            clock=self.clock,
            load=providers.load,
            gone=self._submitter_has_ended,
            waits=self._waits,
        )

    @cached_property
    def fetcher(self) -> Fetcher:
        """Downloads images."""
        from flux_cli.engine.fetch import Fetcher

        return Fetcher(wire=self.router, book=self.ledger, clock=self.clock, renew=self.engine.renew)

    def _waits(self, job: Job) -> list[ReadyInterval]:
        """Return how long earlier jobs like ``job`` took. Without any, the sandbox uses its configured time."""
        found = self.ledger.durations(job.provider, job.model, sandbox=job.sandbox)
        if found or not job.sandbox:
            return found
        return [(self.settings.sandbox_seconds, self.settings.sandbox_seconds)]

    def _submitter_has_ended(self, job: Job) -> bool:
        """Whether the process that was submitting ``job`` has ended, or must have by now."""
        return self.has_ended(job.owner) or self.clock.now() - job.created_at > LONGEST_SUBMIT

    def has_ended(self, owner: str) -> bool:
        """Whether a process, as ``host:pid``, has ended. False for another machine, where it cannot be checked."""
        host, _, pid = owner.rpartition(":")
        return host == socket.gethostname() and pid.isdecimal() and not is_running(int(pid))

    def close(self) -> None:
        """Close connections and files."""
        if "flux_cli.saving.saver" in sys.modules:
            from flux_cli.saving.saver import remove_temporary_files

            remove_temporary_files()
        if "_copies" in self.__dict__:
            import shutil

            shutil.rmtree(self._copies, ignore_errors=True)
        for name in ("router", "ledger"):
            if name in self.__dict__:
                self.__dict__[name].close()
