"""How the rows of a batch stand, and what is left to buy: from the ledger alone, and nothing twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_cli import providers
from flux_cli.errors import ModeratedError, PartialError, UnavailableError, UnknownOutcomeError
from flux_cli.jobs import Image, Job, LocalFile
from flux_cli.providers.base import PlannedJob, Price
from flux_cli.runs.plan import RunContext, make_request, plan
from flux_cli.runs.resume import has_images_to_collect, image_indexes, match_rows
from flux_cli.runs.rows import Row

SAVED, THERE = Image(path="/a.jpg", url="https://x/a"), Image(url="https://x/a")
ENDS = {
    "saved": {"status": "succeeded", "images": (SAVED,)},
    "unsaved": {"status": "succeeded", "images": (SAVED, THERE)},
    "partial": {"status": "succeeded", "images": (SAVED,), "error": PartialError("one of two")},
    "submitting": {"status": "submitting"},
    "queued": {"status": "queued"},
    "running": {"status": "running"},
    "unknown": {"status": "unknown", "error": UnknownOutcomeError("no answer")},
    "moderated": {"status": "failed", "error": ModeratedError("blocked")},
    "unavailable": {"status": "failed", "error": UnavailableError("busy")},
    "cancelled": {"status": "cancelled"},
}
"""How a job can stand."""
KEPT = {"saved", "unsaved", "partial", "submitting", "queued", "running", "unknown"}
"""Those of which an image was paid for, or may have been."""


def rows(*prompts: str, copies: tuple[int | None, ...] = ()) -> list[Row]:
    several = zip(prompts, copies or [None] * len(prompts), strict=True)
    return [
        Row(number=number, place=f"f:{number}", fields={"prompt": prompt}, copy=copy)
        for number, (prompt, copy) in enumerate(several, 1)
    ]


def origin() -> RunContext:
    ids = (f"id{number}" for number in count())
    handles = (f"handle{number}" for number in count())
    return RunContext(
        run="r",
        new_id=lambda: next(ids),
        new_handle=lambda: next(handles),
        new_seed=lambda: 70,
        now=0.0,
        sandbox=False,
        owner="here:1",
        price=lambda *_: Price(amount=0.5, source="", date=""),
    )


def planned(prompt: str = "a fox", provider: str = "runcomfy", images: int = 1, *instead: str) -> list[PlannedJob]:
    """Return the jobs of a row."""
    request = None
    for name in reversed((provider, *instead)):
        host = providers.load(name)
        found = make_request(host, host.models["flux-1.1-pro-ultra"], {}, read=LocalFile, count=images)
        request = replace(found, fallback=request)
    return plan(request.over(prompt), origin())


def job(mark: str, first: int = 1, **changes) -> Job:
    fields = {"id": "x", "run": "r", "provider": "runcomfy", "model": "m", "prompt": "a", "created_at": 0.0}
    return Job(**{**fields, "row_key": mark, "first_index": first, "seed": 69 + first, **changes})


def bought(purchases: list[PlannedJob]) -> list[int]:
    """Return the numbers of the images that are bought, in order."""
    return [number for one in purchases for number in image_indexes(one.job)]


@pytest.mark.parametrize("end", ENDS)
def test_what_was_paid_for_is_not_bought_again(end):
    """Neither is what would be refused again. The rest is: nothing came of it, and nobody was charged for it."""
    (row,) = rows("a")
    (standing,) = match_rows([row], [job(f"{row.key}.1", **ENDS[end])])

    again = bought(standing.plan_missing(planned(), origin()))

    assert again == ([] if end in KEPT | {"moderated"} else [1])
    assert standing.known == (not again)
    assert bool(standing.pending) == has_images_to_collect(job("m", **ENDS[end]))
    assert bool(standing.lacking) == (end in {"moderated", "partial"})


def test_rows_that_ask_for_the_same_are_several():
    """The second of them is another row, wherever the two stand."""
    one, other, second = rows("a", "b", "a")
    made = [job(f"{one.key}.1", **ENDS["saved"]), job(f"{other.key}.1", **ENDS["saved"])]

    found = match_rows([other, one, second], made)

    assert [bool(standing.made) for standing in found] == [True, True, False]
    assert [standing.copy for standing in found] == [1, 1, 2]


def test_a_row_may_say_which_of_several_it_is():
    """Fed back alone, the second of two equal rows is still the second."""
    (row,) = rows("a", copies=(2,))
    made = job(f"{row.key}.1", **ENDS["saved"])

    (standing,) = match_rows([row], [made])

    assert standing.row_key == f"{row.key}.2"
    assert not standing.known


def test_no_two_rows_are_known_by_the_same():
    """Whatever they say of themselves."""
    found = match_rows(rows("a", "a", "a", "a", "a", copies=(None, 2, 2, 1, None)), [])

    assert sorted(standing.copy for standing in found) == [1, 2, 3, 4, 5]
    assert [standing.copy for standing in found][1] == 2


def test_the_rest_of_a_row_is_bought_with_its_seeds():
    """Of three images at one job each, where the first was made and the second is under way."""
    (row,) = rows("a")
    mark = f"{row.key}.1"
    (standing,) = match_rows([row], [job(mark, 1, **ENDS["saved"]), job(mark, 2, **ENDS["queued"])])

    (left,) = standing.plan_missing(planned(images=3), origin())

    assert (left.job.first_index, standing.seed) == (3, 70)


def test_a_job_of_several_images_is_cut_to_those_that_are_missing():
    """Here the first and the third were made one by one elsewhere: two jobs remain, each with its own id and handle."""
    (row,) = rows("a")
    mark = f"{row.key}.1"
    (standing,) = match_rows([row], [job(mark, 1, **ENDS["saved"]), job(mark, 3, **ENDS["unsaved"])])
    (whole,) = planned(provider="runware", images=5)
    first = whole.job.seed

    parts = standing.plan_missing([whole], origin())

    assert [(one.job.first_index, one.job.count, one.job.seed) for one in parts] == [
        (2, 1, first + 1),
        (4, 2, first + 3),
    ]
    assert [(one.body()["seed"], one.job.count) for one in parts] == [(first + 1, 1), (first + 3, 2)]
    assert [one.job.estimate for one in parts] == [0.5, 1.0]
    assert len({name for one in parts for name in (one.job.id, one.job.idempotency_key)}) == 4


def test_what_takes_the_place_of_a_part_makes_no_more_than_that():
    (row,) = rows("a")
    (standing,) = match_rows([row], [job(f"{row.key}.1", 2, **ENDS["saved"])])
    (whole,) = planned("a fox", "runware", 3, "runcomfy", "runware")

    parts = standing.plan_missing([whole], origin())

    assert bought(parts) == [1, 3]
    assert [bought(list(one.fallbacks)) for one in parts] == [[1], [3]]
    assert [[bought(list(other.fallbacks)) for other in one.fallbacks] for one in parts] == [[[1]], [[3]]]


def test_a_refusal_that_was_made_up_for_is_forgotten():
    """Blocked here, made elsewhere: the row is made."""
    (row,) = rows("a")
    mark = f"{row.key}.1"

    (standing,) = match_rows([row], [job(mark, **ENDS["moderated"]), job(mark, **ENDS["saved"])])

    assert (standing.refused, len(standing.made)) == ([], 1)


PROMPTS = st.lists(st.sampled_from("abc"), max_size=7)
PAST = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([*ENDS])), max_size=4)
HISTORY = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), PAST), max_size=4)


@settings(max_examples=100)
@given(PROMPTS, HISTORY, st.sampled_from(["runcomfy", "runware"]), st.permutations(range(7)))
def test_no_image_is_bought_twice_and_every_other_one_is(prompts, history, provider, order):
    """Over random pasts, and however rows were added, taken out and moved since."""
    marks = {row.fields["prompt"]: row.key for row in rows(*"abc")}
    jobs = [job(f"{marks[prompt]}.{copy}", first, **ENDS[end]) for prompt, copy, ends in history for first, end in ends]
    kept = {(one.row_key, one.first_index) for one in jobs if end_of(one) in KEPT}
    hopeless = {(one.row_key, one.first_index) for one in jobs if end_of(one) == "moderated"}
    asked = [prompts[place] for place in order if place < len(prompts)]

    found = match_rows(rows(*asked), jobs)
    buys = Counter(
        (standing.row_key, number)
        for standing in found
        for number in bought(standing.plan_missing(planned(provider=provider, images=3), origin()))
    )

    several = [(prompt, copy + 1) for prompt, times in Counter(asked).items() for copy in range(times)]
    every = {(f"{marks[prompt]}.{copy}", number) for prompt, copy in several for number in (1, 2, 3)}
    assert set(buys) == every - kept - hopeless
    assert set(buys.values()) <= {1}


@settings(max_examples=50)
@given(PROMPTS, st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([*ENDS])), max_size=5), st.data())
def test_rows_that_are_fed_back_are_the_rows_that_they_were(prompts, history, data):
    """Any choice of rows, written down with which of their kind they are, buys what it would have bought there."""
    marks = {row.fields["prompt"]: row.key for row in rows(*"abc")}
    jobs = [job(f"{marks[prompt]}.{place % 3 + 1}", **ENDS[end]) for place, (prompt, end) in enumerate(history)]
    whole = match_rows(rows(*prompts), jobs)
    chosen = [one for one in whole if data.draw(st.booleans())]
    fed = [replace(one.row, number=place, copy=one.copy if one.copy > 1 else None) for place, one in enumerate(chosen)]

    again = match_rows(fed, jobs)

    told = {one.row_key for one in chosen if one.copy == 1}
    assert [one.row_key for one in again if one.row.copy is not None] == [one.row_key for one in chosen if one.copy > 1]
    assert {one.row_key for one in again if one.row.copy is None} == told


def end_of(one: Job) -> str:
    """Return the name of how a job stands."""
    return next(name for name, end in ENDS.items() if all(getattr(one, key) == value for key, value in end.items()))
