"""Batch files: what each row asks for, and what is wrong with it, by file and line."""

from __future__ import annotations

import json
import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flux_cli.errors import UsageError
from flux_cli.runs.rows import KINDS, NAMES, Row, batch_name, detect_kind, failed_name, read


def fields(text: str, kind: str = "jsonl") -> list[dict]:
    """Return the fields of each row; fail if a row has an error."""
    rows, errors = read(text, f"file.{kind}", kind)
    assert errors == []
    return [dict(row.fields) for row in rows]


def wrong(text: str, kind: str = "jsonl") -> list[str]:
    """Return what is wrong, for people."""
    return [error.message for error in read(text, f"file.{kind}", kind)[1]]


def mark(**asked) -> str:
    return Row(number=1, place="file:1", fields=asked).key


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.txt", "txt"), ("b.JSONL", "jsonl"), ("in/c.x.csv", "csv"), ("-", "txt"), ("d.jsonl", "jsonl")],
)
def test_the_name_tells_the_kind(name, kind):
    assert detect_kind(name) == kind


@pytest.mark.parametrize("name", ["prompts", "prompts.json", ".txt", "a.tsv", "", "x\x1b[2J"])
def test_another_name_is_refused(name):
    with pytest.raises(UsageError, match="cannot tell what kind of batch") as caught:
        detect_kind(name)
    assert "\x1b" not in caught.value.message
    assert ".jsonl" in caught.value.hint


def test_a_file_of_rows_that_failed_belongs_to_its_origin():
    """Also one that was made of such a file, and one that had to take another name."""
    once, another = failed_name("/a/b.txt"), failed_name("/a/b.txt", 12)

    assert (once, another) == ("/a/b.txt.failed.jsonl", "/a/b.txt.failed-12.jsonl")
    assert {batch_name(one) for one in ("/a/b.txt", once, another, failed_name(once), failed_name(another, 2))} == {
        "/a/b.txt"
    }
    assert batch_name("/a/failed-2.jsonl") == "/a/failed-2.jsonl"


def test_a_text_file_has_a_prompt_a_line():
    """Blank lines and comments are skipped, white space around a prompt goes; the line is that of the file."""
    rows, errors = read("\n# foxes\n  a red fox \r\n\t\nan owl, #1\n-\n", "p.txt", "txt")

    assert errors == []
    assert [(row.number, row.place, row.fields["prompt"]) for row in rows] == [
        (1, "p.txt:3", "a red fox"),
        (2, "p.txt:5", "an owl, #1"),
        (3, "p.txt:6", "-"),
    ]


def test_a_row_takes_every_option_by_its_long_name():
    """With dashes or underscores, as JSON values or as texts; what is null is not given."""
    asked = {
        "prompt": "a fox", "provider": "runcomfy", "aspect-ratio": "16:9", "--seed": "7", "raw": True, "count": 3,
        "image_strength": 0.5, "metadata": {"a": "b"}, "param": {"x.y": [1, None]}, "output": "a.jpg", "quality": None,
    }  # fmt: skip

    assert fields(json.dumps(asked)) == [
        {
            "prompt": "a fox", "provider": "runcomfy", "aspect_ratio": "16:9", "seed": 7, "raw": True, "count": 3,
            "image_strength": 0.5, "metadata": {"a": "b"}, "param": {"x.y": [1, None]}, "output": "a.jpg",
        }
    ]  # fmt: skip


def test_checking_a_row_takes_few_calls():
    """A row is checked against the options of ``generate`` alone: a batch may have 10,000 of them."""
    rows = 100
    text = "".join(f'{{"prompt": "a fox", "seed": {seed}}}\n' for seed in range(rows))
    fields(text)  # what is built once is not counted
    calls = 0

    def count(_frame, event, _arg):
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        read(text, "file.jsonl", "jsonl")
    finally:
        sys.setprofile(before)

    assert calls / rows < 32


