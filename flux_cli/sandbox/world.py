"""The sandbox as a whole: a stand-in for each provider and for the host of its images, over one folder."""

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
    """Everything that the sandbox stands in for.

    It keeps nothing in memory: several worlds on one folder, in any number of threads and processes, are one.
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
        """Take the folder of the records, the clock (seconds since 1970), and the seconds that an ordinary job takes.

        ``providers`` are names; the stand-in of each is the module of this package that has its name. ``link_base`` is
        the address under which `file_as` is reached, where image links must not name the documented hosts.
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
        """Answer a call by its host. Raises ``ValueError`` for a host that is none of ours, and `LostReply`."""
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
        return _fitting(call, answer)

    def file_as(self, provider: str, call: Call) -> Answer:
        """Answer a call as the host of ``provider``'s images, whatever its host."""
        return _fitting(call, self._file(provider, call))

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


def _fitting(call: Call, answer: Answer) -> Answer:
    """Return an answer as HTTP wants it: without a body after HEAD, with the length that it would have."""
    if call.method != "HEAD":
        return answer
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    return Answer(status=answer.status, headers=headers)
