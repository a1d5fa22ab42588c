from __future__ import annotations

import json
import subprocess
import sys

import pytest

from flux_cli.config.paths import config_path, state_path, variable_name
from flux_cli.config.schema import KEYS
from flux_cli.config.settings import Settings
from flux_cli.errors import ConfigError, UsageError


@pytest.fixture
def load(tmp_path):
    def load_text(text: str = "") -> Settings:
        file = tmp_path / "config.toml"
        file.write_bytes(text.encode())
        return Settings.load(str(file))

    return load_text


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
    assert settings.rows() == [
        ("sandbox", "false", "default"),
        ("sandbox_seconds", "2.0", "default"),
        ("max_image_bytes", "268435456", "default"),
    ]


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
    prices = [settings.price("runware", model) for model in ("flux-1.1-pro", "flux-1.1-pro-ultra")]
    assert prices == [1.0, 0.06]
    assert settings.price("runflow", "flux-1.1-pro-ultra") is None


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
    ("file", "variable", "key", "origin"),
    [
        pytest.param("[generate]\nseed = 1\n", None, "generate.seed", "config file", id="file alone"),
        pytest.param(
            "", "FLUX_GENERATE__SEED", "generate.seed", "environment FLUX_GENERATE__SEED", id="variable alone"
        ),
        pytest.param(
            "[generate]\nseed = 1\n",
            "FLUX_GENERATE__SEED",
            "generate.seed",
            "environment FLUX_GENERATE__SEED",
            id="both: the variable",
        ),
        pytest.param("[generate]\nseed = 1\n", "FLUX_GENERATE__COUNT", "generate.seed", "config file", id="a sibling"),
        pytest.param("", "FLUX_GENERATE__COUNT", "generate.seed", "default", id="neither"),
    ],
)
def test_a_value_comes_from_the_first_source_that_states_its_key(load, monkeypatch, file, variable, key, origin):
    if variable:
        monkeypatch.setenv(variable, "2")

    assert load(file).source(key) == origin


def test_a_wrong_value_in_the_file_is_found_although_a_variable_replaces_it(load, monkeypatch):
    monkeypatch.setenv("FLUX_GENERATE__SEED", "2")

    with pytest.raises(ConfigError, match=r"config file .*: generate\.seed takes a whole number"):
        load('[generate]\nseed = "one"\n')


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
    monkeypatch.setenv(variable_name(tuple(key.split("."))), text)

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
        monkeypatch.setenv(variable_name(names), " ")

    assert load("output = 'x'").output == "x"


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


def test_an_unknown_key_is_a_usage_error_with_the_nearest(load):
    """Whether its value or its origin is asked for."""
    settings = load()

    for question in (settings.get, settings.source):
        with pytest.raises(UsageError, match=r"no key generate\.sed") as caught:
            question("generate.sed")
        assert caught.value.hint == "did you mean generate.seed?"


def test_rows_are_for_people(load):
    """Values read as in the file, tables as JSON, and control characters are made visible."""
    rows = load('output = "a\\u001b[1m"\ngenerate = { raw = false, metadata = { k = "\u00e9" } }').rows()

    assert rows == [
        ("output", r"a\x1b[1m", "config file"),
        ("sandbox", "false", "default"),
        ("sandbox_seconds", "2.0", "default"),
        ("max_image_bytes", "268435456", "default"),
        ("generate.raw", "false", "config file"),
        ("generate.metadata", '{"k": "\u00e9"}', "config file"),
    ]


@pytest.mark.slow
def test_importing_settings_loads_nothing_that_only_some_commands_need():
    code = "import sys, json, flux_cli.config.settings; print(json.dumps(sorted(sys.modules)))"

    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert not {"tomlkit", "platformdirs", "httpx", "rich", "typer", "sqlite3"} & set(loaded)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("~/a.png", "HOME/a.png"),
        ('["~/a.png", "https://example.com/b.png"]', ["HOME/a.png", "https://example.com/b.png"]),
        ("[a].png", "[a].png"),
    ],
)
def test_input_images_are_one_or_several_wherever_they_are_set(load, home, monkeypatch, text, found):
    """In the environment several are a JSON list; in the file, a list."""
    expected = json.loads(json.dumps(found).replace("HOME", str(home)))
    value = text if text.startswith('["') else json.dumps(text)

    assert load(f"[generate]\nimage = {value}\n").generate["image"] == expected
    monkeypatch.setenv("FLUX_GENERATE__IMAGE", text)
    assert load().generate["image"] == expected


def test_your_own_models_may_come_from_the_environment(load, monkeypatch):
    monkeypatch.setenv("FLUX_MODELS", '{"poster": {"base": "flux-2-pro", "runware": "a:b@1"}}')

    assert load().models["poster"].ids == {"runware": "a:b@1"}
    monkeypatch.setenv("FLUX_MODELS", '{"ultra": {"base": "flux-2-pro"}}')
    with pytest.raises(ConfigError) as caught:
        load()
    assert "choose another name" in caught.value.hint
