"""What is shipped for shells is what the program says of itself, and what it offers fits where the cursor stands.

`python tests/test_completions.py` renews the scripts in completions/ and the table in flux_cli/completion/table.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from typer.main import get_command

from flux_cli import providers
from flux_cli.cli import app
from flux_cli.commands.help.topics import topics
from flux_cli.completion import parse as cursor
from flux_cli.completion.answer import answer, split
from flux_cli.completion.candidates import BOUNDED, find_candidates
from flux_cli.completion.scripts import current_shell, install, script
from flux_cli.config.paths import config_path, state_path
from flux_cli.config.schema import KEYS
from flux_cli.errors import FluxError, UsageError
from flux_cli.jobs import Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.providers.options import Choice, Range

ROOT = Path(__file__).parent.parent.parent
FOLDER, TABLE = ROOT / "completions", ROOT / "flux_cli" / "completion" / "table.json"
PROGRAMS = ("flux", "flux-cli")
FILES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish", "powershell": "{}.ps1"}
FEW = 10
"""Of so many values each is offered."""
RUNFLOW_ONLY = ["21:9", "16:9", "3:2", "4:3", "1:1", "3:4", "2:3", "9:16", "9:21"]


def described(command) -> dict:
    """Return what Typer knows of a command, and of those within it."""
    found: dict = {"help": command.get_short_help_str(limit=100).replace("\\", "").rstrip("."), "options": []}
    for one in command.params:
        argument = one.param_type_name == "argument"
        about = {
            "name": one.name,
            "names": [*one.opts, *one.secondary_opts],
            "takes": "" if getattr(one, "is_flag", False) else one.metavar or "VALUE",
            "repeats": one.nargs == -1 or bool(getattr(one, "multiple", False)),
            "help": one.help.rstrip("."),
        }
        found["arguments" if argument else "options"] = [*found.get("arguments" if argument else "options", []), about]
    names = ["--help", "-h"]
    found["options"].append(
        {"name": "help", "names": names, "takes": "", "repeats": False, "help": "Show this message and exit"}
    )
    if hasattr(command, "commands"):
        found["commands"] = {name: described(one) for name, one in command.commands.items()}
    return found


def hosted(model) -> dict:
    """Return which ratios, sizes and other values a model takes, under any of its ids."""
    options: dict = {}
    for one in reversed((model, *model.variants)):
        options |= one.options
    ratios, sizes = options.get("aspect_ratio"), options.get("size")
    pixels = {name: f"{width}x{height}" for name, (width, height) in getattr(ratios, "sizes", {}).items()}
    limits = {name: bounds(options[name]) for name in BOUNDED if name in options}
    return {
        "ratios": pixels or dict.fromkeys(getattr(ratios, "values", {}), ""),
        "sizes": [f"{width}x{height}" for width, height in getattr(sizes, "table", ())],
        "bounds": {name: found for name, found in limits.items() if found},
    }


def bounds(option) -> dict[str, str]:
    """Return the words of an option; of a number every value if they are few, else its limits."""
    if isinstance(option, Choice):
        return dict.fromkeys(option.values, "")
    if not isinstance(option, Range) or option.high is None:
        return {}
    if not option.fractions and option.high - option.low < FEW:
        found = {str(number): "" for number in range(int(option.low), int(option.high) + 1)}
    else:
        found = {f"{option.low:g}": "the least", f"{option.high:g}": "the most"}
    return {word: "the default" if word == option.default else said for word, said in found.items()}


def table() -> str:
    """Return the table of everything that can be offered without asking Typer, pydantic or a provider's module."""
    known = [providers.load(name) for name in providers.NAMES]
    whole = {
        "program": described(get_command(app())),
        "models": {**providers.ALIASES, **{name: name for name in providers.MODELS}},
        "titles": providers.MODELS,
        "default_model": providers.DEFAULT_MODEL,
        "providers": {
            one.name: {
                "title": one.title,
                "keys": one.key_variables,
                "models": {name: hosted(model) for name, model in one.models.items()},
            }
            for one in known
        },
        "config": {".".join(names): takes for names, takes in KEYS.items()},
        "topics": topics(),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def offered(*words: str) -> list[str]:
    """Return what may stand where the last of ``words`` does."""
    return [word for word, _ in find_candidates(cursor.parse(words)).words]


def said(*words: str) -> dict[str, str]:
    """Return the same with what is said of each."""
    return dict(find_candidates(cursor.parse(words)).words)


def files(*words: str) -> bool:
    """Whether the name of a file is wanted there."""
    return find_candidates(cursor.parse(words)).files


def configure(text: str) -> None:
    path = config_path(None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


JOB = Job(
    id="aaaa1111",
    run="r1",
    provider="runware",
    model="flux-1.1-pro-ultra",
    prompt="a fox",
    created_at=1.0,
    status="succeeded",
    count=1,
    sandbox=False,
)


@pytest.fixture
def remembered(home):
    """Return what writes jobs into the ledger."""

    def write(*jobs: Job) -> Path:
        path = state_path() / "ledger.sqlite3"
        book = Ledger(path)
        for job in jobs:
            book.add(job)
        book.close()
        return path

    return write


def test_the_table_is_what_the_program_says_of_itself():
    """What is offered never lags behind the program: `python tests/test_completions.py` renews it."""
    assert json.loads(TABLE.read_text(encoding="utf-8")) == json.loads(table())


@pytest.mark.parametrize(("program", "shell"), list(product(PROGRAMS, FILES)))
def test_a_shipped_script_is_what_the_program_prints(program, shell):
    shipped = (FOLDER / FILES[shell].format(program)).read_text(encoding="utf-8")

    assert shipped == script(shell, program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_finds_whom_a_script_is_for_in_its_first_line(program):
    first = (FOLDER / f"_{program}").read_text(encoding="utf-8").splitlines()[0]

    assert first == f"#compdef {program}"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", ["generate", "status", "result", "cancel", "providers", "models", "help", "config"]),
        ("gen", ["generate"]),
        ("--ver", ["--version"]),
        ("--install", ["--install-completion"]),
        ("config s", ["show", "set"]),
        ("generate --see", ["--seed"]),
        ("generate --sand fox", []),
        ("generate -p", ["-p"]),
        ("generate --seed 7 --see", []),
        ("generate --metadata a=b --meta", ["--metadata"]),
        ("generate --raw --no-ra", []),
        ("generate fox --aspect", ["--aspect-ratio"]),
        ("generate -- --asp", []),
        ("generate --asp -- fox", []),
        ("nothing gen", []),
        ("status --active --act", []),
        ("generate --provider runw", ["runware"]),
        ("generate --provider=runw", ["--provider=runware"]),
        ("generate -p runw", ["runware"]),
        ("generate -prunw", ["-prunware"]),
        ("generate -qp runw", ["runware"]),
        ("generate -p -- runw", []),
        ("providers runw", ["runware"]),
        ("generate -m u", ["ultra"]),
        ("generate -m flux-1.1-pro-", ["flux-1.1-pro-ultra"]),
        ("generate -p runflow -m p", ["pro"]),
        ("generate -f p", ["png"]),
        ("generate --fallback runc", ["runcomfy"]),
        (
            "generate -p runware --fallback runcomfy,",
            ["runcomfy,runflow", "runcomfy,apiframe", "runcomfy,bfl", "runcomfy,fal", "runcomfy,replicate"],
        ),
        ("generate -p runflow -m flux-3", []),
        ("generate -p bfl -m kon", ["kontext"]),
        ("generate -p bfl -m flux-3", ["flux-3", "flux-3-image"]),
        ("models flux-3-image", ["flux-3-image", "flux-3-image-klein"]),
        ("models -p runflow flux-3", []),
        ("models ult", ["ultra"]),
        ("providers bfl -m kon", ["kontext"]),
        ("providers --check -m flux-2-m", ["flux-2-max"]),
        ("generate -p bfl -m flux-3 --resolution ", ["768", "1k", "1.5k", "2k", "4k"]),
        ("generate -p runware -m ultra --quality ", ["20", "99"]),
        ("generate -p runware -m ultra --safety-tolerance ", ["0", "1", "2", "3", "4", "5", "6"]),
        ("generate -p bfl -m flux-2-pro --safety-tolerance ", ["0", "1", "2", "3", "4", "5"]),
        ("generate -p runware -m ultra --steps ", []),
        ("status --by d", ["day"]),
        ("generate -s 1", []),
        ("help mon", ["money"]),
        ("help gen", ["generate"]),
        ("help config s", ["show", "set"]),
        ("help money ", []),
        ("config get default_", ["default_provider"]),
        ("config set providers.runware.api_", ["providers.runware.api_key", "providers.runware.api_key_command"]),
        ("config set default_provider runw", ["runware"]),
        ("config set generate.raw ", ["true", "false"]),
        ("config set generate.model pr", ["pro"]),
        ("config set generate.fallback runf", ["runflow"]),
        ("config set generate.seed ", []),
        ("config set generate.nothing ", []),
    ],
)
def test_what_fits_is_offered(line, found):
    """Commands, options that were not given yet, and the values of those that take known ones."""
    assert offered(*line.split(" ")) == found


def test_all_options_are_offered_once_there_is_nothing_else_to_type():
    options = offered("generate", "a fox", "")

    assert {"--provider", "--aspect-ratio", "--raw", "--no-raw", "--help"} <= set(options)
    assert [name for name in options if not name.startswith("--")] == []


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("generate -i ", True),
        ("generate --image=fo", True),
        ("generate -b ", True),
        ("generate -o out/", True),
        ("generate --config ", True),
        ("generate -P ", False),
        ("generate -s ", False),
        ("generate ", False),
        ("generate --metadata ", False),
        ("status nothing-like-an-id", True),
        ("config set output ", True),
        ("config set generate.image ", True),
        ("config set generate.seed ", False),
        ("config get ", False),
    ],
)
def test_files_are_offered_where_files_go(line, wanted):
    assert files(*line.split(" ")) == wanted


