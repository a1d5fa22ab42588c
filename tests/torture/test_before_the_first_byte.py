"""What fails before the first byte of a request has left: never bought, never lost, never in doubt.

The hosts are the sandbox's, the network between is the real one: proxies, certificates and names as the environment
sets them, each wrong in its way. Nothing leaves this machine.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from flux_cli.config.paths import state_path
from flux_cli.ledger.codec import decode
from flux_cli.money.limits import final_cost
from flux_cli.providers import NAMES, load
from flux_cli.sandbox.world import World
from tests.listener import closed_port, listening, says, socks, tunnel
from tests.torture.share import one_of_each
from tests.torture.wire import KEYS, Wire

_REFUSES = says(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")


@dataclass(frozen=True)
class Cause:
    """Something that is wrong with the way to the host."""

    name: str
    variables: Callable[[str], contextlib.AbstractContextManager[dict[str, str]]]
    """The environment that makes it so, for a provider."""
    says: str
    """What a message about it names."""
    setting: bool = False
    """Whether it is a setting that cannot be right, rather than a way that may work later."""
    api: bool = False
    """Whether it concerns the API alone, and not the hosts of images."""


def fixed(**variables: str) -> Callable[[str], contextlib.AbstractContextManager[dict[str, str]]]:
    return lambda _: contextlib.nullcontext(variables)


def through(scheme: str, talk: Callable) -> Callable[[str], contextlib.AbstractContextManager[dict[str, str]]]:
    @contextlib.contextmanager
    def variables(_: str) -> Iterator[dict[str, str]]:
        with listening(talk) as port:
            yield {"HTTPS_PROXY": f"{scheme}://127.0.0.1:{port}"}

    return variables


def at(host: Callable[[], contextlib.AbstractContextManager[str]]):
    """Put the provider at another address."""

    @contextlib.contextmanager
    def variables(provider: str) -> Iterator[dict[str, str]]:
        with host() as found:
            yield {f"FLUX_PROVIDERS__{provider.upper()}__BASE_URL": f"https://{found}"}

    return variables


@contextlib.contextmanager
def plain() -> Iterator[str]:
    with listening(says(b"HTTP/1.1 400 no TLS here\r\n\r\n")) as port:
        yield f"127.0.0.1:{port}"


CAUSES = [
    Cause("no such certificates", fixed(SSL_CERT_FILE="/nonexistent.pem"), "SSL_CERT_FILE names, /nonex", setting=True),
    Cause("no such bundle", fixed(REQUESTS_CA_BUNDLE="/nonexistent.pem"), "REQUESTS_CA_BUNDLE names, /", setting=True),
    Cause("no such folder", fixed(SSL_CERT_DIR="/nonexistent"), "SSL_CERT_DIR names, /nonexistent", setting=True),
    Cause("certificates that are none", fixed(SSL_CERT_FILE="/dev/null"), "SSL_CERT_FILE names", setting=True),
    Cause("a log of keys that cannot be", fixed(SSLKEYLOGFILE="/nonexistent/log"), "SSLKEYLOGFILE", setting=True),
    Cause("a proxy that is no address", fixed(HTTPS_PROXY="http://[::1"), "HTTPS_PROXY is no", setting=True),
    Cause("a proxy of an unknown kind", fixed(ALL_PROXY="gopher://127.0.0.1:9"), "ALL_PROXY names", setting=True),
    Cause("a SOCKS proxy that is not there", through("socks5h", socket.socket.close), "of HTTPS_PROXY"),
    Cause("no route behind SOCKS", through("socks5h", socks(3)), "Network unreachable (through the proxy"),
    Cause("name not found behind SOCKS", through("socks5h", socks(4)), "Host unreachable (through the proxy"),
    Cause("a password wanted", through("http", _REFUSES), "407 Who are you (through the proxy"),
    Cause("a tunnel that ends at once", through("http", tunnel(then=socket.socket.close)), "through the proxy"),
    Cause("no TLS at the end of a tunnel", through("http", tunnel(then=says(b"no\r\n\r\n"))), "through the proxy"),
    Cause("connection refused", at(lambda: contextlib.nullcontext(f"127.0.0.1:{closed_port()}")), "refused", api=True),
    Cause("TLS refused", at(plain), "SSL", api=True),
    Cause("name not found", at(lambda: contextlib.nullcontext(f"{'a' * 64}.example")), "label", api=True),
]
OPERATIONS = {
    "submit": ("generate", "a fox", "--once", "cover", "-s", "5", "-o", "out/", "--timeout", "70"),
    "poll": ("result", "--wait", "@1", "-o", "out/", "--timeout", "70"),
    "result": ("result", "@1", "-o", "out/"),
    "download": ("result", "@1", "-o", "out/"),
    "cancel": ("cancel", "@1"),
    "status": ("status", "@1"),
    "check": ("providers", "--check"),
}
CODES = {"submit": (2, 4), "poll": (2, 8), "result": (2, 4), "download": (10, 10), "cancel": (2, 4), "status": (4, 4)}
"""The exit codes of what a setting is to blame for, and of what may pass."""
CELLS = [
    (operation, provider, cause)
    for operation, provider, cause in itertools.product(OPERATIONS, NAMES, CAUSES)
    if not (operation == "cancel" and load(provider).cancel is None) and not (operation == "download" and cause.api)
]
RUN = [cell for cell in CELLS if cell[0] == "submit"]
RUN += one_of_each((cell for cell in CELLS if cell[0] != "submit"), lambda cell: (cell[0], cell[2].name))


class Scene:
    """One user whose budget allows one job, and the four hosts, reached or not."""

    def __init__(self, flux, clock, home, tmp_path) -> None:
        self.ahead = 0.0
        self.stopped: float | None = None
        """When time stands still at the hosts, so that a job stays in the queue."""
        self.world = World(tmp_path / "world", lambda: self.stopped or clock.now() + self.ahead, 2.0, providers=NAMES)
        self.wire = Wire(self.world, clock, tmp_path / "work" / "out")
        self.clock = clock
        self._flux = flux
        config = home / ".config" / "flux-cli" / "config.toml"
        config.parent.mkdir(parents=True)
        prices = [f'[providers.{name}]\nprice = {{ "flux-1.1-pro-ultra" = 0.06 }}\n' for name in NAMES]
        config.write_text("[budget]\ndaily = 0.06\n" + "".join(prices))

    def flux(self, *words: str, reached: bool = True):
        """Run a command, with the hosts in reach or by the real network."""
        done = self._flux(*words, connect=(lambda: self.wire) if reached else None)
        assert "unexpected" not in done.err + done.out, done
        assert "Traceback" not in done.err, done
        assert not any(key in done.out + done.err for _, key in KEYS.values())
        return done

    def jobs(self):
        with contextlib.closing(sqlite3.connect(state_path() / "ledger.sqlite3")) as database:
            return [decode(document) for (document,) in database.execute("SELECT document FROM jobs")]

    def end_process(self) -> None:
        """Let the process that holds the ``--once`` name be one that has ended."""
        with contextlib.closing(sqlite3.connect(state_path() / "ledger.sqlite3")) as database, database:
            database.execute("UPDATE claims SET owner = ?", (f"{socket.gethostname()}:999999999",))


@pytest.fixture
def scene(flux, clock, home, tmp_path, monkeypatch) -> Scene:
    for variable, key in KEYS.values():
        monkeypatch.setenv(variable, key)
    return Scene(flux, clock, home, tmp_path)


def prepare(scene: Scene, operation: str, provider: str) -> None:
    """Make the job that an operation is about."""
    if operation in {"submit", "check"}:
        return
    scene.stopped = scene.clock.now() if operation == "cancel" else None
    assert scene.flux("generate", "a fox", "-p", provider, "-s", "5", "--no-wait").code == 0
    scene.ahead = 100.0
    if operation == "download":
        assert scene.flux("status", "@1").code == 0


@pytest.mark.parametrize(
    ("operation", "provider", "cause"), RUN, ids=[f"{one}-{name}-{cause.name}" for one, name, cause in RUN]
)
def test_a_request_that_never_left_costs_nothing_and_names_the_cause(
    scene, monkeypatch, record_property, operation, provider, cause
):
    """It cost nothing, reserves nothing, burns no name; it says which setting is to blame; and later all is well."""
    record_property("counted", "torture table, before the first byte")
    prepare(scene, operation, provider)
    before = scene.wire.sent.total()
    words = [*OPERATIONS[operation], *(["-p", provider] if operation == "submit" else [])]

    with cause.variables(provider) as variables, monkeypatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        done = scene.flux(*words, "--json", reached=False)

    told = json.dumps(done.objects) + done.err
    assert cause.says in told, done
    assert scene.wire.sent.total() == before
    if operation == "check":
        (row,) = [one for one in done.objects if one["provider"] == provider]
        assert (row["works"], row["error"]["exit_code"]) == (False, 2 if cause.setting else 4)
        return
    assert done.code == CODES[operation][not cause.setting], done
    if operation == "submit":
        (job,) = scene.jobs()
        assert (job.status, job.error.charged, final_cost(job)) == ("failed", "no", 0.0)
        scene.end_process()
    assert scene.flux(*words).code == 0
    assert len(scene.world.jobs(provider)) == 1


def test_every_operation_meets_every_provider(record_property):
    record_property("summary", f"torture table, before the first byte: {len(CELLS)} cells, {len(RUN)} run")
    assert {(operation, provider) for operation, provider, _ in CELLS} == {
        *itertools.product(set(OPERATIONS) - {"cancel"}, NAMES),
        *(("cancel", name) for name in NAMES if load(name).cancel is not None),
    }
