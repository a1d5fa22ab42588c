"""The README and the topics of ``flux help``: every example is run again, and every table is the program's own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_cli import providers
from flux_cli.commands.help.topics import read_topic, topics
from flux_cli.completion.parse import load_table as table
from flux_cli.config.schema import KEYS
from flux_cli.errors import exit_codes, tree
from flux_cli.sandbox.life import REHEARSALS
from flux_cli.saving.names import FIELDS
from tests import json_lines
from tests.e2e.process import FLUX

ROOT = Path(__file__).parent.parent
PAGES = {"README": (ROOT / "README.md").read_text(encoding="utf-8")} | {
    name: f"{read_topic(name)}\n" for name in topics()
}
"""The text of each page by its name."""
PROGRESS = re.compile(
    r"^flux: (\w{8} \w+ (sending|queued|running|succeeded|failed|unknown|saving)\b|\d+ of \d+ (done|submitted)\b).*$"
)
"""What a terminal shows only while it lasts."""
TOOLS = ("parallel", "make", "exiftool")
"""What examples need beside a shell and jq."""
RUN_IN_ORDER = {"console", "sh", "make"}
CHECKED = {"toml", "json", "python", "cron", "dockerfile"}
"""Languages of blocks: those that a section's shell runs, and those that have a test of their own."""


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


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the language and the text of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def every(language: str) -> list:
    """Return the blocks of a language on all pages, as parameters of a test."""
    return [
        pytest.param(block, id=f"{name}-{number}")
        for name, text in PAGES.items()
        for number, (found, block) in enumerate(blocks(text))
        if found == language
    ]


def rows(page: str, heading: str = "") -> list[list[str]]:
    """Return the cells of the first table below a ``heading`` of a page, without its head."""
    text = PAGES[page][PAGES[page].index(heading) :]
    (found, *_) = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [[cell.strip() for cell in line[1:-1].split(" |")] for line in found.splitlines()[2:]]


def sections() -> dict[str, list[Example]]:
    """Return what can be run on each page, in order, by the name of the page and the heading above it."""
    found: dict[str, list[Example]] = {}
    for name, page in PAGES.items():
        for part in re.split(r"^## ", page, flags=re.MULTILINE):
            heading = part.partition("\n")[0].lstrip("# ")
            for language, block in blocks(part):
                if language in RUN_IN_ORDER and not (name == "README" and language == "sh"):
                    found.setdefault(f"{name}: {heading}", []).extend(examples(language, block))
    return found


def examples(language: str, block: str) -> list[Example]:
    """Return the commands of a block: shell code prints nothing, and a Makefile is written where it is wanted."""
    if language == "sh":
        return [Example(block, ())]
    if language == "make":
        return [Example(f"cat > Makefile <<'END'\n{block}END", ())]
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *output = part.rstrip("\n").split("\n")
        found.append(Example(command, tuple(output)))
    return found


def run_in_bash(commands: list[str], folder: Path, program: str = FLUX) -> list[str]:
    """Run the commands in one bash, with a ``flux``. Return what each of them printed on stdout and stderr."""
    lines = ["exec 2>&1"]
    for command in commands:
        lines += ["(exit ${status:-0})", command, "status=$?", "printf '\\n@@next@@\\n'"]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(program).parent), str(Path(FLUX).parent), os.environ["PATH"])),
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
    printed = done.stdout.decode()
    json_lines.check_output(printed)
    return printed.split("\n@@next@@\n")[:-1]