@pytest.mark.parametrize("provider", providers.NAMES)
def test_ratios_are_those_that_the_model_takes(subtests, provider):
    """What is offered passes the check of the provider and model that were typed, and nothing is left out."""
    for model, found in providers.load(provider).models.items():
        with subtests.test(model):
            every = [one.options["aspect_ratio"] for one in (found, *found.variants) if "aspect_ratio" in one.options]
            option = next(iter(every), None)
            known = [*(getattr(option, "values", None) or getattr(option, "sizes", None) or ())]

            ratios = offered("generate", "-p", provider, "-m", model, "-a", "")

            assert ratios == known


def test_ratios_follow_the_config(monkeypatch):
    """What was not typed comes from the environment, then from the file, then from the only key."""
    configure('default_provider = "runcomfy"\n[generate]\nmodel = "pro"\n')

    from_file = offered("generate", "-a", "")
    typed = offered("generate", "-p", "runware", "-a", "")
    monkeypatch.setenv("FLUX_DEFAULT_PROVIDER", "runflow")
    from_environment = offered("generate", "-a", "")
    monkeypatch.delenv("FLUX_DEFAULT_PROVIDER")
    configure("")
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", "x")
    from_key = offered("generate", "-a", "")

    assert "1:1 (hd)" in from_file
    assert typed == offered("generate", "-p", "runware", "-m", "pro", "-a", "")
    assert from_environment == offered("generate", "-p", "runflow", "-a", "")
    assert from_key == offered("generate", "-p", "runcomfy", "-a", "")


