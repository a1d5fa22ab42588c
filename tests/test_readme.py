"""What README.md shows was really run, and is run again here: every console block, in order, in the sandbox."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_cli.sandbox.life import REHEARSALS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRESS = re.compile(
    r"^flux: (\w{8} \w+ (sending|queued|running|succeeded|failed|unknown|saving)\b|\d+ of \d+ done).*$"
)
"""What a terminal shows only while it lasts."""


TOOLS = ("parallel", "make", "exiftool")
"""What examples need beside a shell and jq."""


@dataclass(frozen=True)
class Example:
    """One command of the page, and what the page says came of it."""

    command: str
    output: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """A line of dots alone stands for any number of lines, dots in a line for anything in it, any space for any."""
        rows = []
        for row in self.output:
            words = " ".join(row.split())
            rows.append(r"(?:.*\n)*?" if words == "…" else re.escape(words).replace("…", ".*") + r"\n")
        return "".join(rows)


def blocks(language: str, text: str = TEXT) -> list[str]:
    """Return what stands between the fences of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def sections() -> dict[str, list[Example]]:
    """Return the commands of the page that can be run here, by the heading above them."""
    found: dict[str, list[Example]] = {}
    for heading, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, flags=re.MULTILINE | re.DOTALL):
        for block in blocks("console", text):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, *output = part.rstrip("\n").split("\n")
                while output and output[0].startswith("> "):  # as a shell shows that a command goes on
                    command += "\n" + output.pop(0).removeprefix("> ")
                found.setdefault(heading, []).append(Example(command, tuple(output)))
    return found


def played(commands: list[str], folder: Path) -> list[str]:
    """Run the commands in one bash, and return what each of them printed on stdout and stderr."""
    lines = ["exec 2>&1"]
    for command in commands:
        lines += ["(exit ${status:-0})", command, "status=$?", "printf '\\n@@next@@\\n'"]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FLUX_SANDBOX": "1",
        "FLUX_SANDBOX_SECONDS": "0.1",
    }
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=110,
        check=True,
    )
    return done.stdout.decode().split("\n@@next@@\n")[:-1]


def shown(output: str) -> str:
    """Return the lines that stay on a terminal, each space one space wide."""
    rows = [row for row in output.splitlines() if row.strip() and not PROGRESS.match(row)]
    return "".join(f"{' '.join(row.split())}\n" for row in rows)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="the page shows Linux")
@pytest.mark.parametrize("heading", sections())
def test_every_example_does_what_the_page_says(heading, tmp_path):
    """The commands of a section, run one after the other in a new home, print what the page shows."""
    page = sections()[heading]
    missing = [tool for tool in TOOLS if not shutil.which(tool) and any(tool in one.command.split() for one in page)]
    if missing:
        pytest.skip(f"{missing} not installed")

    outputs = played([example.command for example in page], tmp_path)

    wrong = [
        f"$ {example.command}\n{shown(output)}"
        for example, output in zip(page, outputs, strict=True)
        if not re.fullmatch(example.pattern, shown(output))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(sys.platform != "linux", reason="the page shows Linux")
def test_the_line_for_a_crontab_buys_once_a_day(tmp_path):
    """As cron runs it: with its percent signs unescaped, by sh, and twice."""
    (line,) = blocks("cron")
    command = line.strip().split(None, 5)[5].replace("\\%", "%")

    outputs = played([f"export HOME=$PWD; sh -c {shlex.quote(command)}"] * 2 + ["flux status --json | wc -l"], tmp_path)

    (image,) = tmp_path.glob("harbour-*.jpg")
    assert image.name in outputs[0]
    assert image.name in outputs[1]
    assert outputs[2].strip() == "1"


def test_the_page_shows_every_command():
    """Each command has an example that was run."""
    commands = [example.command for page in sections().values() for example in page]

    used = {word for command in commands for word in re.findall(r"\bflux ([a-z]+)", command)}

    assert used == {"generate", "status", "result", "cancel", "providers", "config"}


def test_only_installing_and_paying_are_not_run_here():
    """Beside the console blocks, the page has three for the shell: install, test, and the one with a real key."""
    install, tests, key = blocks("sh")

    assert ".venv/bin/pip install -q . &&" in install
    assert "--sandbox" in install
    assert "python -m pytest -q -n auto" in tests
    assert "python -m pytest -q -n auto" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "_API_KEY=..." in key


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """Return HMAC-SHA256 (RFC 2104) of a key no longer than 64 bytes, made without the module that the page uses."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()


@pytest.fixture
def verify():
    """Return the page's Python, run."""
    names: dict = {}
    (source,) = blocks("python")
    exec(compile(source, "README.md", "exec"), names)
    return names


def test_a_callback_of_runflow_is_told_from_a_forged_one(verify):
    """The signature is that of the raw body, in hex, with the callback secret."""
    body = b'{"event": "run.completed", "run_id": "0197"}'

    signature = hmac_by_hand(b"whsec_example", body)

    assert verify["from_runflow"](body, signature, "whsec_example")
    assert not verify["from_runflow"](body + b" ", signature, "whsec_example")
    assert not verify["from_runflow"](body, "é" + signature, "whsec_example")


def test_a_webhook_of_apiframe_is_told_from_a_forged_one(verify):
    """The secret is the binary digest of the API key."""
    body = b'{"event": "completed", "jobId": "2f0c"}'

    signature = "sha256=" + hmac_by_hand(hashlib.sha256(b"afk_example").digest(), body)
    hexed = "sha256=" + hmac_by_hand(hashlib.sha256(b"afk_example").hexdigest().encode(), body)

    assert verify["from_apiframe"](body, signature, "afk_example")
    assert not verify["from_apiframe"](body, signature, "afk_other")
    assert not verify["from_apiframe"](body, hexed, "afk_example")


def test_a_call_of_runware_is_known_by_its_token(verify):
    assert verify["from_runware"]("s3cret", "s3cret")
    assert not verify["from_runware"]("guess", "s3cret")


def test_the_config_on_the_page_is_a_config(flux, tmp_path):
    """What the page shows as a config file is taken as one."""
    (source,) = blocks("toml")
    path = tmp_path / "config.toml"
    path.write_text(source, encoding="utf-8")

    done = flux("config", "show", "--config", path)

    assert done.code == 0, done.err
    assert tomllib.loads(source)["default_provider"] in done.out


def test_every_rehearsal_is_on_the_page():
    """Nobody has to read the source to rehearse trouble."""
    listed = set(re.findall(r"^\| `sandbox:([a-z-]+)` \|", TEXT, flags=re.MULTILINE))

    assert listed == set(REHEARSALS)


def test_the_layout_names_what_exists():
    (layout,) = blocks("")[-1:]

    paths = [word for line in layout.splitlines() for word in line[:29].replace(",", " ").split()]
    paths = [path if "/" in path and not path.startswith("commands") else f"flux_cli/{path}" for path in paths]

    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
