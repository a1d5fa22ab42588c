"""``--gallery FILE.html``: the page of a run, checked before the first cent, written whole when the run is over."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flux_cli.errors import FluxError, Interrupted, PendingError, UsageError
from flux_cli.gallery.card import Entry, Failure
from flux_cli.gallery.page import START, build_page
from flux_cli.gallery.thumbnails import thumbnails
from flux_cli.jobs import Job
from flux_cli.runs.save import SaveOptions
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import printable

_MANY = 200
"""Images that take long enough to say so first: a second, or more."""
_ENDINGS = frozenset({".html", ".htm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryFile:
    """Where the page of a run goes; made by `planned`."""

    runtime: Runtime
    file: Path
    overwrite: bool

    @classmethod
    def prepare(cls, runtime: Runtime, typed: str, *, overwrite: bool, saves: bool) -> GalleryFile:
        """Return where the page goes. Raises `UsageError`, also where the run ``saves`` no image."""
        shown = printable(typed)
        if not saves:
            raise UsageError(
                "--gallery needs saved images, but -o - and --no-wait save none", hint="leave one of them out"
            )
        file = Path(expand_home(typed))
        if file.suffix.lower() not in _ENDINGS or "\0" in typed:
            raise UsageError(f"--gallery writes an HTML page, not {shown}", hint="such as `--gallery index.html`")
        return cls(runtime=runtime, file=file, overwrite=overwrite)

    def check(self, places: Iterable[SaveOptions | None], *, rehearsal: bool) -> None:
        """Make sure that the page can be written, in a folder that is there or that saving to the ``places`` creates.

        Nothing is written for a ``rehearsal``. Raises `UsageError`.
        """
        shown = printable(str(self.file))
        folder = self.file.parent
        try:
            if not folder.is_dir():
                if not any(place is not None and place.destination.creates(folder) for place in places):
                    name = str(folder)
                    raise UsageError(f"there is no folder {printable(name)}", hint=f"mkdir -p {shlex.quote(name)}")
                while not os.path.lexists(folder):
                    folder = folder.parent
            if self._is_taken():
                raise UsageError(
                    f"{shown} already exists, and is not a gallery that flux made",
                    hint="choose another name with --gallery, or add --overwrite",
                )
            if not rehearsal:
                proof = _unused(folder)
                proof.touch(exist_ok=False)
                proof.unlink()
        except OSError as error:
            raise UsageError(
                f"cannot write {shown}: {error.strerror}", hint="choose another path with --gallery"
            ) from error

    def _is_taken(self) -> bool:
        """Whether there is something that must stay. Raises ``OSError`` where that cannot be told."""
        try:
            self.file.lstat()
        except FileNotFoundError:
            return False
        if not self.file.is_file():
            return True  # a folder, a device, a link that leads nowhere
        if self.overwrite:
            return False
        with self.file.open("rb") as file:
            return file.read(len(START)) != START.encode()

    def entry(self, where: str, prompt: str, planned: Sequence[Job], ends: Iterable[Ended], *, over: bool) -> Entry:
        """Return what became of one row, whose ``planned`` jobs came to these ``ends``.

        Where it is not ``over``, the ledger knows which jobs are under way.
        """
        jobs: dict[str, Job] = {}
        failures: list[Failure] = []
        for bought, error in ends:
            jobs |= {job.id: job for job in bought}
            failures += [Failure(error=error, jobs=bought)] if error is not None else []
        unsent: list[Job] = []
        for job in () if over else planned:
            known = [] if job.id in jobs else self.runtime.ledger.find(job.id, sandbox=job.sandbox)
            unsent += [job] if job.id not in jobs and not known else []
            jobs |= {one.id: one for one in known if one.status not in {"failed", "cancelled"}}
            failures += [
                Failure(error=_pending(one), jobs=[one])
                for one in known
                if one.active or one.status == "unknown" or one.has_unsaved_images
            ]
        if unsent:
            error = UsageError("interrupted before everything was sent", hint="run the command again")
            failures.append(Failure(error=error, jobs=unsent))
        places = {job.id: place for place, job in enumerate(planned)}
        ordered = sorted(jobs.values(), key=lambda job: (job.first_index, places.get(job.id, len(places))))
        return Entry(where=where, prompt=prompt, jobs=ordered, failures=failures)

    @contextmanager
    def collect(
        self, prompt: str, planned: Sequence[Job]
    ) -> Generator[Callable[[Sequence[Job], FluxError | None], None]]:
        """Yield what hears how each of the jobs of one prompt ended, and write the page afterwards, come what may."""
        ends: list[Ended] = []
        over = False
        try:
            yield lambda jobs, error: ends.append((jobs, error))
            over = True
        finally:
            self.write(lambda: [self.entry("", prompt, planned, ends, over=over)], title=prompt)

    def write(self, parts: Callable[[], Sequence[Entry]], *, title: str) -> None:
        """Write the page, completely or not at all. An error is only a warning, because the images are saved."""
        shown = printable(str(self.file))
        passing = _unused(self.file.parent)
        try:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)  # the run creates it with its first image
                found = parts()
                images = sum(len(job.images) for part in found for job in part.jobs)
                if images > _MANY:
                    self.runtime.output.note(f"writing the gallery of {images} images")
                pieces = build_page(found, title=title, folder=self.file.parent.resolve(), thumbnails=thumbnails)
                with passing.open("x", encoding="utf-8", newline="\n") as file:
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(file.fileno())
                if self._is_taken():
                    raise UsageError("another file has appeared there and was not replaced")
                passing.replace(self.file)
            finally:
                with suppress(OSError):
                    passing.unlink(missing_ok=True)
        except (OSError, FluxError) as error:
            why = error.message if isinstance(error, FluxError) else error.strerror
            with suppress(FluxError, Interrupted):
                self.runtime.output.warning(f"cannot write the gallery {shown}: {why}")
            return
        with suppress(FluxError, Interrupted):
            self.runtime.output.note(f"wrote the gallery {shown}")


def _unused(folder: Path) -> Path:
    """Return a free name in ``folder``."""
    return folder / f".flux-{secrets.token_hex(8)}.part"


Ended = tuple[Sequence[Job], FluxError | None]
"""The jobs that something became, and what went wrong."""


def _pending(job: Job) -> FluxError:
    """Return the error of a job that is no longer waited for."""
    return PendingError(
        f"job {job.id}: {job.status_text}, and not saved", hint=f"`flux result --wait {job.id}` fetches it"
    )