def test_keys_of_presets_are_offered():
    """Those of the presets in the config, and of the one that is being typed."""
    configure('[presets.cover]\nmodel = "flux-2-pro"\n')

    assert offered("config", "set", "presets.cover.se") == ["presets.cover.seed"]
    assert offered("config", "set", "presets.new.pro") == ["presets.new.provider"]
    assert offered("config", "set", "presets.new.provider", "runw") == ["runware"]
    assert offered("config", "set", "presets.new.raw", "") == ["true", "false"]
    assert offered("config", "unset", "presets.") == ["presets.cover.model"]


def test_models_of_the_config_are_offered():
    """Where the provider hosts their base; their values are those of the base."""
    configure('[models]\nodd = 3\n[models.poster]\nbase = "ultra"\n[models.winter]\nbase = "flux-3"\n')

    assert offered("generate", "-p", "runflow", "-m", "poster") == ["poster"]
    assert offered("generate", "-p", "runflow", "-m", "winter") == []
    assert said("models", "winter") == {"winter": "yours, a flux-3"}
    assert offered("generate", "-p", "bfl", "-m", "winter", "--resolution", "4") == ["4k"]


def test_presets_of_the_config_are_offered():
    configure('[presets]\nodd = 3\n[presets.cover]\nmodel = "flux-2-pro"\nseed = 7\n[presets.cover.param]\na = 1\n')

    assert said("generate", "--preset", "") == {"cover": "model flux-2-pro, seed 7"}


