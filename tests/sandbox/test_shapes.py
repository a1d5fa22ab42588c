from __future__ import annotations

import pytest

from flux_cli.sandbox.shapes import PRO, ULTRA, size


@pytest.mark.parametrize(("ultra", "table"), [(True, ULTRA), (False, PRO)])
def test_tables(ultra, table):
    """A documented ratio has its documented size."""
    assert {ratio: size(ratio, ultra=ultra) for ratio in table} == table


@pytest.mark.parametrize("ultra", [True, False])
@pytest.mark.parametrize("ratio", ["5:4", "1000000:1", "1:99999", "0:0", "0:5", "07:05", "nonsense", "1:1:1"])
def test_any_other_ratio(ratio, ultra):
    """Whatever is asked, the size is on the grid and of about the usual area."""
    width, height = size(ratio, ultra=ultra)

    square = (ULTRA if ultra else PRO)["1:1"][0] ** 2
    assert width % 32 == height % 32 == 0
    assert 0.9 < width * height / square < 1.1


def test_five_to_four():
    """A ratio of no table is kept."""
    width, height = size("5:4", ultra=True)

    assert width / height == pytest.approx(1.25, abs=0.03)
