"""Test whether a provider keeps the contract of flux: ``python -m flux_cli.conformance NAME``.

The tests hold the provider's conversations with the answers of its own examples, and with answers that make no sense.
They open no connection.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flux_cli import providers
from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Cancelled, Failed, Job, LocalFile, Queued, RemoteJob, Running, Succeeded
from flux_cli.providers.base import Accepted, Account, Example, LostSubmit, Model, PlannedJob, Provider
from flux_cli.providers.conversation import Flow, Request, Response, drive, encode
from flux_cli.providers.image_input import ImageInput
from flux_cli.providers.options import Choice, Option, Range, Switch
from flux_cli.providers.plugins import list_problems
from flux_cli.providers.sizes import Pixels, Ratios

_NEEDED = ("accepted", "queued", "running", "succeeded", "failed", "auth")
"""Results that the examples must show."""
_NAMES = {
    Accepted: "accepted",
    Queued: "queued",
    Running: "running",
    Succeeded: "succeeded",
    Failed: "failed",
    Cancelled: "cancelled",
    RemoteJob: "found",
    Account: "account",
}
_NONSENSE: tuple[Any, ...] = (
    None,
    [],
    {},
    "text",
    7,
    [[]],
    {"id": 5},
    {"status": ["x"]},
    {"id": "../../x", "status": None},
)
_STATUSES = {
    401: {"auth"},
    402: {"payment"},
    404: {"failed", "usage"},
    422: {"usage", "failed", "moderated"},
    429: {"unavailable"},
}
_FORBIDDEN = ("open", "socket.", "subprocess.", "os.system", "os.exec", "shutil.")
_ID = "k3f9q2mx"


def list_failures(provider: Provider) -> list[str]:
    """Return what breaks the contract, one sentence each; empty if nothing does."""
    failures = list_problems(provider.name, provider)
    for check in (_check_models, _check_requests, _check_examples, _check_refusals, _check_nonsense):
        try:
            with _without_io():
                failures += check(provider)
        except Exception as error:  # noqa: BLE001 - a failure of the provider, whatever it is
            failures.append(f"{check.__name__.removeprefix('_check_')}: {type(error).__name__}: {error}")
    return failures


def _check_models(provider: Provider) -> Iterator[str]:
    """Check the tables."""
    for name, model in provider.models.items():
        for one in (model, *model.variants):
            where = f"{name} ({one.slug})"
            if model.name != name or not one.slug:
                yield f"{where}: its name or its id is wrong"
            if one.max_images > 1 and not one.count_field:
                yield f"{where}: it makes {one.max_images} images, but has no field for their number"
            for option, value in one.always_sent.items():
                if option not in one.options or one.options[option].check(value) != value:
                    yield f"{where}: it always sends --{option}, and does not take {value!r}"


def _check_requests(provider: Provider) -> Iterator[str]:
    """Check the requests of a submit, for each model and option."""
    accepted = next((one.answers for one in provider.examples if one.result == "accepted"), ())
    for model in provider.models.values():
        for one in (model, *model.variants):
            for name, value in ((None, None), *_values(one)):
                requests = _submit(provider, _plan(provider, one, {} if name is None else {name: value}), accepted)
                where = f"{one.slug}{f' with --{name}' if name else ''}"
                paid = [request for request in requests if request.paid]
                if len(paid) != 1 or requests[-1] is not paid[0]:
                    yield f"{where}: a submit sends exactly one paid request, and sends it last"
                    continue
                yield from _check_request(provider, one, paid[0], where)


def _check_request(provider: Provider, model: Model, request: Request, where: str) -> Iterator[str]:
    body = b"".join(part if isinstance(part, bytes) else b"" for part in encode(request.json))
    if request.method not in {"POST", "PUT"} or not (request.path.startswith("/") or not request.path):
        yield f"{where}: {request} is not a POST to a path"
    if b"a red fox" not in body:
        yield f"{where}: the prompt is not in the body"
    if model.takes_seed and b"4242" not in body:
        yield f"{where}: the seed is not in the body"
    if provider.auth[0].lower() in {name.lower() for name in request.headers}:
        yield f"{where}: the header {provider.auth[0]} is for flux to add"


def _check_examples(provider: Provider) -> Iterator[str]:
    """Check that each example means what it says, and that there are enough of them."""
    shown = {example.result for example in provider.examples}
    for result in _NEEDED:
        if result not in shown:
            yield f"there is no example whose result is {result}"
    for number, example in enumerate(provider.examples, 1):
        found = _hold(provider, example)
        if found != example.result:
            yield f"example {number} ({example.conversation}) is {found}, not {example.result}"


def _check_refusals(provider: Provider) -> Iterator[str]:
    """Check what usual HTTP errors mean."""
    for status, codes in _STATUSES.items():
        error = provider.refusal(Response(status=status, body=b"{}"))
        if error is None or error.code not in codes:
            found = "no refusal" if error is None else error.code
            yield f"HTTP {status} is {found}, not {' or '.join(sorted(codes))}"
    if provider.refusal(Response(status=200, body=b"{}")) is not None:
        yield "HTTP 200 with an empty object is a refusal"
    for status in (500, 502, 504):
        if provider.refusal(Response(status=status, body=b"<html>")) is not None:
            yield f"HTTP {status} without a word of the provider is a refusal: its outcome is unknown"


def _check_nonsense(provider: Provider) -> Iterator[str]:
    """Check that an answer without sense raises an ordinary error."""
    conversations: dict[str, Callable[[], Flow[Any]]] = {
        "submit": lambda: provider.submit(_plan(provider, next(iter(provider.models.values())), {})),
        "poll": lambda: provider.poll(RemoteJob(id=_ID)),
        "check": provider.check,
    }
    for name, conversation in conversations.items():
        for value in _NONSENSE:
            answer = Response(status=200, body=json.dumps(value).encode())
            try:
                drive(conversation(), lambda _request, answer=answer: answer)  # type: ignore[misc]
            except FluxError:
                continue
            except Exception as error:  # noqa: BLE001 - that it is no FluxError is what is tested
                yield f"{name} raises {type(error).__name__} over {value!r}"


def _plan(provider: Provider, model: Model, options: Mapping[str, Any]) -> PlannedJob:
    """Return a job with what the model needs and ``options``."""
    needed = {
        name: value
        for name, option in model.options.items()
        if (option.required or (isinstance(option, ImageInput) and option.least))
        for value in _examples_of(option)[:1]
    }
    parameters = {**model.always_sent, **needed, **options}
    file = LocalFile(path="/fox.png", media_type="image/png", size=3, sha256="0" * 64, width=1024, height=1024)
    job = Job(
        id=_ID,
        run="r",
        provider=provider.name,
        model=model.name,
        prompt="a red fox",
        created_at=0.0,
        seed=4242 if model.takes_seed else None,
        parameters=parameters,
        idempotency_key="01234567-89ab-4cde-8f01-23456789abcd",
    )
    return PlannedJob(job=job, model=model, files={"/fox.png": file})


def _values(model: Model) -> Iterator[tuple[str, Any]]:
    for name, option in model.options.items():
        if name != "seed":
            yield from ((name, value) for value in _examples_of(option))


def _examples_of(option: Option) -> Sequence[Any]:
    """Return a few values that an option takes."""
    match option:
        case ImageInput():
            return ["/fox.png", "https://example.com/fox.png"][: 2 if option.links else 1]
        case Choice():
            return list(option.values)
        case Ratios():
            return list(option.sizes)
        case Range():
            return [option.low, option.high or option.low]
        case Switch():
            return [True, False]
        case Pixels():
            return [f"{width}x{height}" for width, height in (option.table or ((option.low, option.low),))[:1]]
        case _:
            return []


def _submit(provider: Provider, planned: PlannedJob, accepted: Sequence[tuple[int, Any]]) -> list[Request]:
    """Return the requests of a submit, the paid one being answered as the example says."""
    requests: list[Request] = []

    def send(request: Request) -> Response:
        requests.append(request)
        answer = accepted[-1][1] if request.paid and accepted else request.dry_run_answer
        return Response(status=200, body=json.dumps(answer).encode())

    drive(provider.submit(planned), send)
    return requests


def _hold(provider: Provider, example: Example) -> str:
    """Return what an example's answers mean: a state, or the code of an error."""
    remote = RemoteJob(id=_ID)
    lost = LostSubmit(job_id=_ID, idempotency_key=_ID, body={}, sent_at=0.0)
    conversations: dict[str, Callable[[], Flow[Any]] | None] = {
        "submit": lambda: provider.submit(_plan(provider, next(iter(provider.models.values())), {})),
        "poll": lambda: provider.poll(remote),
        "cancel": (lambda: provider.cancel(remote)) if provider.cancel else None,  # type: ignore[misc]
        "find": (lambda: provider.find(lost)) if provider.find else None,  # type: ignore[misc]
        "check": provider.check,
    }
    conversation = conversations[example.conversation]
    if conversation is None:
        return "not offered"
    answers = iter(example.answers)

    def send(_request: Request) -> Response:
        status, body = next(answers)
        response = Response(status=status, body=json.dumps(body).encode())
        refusal = provider.refusal(response)
        if refusal is not None:
            raise refusal
        return response

    try:
        found = drive(conversation(), send)
    except FluxError as error:
        return error.code
    return _NAMES.get(type(found), type(found).__name__)


