"""Every provider as tests need it: a made-up key, its hosts, and what its requests are for."""

from __future__ import annotations

import json
import re
from importlib import import_module

from flux_cli.providers import NAMES, load

KEYS = {name: (load(name).key_variables[0], f"made-up-{name}-2f6b1c9d8e7a") for name in NAMES}
"""The variable that holds each provider's key, and the key."""
HOSTS = {host: name for name in NAMES for host in import_module(f"flux_cli.sandbox.{name}").HOSTS}
"""The provider of each host of an API."""
FILES = {name: import_module(f"flux_cli.sandbox.{name}").FILES for name in NAMES}
"""The base of each provider's links to images."""

_KINDS = {
    "runcomfy": {
        r"POST /v1/models/.*": "submit",
        r"GET /v1/models.*": "check",
        r"GET /v1/requests/[^/]+/status": "queue",
        r"GET /v1/requests/[^/]+/result": "outcome",
        r"POST /v1/requests/[^/]+/cancel": "cancel",
    },
    "runflow": {
        r"POST /v1/models/.*": "submit",
        r"GET /v1/runs/.+": "read",
        r"GET /v1/auth/me": "check",
    },
    "apiframe": {
        r"POST /v2/images/(generate|edit)": "submit",
        r"GET /v2/jobs/.+": "read",
        r"GET /v2/me": "check",
    },
    "fal": {
        r"GET /[^/]+/[^/]+/requests/[^/]+/status": "queue",
        r"GET /[^/]+/[^/]+/requests/[^/]+": "outcome",
        r"PUT /[^/]+/[^/]+/requests/[^/]+/cancel": "cancel",
        r"POST /(fal-ai|blackforestlabs)/.+": "submit",
        r"GET /v1/models/pricing": "check",
    },
    "replicate": {
        r"POST /v1/models/.*/predictions": "submit",
        r"POST /v1/predictions/[^/]+/cancel": "cancel",
        r"GET /v1/predictions/.+": "read",
        r"GET /v1/account": "check",
    },
    "bfl": {
        r"POST /v1/flux.*": "submit",
        r"GET /v1/get_result": "read",
        r"GET /v1/credits": "check",
    },
}
_TASKS = {"imageInference": "submit", "getResponse": "read", "accountManagement": "check"}


def find_kind(provider: str, method: str, path: str, body: bytes) -> str:
    """Return what a request is for: submit, queue, outcome, read, cancel or check; ``other`` if none of these."""
    if provider == "runware":
        try:
            task = json.loads(body)[0]["taskType"]
        except (ValueError, LookupError, TypeError):
            return "other"
        return _TASKS.get(task, "other") if isinstance(task, str) else "other"
    target = f"{method} {path}"
    return next((name for pattern, name in _KINDS[provider].items() if re.fullmatch(pattern, target)), "other")
