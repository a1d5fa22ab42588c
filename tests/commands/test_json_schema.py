"""``flux help json --schema``: every printed object matches it, and no key that it promised is removed.

Every test that prints ``--json`` is checked against it, see `tests.json_lines`.
"""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from flux_cli.display.output import JSON_VERSION
from flux_cli.errors import Charged, Retry, tree
from flux_cli.jobs import Status
from flux_cli.ledger.spending import GROUPS
from tests.json_lines import check_output, printed, schema

MONEY = "amount currency"
KEYS = {
    "job": "version id run row remote_id provider model status detail queue_position progress prompt parameters skipped"
    " seed count images cost timing error sandbox created_at finished_at batch estimate shape_differs",
    "failure": "version error",
    "dry_run": "version requests estimate rows",
    "planned": "version row provider model prompt parameters seed count estimate",
    "spend": "version by name jobs images usd estimated_usd credits unknown",
    "budget": "version by name amount usd left unknown",
    "forgotten": "version id forgotten",
    "accepted_loss": "version file accepted",
    "provider": "version provider models prices price_sources cancel key median_seconds failures jobs",
    "provider_models": "version provider models",
    "check": "version check provider works balance drift prices credit_prices error",
    "machine_check": "version check provider works balance error state detail hint",
    "model": "version model title aliases providers price kinds most_input_images seed",
    "model_details": "version model title aliases base providers",
    "published_model": "version model provider published fields",
    "config_entry": "version key value source",
    "config_value": "version key value",
    "config_path": "version path exists",
    "config_written": "version provider key output path",
    "topic": "version topic about",
    "skill": "version path change",
    "image": "path url width height content_type bytes seed nsfw",
    "money": MONEY,
    "error": "code message hint charged retry exit_code docs commands",
    "request": "method url headers body upload curl",
    "estimate": f"{MONEY} unknown_jobs parts",
    "estimate_part": "provider model images price",
    "price": "amount rule source date",
    "provider_model": "model slug note price price_source price_date options",
    "provider_option": "option accepts default field note",
    "hosted_model": "provider ids confidence note kinds most_input_images seed prompt_length prompt_field most_images"
    " count_field price price_rule price_source price_date options",
    "model_option": "option applies accepts default field required confidence note",
    "published_field": "field accepts required default note",
}
"""The keys that scripts rely on, by object. A key may be added here, and none may be taken out: that would be another
version of the format."""
SOMETIMES = {"failure": {"run", "row", "batch", "provider", "model", "prompt"}, "topic": {"text"}}
"""Keys that only some lines have: of a failure, those of a row of a batch; of a topic, that of a single one."""


def test_it_is_one_document_of_json_schema(flux):
    done = flux("help", "json", "--schema")

    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document == schema()
    assert document["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(document)


def test_it_has_the_version_of_the_lines():
    assert schema()["$id"].endswith(f":{JSON_VERSION}")
    assert schema()["$defs"]["version"]["const"] == JSON_VERSION


def test_every_object_is_one_that_scripts_rely_on():
    objects = {name for name, one in schema()["$defs"].items() if "properties" in one}

    assert objects == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_no_key_goes_and_each_new_one_stays(name):
    """A new key belongs in `KEYS`, so that it stays from then on."""
    one = schema()["$defs"][name]

    assert set(one["required"]) == set(KEYS[name].split())
    assert set(one["properties"]) - set(one["required"]) == SOMETIMES.get(name, set())


@pytest.mark.parametrize("name", KEYS)
def test_readers_have_to_expect_new_keys(name):
    one = schema()["$defs"][name]

    assert "additionalProperties" not in one
    assert set(one["required"]) <= set(one["properties"])


@pytest.mark.parametrize("name", sorted({*KEYS} & {*printed()}))
def test_every_line_begins_with_its_version(name):
    assert next(iter(schema()["$defs"][name]["properties"])) == "version"


def test_the_words_are_those_of_the_program():
    """Status, error codes, charged, retry and groups are closed lists, the same in the program and in the schema."""
    definitions = schema()["$defs"]
    error = definitions["error"]["properties"]

    assert definitions["status"]["enum"] == list(get_args(Status))
    assert set(error["code"]["enum"]) == {kind.code for kind in tree().values()}
    assert set(error["charged"]["enum"]) == set(get_args(Charged))
    assert set(error["retry"]["enum"]) == set(get_args(Retry))
    groups = definitions["spend"]["properties"]["by"]["pattern"]
    assert all(re.search(groups, group) for group in (*GROUPS, "label:team", "total"))


def test_the_lines_of_the_program_are_valid_for_a_reader_too(flux):
    """With the document as it is published, not as the tests close it."""
    reader = Draft202012Validator(schema())

    for words in (["generate", "a fox"], ["generate", "sandbox:fail"], ["providers"], ["models"], ["config", "path"]):
        for line in flux(*words, "--json", "--sandbox").objects:
            assert reader.is_valid(line)
            assert reader.is_valid({**line, "new": 1})
    assert not reader.is_valid({"version": JSON_VERSION, "new": 1})


@pytest.mark.parametrize(
    "line",
    [
        '{"version": 1}',
        '{"version": 1, "path": "/a", "exists": true, "new": 1}',
        '{"version": 1, "path": "/a"}',
        '{"version": 1, "path": "/a", "exists": "yes"}',
        '{"version": 2, "path": "/a", "exists": true}',
    ],
)
def test_a_line_that_is_not_in_the_schema_fails_its_test(line):
    """Also after one that is."""
    check_output('{"version": 1, "path": "/a", "exists": true}', json_only=True)

    with pytest.raises(AssertionError, match=r"not in flux_cli/help/json\.schema\.json"):
        check_output(line, json_only=True)


@pytest.mark.parametrize(
    "words", [["--schema"], ["money", "--schema"], ["json", "money", "--schema"], ["json", "--schema", "--json"]]
)
def test_schema_only_works_with_json(flux, words):
    done = flux("help", *words)

    assert done.code == 2
    assert "flux help json --schema" in done.err + done.out


def test_topics_are_lines_too(flux):
    listed = flux("help", "--json").objects
    shown = flux("help", "money", "--json").object

    assert {"version": 1, "topic": "money", "about": shown["about"]} in listed
    assert shown["text"] + "\n" == flux("help", "money").out


def test_the_help_of_a_command_is_no_line(flux):
    done = flux("help", "generate", "--json")

    assert done.code == 2
    assert done.object["error"]["hint"] == "`flux generate --help`"
