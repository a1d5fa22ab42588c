from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli import providers
from flux_cli.errors import AuthError, ConfigError, UsageError
from flux_cli.settings import COMMAND_SECONDS, KEYS, SECRETS, Settings, ask, config_path, state_path, variable

RUNWARE = providers.load("runware")
RUNCOMFY = providers.load("runcomfy")


@pytest.fixture
def write(tmp_path):
    def put(text: str | bytes) -> str:
        file = tmp_path / "config.toml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        file.chmod(0o600)
        return str(file)

    return put


@pytest.fixture
def load(write):
    return lambda text="": Settings.load(write(text))


def test_the_option_beats_the_variable_and_the_variable_the_usual_place(home, monkeypatch):
    """The file is the one that was named last and most specifically; an empty variable names none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    usual = config_path(None)

    monkeypatch.setenv("FLUX_CONFIG", "~/env.toml")

    assert config_path("~/option.toml") == home / "option.toml"
    assert config_path(None) == home / "env.toml"
    monkeypatch.setenv("FLUX_CONFIG", "")
    assert config_path(None) == usual
    assert usual.name == "config.toml"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders")
def test_the_folders_are_those_of_the_platform(home, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "s"))

    found = config_path(None), state_path()

    assert found == (home / "c" / "flux-cli" / "config.toml", home / "s" / "flux-cli")


def test_no_file_at_the_usual_place_means_defaults():
    """Nobody has to make a config file."""
    settings = Settings.load(None)

    assert not settings.exists
    assert (settings.default_provider, settings.output, settings.generate, settings.warnings) == (None, None, {}, ())
    assert (settings.sandbox, settings.sandbox_seconds) == (False, 2.0)
    assert settings.rows() == [("sandbox", "false", "default"), ("sandbox_seconds", "2.0", "default")]


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_file_that_was_named_must_be_there(tmp_path, monkeypatch, by):
    """A typo in a path is not taken for an empty config, unless the file is about to be made."""
    file = str(tmp_path / "none.toml")
    if by == "variable":
        monkeypatch.setenv("FLUX_CONFIG", file)
    option = file if by == "option" else None

    with pytest.raises(ConfigError, match=r"none\.toml does not exist"):
        Settings.load(option)

    assert not Settings.load(option, must_exist=False).exists


def test_every_known_key_is_read(load, home):
    """What the file says arrives with its type, `~` is the home folder, and an address loses its last slash."""
    settings = load(
        """
        default_provider = "runware"
        output = "~/Pictures/flux/"
        sandbox = true
        sandbox_seconds = 0
        [generate]
        model = "ultra"
        aspect_ratio = "16:9"
        size = "1024x1024"
        count = 2
        seed = 7
        raw = true
        image = "~/a.png"
        image_strength = 1
        format = "png"
        quality = 90
        upsample_prompt = false
        safety_tolerance = 2
        check_content = true
        webhook = "https://example.com/hook"
        metadata = { project = "x", "a.b" = "" }
        output = "~/x/{slug}"
        overwrite = true
        no_wait = false
        timeout = 60
        [generate.param]
        "a.b" = [1, { c = 2 }]
        d.e = 1
        d.f.g = "h"
        empty = {}
        [providers.runware]
        api_key = "k"
        api_key_command = "pass show runware"
        base_url = "http://127.0.0.1:8000/v1/"
        price = { ultra = 0.06, "flux-1.1-pro" = 1 }
        """
    )

    generate = dict(settings.generate)
    assert settings.default_provider == "runware"
    assert settings.output == f"{home}/Pictures/flux/"
    assert (settings.sandbox, settings.sandbox_seconds) == (True, 0)
    assert generate.pop("param") == {"a.b": [1, {"c": 2}], "d.e": 1, "d.f.g": "h", "empty": {}}
    assert generate.pop("metadata") == {"project": "x", "a.b": ""}
    assert generate.pop("output") == f"{home}/x/{{slug}}"
    assert generate.pop("image") == f"{home}/a.png"
    assert generate == {
        "model": "ultra",
        "aspect_ratio": "16:9",
        "size": "1024x1024",
        "count": 2,
        "seed": 7,
        "raw": True,
        "image_strength": 1.0,
        "format": "png",
        "quality": 90,
        "upsample_prompt": False,
        "safety_tolerance": 2,
        "check_content": True,
        "webhook": "https://example.com/hook",
        "overwrite": True,
        "no_wait": False,
        "timeout": 60.0,
    }
    assert settings.base_url("runware") == "http://127.0.0.1:8000/v1"
    assert settings.base_url("runflow") is None
    prices = [settings.price("runware", model) for model in providers.MODELS.values()]
    assert prices == [1.0, 0.06]
    assert settings.price("runflow", "flux-1.1-pro-ultra") is None


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ('defualt_provider = "x"', "defualt_provider", "did you mean default_provider?"),
        ('model = "ultra"', "model", "did you mean generate.model?"),
        ("[generate]\naspect-ratio = '1:1'", "generate.aspect-ratio", "did you mean generate.aspect_ratio?"),
        ("[providers.runwre]\napi_key = 'x'", "providers.runwre", "did you mean providers.runware?"),
        ("[providers.runware]\napikey = 'x'", "providers.runware.apikey", "did you mean providers.runware.api_key?"),
        ("[providers.runware.price]\nultr = 1", "providers.runware.price.ultr", "providers.runware.price.ultra?"),
        ("[budget]\ndaily = 5", "budget", "known here: default_provider"),
        ("preview = 'auto'", "preview", "known here"),
        ('"a\\u001b[1m" = 1', r"a\x1b[1m", ""),
    ],
)
def test_an_unknown_key_is_named_with_its_file_and_the_nearest_one(load, text, key, hint):
    with pytest.raises(ConfigError) as caught:
        load(text)

    assert "config.toml" in caught.value.message
    assert caught.value.message.endswith(f"there is no key {key}")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("generate = 3", "generate takes a table"),
        ("providers.runware = 'SECRET'", "providers.runware takes a table"),
        ("[[providers]]\nx = 1", "providers takes a table"),
        ("default_provider = 'SECRET'", "default_provider takes the name of a provider"),
        ("output = ''", "output takes a path"),
        ("sandbox = 'yes'", "sandbox takes true or false"),
        ("sandbox_seconds = -1", "sandbox_seconds takes a number of seconds, 0 or more"),
        ("sandbox_seconds = nan", "sandbox_seconds takes a number of seconds, 0 or more"),
        ("generate.count = '3'", "generate.count takes a whole number from 1 to 20"),
        ("generate.count = 21", "generate.count takes a whole number from 1 to 20"),
        ("generate.seed = true", "generate.seed takes a whole number"),
        ("generate.seed = 1.5", "generate.seed takes a whole number"),
        ("generate.timeout = 0", "generate.timeout takes a number of seconds above 0"),
        ("generate.timeout = inf", "generate.timeout takes a number of seconds above 0"),
        ("generate.image_strength = 1.1", "generate.image_strength takes a number from 0 to 1"),
        ("generate.format = 'SECRET'", "generate.format takes jpg, png or webp"),
        ("generate.model = 'SECRET'", "generate.model takes the name of a model"),
        ("generate.metadata = 'x'", "generate.metadata takes a table of texts"),
        ("generate.metadata.a = 1", "generate.metadata.a takes text"),
        ("generate.param.a = 1979-05-27", "generate.param takes a table of JSON values"),
        ("generate.param.a = nan", "generate.param takes a table of JSON values"),
        ("providers.runware.api_key = 987654", "providers.runware.api_key takes a key as text"),
        ('providers.runware.api_key = "SECRET\\u0007"', "providers.runware.api_key takes a key as text"),
        ('providers.runware.api_key = "SECRET\\u0142"', "providers.runware.api_key takes a key as text"),
        ('providers.runware.api_key = "SEC\\nRET"', "providers.runware.api_key takes a key as text"),
        ("providers.runware.api_key_command = 'a \"SECRET'", "providers.runware.api_key_command takes a command line"),
        ("providers.runware.api_key_command = ' '", "providers.runware.api_key_command takes a command line"),
        ("providers.runware.price = 1", "providers.runware.price takes a table of models and prices"),
        ("providers.runware.price.pro = -1", "providers.runware.price.pro takes an amount of 0 or more"),
    ],
)
def test_a_wrong_value_is_named_by_its_key_and_never_repeated(load, text, said):
    """The message says what is wanted; the value may be a secret, whatever key it stands at."""
    with pytest.raises(ConfigError) as caught:
        load(text)

    error = caught.value
    assert error.message.endswith(f"config.toml: {said}")
    assert "SECRET" not in error.message + error.hint
    assert "987654" not in error.message + error.hint
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_misspelt_provider_or_model_is_put_right(load):
    for text, near in (("default_provider = 'runwar'", "runware"), ("generate.model = 'ulta'", "ultra")):
        with pytest.raises(ConfigError) as caught:
            load(text)

        assert caught.value.hint == f"did you mean {near}?"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a = 1\nb = = 2\n", "line 2: is not valid TOML"),
        (b"a = 1\n[x\n", "line 2: is not valid TOML"),
        (b"a = 'x\n\n", "line 1: is not valid TOML"),
        (b"output = 'a\x00b'", "line 1: is not valid TOML"),
        (b"seed = " + b"9" * 5000, "is not valid TOML"),
        (b"a = " + b"[" * 5000, "is nested too deeply"),
        (b"# fine\n# \xff\n", "line 2: is not UTF-8"),
        (b"#" * (2**20 + 1), "is larger than 1 MiB"),
    ],
)
def test_a_file_that_is_no_toml_is_named_with_its_line(load, raw, said):
    with pytest.raises(ConfigError) as caught:
        load(raw)

    assert said in caught.value.message
    assert "config.toml" in caught.value.message


def test_a_byte_order_mark_is_no_part_of_the_first_key(load):
    assert load(b"\xef\xbb\xbfoutput = 'x'\r\n").output == "x"


def test_a_path_that_cannot_be_read_is_explained(tmp_path, write):
    """A folder, a path through a file and a path that no system takes are errors of one line."""
    for path in (tmp_path, Path(write("")) / "x", Path("a\x00b")):
        with pytest.raises(ConfigError, match="cannot be read"):
            Settings.load(str(path))


def test_the_environment_wins_over_the_file(load, monkeypatch):
    """Each value comes whole from one place, and says from which."""
    monkeypatch.setenv("FLUX_GENERATE__SEED", "7")
    monkeypatch.setenv("FLUX_GENERATE__METADATA", '{"b": "2"}')
    monkeypatch.setenv("FLUX_OUTPUT", "there")

    settings = load("output = 'here'\ngenerate = { seed = 1, count = 2, metadata = { a = '1' } }")

    assert settings.output == "there"
    assert settings.generate == {"seed": 7, "count": 2, "metadata": {"b": "2"}}
    assert settings.source("generate.seed") == "environment FLUX_GENERATE__SEED"
    assert settings.source("generate.count") == "config file"
    assert settings.source("generate.raw") == "default"
    assert settings.source("generate.metadata.b") == "environment FLUX_GENERATE__METADATA"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("sandbox", "1", True),
        ("sandbox", "off", False),
        ("generate.raw", "yes", True),
        ("generate.raw", "false", False),
        ("generate.raw", "no", False),
        ("generate.raw", "on", True),
        ("generate.seed", "-7", -7),
        ("generate.timeout", "2.5", 2.5),
        ("generate.aspect_ratio", "1:1 (hd)", "1:1 (hd)"),
        ("generate.param", '{"a": {"b": [null]}}', {"a.b": [None]}),
        ("providers.runware.price", '{"ultra": 0.05}', {"ultra": 0.05}),
        ("providers.runware.base_url", "https://example.com/", "https://example.com"),
    ],
)
def test_a_variable_is_read_as_its_key_takes_it(load, monkeypatch, key, text, value):
    monkeypatch.setenv(variable(tuple(key.split("."))), text)

    found = load().get(key)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("FLUX_SANDBOX", "SECRET"),
        ("FLUX_DEFAULT_PROVIDER", "SECRET"),
        ("FLUX_GENERATE__SEED", "SECRET"),
        ("FLUX_GENERATE__COUNT", "21"),
        ("FLUX_GENERATE__METADATA", "SECRET"),
        ("FLUX_GENERATE__METADATA", '["SECRET"]'),
        ("FLUX_GENERATE__METADATA", '{"a": 1}'),
        ("FLUX_GENERATE__PARAM", '{"a": NaN}'),
        ("FLUX_GENERATE__PARAM", "[" * 100_000),
        ("FLUX_PROVIDERS__RUNWARE__API_KEY", "SECRET\x07"),
        ("FLUX_PROVIDERS__RUNWARE__PRICE", '{"SECRIT": 1}'),
        ("FLUX_PROVIDERS__RUNWARE__BASE_URL", "ftp://SECRET"),
    ],
)
def test_a_bad_value_in_a_variable_of_ours_is_named_by_the_variable(load, monkeypatch, name, text):
    monkeypatch.setenv(name, text)

    with pytest.raises(ConfigError) as caught:
        load()

    assert caught.value.message.startswith(name)
    assert "SECRET" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "FLUX_URI",
        "FLUX_HOSTLIST",
        "FLUX_GENERATE",
        "FLUX_GENERATE__NOSUCH",
        "FLUX_GENERATE__SEED__X",
        "FLUX_GENERATE__METADATA__X",
        "FLUX_PROVIDERS",
        "FLUX_PROVIDERS__RUNWARE",
        "FLUX_PROVIDERS__NOSUCH__X",
        "FLUX_PROVIDERS__NOSUCH__API_KEY",
        "flux_sandbox",
        "FLUX_",
    ],
)
def test_a_variable_that_is_not_ours_changes_nothing(load, monkeypatch, name):
    before = load("output = 'x'")
    monkeypatch.setenv(name, "{}[[ nonsense")

    after = load("output = 'x'")

    assert after.rows() == before.rows()


def test_an_empty_variable_is_no_variable(load, monkeypatch):
    for names in KEYS:
        monkeypatch.setenv(variable(names), " ")

    assert load("output = 'x'").output == "x"


@pytest.mark.parametrize(
    "address",
    [
        "https://api.runware.ai/v1",
        "https://example.com:8443",
        "http://127.0.0.1:8000/v1",
        "http://127.9.9.9",
        "http://[::1]:80/x",
        "http://localhost:1",
        "HTTPS://EXAMPLE.COM",
    ],
)
def test_a_base_url_may_be_https_or_loopback(load, address):
    settings = load(f"providers.runware.base_url = '{address}//'")

    assert settings.base_url("runware") == address


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1%2eexample.com",
        "http://127.0.0.1@example.com",
        "http://0x7f000001.example.com",
        "http://[::2]",
        "https://SECRET:x@example.com",
        "https://example.com:SECRET",
        "https://example.com:0",
        "https://example.com:99999",
        "https://example.com/?",
        "https://example.com/#x",
        "https://exa mple.com",
        "https://example.com\\\\@localhost",
        "https://ex\u0430mple.com",
        "https://[::1",
        "https://",
        "https:example.com",
        "example.com",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_key_goes_to_an_address_that_is_not_safe(load, address):
    with pytest.raises(ConfigError) as caught:
        load(f'providers.runware.base_url = "{address}"')

    assert caught.value.message.endswith("providers.runware.base_url takes an https address")
    assert "SECRET" not in caught.value.message + caught.value.hint


@given(st.text())
def test_any_text_is_a_good_address_or_a_config_error(text):
    """No address crashes the check, and one that passes is https or loopback."""
    try:
        found = Settings(Path("x"), {"providers": {"runware": {"base_url": text}}}).base_url("runware")
    except ValueError:
        return

    assert found is None or found.lower().startswith(("https://", "http://"))


def test_the_key_is_taken_from_the_first_place_that_has_one(load, monkeypatch, tmp_path):
    """The provider's variables in order, ours, the file, the command; empty ones do not count."""
    marker = tmp_path / "ran"
    command = f"{sys.executable} -c \"open('{marker}','w'); print('from-command')\""
    document = f"[providers.runcomfy]\napi_key = ' from-file '\napi_key_command = '''{command}'''"
    bare = document.replace(" from-file ", " ")
    monkeypatch.setenv("RUNCOMFY_API_TOKEN", " ")
    monkeypatch.setenv("RUNCOMFY_TOKEN", "second\n")
    monkeypatch.setenv("RUNCOMFY_API_KEY", "third")
    monkeypatch.setenv("FLUX_PROVIDERS__RUNCOMFY__API_KEY", "ours")
    found = []

    for name in ("RUNCOMFY_TOKEN", "RUNCOMFY_API_KEY", "FLUX_PROVIDERS__RUNCOMFY__API_KEY", None):
        settings = load(document)
        key = settings.key(RUNCOMFY)
        assert key.source == settings.key_source(RUNCOMFY)
        found.append((key.source, key.value.get_secret_value()))
        if name:
            monkeypatch.delenv(name)

    assert found == [
        ("RUNCOMFY_TOKEN", "second"),
        ("RUNCOMFY_API_KEY", "third"),
        ("FLUX_PROVIDERS__RUNCOMFY__API_KEY", "ours"),
        ("config file", "from-file"),
    ]
    assert load(bare).key_source(RUNCOMFY) == "api_key_command"
    assert not marker.exists()
    assert load(bare).key(RUNCOMFY).value.get_secret_value() == "from-command"
    assert load().key(RUNCOMFY) is None
    assert load().key_source(RUNCOMFY) is None


