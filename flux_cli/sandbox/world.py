"""Combine the stand-ins of all providers and their file hosts, with one folder and one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from flux_cli.sandbox import files
from flux_cli.sandbox.life import Job
from flux_cli.sandbox.store import Scene
from flux_cli.sandbox.wire import Answer, Call


class World:
    """The whole sandbox.

    It keeps nothing in memory, so worlds with the same folder, in any threads and processes, are the same world.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float],
        hold: float = 2.0,
        *,
        providers: Iterable[str],
        link_base: str = "",
    ) -> None:
        """Create a world from a folder, a clock (seconds since 1970), and the duration of a job in seconds.

        ``providers`` are names; the stand-in of each is the module of that name in this package. ``link_base`` is the
        address of `file_as`, if image links must not use the documented hosts.
        """
        self._names = tuple(providers)
        self._folder = folder
        self._now = now
        self._hold = hold
        self._link_base = link_base.rstrip("/")
        self._scenes: dict[str, Scene] = {}

    def _scene(self, provider: str) -> Scene:
        if provider not in self._scenes:
            links = f"{self._link_base}/{provider}" if self._link_base else _stand_in(provider).FILES
            self._scenes[provider] = Scene(
                provider=provider, folder=self._folder, now=self._now, hold=self._hold, links=links
            )
        return self._scenes[provider]

    def jobs(self, provider: str) -> list[Job]:
        """Return all jobs that ``provider`` has accepted, the newest first."""
        return self._scene(provider).jobs()

    def image(self, provider: str, job: Job, index: int) -> bytes:
        """Return the bytes of an image of ``job``, counted from 0."""
        return files.content(job, index, self._scene(provider))

    def answer(self, call: Call) -> Answer:
        """Answer a call by its host. Raises ``ValueError`` for an unknown host, and `LostReply`."""
        for name in sorted(self._names, key=lambda name: name not in call.host):  # the likely one first: few are loaded
            module = _stand_in(name)
            if call.host in module.HOSTS:
                return self.answer_as(name, call)
            if call.host == urlsplit(module.FILES).hostname:
                return self.file_as(name, call)
        message = f"the sandbox stands in for no host {call.host}"
        raise ValueError(message)

    def answer_as(self, provider: str, call: Call) -> Answer:
        """Answer a call as ``provider``'s API, whatever its host. Raises `LostReply`."""
        answer: Answer = _stand_in(provider).answer(call, self._scene(provider))
        return _fit_to_method(call, answer)

    def file_as(self, provider: str, call: Call) -> Answer:
        """Answer a call as the host of ``provider``'s images, whatever its host."""
        return _fit_to_method(call, self._file(provider, call))

    def _file(self, provider: str, call: Call) -> Answer:
        refused = files.refusal(call)
        if refused is not None:
            return refused
        try:
            found = _stand_in(provider).locate(call, self._scene(provider))
        except PermissionError:
            return files.denied()
        if found is None:
            return files.missing()
        if isinstance(found, Answer):
            return found
        job, index = found
        return files.serve(call, job, index, self._scene(provider))


def _stand_in(provider: str) -> ModuleType:
    """Return the module that stands in for a provider, loaded when it is first needed."""
    return import_module(f"flux_cli.sandbox.{provider}")


def _fit_to_method(call: Call, answer: Answer) -> Answer:
    """Return the answer to ``call``; for HEAD, without the body but with its length."""
    if call.method != "HEAD":
        return answer
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    return Answer(status=answer.status, headers=headers)
