"""Combine the stand-ins of all providers and their file hosts, with one folder and one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
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
        self._stand_ins = {name: import_module(f"flux_cli.sandbox.{name}") for name in providers}
        self._scenes = {
            name: Scene(
                provider=name,
                folder=folder,
                now=now,
                hold=hold,
                links=f"{link_base.rstrip('/')}/{name}" if link_base else module.FILES,
            )
            for name, module in self._stand_ins.items()
        }

    def jobs(self, provider: str) -> list[Job]:
        """Return all jobs that ``provider`` has accepted, the newest first."""
        return self._scenes[provider].jobs()

    def answer(self, call: Call) -> Answer:
        """Answer a call by its host. Raises ``ValueError`` for an unknown host, and `LostReply`."""
        for name, module in self._stand_ins.items():
            if call.host in module.HOSTS:
                return self.answer_as(name, call)
            if call.host == urlsplit(module.FILES).hostname:
                return self.file_as(name, call)
        message = f"the sandbox stands in for no host {call.host}"
        raise ValueError(message)

    def answer_as(self, provider: str, call: Call) -> Answer:
        """Answer a call as ``provider``'s API, whatever its host. Raises `LostReply`."""
        answer: Answer = self._stand_ins[provider].answer(call, self._scenes[provider])
        return _fit_to_method(call, answer)

    def file_as(self, provider: str, call: Call) -> Answer:
        """Answer a call as the host of ``provider``'s images, whatever its host."""
        return _fit_to_method(call, self._file(provider, call))

    def _file(self, provider: str, call: Call) -> Answer:
        refused = files.refusal(call)
        if refused is not None:
            return refused
        try:
            found = self._stand_ins[provider].locate(call, self._scenes[provider])
        except PermissionError:
            return files.denied()
        if found is None:
            return files.missing()
        if isinstance(found, Answer):
            return found
        job, index = found
        return files.serve(call, job, index, provider)


def _fit_to_method(call: Call, answer: Answer) -> Answer:
    """Return the answer to ``call``; for HEAD, without the body but with its length."""
    if call.method != "HEAD":
        return answer
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    return Answer(status=answer.status, headers=headers)
