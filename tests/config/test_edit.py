from __future__ import annotations

import os
import stat
import string
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from flux_cli.config.edit import _replace, is_secret, parse_value, write
from flux_cli.config.settings import Settings
from flux_cli.errors import ConfigError, UsageError

COMMENTED = """\
# mine, and precious
default_provider = "runware"   # the fast one

[generate]
# wide
aspect_ratio = "16:9"
seed = 1

[providers.runware]
price = { ultra = 0.06 } # agreed
"""


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "config.toml"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left_over(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir() if one.name.startswith("."))


def test_comments_and_order_stay(file):
    """Only the lines that were to change do."""
    file.write_text(COMMENTED)

    write(file, {"generate.seed": 7, "output": "~/x/"})

    text = file.read_text()
    assert [line for line in COMMENTED.splitlines() if line not in text.splitlines()] == ["seed = 1"]
    assert tomllib.loads(text) == {
        "default_provider": "runware",
        "output": "~/x/",
        "generate": {"aspect_ratio": "16:9", "seed": 7},
        "providers": {"runware": {"price": {"ultra": 0.06}}},
    }


def test_none_removes_a_key_and_only_that(file):
    file.write_text(COMMENTED)

    write(file, {"generate.seed": None, "providers.runware.price.ultra": None, "providers.runflow.api_key": None})

    assert "# wide" in file.read_text()
    assert tomllib.loads(file.read_text()) == {
        "default_provider": "runware",
        "generate": {"aspect_ratio": "16:9"},
        "providers": {"runware": {"price": {}}},
    }


def test_a_key_that_does_not_exist_can_be_removed_but_not_set(file):
    """Removing it is how such a file becomes valid; a typo is still an error."""
    file.write_text("[budget]\ndaily = 5\n[generate]\nsed = 1\n")

    write(file, {"budget": None, "generate.sed": None})

    assert tomllib.loads(file.read_text()) == {"generate": {}}
    for value in (None, 1):
        with pytest.raises(UsageError, match=r"no key generate\.sed"):
            write(file, {"generate.sed": value})


def test_a_new_file_is_for_its_owner_only(tmp_path):
    """So are the folders that had to be made, whatever the umask says."""
    file = tmp_path / "a" / "b" / "config.toml"
    before = os.umask(0)

    try:
        write(file, {"providers.runware.api_key": SecretStr("k")})
    finally:
        os.umask(before)

    assert Settings.load(str(file)).get("providers.runware.api_key") == "set"
    assert [mode(file), mode(file.parent), mode(file.parent.parent)] == [0o600, 0o700, 0o700]
    assert file.read_text() == '[providers.runware]\napi_key = "k"\n'


def test_a_file_that_was_open_to_others_is_closed(file):
    file.write_text("")
    file.chmod(0o644)

    write(file, {"sandbox": True})

    assert mode(file) == 0o600


def test_a_symbolic_link_stays_and_its_target_changes(tmp_path, file):
    target = tmp_path / "dotfiles" / "flux.toml"
    file.symlink_to(target)

    write(file, {"sandbox": True})
    write(file, {"sandbox": False})

    assert file.is_symlink()
    assert target.read_text() == "sandbox = false\n"
    assert left_over(target) == []


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("sandbox = true\n", {"generate.count": 21}),
        ("sandbox = true\n", {"default_provider": "nosuch"}),
        ("sandbox = true\n", {"output": "\ud800"}),
        ("sandbox = true\n", {"generate.param.a": [None]}),
        ("sandbox = true\n", {"generate.param.a": "\ud800"}),
        ("sandbox = = \n", {"output": "x"}),
        ("generate = 3\n", {"generate.seed": 1}),
        ("generate = 'seed'\n", {"generate.seed": None}),
        ("nosuch = 3\n", {"output": "x"}),
    ],
)
def test_what_cannot_be_valid_leaves_the_file_as_it_was(file, text, changes):
    file.write_text(text)

    with pytest.raises(ConfigError):
        write(file, changes)

    assert file.read_text() == text
    assert left_over(file) == []


def test_a_write_that_breaks_off_leaves_nothing_behind(file):
    """Neither half a file nor a temporary one."""
    file.write_text("output = 'x'")

    with pytest.raises(TypeError):
        _replace(file, None)

    assert [one.name for one in file.parent.iterdir() if one.is_file()] == ["config.toml"]
    assert file.read_text() == "output = 'x'"