@dataclass
class _Watch:
    active: bool = False
    installed: bool = False


_WATCH = _Watch()


@contextmanager
def _without_io() -> Generator[None]:
    """Make every attempt to open a file or a connection an error. Modules may be imported."""
    if not _WATCH.installed:
        sys.addaudithook(_refuse_io)
        _WATCH.installed = True
    _WATCH.active = True
    try:
        yield
    finally:
        _WATCH.active = False


def _refuse_io(event: str, arguments: tuple[Any, ...]) -> None:
    if not _WATCH.active or not event.startswith(_FORBIDDEN):
        return
    if event == "open" and str(arguments[0]).endswith((".py", ".pyc")):
        return
    raise PermissionError(f"a provider does no I/O, and this one did: {event} {arguments[:1]!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Test the provider that is named; print what is wrong, and return 0 if nothing is."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if len(words) != 1:
        sys.stderr.write("usage: python -m flux_cli.conformance NAME\n")
        return 2
    try:
        provider = providers.load(words[0])
    except UsageError as error:
        sys.stderr.write(f"flux: error: {error.message}\nhint: {error.hint}\n")
        return 2
    failures = list_failures(provider)
    for failure in failures:
        sys.stdout.write(f"FAILED {failure}\n")
    models = len(provider.models)
    sys.stdout.write(f"{provider.name}: {models} models, {len(provider.examples)} examples, {len(failures)} failures\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
