"""Tab, pressed in a real bash, zsh and fish, after `flux --install-completion` was typed there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from flux_cli.config.paths import state_path
from flux_cli.jobs import Job
from flux_cli.ledger.ledger import Ledger
from tests.e2e.process import DEADLINE

SHIPPED = Path(__file__).parent.parent.parent / "completions"

PROMPT = "a \\$(touch pwned) `touch pwned` 'fox' \"den\" [/b] x:y %F{red}"
"""What a shell that evaluates it, or a library that reads it as markup, gives itself away with."""

ENDS = {
    "flux gen": "flux generate ",
    "flux generate --asp": "flux generate --aspect-ratio ",
    "flux generate --provider=runf": "flux generate --provider=runflow ",
    "flux generate -a 16:": "flux generate -a 16:9 ",
    "flux generate -m ultra -p runcomfy -a 9:2": "flux generate -m ultra -p runcomfy -a 9:21 ",
    "flux generate -p runcomfy -m pro -a 1:1\\ ": "flux generate -p runcomfy -m pro -a 1:1\\ \\(hd\\) ",
    "flux config get default_": "flux config get default_provider ",
    "flux result @": "flux result @1 ",
    "flux result abcd": "flux result abcd2345 ",
    "flux generate -i pic": "flux generate -i picture.png ",
    "flux generate --config=pic": "flux generate --config=picture.png ",
    "flux generate -s ": "flux generate -s ",
    "flux generate pic": "flux generate pic",
}
"""A line, and what one Tab makes of it."""


@pytest.fixture
def env(env) -> dict[str, str]:
    """Return the environment of somebody who made one image, and stands in a folder with a file."""
    Path("picture.png").touch()
    book = Ledger(state_path() / "ledger.sqlite3")
    book.add(
        Job(
            id="abcd2345",
            run="run1",
            provider="runware",
            model="flux-1.1-pro-ultra",
            prompt=PROMPT,
            created_at=1.0,
            status="succeeded",
            count=1,
            sandbox=True,
        )
    )
    book.close()
    return env


class Shell:
    """An interactive shell. The keys ^X^L show its line, and empty it."""

    def __init__(self, words: list[str], env: dict[str, str]) -> None:
        self._process = pexpect.spawn(
            words[0], words[1:], env=env, encoding="utf-8", timeout=DEADLINE, dimensions=(24, 120)
        )
        self._process.delaybeforesend = None

    def run(self, *lines: str) -> None:
        """Type lines, and wait until the last of them is done."""
        for line in lines:
            self._process.sendline(line)
        self._process.sendline("echo do''ne")
        self._process.expect_exact("done\r\n")

    def tab(self, line: str) -> tuple[str, str]:
        """Press Tab behind ``line``. Return the line as it is then, and all that was shown."""
        self._process.send(f"{line}\t\x18\x0c")
        self._process.expect(r"<<(.*?)>>")
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._process.before)
        return self._process.match[1], shown

    def close(self) -> None:
        self._process.close(force=True)


BASH = (
    "bind 'set show-all-if-ambiguous on'; bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 0'",
    """bind -x '"\\C-x\\C-l": printf "<<%s>>\\n" "$READLINE_LINE"; READLINE_LINE='""",
)
ZSH = (
    'show() { zle -I; print -r -- "<<$BUFFER>>"; BUFFER= }; zle -N show; bindkey "^X^L" show; LISTMAX=1000',
    "unsetopt list_beep",
)


def called(program: str) -> dict[str, str]:
    """Return the lines for one of the program's two names."""
    return {line.replace("flux", program, 1): end.replace("flux", program, 1) for line, end in ENDS.items()}


@pytest.fixture
def shell(env, home, cleaned):
    """Return what starts an interactive shell, or skips the test where there is no such shell."""

    def start(name: str) -> Shell:
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed")
        (home / ".zshrc").touch()  # else zsh asks a new user questions
        shell = Shell([name, "-i"], env)
        cleaned.callback(shell.close)
        return shell

    return start


@pytest.mark.parametrize(("name", "program", "keys"), [("bash", "flux", BASH), ("zsh", "flux-cli", ZSH)])
def test_tab_completes_after_install_completion(name, program, keys, shell):
    """Commands, options, ratios, keys and jobs are completed, files where files go, and no prompt is obeyed."""
    shell, lines = shell(name), called(program)

    shell.run(f"{program} --install-completion", f"exec {name} -i")
    shell.run(*keys)
    ends = {line: shell.tab(line)[0] for line in lines}
    _, listed = shell.tab(f"{program} status ")

    assert ends == lines
    assert "@1" in listed
    assert f"abcd2345  {PROMPT}" in re.sub(r"  +(-- )?", "  ", listed)
    assert not Path("pwned").exists()


def test_zsh_loads_the_completion_file_that_is_shipped(shell):
    """The file in its folder of functions works at the first Tab, which is what loads it."""
    shell = shell("zsh")

    shell.run(f"fpath=('{SHIPPED}' $fpath); autoload -Uz compinit && compinit -u -D", *ZSH)

    assert shell.tab("flux gen")[0] == "flux generate "


def test_tab_completes_in_fish(env):
    """In fish too, which is asked what it would offer."""
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    lines = [line for line in ENDS if line != "flux generate -p runcomfy -m pro -a 1:1\\ "]
    script = (
        "flux --install-completion >/dev/null 2>&1; flux-cli --show-completion | source; "
        "for line in $argv; echo '<<'; complete -C $line; end"
    )

    done = subprocess.run(
        ["fish", "-c", script, *lines, "flux-cli prov", "flux status "],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *answers, second, listed = done.stdout.split("<<\n")[1:]
    ends = {}
    for line, answer in zip(lines, answers, strict=True):
        offered = [one.split("\t")[0] for one in answer.splitlines()]
        whole = line.removesuffix(line.rpartition(" ")[2])
        ends[line] = f"{whole}{offered[0]} " if len(offered) == 1 else line

    assert ends == {line: ENDS[line] for line in lines}
    assert second.split("\t")[0] == "providers"
    assert [line.split("\t")[0] for line in listed.splitlines()] == ["@1", "abcd2345"]
    assert listed.splitlines()[1].split("\t")[1] == PROMPT
    assert not Path("pwned").exists()