def test_a_command_in_the_environment_wins_over_a_key_in_the_file(load, monkeypatch):
    monkeypatch.setenv("FLUX_PROVIDERS__RUNWARE__API_KEY_COMMAND", "echo fresh")

    key = load("providers.runware.api_key = 'old'").key(RUNWARE)

    assert key.value.get_secret_value() == "fresh"


def test_a_key_that_no_header_can_carry_is_refused_unseen(load, monkeypatch):
    for bad in ("SEC\x01RET", "SECRET\u0142", "SEC\nRET", "SEC\u00a0RET"):
        monkeypatch.setenv("RUNWARE_API_KEY", bad)

        with pytest.raises(ConfigError, match="RUNWARE_API_KEY") as caught:
            load().key(RUNWARE)

        assert "RET" not in caught.value.message + caught.value.hint


def test_a_key_never_shows(load, monkeypatch):
    """Neither a repr, nor rows, nor get tells a secret."""
    monkeypatch.setenv("RUNWARE_API_KEY", "TOPSECRET")
    settings = load("providers.runflow.api_key = 'TOPSECRET'\nproviders.apiframe.api_key = ''")

    shown = repr([settings.rows(), settings.key(RUNWARE), settings.generate, vars(settings)])

    assert "TOPSECRET" not in shown
    assert ("providers.runware.api_key", "set", "environment RUNWARE_API_KEY") in settings.rows()
    assert ("providers.runflow.api_key", "set", "config file") in settings.rows()
    states = {names[1]: settings.get(".".join(names)) for names in SECRETS}
    assert states == {"runware": "set", "runflow": "set", "apiframe": "missing", "runcomfy": "missing"}