def test_a_table_means_the_same_as_objects():
    """Quotes, commas and newlines inside of cells, columns in any order, empty cells that are not given."""
    text = 'seed,prompt,param\n7,"a fox, ""red""\nand wide","{""a"": 1}"\n,an owl\n\n,,\n'

    assert fields(text, "csv") == [
        {"seed": 7, "prompt": 'a fox, "red"\nand wide', "param": {"a": 1}},
        {"prompt": "an owl"},
    ]
    assert [row.place for row in read(text, "t.csv", "csv")[0]] == ["t.csv:2", "t.csv:4"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "this line is not JSON"),
        ("[1]", "a row is a JSON object"),
        ("NaN", "this line is not JSON"),
        ('{"prompt": "a", "param": {"x": NaN}}', "this line is not JSON"),
        ('{"prompt": "a", "param": {"x": 1e999}}', "this line is not JSON"),
        ("[" * 100_000, "this line is not JSON"),
        ("9" * 5000, "this line is not JSON"),
        ('{"seed": 7}', "the row has no prompt"),
        ('{"prompt": "  "}', "the row has no prompt"),
        ('{"prompt": 7}', "prompt takes text"),
        ('{"prompt": "a", "prompt": "b"}', "prompt is given twice"),
        ('{"prompt": "a", "seed": 1, "--seed": 2}', "seed is given twice"),
        ('{"prompt": "a", "sede": 7}', "there is no option 'sede'"),
        ('{"prompt": "a", "seed": "many"}', "seed takes a whole number"),
        ('{"prompt": "a", "seed": 1.5}', "seed takes a whole number"),
        ('{"prompt": "a", "count": 21}', "count takes a whole number from 1 to 20"),
        ('{"prompt": "a", "format": "gif"}', "format takes jpg, png or webp"),
        ('{"prompt": "a", "metadata": {"a": {}}}', "metadata takes text"),
        ('{"prompt": "a", "jobs": 9}', "jobs applies to the whole batch, not to a row"),
        ('{"prompt": "a", "max-cost": 9}', "max-cost applies to the whole batch, not to a row"),
        ('{"prompt": "a", "copy": 0}', "copy takes a whole number above 0"),
        ('{"prompt": "a", "copy": true}', "copy takes a whole number above 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_told_by_file_and_line(line, said):
    assert [said in told and told.startswith("file.jsonl:2: ") for told in wrong(f"\n{line}\n")] == [True]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ('{"prompt": "a",}', 15),
        ('{"prompt": "a" , }  ', 16),
        ('{"prompt": "a"},', 16),
        ('  {"prompt": "a, b"} ,\t', 22),
        ('{"prompt": "a", "metadata": {"x": "y",}}', 38),
        ('{"prompt": "a", "param": {"x": [1, 2,]}}', 37),
    ],
)
def test_a_trailing_comma_is_named(line, column):
    (error,) = read(line, "file.jsonl", "jsonl")[1]

    assert error.message == f"file.jsonl:1: this line is not JSON: there is a trailing comma at column {column}"
    assert error.hint == "remove the comma"


@pytest.mark.parametrize(
    "line", ['{"prompt": "a,"', '{"prompt": "a" "b"}', "{'prompt': 'a,'}", ",", '{"a": 1,, "b": 2}', "{,}"]
)
def test_other_mistakes_are_no_trailing_comma(line):
    (told,) = wrong(line)

    assert told.startswith("file.jsonl:1: this line is not JSON")
    assert ("comma" in told) == (line in {",", "{,}"})


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize(
    "head",
    [("prompt", "seed", "aspect-ratio"), ("PROMPT", "SEED", "ASPECT_RATIO"), ('"Prompt"', '"Seed"', "--Aspect-Ratio")],
)
def test_a_table_is_read_as_any_spreadsheet_writes_it(separator, head):
    """With the separator of its language, and names in any case; a cell in quotes may hold any of them."""
    lines = [(), head, ("a fox", "7", "1:1"), ('"an owl, a hen; a\tcat"', "8", "")]

    assert fields("\n".join(map(separator.join, lines)), "csv") == [
        {"prompt": "a fox", "seed": 7, "aspect_ratio": "1:1"},
        {"prompt": "an owl, a hen; a\tcat", "seed": 8},
    ]


def test_a_cell_holds_one_image_or_a_list_of_them():
    lines = ["prompt,image", "a fox,house.png", 'an owl,"[""house.png"", ""dog.png""]"', "a hare,"]

    assert fields("\n".join(lines), "csv") == [
        {"prompt": "a fox", "image": "house.png"},
        {"prompt": "an owl", "image": ["house.png", "dog.png"]},
        {"prompt": "a hare"},
    ]


def test_a_single_column_may_hold_semicolons():
    assert fields("prompt\na fox; an owl\n", "csv") == [{"prompt": "a fox; an owl"}]


