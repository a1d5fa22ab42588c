"""Chromium without a window, driven through its own driver: see https://www.w3.org/TR/webdriver2/ ."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.process import DEADLINE

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
"""Of a browser that may be root's, and that looks for nothing on its own."""
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """One window. What is asked of it is done when the method returns."""

    def __init__(self, folder: Path) -> None:
        """Start a browser that keeps its things in ``folder``."""
        self._driver = subprocess.Popen(
            [str(DRIVER), "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )
        try:
            line = next(line for line in self._driver.stdout if "started successfully" in line)
            self._base = f"http://127.0.0.1:{line.rstrip().rstrip('.').rpartition(' ')[2]}"
            options = {"binary": CHROMIUM, "args": [*ARGUMENTS, f"--user-data-dir={folder / 'profile'}"]}
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            made = self._post("/session", capabilities={"alwaysMatch": wanted})
            self._session = f"/session/{made['sessionId']}"
        except BaseException:
            self._end()
            raise

    def _post(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(f"{self._base}{path}", json.dumps(body).encode(), method="POST")
        with _OPENER.open(request, timeout=DEADLINE) as answer:
            return json.load(answer)["value"]

    def open(self, url: str) -> None:
        """Go to a page."""
        self._post(f"{self._session}/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script in the page returns."""
        return self._post(f"{self._session}/execute/sync", script=script, args=arguments)

    def run_later(self, script: str, *arguments: Any) -> Any:
        """Return what a script in the page tells its last argument, a function."""
        return self._post(f"{self._session}/execute/async", script=script, args=arguments)

    def tell(self, command: str, **parameters: Any) -> Any:
        """Use a command of the browser's own, see https://chromedevtools.github.io/devtools-protocol/ ."""
        return self._post(f"{self._session}/goog/cdp/execute", cmd=command, params=parameters)

    def shoot(self, path: Path) -> None:
        """Save what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self.tell("Page.captureScreenshot", format="png")["data"]))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post(f"{self._session}/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def complaints(self) -> list[str]:
        """Return what the browser had to say about the page."""
        return [entry["message"] for entry in self._post(f"{self._session}/se/log", type="browser")]

    def close(self) -> None:
        """Leave nothing behind."""
        request = urllib.request.Request(f"{self._base}{self._session}", method="DELETE")
        with _OPENER.open(request, timeout=DEADLINE):
            self._end()

    def _end(self) -> None:
        self._driver.terminate()
        self._driver.communicate(timeout=DEADLINE)
