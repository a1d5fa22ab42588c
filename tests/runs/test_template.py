"""Prompt templates: what fills them, and their errors."""

from __future__ import annotations

import json

import pytest

from flux_cli.errors import UsageError
from flux_cli.runs.rows import detect_lines, parse_template, read


def fill(prompt: str, text: str, kind: str = "jsonl") -> list[dict]:
    """Return the fields of each row; fail if a row has an error."""
    rows, errors = read(text, f"f.{kind}", kind, parse_template(prompt))
    assert errors == []
    return [dict(row.fields) for row in rows]


def wrong(prompt: str, text: str, kind: str = "jsonl") -> list[tuple[str, str]]:
    """Return the message and the hint of an error."""
    return [(error.message, error.hint) for error in read(text, f"f.{kind}", kind, parse_template(prompt))[1]]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "animal,Art Style,seed\nfox, engraved,7\n"),
        ("csv", "ANIMAL;art style;--Seed\nfox; engraved;7\n"),
        ("csv", "animal\tart style\tseed\nfox\t engraved\t7\n"),
        ("jsonl", '{"Animal": "fox", "art style": " engraved", "seed": 7}'),
        ("jsonl", '{"--animal": "fox", "ART STYLE": " engraved", "Seed": "7"}'),
    ],
)
def test_columns_fill_the_prompt_or_set_an_option(kind, text):
    """Their names match in any case, and no column has to be called prompt."""
    assert fill("a {animal},{Art Style}", text, kind) == [{"prompt": "a fox, engraved", "seed": 7}]


@pytest.mark.parametrize(
    ("prompt", "filled"),
    [
        ("{{{animal}}} {{x}} }}{{", "{fox} {x} }{"),
        ("{animal} {animal}", "fox fox"),
        ("{ animal }", "fox"),
        ("{animal}, seed {seed}", "fox, seed 7"),
    ],
)
def test_braces_are_written_twice_and_a_column_may_be_used_twice(prompt, filled):
    assert fill(prompt, '{"animal": "fox", "seed": 7}') == [{"prompt": filled, "seed": 7}]


def test_white_space_at_the_end_is_not_sent_and_makes_no_other_row():
    rows = {
        read('{"animal": "fox"}', "f.jsonl", "jsonl", parse_template(f"a {{animal}}{end}"))[0][0].key
        for end in ("", "  ", "\r\n")
    }

    assert len(rows) == 1
    assert fill("a {animal}", '{"animal": "fox "}') == [{"prompt": "a fox"}]


def test_dashes_and_underscores_are_alike():
    assert fill("{big-animal} {a_b}", '{"big_animal": "ox", "a-b": "c"}') == [{"prompt": "ox c"}]


@pytest.mark.parametrize("number", ["7", "1.50", "-0.0", "1e3", "12345678901234567890", "0.1"])
def test_a_number_is_written_as_it_stands(number):
    assert fill("f/{n}", f'{{"n": {number}}}') == [{"prompt": f"f/{number}"}]


def test_a_value_is_no_template():
    assert fill("{a}", json.dumps({"a": "{b} {{"})) == [{"prompt": "{b} {{"}]


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
def test_the_column_prompt_fills_in_like_any_other(kind):
    text = {"txt": "a fox\n# no\nan owl\n", "csv": "prompt\na fox\nan owl\n"}.get(
        kind, '{"prompt": "a fox"}\n{"prompt": "an owl"}'
    )

    assert fill("{prompt}, engraved", text, kind) == [{"prompt": "a fox, engraved"}, {"prompt": "an owl, engraved"}]


def test_a_prompt_without_fields_is_the_same_for_each_row():
    assert fill("a fox", "seed\n7\n8\n", "csv") == [{"prompt": "a fox", "seed": 7}, {"prompt": "a fox", "seed": 8}]


def test_a_column_that_is_used_is_no_word_about_the_batch():
    """``jobs`` and ``copy`` mean something else in a row only where the prompt does not use them."""
    assert fill("{jobs} {copy}", '{"jobs": "smiths", "copy": "two"}') == [{"prompt": "smiths two"}]
    (row,), errors = read('{"a": "b", "copy": 2}', "f", "jsonl", parse_template("{a}"))
    assert (errors, row.copy) == ([], 2)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a {}", "{} in the prompt names no column"),
        ("a {0}", "{0} in the prompt names no column"),
        ("a { }", "in the prompt names no column"),
        ("a {a!r}", "{a!r} in the prompt is more than the name of a column"),
        ("a {a:>5}", "{a:>5} in the prompt is more than the name of a column"),
        ("a {a.b}", "{a.b} in the prompt is more than the name of a column"),
        ("a {a[0]}", "{a[0]} in the prompt is more than the name of a column"),
        ("a {a", "there is a single { in the prompt"),
        ("a }", "there is a single } in the prompt"),
        ("{a{b}}", "there is a single { in the prompt"),
        ('{"scene": "x"}', "is more than the name of a column"),
    ],
)
def test_a_field_is_the_name_of_a_column_and_nothing_else(prompt, said):
    with pytest.raises(UsageError) as caught:
        parse_template(prompt)

    assert said in caught.value.message
    assert "{{ and }}" in caught.value.hint


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_prompt_is_no_template(prompt):
    with pytest.raises(UsageError, match="the prompt is empty"):
        parse_template(prompt)