def test_names_in_json_are_taken_in_any_case_too():
    """Also that which tells apart rows that ask for the same."""
    (row,), errors = read('{"Prompt": "a fox", "Seed": 7, "Copy": 2}', "file.jsonl", "jsonl")

    assert (errors, row.fields, row.copy) == ([], {"prompt": "a fox", "seed": 7}, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed\n7\n", "file.csv:1: there is no column called prompt"),
        ("\nprompt,sede\na,1\n", "file.csv:3: there is no option 'sede'"),
        ("prompt,seed,--seed\na,1,2\n", "file.csv:1: there are two columns called seed"),
        ("prompt\na,b\n", "file.csv:2: 2 cells, but 1 column"),
        ("prompt;seed\na;1;2\n", "file.csv:2: 3 cells, but 2 columns"),
        ("prompt\tsede\na\t1\n", "file.csv:2: there is no option 'sede'"),
        ("prompt;seed,raw\na;1\n", "file.csv:2: there is no option 'seed,raw'"),
        ("prompt|seed\na|1\n", "file.csv:1: there is no column called prompt"),
        ('"prompt\n', "file.csv:1: this is not CSV"),
        ('prompt\n"a\nb"\n"c" d\n', "file.csv:4: this is not CSV"),
        ('prompt\n"a\n', "file.csv:2: this is not CSV"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_by_file_and_line(text, said):
    (told,) = wrong(text, "csv")

    assert told.startswith(said)


def test_every_row_that_is_wrong_is_told():
    assert [told.partition(": ")[0] for told in wrong('{}\n{"prompt": "a"}\nx\n')] == ["file.jsonl:1", "file.jsonl:3"]


def test_columns_that_are_no_options_suggest_a_template():
    _, (error,) = read("animal,seed\na,1\n", "f.csv", "csv")

    assert '"a {animal}" --batch' in error.hint


def test_other_lines_of_json_are_no_rows():
    _, (error,) = read('{"version": 1, "provider": "bfl", "models": []}', "f.jsonl", "jsonl")

    assert error.message == "f.jsonl:1: this line of --json is not a job"


def test_the_nearest_option_is_named():
    _, (error,) = read('{"prompt": "a", "aspect_ration": "1:1"}', "f", "jsonl")

    assert error.hint == "did you mean aspect_ratio?"


def test_a_row_is_known_by_what_it_asks_for():
    """Not by the order, the spelling or the kind of file; anything else that is asked for makes another row."""
    (row,) = read('{"seed": "7", "prompt": "a"}', "a.jsonl", "jsonl")[0]
    (same,) = read("prompt,--seed\na,7\n", "b.csv", "csv")[0]

    assert row.key == same.key == mark(prompt="a", seed=7)
    assert len({row.key, mark(prompt="a"), mark(prompt="a", seed=8), mark(prompt="a ", seed=7)}) == 4


def test_which_of_several_equal_rows_one_is_makes_it_no_other():
    (row,) = read('{"prompt": "a", "copy": 3}', "a.jsonl", "jsonl")[0]
    (cell,) = read("prompt,copy\na,3\n", "a.csv", "csv")[0]

    assert (row.copy, dict(row.fields), row.key) == (3, {"prompt": "a"}, mark(prompt="a"))
    assert cell.copy == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_huge_line_and_a_nul_are_prompts_like_any_other(kind):
    """What a provider takes is for others to judge."""
    prompt = "fox\0" * 30_000
    text = {"txt": prompt, "csv": f"prompt\n{prompt}\n"}.get(kind) or json.dumps({"prompt": prompt})

    assert fields(text, kind) == [{"prompt": prompt}]


def test_a_name_that_would_draw_does_not():
    assert all("\x1b" not in told for told in wrong('{"\\u001b[2J": 1}\nx')), wrong("x")
    assert "\x1b" not in read("{", "\x1b]0;.jsonl", "jsonl")[1][0].message


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_OBJECT = st.dictionaries(st.sampled_from((*NAMES, "copy", "jobs", "sede")) | st.text(max_size=5), _JSON, max_size=4)


def _held(text: str, kind: str) -> None:
    """Hold what is promised of any text: no crash, every error with its line, every row sound."""
    rows, errors = read(text, "f\x1b", kind)
    last = text.count("\n") + text.count("\r") + 1
    for error in errors:
        found = re.match(r"f\\x1b:(\d+): ", error.message)
        assert found, error.message
        assert 1 <= int(found[1]) <= last
    for row in rows:
        assert row.fields.keys() <= set(NAMES)
        assert row.fields["prompt"].strip()
        (again,), none = read(json.dumps(dict(row.fields)), "f", "jsonl")
        assert not none
        assert again.key == row.key


@given(st.sampled_from(KINDS), st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
@example("csv", 'prompt\n"')
@example("csv", "prompt,copy\na,\u0663")
@example("jsonl", '{"prompt": "\\ud800", "metadata": {"\\ud800": "a"}}')
def test_any_text_is_read_or_told(kind, text):
    _held(text, kind)


@settings(max_examples=50)
@given(st.lists(_OBJECT.map(json.dumps), max_size=4).map("\n".join))
def test_any_objects_are_read_or_told(text):
    _held(text, "jsonl")


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(("prompt", "seed", "copy", "param", "metadata", "raw")), min_size=1, max_size=4),
    st.lists(st.lists(st.text(max_size=6) | st.sampled_from(("{}", '{"a": 1}', "7", "[[")), max_size=4), max_size=3),
)
def test_any_tables_are_read_or_told(head, cells):
    import csv
    import io

    text = io.StringIO(newline="")
    csv.writer(text).writerows([head, *cells])

    _held(text.getvalue(), "csv")
