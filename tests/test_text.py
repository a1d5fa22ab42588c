"""Text from outside cannot move a cursor, leave a folder or name a device."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flux_cli.text import cut_bytes, listed, nearest, printable, safe_name, sentence, slug

quick = hypothesis_settings(max_examples=200, deadline=None)
nasty = st.text(st.characters() | st.sampled_from(list('./\\:*?"<>| -\x00\x1b\n\u202e\u200d\ud800ﬁİ😀')), max_size=40)
DEVICES = ["con", "NUL", "com1", "LPT9", "aux.txt", "prn .png", "com\u00b9", "con.tar.gz"]


def steers(text):
    return any(
        unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and one not in "\u200c\u200d" for one in text
    )


@quick
@given(nasty)
def test_what_is_shown_never_steers_a_terminal(text):
    shown = printable(text)

    assert not steers(shown)
    assert shown.encode().decode() == shown


@quick
@given(nasty, st.integers(1, 20))
def test_what_is_shown_keeps_to_its_limit(text, limit):
    assert len(printable(text, limit=limit)) <= limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a fox", "a fox"),
        ("a\r\n\t  fox ", "a fox"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("a\ud800b", "a\\ud800b"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("", ""),
    ],
)
def test_what_cannot_be_shown_is_spelled_out(text, shown):
    assert printable(text) == shown


def test_a_cut_is_marked():
    assert printable("abcdefgh", limit=5) == "abcd…"
    assert printable("abc efgh", limit=5) == "abc…"
    assert printable("abcde", limit=5) == "abcde"


@pytest.mark.parametrize(
    ("text", "tail"), [("Out of memory.", "Out of memory"), ("wait...", "wait..."), (".", ""), ("", ""), ("a.\n", "a")]
)
def test_a_servers_sentence_loses_its_full_stop(text, tail):
    assert sentence(text) == tail


@quick
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(0, 40))
def test_a_cut_in_bytes_splits_no_character(text, limit):
    cut = cut_bytes(text, limit)

    assert len(cut.encode()) <= limit
    assert text.startswith(cut)
    assert cut == text or len((cut + text[len(cut)]).encode()) > limit


def assert_a_name(name, limit):
    assert name
    assert not steers(name.replace("\u200d", "").replace("\u200c", ""))
    assert not set(name) & set('/\\:*?"<>|\x00')
    assert name[0] not in " .-"
    assert name[-1] not in " ."
    assert len(name.encode()) <= limit + 1
    assert name.split(".")[0].strip().lower() not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@quick
@given(nasty, st.integers(8, 60))
@example("-.profile", 60)
@example("- .. a", 60)
@example(".-", 60)
@example("con .txt", 60)
def test_a_safe_name_is_one_component_of_a_path(text, limit):
    assert_a_name(safe_name(text, limit=limit), limit)


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_is_never_named(name):
    assert safe_name(name) == f"_{name}"


def test_nothing_left_of_a_name_is_the_fallback():
    assert safe_name(" ... ") == "_"
    assert safe_name("--", fallback="image") == "image"


@quick
@given(nasty | st.text(st.sampled_from("ab é狐İ-_"), max_size=80), st.integers(8, 60))
def test_a_slug_is_lower_case_words_and_dashes_within_its_limit(text, limit):
    made = slug(text, limit=limit)

    assert_a_name(made, limit)
    assert all(unicodedata.category(one)[0] in "LNM" or one in "-_" for one in made)
    assert "--" not in made
    assert not made.endswith("-")
    assert made == unicodedata.normalize("NFC", made)


@pytest.mark.parametrize(
    ("text", "limit", "made"),
    [
        ("A red Fox, in the snow!", 60, "a-red-fox-in-the-snow"),
        ("a red fox", 5, "a-red"),
        ("a red fox", 6, "a-red"),
        ("a red fox", 8, "a-red"),
        ("extraordinary", 5, "extra"),
        ("狐と雪", 60, "狐と雪"),
        ("狐と雪", 7, "狐と"),
        ("ﬁne Ⅳ", 60, "fine-iv"),
        ("🦊", 60, "image"),
        ("", 60, "image"),
        ("../../etc/passwd", 60, "etc-passwd"),
        ("CON", 60, "_con"),
    ],
)
def test_a_slug_reads_like_the_prompt(text, limit, made):
    assert slug(text, limit=limit) == made


@pytest.mark.parametrize(
    ("word", "meant"), [("runwear", "runware"), ("RUNWARE", "runware"), ("zzz", None), ("", None), ("Pro", "PRO")]
)
def test_the_nearest_word_is_found_whatever_its_case(word, meant):
    assert nearest(word, ["runware", "apiframe", "PRO"]) == meant


@pytest.mark.parametrize(
    ("words", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed_as_one_says_them(words, said):
    assert listed(words) == said
    assert listed(iter(words), last="or") == said.replace(" and ", " or ")
