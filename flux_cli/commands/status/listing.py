"""List jobs: which of them, which are left out, and what to say where there are none."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flux_cli import providers
from flux_cli.commands import options
from flux_cli.commands.status.moments import parse_moment
from flux_cli.errors import UsageError
from flux_cli.jobs import Job
from flux_cli.runs.active import list_unsettled
from flux_cli.runtime import Runtime
from flux_cli.text import listed, nearest

if TYPE_CHECKING:
    from flux_cli.ledger.filters import JobFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The options that narrow a list, as typed."""

    provider: str | None
    batch: str | None
    model: str | None
    search: str | None
    since: str | None

    def build_filters(self, runtime: Runtime) -> JobFilter:
        """Return the filters of the list, as the ledger takes them. Raises `UsageError`."""
        if self.provider is not None:
            providers.load(self.provider)
        if self.search is not None and not self.search.strip():
            raise UsageError("--search needs a word", hint='such as `--search "red fox"`')
        now = runtime.clock.now()
        return {
            "provider": self.provider,
            "batch": None if self.batch is None else options.batch_name(self.batch),
            "model": None if self.model is None else providers.canonical_name(self.model) or self.model,
            "search": self.search,
            "since": None if self.since is None else parse_moment(self.since, option="--since", now=now),
        }

    @property
    def typed(self) -> str:
        """The options as a command line has them, each after a blank."""
        typed = {
            "-p": self.provider,
            "--batch": self.batch,
            "-m": self.model,
            "--search": self.search,
            "--since": self.since,
        }
        return "".join(f" {option} {shlex.quote(value)}" for option, value in typed.items() if value is not None)


class Listing:
    """A list of jobs."""

    def __init__(self, runtime: Runtime, selection: Selection, *, active: bool) -> None:
        """List the jobs of a ``selection``, or only those that are ``active``. Raises `UsageError`."""
        self._runtime = runtime
        self._selection = selection
        self._active = active
        self._filters = selection.build_filters(runtime)

    def newest(self, most: int) -> Sequence[Job]:
        """Return the jobs, the newest first, or say that there are none.

        Raises `UsageError` for a batch file that neither exists nor has jobs.
        """
        found = self._runtime.ledger.recent(
            sandbox=self._runtime.sandbox, limit=most, active=self._active, **self._filters
        )
        if not found:
            self._note_empty()
        return found

    def left_out(self, shown: Sequence[Job]) -> Sequence[Job]:
        """Return the unfinished jobs that the list would hold if it were longer than ``shown``, the oldest first."""
        there = {job.id for job in shown}
        found = list_unsettled(self._runtime, **self._filters)
        return [job for job in found if job.id not in there and (job.active or not self._active)]

    def note_left_out(self, jobs: Sequence[Job], *, refreshed: bool) -> None:
        """Say how many jobs are not listed, and what lists them; ``jobs`` has the oldest of them first."""
        deep = self._runtime.ledger.count(sandbox=self._runtime.sandbox, oldest=jobs[0].id, **self._filters)
        states = listed(f"{number} {state}" for state, number in Counter(job.status for job in jobs).items())
        world = " --sandbox" if self._runtime.flags.sandbox else ""
        number = "1 older job" if len(jobs) == 1 else f"{len(jobs)} older jobs"
        state = "refreshed but not listed" if refreshed else "not finished and not listed"
        self._runtime.output.note(
            f"{number} {state}: {states}; `flux status{world}{self._selection.typed} --limit {deep}` lists them"
        )

    def _note_empty(self) -> None:
        """Say that there is nothing to list. Raises `UsageError` for a batch file that there is nothing of."""
        chosen = self._selection
        words = "no job is in progress" if self._active else "no jobs yet"
        made = chosen.batch is None or self._runtime.ledger.count(
            sandbox=self._runtime.sandbox, batch=options.batch_name(chosen.batch)
        )
        if chosen.batch is not None and not made:
            options.note_no_batch(self._runtime, chosen.batch)
        elif chosen.model is not None or chosen.search is not None or chosen.since is not None:
            self._note_no_match()
        else:
            options.note_nothing(self._runtime, words, active=self._active, provider=chosen.provider)

    def _note_no_match(self) -> None:
        """Say that no job matches, and what may help: jobs of the sandbox, a model of a similar name, other jobs."""
        runtime, active = self._runtime, self._active
        words = f"no job{' in progress' if active else ''} matches{self._selection.typed}"
        elsewhere = 0 if runtime.sandbox else runtime.ledger.count(sandbox=True, active=active, **self._filters)
        others = runtime.ledger.count(sandbox=runtime.sandbox, active=active)
        model = self._selection.model
        near = None
        if model is not None and providers.canonical_name(model) is None:
            near = nearest(model, [*providers.MODELS, *providers.ALIASES])
        if elsewhere:
            more = " --active" if active else ""
            words += f"; {options.count_sandbox_jobs(elsewhere, self._selection.typed + more)}"
        elif near:
            words += f"; did you mean -m {near}?"
        elif others:
            words += f"; there {'is 1 other job' if others == 1 else f'are {others} other jobs'}"
        runtime.output.note(words)