def test_short_names_of_models_come_first():
    assert [word for word in offered("models", "") if word in {"ultra", "flux-1.1-pro-ultra"}] == [
        "ultra",
        "flux-1.1-pro-ultra",
    ]


def test_nobody_knows_which_provider_is_meant():
    """Then the ratios of all of them are offered, each once, and no provider's pixels."""
    ratios = said("generate", "-m", "ultra", "-a", "")

    assert {"21:9", "16:9", "3:2", "1:1"} <= ratios.keys()
    assert set(ratios.values()) == {""}


def test_a_provider_comes_with_its_key(monkeypatch):
    """Whether a key is set is said; what it is, or a command would print, is not looked at."""
    configure('[providers.runflow]\napi_key = "secret"\n[providers.apiframe]\napi_key_command = "touch ran"\n')
    monkeypatch.setenv("RUNWARE_API_KEY", "x")

    names = said("generate", "-p", "")
    sandboxed = said("generate", "--sandbox", "-p", "")

    assert {name: words.rpartition(", ")[2] for name, words in names.items()} == {
        "runcomfy": "no key yet",
        "runflow": "key is set",
        "apiframe": "key is set",
        "runware": "key is set",
        "bfl": "no key yet",
        "fal": "no key yet",
        "replicate": "no key yet",
    }
    assert all(words.endswith(", sandbox") for words in sandboxed.values())
    assert not Path("ran").exists()


def test_unset_offers_what_is_set():
    configure('default_provider = "runware"\n[generate]\nseed = 7\n')

    keys = offered("config", "unset", "")

    assert keys == ["default_provider", "generate.seed"]


def test_jobs_come_with_their_prompt(remembered):
    """The latest run first, then jobs, the newest first; what is not a success says what it is."""
    remembered(JOB, replace(JOB, id="bbbb2222", run="r2", prompt="an\nowl\x1b[2J", status="queued"))

    jobs = said("status", "")

    assert list(jobs.items()) == [
        ("@1", "the latest run: an owl\\x1b[2J"),
        ("bbbb2222", "an owl\\x1b[2J (queued)"),
        ("aaaa1111", "a fox"),
    ]


def test_jobs_are_those_that_the_command_is_for(remembered):
    """Only what is under way is cancelled, and what failed has no result; a job is not offered twice."""
    states = {"bbbb": "queued", "cccc": "failed", "dddd": "succeeded"}
    jobs = [replace(JOB, id=name, run=name, status=status) for name, status in states.items()]
    remembered(*jobs, replace(JOB, id="eeee", run="eeee", sandbox=True), replace(JOB, id="ffff", provider="runflow"))

    assert offered("cancel", "") == ["@1", "bbbb"]
    assert offered("result", "") == ["@1", "ffff", "dddd", "bbbb"]
    assert offered("result", "-p", "runflow", "") == ["@1", "ffff"]
    assert offered("status", "cccc", "") == ["@1", "ffff", "dddd", "bbbb"]
    assert offered("status", "--sandbox", "") == ["@1", "eeee"]


def test_runs_are_counted_back(remembered):
    remembered(*(replace(JOB, id=f"aaa{n}", run=f"r{n // 2}", prompt=f"fox {n}") for n in range(4)))

    runs, images, like = said("result", "@"), said("generate", "--image=@"), said("generate", "--like", "@")

    assert runs == {"@1": "the latest run: fox 3 (2 jobs)", "@2": "fox 1 (2 jobs)"}
    assert list(images) == ["--image=@1", "--image=@2"]
    assert like == runs


