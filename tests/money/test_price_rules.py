"""Every form of a price rule against amounts worked out by hand, and which source's rule holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.money.prices import PriceFile, Prices
from flux_cli.providers import runware
from flux_cli.providers.base import Model, Price, count_megapixels
from flux_cli.providers.options import Choice
from flux_cli.providers.sizes import Pixels, Ratios

MEGAPIXEL = 2**20
NOON = 1_795_003_200.0
"""2026-11-18, about noon UTC."""


def price(amount=0.0, **more) -> Price:
    return Price(amount=amount, source="a page", date="2026-11-01", **more)


FLAT = price(0.04)
PRO = price(0.03, further=0.015, inputs=0.015)
FLEX = price(0.05, further=0.05, inputs=0.05)
MAX = price(0.07, further=0.03, inputs=0.03)
KLEIN = price(0.014, further=0.001)
TIERS = price(steps=((768 * 768, 0.041), (MEGAPIXEL, 0.048), (4 * MEGAPIXEL, 0.10), (16 * MEGAPIXEL, 0.607)))


@pytest.mark.parametrize(
    ("rule", "pixels", "inputs", "amount"),
    [
        (FLAT, 64 * 64, [], 0.04),
        (FLAT, 2752 * 1536, [MEGAPIXEL] * 3, 0.04),
        (PRO, 512 * 512, [], 0.03),
        (PRO, MEGAPIXEL, [], 0.03),
        (PRO, MEGAPIXEL + 1, [], 0.045),
        (PRO, 1920 * 1080, [], 0.045),
        (PRO, 2 * MEGAPIXEL, [MEGAPIXEL], 0.06),  # the vendor's own example
        (PRO, 4 * MEGAPIXEL, [], 0.075),
        (PRO, MEGAPIXEL, [1, MEGAPIXEL + 1], 0.075),
        (FLEX, 2 * MEGAPIXEL, [MEGAPIXEL, MEGAPIXEL], 0.20),
        (MAX, MEGAPIXEL, [MEGAPIXEL], 0.10),
        (KLEIN, 4 * MEGAPIXEL, [MEGAPIXEL] * 4, 0.017),
        (TIERS, 768 * 768, [], 0.041),
        (TIERS, 768 * 768 + 1, [], 0.048),
        (TIERS, MEGAPIXEL, [], 0.048),
        (TIERS, 2 * MEGAPIXEL, [MEGAPIXEL], 0.10),
        (TIERS, 16 * MEGAPIXEL, [], 0.607),
        (TIERS, 17 * MEGAPIXEL, [], 0.607),
    ],
)
def test_an_estimate_follows_the_rule(rule, pixels, inputs, amount):
    assert rule.estimate(pixels, inputs) == pytest.approx(amount)


@pytest.mark.parametrize(
    ("pixels", "billed"), [(0, 1), (1, 1), (MEGAPIXEL, 1), (MEGAPIXEL + 1, 2), (1920 * 1080, 2), (16 * MEGAPIXEL, 16)]
)
def test_megapixels_are_whole_and_one_at_least(pixels, billed):
    assert count_megapixels(pixels) == billed


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (FLAT, "$0.04"),
        (PRO, "$0.03, $0.015 for each further megapixel, $0.015 for each megapixel of input images"),
        (KLEIN, "$0.014, $0.001 for each further megapixel"),
        (TIERS, "$0.041 to $0.607, by size"),
        (price(12, currency="credits"), "12 credits"),
    ],
)
def test_a_rule_in_words(rule, words):
    assert rule.rule == words


MODEL = Model(
    name="flux-2-pro",
    slug="x",
    options={
        "size": Pixels(low=64, high=4096),
        "resolution": Choice(
            field="megapixels", values={"1mp": 1, "4mp": 4, "match": 0}, sizes={"1mp": MEGAPIXEL, "4mp": 4 * MEGAPIXEL}
        ),
        "aspect_ratio": Ratios(sizes={"1:1": (1024, 1024), "16:9": (1344, 768)}),
    },
    largest=9 * MEGAPIXEL,
)


@pytest.mark.parametrize(
    ("options", "pixels"),
    [
        ({}, 9 * MEGAPIXEL),
        ({"size": "1920x1080"}, 1920 * 1080),
        ({"resolution": "1mp"}, MEGAPIXEL),
        ({"resolution": "match"}, 9 * MEGAPIXEL),
        ({"aspect_ratio": "16:9"}, 1344 * 768),
        ({"aspect_ratio": "1:1", "resolution": "4mp"}, 4 * MEGAPIXEL),
    ],
)
def test_the_size_is_what_is_sent_else_the_largest_that_the_model_may_choose(options, pixels):
    assert MODEL.count_pixels(options) == pixels


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Return a function that finds the price of a model whose page says ``listed``."""

    def find(listed: Price | None, *, told: float | None = None, own: float | None = None) -> Price | None:
        model = replace(MODEL, price=listed)
        monkeypatch.setattr(runware, "PROVIDER", replace(runware.PROVIDER, models={model.name: model}))
        reported = PriceFile(Path(tmp_path / "prices.json"))
        if told is not None:
            reported.save("runware", {model.name: told}, now=NOON)
        return Prices(own=lambda *_: own, reported=reported, paid=lambda *_: ()).of("runware", model.name, listed)

    return find


def test_a_hosts_word_replaces_the_first_megapixel_and_keeps_the_rest_of_the_rule(desk):
    found = desk(PRO, told=0.04)

    assert (found.amount, found.further, found.inputs) == (0.04, 0.015, 0.015)
    assert (found.source, found.date) == ("published by runware", "2026-11-18")
    assert found.estimate(2 * MEGAPIXEL, [MEGAPIXEL]) == pytest.approx(0.07)


def test_one_number_does_not_replace_a_price_for_each_size(desk):
    assert desk(TIERS, told=0.05) == TIERS


def test_a_hosts_word_alone_is_a_price(desk):
    assert desk(None, told=0.05).estimate(9 * MEGAPIXEL) == 0.05


@pytest.mark.parametrize("listed", [FLAT, PRO, TIERS, None])
def test_your_own_price_holds_for_every_size(desk, listed):
    found = desk(listed, told=0.07, own=0.02)

    assert found.estimate(9 * MEGAPIXEL, [MEGAPIXEL] * 8) == 0.02
    assert found.source == "your config"