def test_a_secret_stays_out_of_the_error(file):
    with pytest.raises(ConfigError) as caught:
        write(file, {"providers.runware.api_key": "SECRET\x07"})

    assert "SECRET" not in caught.value.message + caught.value.hint
    assert not file.exists()


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path):
    """A device, a pipe, a folder or a path through a file gets a line of explanation."""
    (tmp_path / "plain").write_text("")
    (tmp_path / "loop").symlink_to("loop")

    for path in (Path(os.devnull), tmp_path, tmp_path / "plain" / "x" / "config.toml", tmp_path / "loop"):
        with pytest.raises(ConfigError):
            write(path, {"sandbox": True})

    assert Path(os.devnull).is_char_device()
    assert left_over(tmp_path / "plain") == []


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("sandbox", "on", True),
        ("generate.raw", "false", False),
        ("generate.seed", "7", 7),
        ("generate.timeout", "90", 90.0),
        ("generate.model", "ultra", "ultra"),
        ("generate.aspect_ratio", "16:9", "16:9"),
        ("generate.metadata", '{"a": "b"}', {"a": "b"}),
        ("generate.metadata.a", "7", "7"),
        ("generate.metadata.a.b", "", ""),
        ("generate.param.a.b", "7", 7),
        ("generate.param.a", "{not json", "{not json"),
        ("generate.param.a", '{"b": {"c": [1]}}', {"b": {"c": [1]}}),
        ("providers.runware.price.flux-1.1-pro", "0.04", 0.04),
        ("providers.runware.base_url", "https://example.com/", "https://example.com"),
    ],
)
def test_text_from_a_command_line_gets_its_type_and_comes_back(file, key, text, value):
    """What was parsed can be written, and reads the same."""
    found = parse_value(key, text)

    write(file, {key: found})

    assert (found, type(found)) == (value, type(value))
    expected = Settings.load(str(file)).get(key) if key != "generate.param.a" or isinstance(value, str) else value
    assert expected == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("generate.seed", "SECRET", "generate.seed takes a whole number"),
        ("generate.output", "", "generate.output takes a path"),
        ("generate.metadata", "SECRET", "generate.metadata takes a table of texts, as JSON"),
        ("generate.param.a", "NaN", "generate.param.a takes a table of JSON values"),
        ("generate.param.a", "[null]", "generate.param.a cannot hold null"),
        ("generate.param.a", "null", "generate.param.a cannot hold null"),
        ("providers.runware.price.ultra", "SECRET", "providers.runware.price.ultra takes an amount of 0 or more"),
        ("providers.runware.api_key", "SECRET\x07", "providers.runware.api_key takes a key as text"),
        ("generate.sed", "1", "there is no key generate.sed in the config"),
        ("generate", "{}", "generate is a table, not a key"),
    ],
)
def test_text_that_a_key_does_not_take_is_a_usage_error(key, text, said):
    with pytest.raises(UsageError) as caught:
        parse_value(key, text)

    assert caught.value.message == said
    assert type(caught.value) is UsageError
    assert "SECRET" not in caught.value.hint


def test_the_secrets_are_the_keys(file):
    """A secret is parsed into something that does not show, and written as it is."""
    value = parse_value("providers.runware.api_key", " k \n")

    write(file, {"providers.runware.api_key": value})

    assert "k" not in repr(value).replace("SecretStr", "")
    assert tomllib.loads(file.read_text())["providers"]["runware"]["api_key"] == "k"
    assert {key for key in ("providers.runware.api_key", "output", "budget.daily") if is_secret(key)} == {
        "providers.runware.api_key"
    }
    with pytest.raises(UsageError):
        is_secret("providers.runwre.api_key")


def test_a_parameter_is_changed_where_it_stands(file):
    """A path that is written as tables in tables is the same path as one in quotes."""
    file.write_text("[generate.param]\na.b = 1\n")

    write(file, {"generate.param.a.b": 2, "generate.param.c.d": 3})

    assert Settings.load(str(file)).generate["param"] == {"a.b": 2, "c.d": 3}
    write(file, {"generate.param.a.b": None})
    assert "a.b" not in Settings.load(str(file)).generate["param"]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LAYOUTS = (
    "",
    COMMENTED,
    COMMENTED.replace("\n", "\r\n"),
    "generate.seed = 1 # a\ngenerate.raw = true\nproviders.runware.price.pro = 1\n",
    "generate = { seed = 1, metadata = { a = 'b' } }\nproviders = { runware = { price = {} } }\n",
    "[providers.runflow]\n[generate]\n[providers.runware]\n[generate.metadata]\nx = '''\ny'''\n",
    "[generate.metadata]\n[generate]\nseed = 0x1",
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LAYOUTS),
    st.fixed_dictionaries(
        {},
        optional={
            "output": TEXT.filter(bool),
            "sandbox_seconds": st.floats(0, allow_nan=False, allow_infinity=False),
            "generate.seed": st.integers(-(2**63), 2**63 - 1) | st.none(),
            "generate.metadata": st.dictionaries(TEXT, TEXT) | st.none(),
            "generate.metadata.a.b": TEXT,
            "providers.runware.price.flux-1.1-pro": st.floats(0, 10) | st.none(),
            "providers.runware.api_key": st.text(string.ascii_letters + string.digits + " -_", min_size=1) | st.none(),
        },
    ),
)
def test_whatever_is_written_is_read(layout, changes):
    """In every layout of the file, any text comes back letter for letter, and nothing else changes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_bytes(layout.encode())
        expected = tomllib.loads(layout)
        for key, value in changes.items():
            *parents, last = key.split(".", 2) if "metadata" in key else key.split(".", 3)
            here = expected
            for name in parents:
                here = here.setdefault(name, {}) if value is not None else here.get(name, {})
            if value is None:
                here.pop(last, None)
            else:
                here[last] = dict(value) if isinstance(value, dict) else value

        write(file, changes)

        assert bare(tomllib.loads(file.read_bytes().decode())) == bare(expected)


def bare(document: dict) -> dict:
    """Return a document without tables that hold nothing."""
    kept = {name: bare(value) if isinstance(value, dict) else value for name, value in document.items()}
    return {name: value for name, value in kept.items() if value != {}}