def test_what_is_broken_offers_nothing_and_stays_as_it_is(remembered, home):
    """A config that makes no sense, and a ledger that is none, are neither mentioned nor touched."""
    path = remembered(JOB)
    path.write_bytes(b"not a database, and longer than its header would have been" * 40)
    before = sorted(path.parent.iterdir()), path.read_bytes()
    configure("providers = 3\n[generate\n")

    jobs, keys, ratios = offered("status", ""), offered("generate", "-p", "runw"), offered("generate", "-a", "16:")

    assert (jobs, keys, ratios) == ([], ["runware"], ["16:9"])
    assert (sorted(path.parent.iterdir()), path.read_bytes()) == before


@pytest.mark.parametrize(
    "text", ["providers = 3", 'generate = "x"', "default_provider = 7", "[providers]\nrunware = []"]
)
def test_a_config_of_the_wrong_kind_counts_as_none(text):
    configure(text)

    assert offered("generate", "-p", "runware", "-a", "16:") == ["16:9"]
    assert offered("generate", "-a", "16:") == ["16:9"]


def test_no_ledger_is_made_by_looking_for_one(home):
    offered("status", "")

    assert not state_path().exists()


@pytest.mark.parametrize(
    ("line", "words", "raw"),
    [
        ("flux gen", ["flux", "gen"], "gen"),
        ("flux  gen ", ["flux", "gen", ""], ""),
        ("flux 'a  b' -p", ["flux", "a  b", "-p"], "-p"),
        ('flux "a b', ["flux", "a b"], '"a b'),
        ("flux 'it'\\''s' x", ["flux", "it's", "x"], "x"),
        ("flux a\\ b\\", ["flux", "a b"], "a\\ b\\"),
        ('flux "" x', ["flux", "", "x"], "x"),
        ("", [""], ""),
    ],
)
def test_a_line_is_read_as_a_shell_reads_it(line, words, raw):
    assert split(line) == (words, raw)


def answered(capfdbinary, shell: str, *arguments: str) -> list[str]:
    assert answer(shell, arguments) == 0
    return capfdbinary.readouterr().out.decode().splitlines()


@pytest.mark.parametrize(
    ("line", "part", "kind", "lines"),
    [
        ("flux generate -p runware -a 16:", "", "9", ["words", "9"]),
        ("flux generate -p runware -a '16:", "16:", "9", ["words", "16:9"]),
        ("flux generate --provider=runw", "runw", "9", ["words", "runware"]),
        ("flux generate -p runcomfy -m pro -a 1:1", "1", "37", ["words", "1", "1\\ \\(hd\\)"]),
        ("flux generate -i fo", "fo", "9", ["files"]),
        ("flux generate fo", "fo", "9", ["words"]),
    ],
)
def test_bash_replaces_a_part_of_the_word(capfdbinary, line, part, kind, lines):
    """Bash breaks words at colons: only what it replaces is handed back, quoted where it has to be."""
    assert answered(capfdbinary, "bash", line, part, kind, "80") == lines


def test_bash_shows_descriptions_only_where_it_inserts_nothing(capfdbinary, remembered):
    """They fit the window; where a single word is left, or one after the other is inserted, they are left out."""
    remembered(replace(JOB, prompt="a fox in " + "the snow " * 20))

    listed = answered(capfdbinary, "bash", "flux status ", "", "9", "40")
    single = answered(capfdbinary, "bash", "flux status aa", "aa", "9", "40")
    inserted = answered(capfdbinary, "bash", "flux status ", "", "37", "40")

    assert [line[:15] for line in listed] == ["words", "@1        the l", "aaaa1111  a fox"]
    assert max(len(line) for line in listed) < 40
    assert single == ["words", "aaaa1111"]
    assert inserted == ["words", "@1", "aaaa1111"]


