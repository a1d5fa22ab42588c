"""A price is the user's own, else the host's word, else the page's, else what was paid here; and never a guess."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_cli.money.prices import PriceFile, Prices, price_from_history
from flux_cli.providers.base import Price

ULTRA = "flux-1.1-pro-ultra"
NOON = 1_795_003_200.0
"""2026-11-18, about noon UTC: the same day almost everywhere."""


NOTHING = PriceFile(Path("none.json"))
"""No host said anything."""


class Desk:
    """Prices from a table of the user's own and from earlier jobs, and how often those were looked for."""

    def __init__(self, own=None, paid=(), told=None):
        self.asked = 0
        self.paid = paid
        self.prices = Prices(own=lambda *place: (own or {}).get(place), reported=told or NOTHING, paid=self.look)

    def look(self, provider, model):
        self.asked += 1
        return self.paid


def test_the_users_own_price_beats_the_page():
    desk = Desk({("runware", ULTRA): 0.05})

    found = desk.prices.of("runware", ULTRA)

    assert (found.amount, found.source, found.date, desk.asked) == (0.05, "your config", "", 0)


def test_a_price_of_nothing_is_a_price():
    assert Desk({("runware", ULTRA): 0.0}).prices.of("runware", ULTRA).amount == 0.0


def test_the_hosts_word_beats_the_page_and_what_was_paid_but_not_your_own_price(tmp_path):
    told = PriceFile(tmp_path / "prices.json")
    told.save("runware", {ULTRA: 0.07}, now=NOON)

    found = Desk(told=told, paid=[(0.01, NOON)]).prices.of("runware", ULTRA)

    assert found == Price(amount=0.07, source="published by runware", date="2026-11-18")
    assert Desk({("runware", ULTRA): 0.05}, told=told).prices.of("runware", ULTRA).amount == 0.05


def test_a_price_in_credits_is_kept_and_is_no_price_in_money(tmp_path):
    """What a credit costs depends on the plan, so that nobody can tell."""
    told = PriceFile(tmp_path / "prices.json")
    told.save("apiframe", {ULTRA: 12}, now=NOON, currency="credits")

    kept = told.find("apiframe", ULTRA)

    assert kept == Price(amount=12, currency="credits", source="published by apiframe", date="2026-11-18")
    assert Desk(told=told).prices.of("apiframe", ULTRA) is None


def test_a_stated_price_is_anybodys_word_and_not_what_was_paid():
    """So a host's news are compared with its page, and without a ledger."""
    desk = Desk({("runcomfy", ULTRA): 0.05}, paid=[(0.01, NOON)])

    assert desk.prices.stated("runware", ULTRA).amount == 0.06
    assert desk.prices.stated("runcomfy", ULTRA).amount == 0.05
    assert desk.prices.stated("runcomfy", "flux-1.1-pro") is None
    assert desk.asked == 0


def test_what_a_host_said_is_kept_with_its_day(tmp_path):
    """Also for another process; another host, and another model of the same answer, stand beside it."""
    file = tmp_path / "state" / "prices.json"
    PriceFile(file).save("runcomfy", {ULTRA: 0.06, "flux-1.1-pro": 0.04}, now=NOON - 86_400)
    PriceFile(file).save("runware", {ULTRA: 0.05}, now=NOON - 86_400)
    PriceFile(file).save("runcomfy", {ULTRA: 0.07}, now=NOON)

    kept = PriceFile(file)
    assert kept.find("runcomfy", ULTRA) == Price(amount=0.07, source="published by runcomfy", date="2026-11-18")
    assert kept.find("runcomfy", "flux-1.1-pro") is None
    assert kept.find("runware", ULTRA) == Price(amount=0.05, source="published by runware", date="2026-11-17")
    assert [path.name for path in file.parent.iterdir()] == ["prices.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"runcomfy": 1}', '{"runcomfy": {"flux-1.1-pro-ultra": {"amount": "x", "date": "d"}}}'],
)
def test_a_file_that_makes_no_sense_tells_no_price_and_is_replaced(tmp_path, text):
    file = tmp_path / "prices.json"
    file.write_text(text, "utf-8")

    before = PriceFile(file).find("runcomfy", ULTRA)
    PriceFile(file).save("runcomfy", {ULTRA: 0.06}, now=NOON)

    assert before is None
    assert PriceFile(file).find("runcomfy", ULTRA).amount == 0.06


def test_the_documented_price_comes_before_earlier_jobs_and_the_ledger_is_not_read():
    desk = Desk(paid=[(0.01, NOON)])

    found = desk.prices.of("runware", ULTRA)

    assert (found.amount, found.currency, desk.asked) == (0.06, "USD", 0)
    assert "runware.ai" in found.source
    assert found.date.startswith("2026-")


def test_where_no_page_tells_earlier_jobs_do():
    """Dated by the newest of them."""
    desk = Desk(paid=[(0.04, NOON), (0.05, NOON - 86_400), (0.90, NOON - 2 * 86_400)])

    found = desk.prices.of("runcomfy", ULTRA)

    assert (found.amount, found.source, found.date) == (0.05, "from 3 jobs on this machine", "2026-11-18")
    assert price_from_history([(0.04, NOON)]).source == "from 1 job on this machine"


@pytest.mark.parametrize("provider", ["runcomfy", "apiframe"])
def test_without_any_source_there_is_no_price(provider):
    """Unknown is not zero; and it is looked for once a run."""
    desk = Desk()

    assert desk.prices.of(provider, ULTRA) is None
    assert desk.prices.of(provider, ULTRA) is None
    assert desk.asked == 1


def test_a_model_that_the_provider_does_not_host_has_no_price():
    assert Desk().prices.of("runflow", "flux-3-image") is None


@given(st.lists(st.floats(min_value=0.001, max_value=10), min_size=1, max_size=50))
def test_what_was_learned_lies_within_what_was_paid(amounts):
    found = price_from_history([(amount, NOON) for amount in amounts])

    assert min(amounts) - 1e-6 <= found.amount <= max(amounts) + 1e-6