def shown(output: str) -> str:
    """Return the lines that stay on a terminal, each space one space wide."""
    rows = [row for row in output.splitlines() if row.strip() and not PROGRESS.match(row)]
    return "".join(f"{' '.join(row.split())}\n" for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@pytest.mark.skipif(sys.platform != "linux", reason="the pages show Linux")
@pytest.mark.parametrize("section", sections())
def test_every_example_prints_what_the_page_shows(section, tmp_path, warm_program):
    """The commands of a section run one after the other in a new home."""
    page = sections()[section]
    missing = [tool for tool in TOOLS if not shutil.which(tool) and any(tool in one.command.split() for one in page)]
    if missing:
        pytest.skip(f"{missing} not installed")

    outputs = run_in_bash([example.command for example in page], tmp_path, warm_program)

    wrong = [
        f"$ {example.command}\n{shown(output)}"
        for example, output in zip(page, outputs, strict=True)
        if not re.fullmatch(example.pattern, shown(output))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_block_is_run_or_checked():
    """No example stands on a page that no test looks at."""
    languages = {(name, language) for name, text in PAGES.items() for language, _ in blocks(text)}

    assert {language for _, language in languages} == RUN_IN_ORDER | CHECKED
    assert [name for name, language in languages if language == "python"] == ["webhooks"]
    assert [name for name, language in languages if language == "dockerfile"] == ["README"]  # see tests/e2e


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the page shows Linux")
@pytest.mark.parametrize("block", every("cron"))
def test_a_crontab_buys_once_a_day(tmp_path, block):
    """As cron runs it: with its percent signs unescaped, by sh, and twice."""
    command = block.strip().split(None, 5)[5].replace("\\%", "%")

    outputs = run_in_bash(
        [f"export HOME=$PWD; sh -c {shlex.quote(command)}"] * 2 + ["flux status --json | wc -l"], tmp_path
    )

    (image,) = tmp_path.glob("*.jpg")
    assert image.name in outputs[0]
    assert image.name in outputs[1]
    assert outputs[2].strip() == "1"


@pytest.mark.parametrize("block", every("toml"))
def test_a_config_file_on_a_page_is_valid(flux, tmp_path, block):
    path = tmp_path / "config.toml"
    path.write_text(block, encoding="utf-8")

    done = flux("config", "show", "--config", path)

    assert done.code == 0, done.err
    assert "default_provider" in done.out


@pytest.mark.parametrize("block", every("json"))
def test_each_line_of_json_is_an_object(block):
    assert all(isinstance(json.loads(line), dict) for line in block.splitlines())


def test_the_pages_show_every_command():
    """Each command has an example that was run."""
    commands = [example.command for page in sections().values() for example in page]

    used = {word for command in commands for word in re.findall(r"\bflux ([a-z]+)", command)}

    assert set(table()["program"]["commands"]) <= used


def test_the_pages_name_only_options_and_topics_that_exist():
    text = "\n".join(PAGES.values()) + "--with --an-end"
    options = set()
    described = [table()["program"]]
    while described:
        command = described.pop()
        options |= {name for option in command["options"] for name in option["names"]}
        described += command.get("commands", {}).values()
    of_pip_and_docker = {"--group", "--user", "--no-cache-dir", "--rm", "--read-only"}
    foreign = of_pip_and_docker | {"--count", "--seed"}  # the latter of the torture test

    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text)) - foreign
    topics = set(re.findall(r"`flux help ([a-z-]+)", text)) - set(table()["program"]["commands"])

    assert named - options == {"--with", "--an-end"}
    assert topics <= set(PAGES)


def test_only_installing_and_paying_are_not_run_here():
    """Beside the examples, the README has three blocks for the shell: install, use with a real key, and test."""
    install, key, tests = [block for language, block in blocks(PAGES["README"]) if language == "sh"]

    assert ".venv/bin/pip install -q . &&" in install
    assert "--sandbox" in install
    assert "_API_KEY=..." in key
    assert "python -m pytest -q -n auto" in tests
    assert "python -m pytest -q -n auto" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_readme_is_short_and_links_to_every_topic():
    linked = re.findall(r"^- \[([a-z-]+)\]\(flux_cli/help/\1\.md\): ", PAGES["README"], flags=re.MULTILINE)

    assert linked == [name for name in PAGES if name != "README"]
    assert len(PAGES["README"].splitlines()) <= 220


def test_links_lead_to_files_and_headings():
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", PAGES["README"]):
        path, _, heading = target.partition("#")
        text = (ROOT / path).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
        assert not heading or heading in {title.lower().replace(" ", "-") for title in headings}


def test_the_exit_codes_are_those_of_the_errors():
    listed = {int(code): name for code, name, *_ in rows("exit-codes")}

    codes = {kind.exit_code: kind.code for kind in tree().values() if kind.exit_code != 1} | {0: "ok", 1: "failed"}

    signals = dict.fromkeys((130, 143, 129, 141), "")
    assert listed == codes | signals


def test_the_exit_codes_mean_what_the_errors_say():
    listed = {int(code): meaning for code, _, meaning in rows("exit-codes")}

    assert {code: listed[code] for code in exit_codes()} == {code: one.meaning for code, one in exit_codes().items()}


def test_the_rehearsals_are_those_of_the_sandbox():
    listed = [word.strip("`").removeprefix("sandbox:") for word, *_ in rows("sandbox")]

    assert listed == list(REHEARSALS)