def test_a_command_runs_once_without_a_shell_and_without_stdin(load, tmp_path):
    """Its first line is the key; the rest is ignored."""
    count = tmp_path / "count"
    program = tmp_path / "key.py"
    program.write_text(
        f"import sys\nopen({str(count)!r}, 'a').write('x')\nassert sys.stdin.read() == ''\nprint(sys.argv[1] + '\\nmore')"
    )
    settings = load(f"[providers.runware]\napi_key_command = '{sys.executable} {program} \"$HOME;x y\"'")

    keys = [settings.key(RUNWARE).value.get_secret_value() for _ in range(3)]

    assert keys == ["$HOME;x y"] * 3
    assert count.read_text() == "x"


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("import sys; print('SECRET'); sys.exit(3)", AuthError, "failed with exit code 3"),
        ("print('  ')", AuthError, "printed nothing"),
        ("print('SECRET\\x07x')", ConfigError, "cannot be used"),
        ("import sys; sys.stdout.buffer.write(b'SECRET\\xff')", ConfigError, "cannot be used"),
    ],
)
def test_a_command_that_fails_is_explained_without_its_output(load, capfd, tmp_path, code, kind, said):
    program = tmp_path / "key.py"
    program.write_text(code + "\n")
    settings = load(f"[providers.runware]\napi_key_command = '{sys.executable} {program}'")

    with pytest.raises(kind) as caught:
        settings.key(RUNWARE)

    assert said in caught.value.message
    assert "api_key_command of runware" in caught.value.message
    assert "SECRET" not in caught.value.message + caught.value.hint + "".join(capfd.readouterr())


