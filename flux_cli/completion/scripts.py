"""Write and install the completion scripts of bash, zsh, fish and PowerShell.

They replace Typer's, which break ratios at their colon in bash, evaluate prompts in zsh,
offer files where a number goes, and load everything for each Tab.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from flux_cli.errors import FluxError, UsageError
from flux_cli.text import listed

_BASH = r"""# bash completion for @PROGRAM@
@FUNCTION@() {
    local line kind= program=${1/#\~\//$HOME/}
    COMPREPLY=()
    while IFS= read -r line; do
        if [ -z "$kind" ]; then kind=$line; else COMPREPLY+=("$line"); fi
    done < <(
        _FLUX_COMPLETE=bash "$program" "${COMP_LINE:0:COMP_POINT}" "$2" "$COMP_TYPE" "${COLUMNS:-80}" 2>/dev/null
    )
    compopt -o nosort 2>/dev/null
    if [ "$kind" = files ]; then compopt -o default -o bashdefault 2>/dev/null; fi
    return 0
}
complete -F @FUNCTION@ @PROGRAM@
"""

_ZSH = r"""#compdef @PROGRAM@
# zsh completion for @PROGRAM@
_@PROGRAM@() {
  local -a found
  local kind
  found=("${(@f)$(_FLUX_COMPLETE=zsh ${~words[1]} "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  kind=$found[1]
  shift found
  case $kind in
    files)
      [[ $PREFIX == --*=* ]] && compset -P '*='
      _files
      ;;
    words) (( $#found )) && _describe -V @PROGRAM@ found ;;
  esac
}
if [ "$funcstack[1]" = "_@PROGRAM@" ]; then _@PROGRAM@ "$@"; else compdef _@PROGRAM@ @PROGRAM@; fi
"""

_FISH = r"""# fish completion for @PROGRAM@
function @FUNCTION@
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l found (env _FLUX_COMPLETE=fish (string replace -r '^~/' "$HOME/" -- $words) "$word" 2>/dev/null)
    switch "$found[1]"
        case files
            set -l flag (string match -r -- '^--[^=]+=' "$word")
            for path in (__fish_complete_path (string replace -- "$flag" '' "$word"))
                echo "$flag$path"
            end
        case words
            test (count $found) -gt 1; and printf '%s\n' $found[2..-1]
    end
end
complete --command @PROGRAM@ --no-files --keep-order --arguments '(@FUNCTION@)'
"""

_POWERSHELL = r"""# PowerShell completion for @PROGRAM@
Register-ArgumentCompleter -Native -CommandName @PROGRAM@ -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_FLUX_COMPLETE = "powershell"
    $Env:_FLUX_LINE = $commandAst.ToString()
    $Env:_FLUX_WORD = $wordToComplete
    try {
        @PROGRAM@ 2>$null | Select-Object -Skip 1 | ForEach-Object {
            $part = $_ -split "`t"
            [System.Management.Automation.CompletionResult]::new($part[0], $part[1], "ParameterValue", $part[2])
        }
    } finally {
        $Env:_FLUX_COMPLETE = $Env:_FLUX_LINE = $Env:_FLUX_WORD = $null
    }
}
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL, "pwsh": _POWERSHELL}

SHELLS = ("bash", "zsh", "fish", "powershell")
"""Shells with a completion script."""


def script(shell: str, program: str) -> str:
    """Return the completion script of ``shell``, a result of `current_shell`, for the command ``program``."""
    function = f"_{re.sub(r'[^a-z0-9]', '_', program)}_complete"
    return _SCRIPTS[shell].replace("@PROGRAM@", program).replace("@FUNCTION@", function)


def current_shell(environ: Mapping[str, str], detect: Callable[[], str] | None = None) -> str:
    """Return the shell that started this process, as ``detect`` finds it, else the user's login shell.

    Raises `UsageError` if there is no script for either.
    """
    name = (detect or _parent)()
    if name not in _SCRIPTS:
        name = Path(environ.get("SHELL", "")).name
    if name not in _SCRIPTS:
        hint = f"`SHELL=zsh flux --show-completion` names it; completion exists for {listed(SHELLS)}"
        raise UsageError("cannot tell which shell this is", hint=hint)
    return name


def _parent() -> str:
    """Return the name of the nearest shell among the parent processes, or an empty string."""
    shellingham = import_module("shellingham")  # which has no types
    try:
        name, _ = shellingham.detect_shell()
    except (shellingham.ShellDetectionFailure, OSError):
        return ""
    return str(name)


def install(shell: str, program: str, home: Path, environ: Mapping[str, str]) -> tuple[Path, Path | None]:
    """Install the script for ``shell``. Return its path, and the start-up file that a line was added to, if any.

    A start-up file keeps its content, and no line is added twice. Raises `UsageError` for PowerShell, whose profile is
    left alone, and `FluxError` if a file cannot be written.
    """
    text = script(shell, program)
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    line, rc = "", None
    if shell == "bash":
        path = data / "bash-completion" / "completions" / program
        line, rc = f"[ -r {_quote(path)} ] && . {_quote(path)}", home / ".bashrc"
    elif shell == "zsh":
        dots = Path(environ.get("ZDOTDIR") or home)
        path = dots / ".zfunc" / f"_{program}"
        line = f"(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}; . {_quote(path)}"
        rc = dots / ".zshrc"
    elif shell == "fish":
        path = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "fish" / "completions" / f"{program}.fish"
    else:
        hint = f"`{program} --show-completion | Out-String | Invoke-Expression` in $PROFILE does it at each start"
        raise UsageError("flux does not change your PowerShell profile", hint=hint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        changed = rc is not None and _add_line(rc, line)
    except (OSError, UnicodeDecodeError) as error:
        reason = str(error.strerror).lower() if isinstance(error, OSError) else f"{rc} is not UTF-8"
        raise FluxError(
            f"cannot install completion: {reason}",
            hint=f"`{program} --show-completion` prints the script",
            charged="no",
        ) from error
    return path, rc if changed else None


def _quote(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


def _add_line(path: Path, line: str) -> bool:
    """Add a line to the end of a file, unless it is there. Return whether it was added."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if line in text.splitlines():
        return False
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line + "\n" if not text or text.endswith("\n") else f"\n{line}\n")
    return True