def test_zsh_fish_and_powershell_are_told_in_their_own_way(capfdbinary, remembered, monkeypatch):
    """The prompt stands beside the job: behind a colon, a tab, or two."""
    remembered(replace(JOB, prompt="a: fox"))
    monkeypatch.setenv("_FLUX_LINE", "flux status")
    monkeypatch.setenv("_FLUX_WORD", "")

    assert answered(capfdbinary, "zsh", "status", "") == ["words", "@1:the latest run: a: fox", "aaaa1111:a: fox"]
    assert answered(capfdbinary, "zsh", "generate", "-p", "runware", "-a", "16")[1].startswith("16\\:9")
    assert answered(capfdbinary, "fish", "status", "'aa") == ["words", "aaaa1111\ta: fox"]
    assert answered(capfdbinary, "powershell") == [
        "words",
        "'@1'\t@1\tthe latest run: a: fox",
        "aaaa1111\taaaa1111\ta: fox",
    ]
    assert answered(capfdbinary, "tcsh", "status", "") == []


@pytest.mark.slow
def test_a_tab_loads_next_to_nothing():
    """Somebody has pressed a key and waits: no Typer, no pydantic, no rich, no HTTP, no provider."""
    end = "import atexit, sys; atexit.register(lambda: print(' '.join(sys.modules)))\n"
    script = f"{end}from flux_cli.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", script, "generate", "-p", "runware", "-a", ""],
        env={**os.environ, "_FLUX_COMPLETE": "zsh"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *told, modules = done.stdout.splitlines()

    assert told[:2] == ["words", "21\\:9:3136x1344"]
    assert set(modules.split()).isdisjoint({"typer", "pydantic", "rich", "httpx", "sqlite3", "flux_cli.providers"})
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "place", "rc"),
    [
        ("bash", ".local/share/bash-completion/completions/flux", ".bashrc"),
        ("zsh", ".zfunc/_flux", ".zshrc"),
        ("fish", ".config/fish/completions/flux.fish", None),
    ],
)
def test_a_script_is_put_where_its_shell_looks(home, shell, place, rc):
    """Twice is as good as once, and what stands in a start-up file stays there."""
    for name in (".bashrc", ".zshrc"):
        (home / name).write_text("alias ll='ls -l'", encoding="utf-8")

    first, second = install(shell, "flux", home, {}), install(shell, "flux", home, {})

    assert (home / place).read_text(encoding="utf-8") == script(shell, "flux")
    assert first == (home / place, home / rc if rc else None)
    assert second == (home / place, None)
    lines = (home / (rc or ".bashrc")).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "alias ll='ls -l'"
    assert [str(home / place) in line for line in lines[1:]] == ([True] if rc else [])


def test_places_that_were_moved_are_respected(home):
    environ = {"XDG_DATA_HOME": str(home / "data"), "XDG_CONFIG_HOME": str(home / "conf"), "ZDOTDIR": str(home / "z")}

    places = [install(shell, "flux-cli", home, environ)[0] for shell in ("bash", "zsh", "fish")]

    assert [str(place.relative_to(home)) for place in places] == [
        "data/bash-completion/completions/flux-cli",
        "z/.zfunc/_flux-cli",
        "conf/fish/completions/flux-cli.fish",
    ]


def test_what_cannot_be_installed_is_said(home):
    """A shell whose start is not ours to change, a folder that cannot be written, and a file that is no text."""
    (home / ".config").write_text("in the way", encoding="utf-8")
    (home / ".bashrc").write_bytes(b"alias x='\xff'")

    with pytest.raises(UsageError, match="your PowerShell profile"):
        install("pwsh", "flux", home, {})
    with pytest.raises(FluxError, match="cannot install completion: not a directory"):
        install("fish", "flux", home, {})
    with pytest.raises(FluxError, match=r"\.bashrc is not UTF-8"):
        install("bash", "flux", home, {})


def test_the_shell_is_the_one_that_we_were_started_from():
    """Where that is none of ours, the user's own is meant; where that is none either, nobody knows."""
    environ = {"SHELL": "/usr/bin/zsh"}

    assert current_shell(environ, lambda: "fish") == "fish"
    assert current_shell(environ, lambda: "dash") == "zsh"
    with pytest.raises(UsageError, match="cannot tell which shell"):
        current_shell({"SHELL": "/bin/sh"}, lambda: "")


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
    for name, kind in product(PROGRAMS, FILES):
        (FOLDER / FILES[kind].format(name)).write_text(script(kind, name), encoding="utf-8")
