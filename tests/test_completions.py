"""The completion scripts that we ship are those that the program prints.

`python tests/test_completions.py` renews them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pexpect
import pytest

FOLDER = Path(__file__).parent.parent / "completions"
PROGRAMS = ("flux", "flux-cli")
FILES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish", "powershell": "{}.ps1"}
FIRST_TAB = """\

if [ "$funcstack[1]" = "_{program}" ]; then
  _{function}_completion "$@"
fi
"""
"""zsh loads the file at the first Tab and expects an answer at once; what Typer prints gives one from the second on."""


def printed(program: str, shell: str) -> str:
    """Return the script that the installed program makes for a shell."""
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    command = [str(Path(sys.executable).parent / program)]
    environment = {**os.environ, variable: f"source_{shell}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    ours = FIRST_TAB.format(program=program, function=program.replace("-", "_")) if shell == "zsh" else ""
    return f"{done.stdout.strip()}\n{ours}"


def tab(shell: str, script: str, *words: str) -> set[str]:
    """Return what a real shell offers where the last of ``words`` is being typed."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [shell, "-c", script, shell, *words], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    return {line.split("\t")[0].strip() for line in done.stdout.splitlines() if line.strip()}


@pytest.mark.parametrize(("program", "shell"), list(product(PROGRAMS, FILES)))
def test_a_shipped_script_is_what_the_program_prints(program, shell):
    """A completion script never lags behind the program."""
    expected = printed(program, shell)

    shipped = (FOLDER / FILES[shell].format(program)).read_text(encoding="utf-8")

    assert shipped == expected


@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_finds_whom_a_script_is_for_in_its_first_line(program):
    first = (FOLDER / f"_{program}").read_text(encoding="utf-8").splitlines()[0]

    assert first == f"#compdef {program}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_completes_commands_and_options(program):
    """What stands in the shipped script works in a real bash."""
    function = f"_{program.replace('-', '_')}_completion"
    script = f"""
        source '{FOLDER / f"{program}.bash"}'
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); {function} "$1"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    commands, options = tab("bash", script, program, "gen"), tab("bash", script, program, "generate", "--asp")

    assert commands == {"generate"}
    assert options == {"--aspect-ratio"}


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_commands_and_providers():
    """What stands in the shipped script works in a real fish."""
    script = f"source '{FOLDER / 'flux.fish'}'; complete -C $argv[2]"

    commands, names = tab("fish", script, "flux gen"), tab("fish", script, "flux generate -p run")

    assert commands == {"generate"}
    assert names == {"runcomfy", "runflow", "runware"}


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_completes_at_the_first_tab(program, monkeypatch):
    """What stands in the shipped file works in a real zsh, also when it has only just been loaded."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    shell = pexpect.spawn("zsh", ["-f", "-i"], encoding="utf-8", timeout=20, dimensions=(24, 100))
    shell.sendline(f"fpath=('{FOLDER}' $fpath); autoload -Uz compinit && compinit -u -D && PS1='rea''dy> '")
    shell.expect_exact("ready> ")

    shell.send(f"{program} gen\t")

    assert shell.expect_exact(["erate", pexpect.TIMEOUT, pexpect.EOF], timeout=10) == 0
    shell.close(force=True)


if __name__ == "__main__":
    for name, kind in product(PROGRAMS, FILES):
        (FOLDER / FILES[kind].format(name)).write_text(printed(name, kind), encoding="utf-8")