def test_a_command_that_is_missing_or_slow_is_named():
    """Only the program's name is told: its arguments may hold a secret. A slow one is ended."""
    with pytest.raises(ConfigError, match="x: nosuchprogram cannot be started") as missing:
        ask("/nowhere/nosuchprogram SECRET", "x")
    with pytest.raises(AuthError, match=r"took longer than 0\.05 s") as slow:
        ask(f"{sys.executable} -c 'import time; time.sleep(60) # SECRET'", "x", seconds=0.05)

    assert "SECRET" not in missing.value.message + slow.value.message
    assert COMMAND_SECONDS == 30


def test_get_reads_by_dotted_key(load):
    settings = load(
        "sandbox = true\ngenerate = { seed = 1, metadata = { 'a.b' = 'c' }, param = { d = { e = 2 } } }\n"
        "providers.runware.price = { 'flux-1.1-pro' = 0.04 }"
    )
    keys = ("sandbox", "sandbox_seconds", "output", "generate.seed", "generate.metadata.a.b", "generate.param.d.e")

    found = [settings.get(key) for key in keys]

    assert found == [True, 2.0, None, 1, "c", 2]
    assert settings.get("providers.runware.price.flux-1.1-pro") == 0.04
    assert settings.get('providers.runware.price."flux-1.1-pro"') == 0.04
    assert settings.get("providers.runware.price.ultra") is None
    assert settings.source("providers.runware.price.ultra") == "default"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("generate.sed", "did you mean generate.seed?"),
        ("generat.seed", "did you mean generate.seed?"),
        ("seed", "did you mean generate.seed?"),
        ("providers.runwre.api_key", "did you mean providers.runware.api_key?"),
        ("providers.runwre.nonsense", "did you mean providers.runware?"),
        ("providers.runware.price.utra", "did you mean providers.runware.price.ultra?"),
        ("generate.seed.x", "known here"),
        ("generate", "known here"),
        ("", "known here"),
        ("...", "known here"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(load, key, hint):
    settings = load()

    for ask_for in (settings.get, settings.source):
        with pytest.raises(UsageError) as caught:
            ask_for(key)
        assert hint in caught.value.hint


def test_rows_are_for_people(load):
    """Values read as in the file, tables as JSON, and control characters are made visible."""
    rows = load('output = "a\\u001b[1m"\ngenerate = { raw = false, metadata = { k = "\u00e9" } }').rows()

    assert rows == [
        ("output", r"a\x1b[1m", "config file"),
        ("sandbox", "false", "default"),
        ("sandbox_seconds", "2.0", "default"),
        ("generate.raw", "false", "config file"),
        ("generate.metadata", '{"k": "\u00e9"}', "config file"),
    ]


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_key_in_a_file_that_others_can_read_is_warned_of(write):
    """Only where there is a key to lose, and with the command that helps."""
    file = write("providers.runware.api_key = 'k'")
    calm = Settings.load(file).warnings
    Path(file).chmod(0o644)

    worried = Settings.load(file).warnings
    Path(file).write_text("output = 'x'")

    assert calm == ()
    assert worried == (f"config file {file} is readable by others; chmod 600 {file}",)
    assert Settings.load(file).warnings == ()


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)))
def test_any_document_is_accepted_or_refused_in_words(document):
    """Whatever a file says, the outcome is settings or a ConfigError."""
    from flux_cli.settings import check

    try:
        check(document, Path("config.toml"))
    except ConfigError as error:
        assert "config.toml" in error.message


def test_importing_settings_loads_nothing_that_only_some_commands_need():
    code = "import sys, json, flux_cli.settings; print(json.dumps(sorted(sys.modules)))"

    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert not {"tomlkit", "platformdirs", "httpx", "rich", "typer", "sqlite3"} & set(loaded)
