"""What a job cost, in each of the places where that is told."""

from __future__ import annotations

import pytest

from flux_cli.display.rendering import job_facts, job_object, tab_fields, table_row
from flux_cli.errors import RefusedError
from flux_cli.jobs import Cost, Job

REFUSED = RefusedError("no", charged="no")
DONE = {"status": "succeeded"}
SIX = Cost(amount=6, currency="credits")
COSTS = {
    "told": ({**DONE, "cost": Cost(amount=0.05), "estimate": 0.06}, "$0.05", "$0.05", "$0.05"),
    "free": ({**DONE, "cost": Cost(amount=0.0), "estimate": 0.06}, "$0", "$0", "$0"),
    "credits": ({**DONE, "cost": SIX}, "6 credits", "6 credits", "6 credits"),
    "credits at the user's price": ({**DONE, "cost": SIX, "estimate": 0.3}, "6 credits", "6 credits", "6 credits"),
    "under way": ({"status": "running", "estimate": 0.06}, "about $0.06 (estimate)", "~$0.06", ""),
    "done, and not told": ({**DONE, "estimate": 0.12}, "about $0.12 (estimate)", "~$0.12", ""),
    "expected to be free": ({"status": "running", "estimate": 0.0}, "about $0 (estimate)", "~$0", ""),
    "of unknown outcome": ({"status": "unknown", "estimate": 0.06}, "about $0.06 (estimate)", "~$0.06", ""),
    "refused": ({"status": "failed", "error": REFUSED, "estimate": 0.06}, "nothing", "", ""),
    "cancelled": ({"status": "cancelled", "estimate": 0.06}, "nothing", "", ""),
    "under way, and nobody can tell": ({"status": "running"}, "", "", ""),
    "done, and nobody can tell": (DONE, "unknown", "", ""),
    "of unknown outcome and price": ({"status": "unknown"}, "unknown", "", ""),
}


@pytest.mark.parametrize(("changes", "detail", "column", "field"), COSTS.values(), ids=COSTS)
def test_a_cost_is_told_expected_or_unknown_and_never_zero_for_unknown(changes, detail, column, field):
    """In detail in words, in a table marked where it is only expected; a script's column holds what was told."""
    fixed = {"id": "k3f9q2mx", "run": "r", "provider": "runware", "model": "m", "prompt": "a fox", "created_at": 0.0}
    job = Job(**{**fixed, **changes})

    assert dict(job_facts(job))["cost"] == detail
    assert (table_row(job)[5], tab_fields(job)[5]) == (column, field)


def test_scripts_get_cost_and_estimate_apart():
    fixed = {"id": "k3f9q2mx", "run": "r", "provider": "runware", "model": "m", "prompt": "a fox", "created_at": 0.0}

    known = job_object(Job(**fixed, estimate=0.1 + 0.2, cost=Cost(amount=6, currency="credits")))
    unknown = job_object(Job(**fixed))

    assert known["estimate"] == {"amount": 0.3, "currency": "USD"}
    assert known["cost"] == {"amount": 6, "currency": "credits"}
    assert (unknown["estimate"], unknown["cost"]) == (None, None)