def test_the_settings_are_those_of_the_config():
    listed = [(key.strip("`"), takes) for key, takes in rows("config", "## All settings")]

    names = [(".".join("NAME" if key[:1] == ("providers",) and n == 1 else k for n, k in enumerate(key)), takes)
             for key, takes in KEYS.items()]  # fmt: skip
    assert listed == list(dict.fromkeys(names))


def test_the_fields_of_a_name_are_those_of_a_template():
    assert [field.strip("`{}") for field, _ in rows("names", "## Templates")] == list(FIELDS)


def test_the_variables_of_keys_are_those_that_are_read():
    listed = {name.strip("`"): tuple(re.findall(r"`(\w+)`", words)) for name, words in rows("environment")}

    assert listed == {name: providers.load(name).key_variables for name in providers.NAMES}


def test_the_readme_recommends_the_first_variable_of_each_provider():
    listed = {title: name.strip("`") for title, name, *_ in rows("README")}

    assert list(listed.values()) == [providers.load(name).key_variables[0] for name in providers.NAMES]


@pytest.mark.parametrize("page", ["README", "providers"])
def test_the_table_of_providers_is_theirs(page):
    """How many models each hosts, and whether it can cancel."""
    listed = [[row[0].strip("`").lower(), *row[-3:-1]] if page == "providers" else [row[0].lower(), *row[2:]]
              for row in rows(page)]  # fmt: skip

    loaded = [providers.load(name) for name in providers.NAMES]
    assert listed == [
        [
            one.name,
            str(len(one.models)),
            "no" if one.cancel is None else "while queued" if one.cancel_note == "while queued" else "yes",
        ]
        for one in loaded
    ]


@pytest.mark.parametrize(
    ("heading", "prompt", "path"),
    [("## A job", "a fox", []), ("## An image", "a fox", ["images", 0]), ("## An error", "sandbox:fail", ["error"])],
)
def test_the_keys_of_json_are_those_that_are_printed(flux, heading, prompt, path):
    listed = [key.strip("`") for key, _ in rows("json", heading)]
    found = flux("generate", prompt, "--sandbox", "--json").object

    for step in path:
        found = found[step]

    assert sorted(listed) == sorted(found)


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """Return HMAC-SHA256 (RFC 2104) of a key no longer than 64 bytes, made without the module that the page uses."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()


@pytest.fixture
def verify():
    """Return what the Python of the page about webhooks defines."""
    names: dict = {}
    (source,) = [block for language, block in blocks(PAGES["webhooks"]) if language == "python"]
    exec(compile(source, "webhooks.md", "exec"), names)
    return names


def test_a_forged_callback_of_runflow_is_recognised(verify):
    """The signature is that of the raw body, in hex, with the callback secret."""
    body = b'{"event": "run.completed", "run_id": "0197"}'

    signature = hmac_by_hand(b"whsec_example", body)

    assert verify["from_runflow"](body, signature, "whsec_example")
    assert not verify["from_runflow"](body + b" ", signature, "whsec_example")
    assert not verify["from_runflow"](body, "é" + signature, "whsec_example")


def test_a_forged_webhook_of_apiframe_is_recognised(verify):
    """The secret is the binary digest of the API key."""
    body = b'{"event": "completed", "jobId": "2f0c"}'

    signature = "sha256=" + hmac_by_hand(hashlib.sha256(b"afk_example").digest(), body)
    hexed = "sha256=" + hmac_by_hand(hashlib.sha256(b"afk_example").hexdigest().encode(), body)

    assert verify["from_apiframe"](body, signature, "afk_example")
    assert not verify["from_apiframe"](body, signature, "afk_other")
    assert not verify["from_apiframe"](body, hexed, "afk_example")


def test_a_forged_webhook_of_replicate_is_recognised(verify):
    """The signature is that of id, time and raw body; while a secret is replaced, there are two of them."""
    body, secret = b'{"id": "p1"}', base64.b64encode(b"example secret").decode()
    digest = bytes.fromhex(hmac_by_hand(b"example secret", b"msg_1.1795000000." + body))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1795000000",
        "webhook-signature": f"v1,{base64.b64encode(bytes(32)).decode()} v1,{base64.b64encode(digest).decode()}",
    }

    assert verify["from_replicate"](body, headers, f"whsec_{secret}")
    assert not verify["from_replicate"](body + b" ", headers, f"whsec_{secret}")
    assert not verify["from_replicate"](body, {**headers, "webhook-timestamp": "1795000001"}, f"whsec_{secret}")


def test_an_unsigned_call_is_recognised_by_its_token(verify):
    assert verify["by_token"]("s3cret", "s3cret")
    assert not verify["by_token"]("guess", "s3cret")
