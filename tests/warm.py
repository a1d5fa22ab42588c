"""Run ``flux`` many times without starting Python each time: a server has it imported, and forks for every call.

For tests whose subject is what the program does, in order or side by side. What is about its start, signals or a
terminal needs the installed program.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

_CLIENT = """\
#!{python} -IS
import marshal, os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"!"], [0, 1, 2])
server.sendall(marshal.dumps(([os.fsencode(word) for word in sys.argv[1:]], dict(os.environb), os.getcwdb())))
server.shutdown(socket.SHUT_WR)
code = int(server.makefile().read())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""The program that stands in for ``flux``: hands its arguments, environment, folder and streams on, and ends alike."""


@contextlib.contextmanager
def serve() -> Iterator[str]:
    """Run a server for a while. Yield the path of a program called ``flux`` that runs there."""
    with tempfile.TemporaryDirectory(prefix="flux-warm-") as folder:
        address, program = Path(folder, "socket"), Path(folder, "flux")
        program.write_text(_CLIENT.format(python=sys.executable, address=str(address)))
        program.chmod(0o755)
        words = [sys.executable, "-P", __file__, str(address)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout.readline() == b"ready\n"
            yield str(program)
            server.stdin.close()


def _listen(address: str) -> None:
    """Answer calls until stdin ends. Returns only in a process that is to be the program."""
    import flux_cli
    from flux_cli import cli

    for module in pkgutil.walk_packages(flux_cli.__path__, "flux_cli."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in ("httpx", "pydantic_settings", "rich.live", "rich.progress", "tomlkit", "typer.main", "PIL.Image"):
        import_module(name)
    for names in ((), tuple(cli.COMMANDS), *((name,) for name in cli.COMMANDS)):
        cli._build(names)
    gc.freeze()  # so that a fork copies no page only because it is looked through at the end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the processes that answer are not waited for
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _answer(connection)
                    return
    os._exit(0)


def _answer(connection: socket.socket) -> None:
    """Fork the program that is called for, wait for its end, and tell it. Returns only in that program."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    words, environment, folder = marshal.loads(connection.makefile("rb").read())
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environment)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    kept = {"encoding": sys.stdout.encoding, "errors": sys.stdout.errors, "closefd": False}
    sys.stdin, sys.stdout = open(0, **kept), open(1, "w", **kept)  # noqa: SIM115 - as Python opens them
    sys.stderr = open(2, "w", 1, sys.stderr.encoding, "backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = ["flux", *map(os.fsdecode, words)]


if __name__ == "__main__":
    _listen(sys.argv[1])
    from flux_cli.cli import main

    sys.exit(main())