@pytest.mark.parametrize(
    ("text", "kind", "message", "hint"),
    [
        ("animl,place\nfox,rome\n", "csv", "f.csv:1: there is no column for {animal} of the prompt", "mean {animl}?"),
        ("animl;place\nfox;rome\n", "csv", "f.csv:1: there is no column for {animal} of the prompt", "mean {animl}?"),
        ("x,place\nfox,rome\n", "csv", "f.csv:1: there is no column for {animal} of the prompt", "are x and place"),
        ("animal,place,mood\na,b,c\n", "csv", "f.csv:1: the prompt leaves out the column mood", "add {mood}"),
        ("animal,place,sede\na,b,7\n", "csv", "f.csv:1: the prompt leaves out the column sede", "did you mean seed?"),
        ("animal,place,prompt\na,b,c\n", "csv", "f.csv:1: the prompt leaves out the column prompt", "add {prompt}"),
        ("animal,place,Animal\na,b,c\n", "csv", "f.csv:1: there are two columns called animal", ""),
        ("animal,place\na,b\nc, \n", "csv", "f.csv:3: the column place is empty, but the prompt needs it", "fill it"),
        ("animal,place\na\n", "csv", "f.csv:2: the column place is empty, but the prompt needs it", "fill it"),
        ("a fox\n", "txt", "f.txt:1: there is no column for {animal} of the prompt", "the only column is prompt"),
        ('{"animal": "a"}', "jsonl", "f.jsonl:1: there is no column for {place} of the prompt", "animal"),
        ('{"animal": "a", "place": null}', "jsonl", "f.jsonl:1: the column place is empty", "fill it"),
        ('{"animal": "a", "place": ""}', "jsonl", "f.jsonl:1: the column place is empty", "fill it"),
        ('{"animal": "a", "place": true}', "jsonl", "f.jsonl:1: the column place takes text or a number", ""),
        ('{"animal": "a", "place": ["b"]}', "jsonl", "f.jsonl:1: the column place takes text or a number", ""),
        ('{"animal": "a", "place": {}}', "jsonl", "f.jsonl:1: the column place takes text or a number", ""),
        ('{"animal": "a", "place": "b", "x": 1}', "jsonl", "f.jsonl:1: the prompt leaves out the column x", "add {x}"),
        ('{"animal": "a", "place": "b", "Place": "c"}', "jsonl", "f.jsonl:1: place is given twice", ""),
        ('{"animal": "a", "place": "b", "seed": "x"}', "jsonl", "f.jsonl:1: seed takes a whole number", ""),
        ('{"animal": "a", "place": "b", "jobs": 4}', "jsonl", "f.jsonl:1: jobs applies to the whole batch", ""),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_prompt_is_an_error(text, kind, message, hint):
    ((said, then),) = wrong("a {animal} in {place}", text, kind)

    assert said.startswith(message)
    assert hint in then


def test_a_blank_line_of_a_table_is_no_row():
    assert fill("{a}", "a,seed\nb,\n,\n\nc,7\n", "csv") == [{"prompt": "b"}, {"prompt": "c", "seed": 7}]


def test_a_column_that_is_not_named_has_to_be_empty():
    """As a spreadsheet may leave one at the end."""
    assert fill("{a}", "a,\nb,\n", "csv") == [{"prompt": "b"}]
    ((said, _),) = wrong("{a}", "a,\nb,c\n", "csv")
    assert said == "f.csv:2: there is a value in a column without a name"


JOB = '{"version": 1, "prompt": "a", "parameters": {}}'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a fox\n", "txt"),
        ("", "txt"),
        ("\n  \n" + '{"prompt": "a fox"}', "jsonl"),
        ('{"Prompt": "a fox"}', "jsonl"),
        (JOB, "jsonl"),
        ('{"version": 1, "requests": [], "rows": []}', "jsonl"),
        ('{"version": 1, "error": {}}', "jsonl"),
        ('{"version": 1, "provider": "runware", "models": []}', "jsonl"),
        ('{"scene": "a fox"}\n{"prompt": "x"}', "txt"),
        ('{"scene": "a fox"', "txt"),
        ('{"prompt": "a fox",}', "jsonl"),
        ("{prompt} in rome", "txt"),
        ("[a fox]", "txt"),
        ('["a fox"]', "txt"),
        ("7", "txt"),
        ('a fox\n{"prompt": "x"}', "txt"),
        ("[" * 100_000, "txt"),
    ],
)
def test_the_first_line_on_stdin_tells_the_kind(text, kind):
    assert detect_lines(text, template=False) == kind


@pytest.mark.parametrize(("text", "kind"), [('{"animal": "fox"}', "jsonl"), ("a fox", "txt"), ("7", "txt")])
def test_with_a_template_any_object_is_a_row(text, kind):
    assert detect_lines(text, template=True) == kind


@pytest.mark.parametrize(
    ("text", "then"),
    [
        (json.dumps(json.loads(JOB), indent=2), "`jq -c`"),
        (json.dumps([json.loads(JOB)], indent=2), "`jq -c`"),
        (f"[{JOB}]", "`jq -c '.[]'`"),
    ],
)
def test_json_that_is_not_line_by_line_is_no_list_of_prompts(text, then):
    """Each of its lines would be bought."""
    with pytest.raises(UsageError, match="the JSON on stdin") as caught:
        detect_lines(text, template=False)

    assert then in caught.value.hint
