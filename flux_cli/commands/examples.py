"""List the examples at the end of each command's help."""

from __future__ import annotations


def _lines(*commands: str) -> str:
    return "\n".join((f"Example{'s' if len(commands) > 1 else ''}:", *commands))


PROGRAM = _lines(
    'flux generate "a red fox in the snow" --sandbox',
    "flux config init",
    "flux generate --help",
)
COMMANDS = {
    "generate": _lines(
        'flux generate "a red fox in the snow" --sandbox',
        'flux generate "a red fox in the snow" -a 16:9 -n 4 -o foxes/',
        "flux generate 'a lighthouse' -p runware -o '{slug}-{provider}-{seed}.{ext}'",
        'flux generate "a heron" -m ultra -m flux-2-pro --gallery herons.html',
        "flux generate --batch prompts.txt -j 8 -o out/ --max-cost 5",
        "flux generate 'a {animal} in {place}' --batch rows.csv",
        'flux generate "a heron" --dry-run',
    ),
    "status": _lines(
        "flux status",
        "flux status @1",
        "flux status --watch",
        "flux status --search fox --since 7d --json",
        "flux status --spend --by model",
    ),
    "result": _lines("flux result @1 --wait", "flux result --all --wait -o out/"),
    "cancel": _lines("flux cancel @1", "flux cancel --all --yes"),
    "providers": _lines("flux providers", "flux providers runware", "flux providers --check"),
    "models": _lines("flux models", "flux models ultra", "flux models bfl:2@2 -p runware"),
    "config": _lines("flux config init", "flux config set generate.aspect_ratio 16:9", "flux config show"),
    "help": _lines(
        "flux help",
        "flux help exit-codes",
        "flux help config set",
        "flux help json --schema",
        "flux help agents --install .agents/skills",
    ),
}
"""By the name of the command."""
CONFIG = {
    "init": _lines("flux config init"),
    "show": _lines("flux config show", "flux config show --json"),
    "get": _lines("flux config get default_provider"),
    "set": _lines(
        "flux config set default_provider runware",
        "flux config set providers.runware.api_key",
        "flux config set output ~/Pictures/flux/",
    ),
    "unset": _lines("flux config unset generate.aspect_ratio"),
    "path": _lines("flux config path"),
}
"""By the name of the command below ``config``."""
