from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.config.schema import KEYS
from flux_cli.config.settings import Settings
from flux_cli.config.validate import check, read, split_key
from flux_cli.errors import ConfigError, UsageError


@pytest.fixture
def load(tmp_path):
    def load_text(text: str | bytes) -> Settings:
        file = tmp_path / "config.toml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return Settings.load(str(file))

    return load_text


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ('defualt_provider = "x"', "defualt_provider", "did you mean default_provider?"),
        ('model = "ultra"', "model", "did you mean generate.model?"),
        ("[generate]\naspect-ratio = '1:1'", "generate.aspect-ratio", "did you mean generate.aspect_ratio?"),
        ("[providers.runwre]\napi_key = 'x'", "providers.runwre", "did you mean providers.runware?"),
        ("[providers.runware]\napikey = 'x'", "providers.runware.apikey", "did you mean providers.runware.api_key?"),
        ("[providers.runware.price]\nultr = 1", "providers.runware.price.ultr", "providers.runware.price.ultra?"),
        ("[budget]\ndayly = 5", "budget.dayly", "did you mean budget.daily?"),
        ("gallery = 'auto'", "gallery", ""),
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
    ("raw", "said"),
    [
        (b"a = 1\nb = = 2\n", "line 2: not valid TOML"),
        (b"a = 1\n[x\n", "line 2: not valid TOML"),
        (b"a = 'x\n\n", "line 3: not valid TOML"),
        (b"output = 'a\x00b'", "line 1: not valid TOML"),
        (b"seed = " + b"9" * 5000, "not valid TOML"),
        (b"a = " + b"[" * 5000, "is nested too deeply"),
        (b"# fine\n# \xff\n", "line 2: not valid UTF-8"),
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


def test_a_path_that_cannot_be_read_is_explained(tmp_path):
    """A folder, a path through a file and a path that no system takes are errors of one line."""
    file = tmp_path / "config.toml"
    file.write_text("")

    for path in (tmp_path, file / "x", Path("a\x00b")):
        with pytest.raises(ConfigError, match="cannot be read"):
            read(path)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("generate.sed", "did you mean generate.seed?"),
        ("generat.seed", "did you mean generate.seed?"),
        ("seed", "did you mean generate.seed?"),
        ("providers.runwre.api_key", "did you mean providers.runware.api_key?"),
        ("providers.runwre.nonsense", "did you mean providers.runware?"),
        ("providers.runware.price.utra", "did you mean providers.runware.price.ultra?"),
        ("generate.seed.x", "the keys here are"),
        ("preset.cover.model", "did you mean presets.cover.model?"),
        ("presets", "name a key of a preset, such as presets.cover.model"),
        ("presets.cover", "the keys here are presets.cover.model, "),
        ("generate", "the keys here are generate.model, "),
        ("providers", "the keys here are providers.runcomfy, "),
        ("", "the keys here are"),
        ("...", "the keys here are"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(key, hint):
    with pytest.raises(UsageError) as caught:
        split_key(key)

    assert hint in caught.value.hint


@pytest.mark.parametrize("key", ["generate", "providers.runware", "presets.cover"])
def test_a_table_is_called_one_and_a_long_list_of_its_keys_is_cut_short(key):
    with pytest.raises(UsageError, match=f"^{key} is a table, not a key$") as caught:
        split_key(key)

    assert caught.value.hint.count(f"{key}.") <= 8
    assert len(caught.value.hint) < 300


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([1]) | st.just({"x": {}})
NAMES = st.sampled_from(sorted({name for names in KEYS for name in names}))


@given(
    st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON), max_size=3), max_size=3)
)
def test_any_document_is_accepted_or_refused_in_words(document):
    """Whatever a file says, the outcome is settings or a ConfigError that names the file."""
    path = Path("some.toml")

    with contextlib.suppress(ConfigError):
        check(document, path)
        assert Settings(path, document).rows()
