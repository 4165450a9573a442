# SPDX-License-Identifier: Apache-2.0
"""A real browser without a screen, by its own protocol (CDP) over a pair of pipes."""

import base64
import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading

from kit import wsraw

PROGRAM = shutil.which("chromium")


class Browser:
    """Chromium with a profile of its own. close() ends it."""

    def __init__(self, directory: pathlib.Path):
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()

        def take_pipes():  # the protocol is at 3 and 4
            first, second = os.dup(to_read), os.dup(from_write)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", f"--user-data-dir={directory / 'profile'}", "--no-first-run",
             "--force-color-profile=srgb", "--hide-scrollbars", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=take_pipes, close_fds=False)
        os.close(to_read)
        os.close(from_write)
        self.number = 0
        self.answers: dict[int, queue.Queue] = {}
        self.pages: dict[str, "Page"] = {}
        self.lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        with os.fdopen(self.from_read, "rb", buffering=0) as pipe:
            while data := pipe.read(1 << 20):
                *whole, rest = (rest + data).split(b"\0")
                for text in whole:
                    self._take(json.loads(text))

    def _take(self, message: dict) -> None:
        if "id" in message:
            self.answers.pop(message["id"]).put(message)
        elif message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].took(message["method"], message["params"])

    def ask(self, method: str, session: str | None = None, **params) -> dict:
        with self.lock:
            self.number += 1
            number, answer = self.number, queue.Queue()
            self.answers[number] = answer
            message = {"id": number, "method": method, "params": params}
            if session is not None:
                message["sessionId"] = session
            os.write(self.to_write, json.dumps(message).encode() + b"\0")
        got = answer.get(timeout=wsraw.SECONDS)
        assert "error" not in got, (method, params, got["error"])
        return got["result"]

    def page(self, **options) -> "Page":
        return Page(self, **options)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.to_write)


class Page:
    """A tab. What its console, its scripts and its policy complain of is in `complaints`."""

    def __init__(self, browser: Browser, *, width: int = 1280, height: int = 900, theme: str = "light",
                 before: str = ""):
        """`before`: a script that runs before those of each page."""
        self.browser, self.complaints, self.requests = browser, [], []
        # With nothing that another tab has stored.
        self.context = browser.ask("Target.createBrowserContext")["browserContextId"]
        self.target = browser.ask("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.ask("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=before)
        self.resize(width, height)
        self.media(theme)

    def ask(self, method: str, **params) -> dict:
        return self.browser.ask(method, self.session, **params)

    def close(self) -> None:
        del self.browser.pages[self.session]
        self.browser.ask("Target.disposeBrowserContext", browserContextId=self.context)

    def took(self, method: str, params: dict) -> None:
        """In the thread that reads."""
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            entry = params["entry"]
            # A request that is refused or fails is told by the page itself.
            if entry["source"] != "network":
                self.complaints.append(f"{entry['source']}: {entry['text']}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def run(self, expression: str):
        """The value of JavaScript; of a promise, what it comes to."""
        got = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True,
                       allowUnsafeEvalBlockedByCSP=False)
        assert "exceptionDetails" not in got, (expression, got["exceptionDetails"])
        return got["result"].get("value")

    def wait(self, expression: str, what: str = ""):
        """Until it is true."""
        failed = []

        def look():
            failed.clear()
            try:
                return self.run(expression)
            except AssertionError as error:  # between two pages there is none
                failed.append(error)
                return None
        return wsraw.wait_until(look, lambda: f"{what or expression}; the page shows:\n{self.text()[:2000]}\n{self.complaints}{failed}")

    def text(self) -> str:
        return self.run("document.body?.innerText ?? ''")

    def wait_text(self, text: str) -> None:
        self.wait(f"document.body.innerText.includes({json.dumps(text)})", f"'{text}' on the page")

    def click(self, selector: str) -> None:
        """A real one, in the middle of it."""
        self.wait(f"document.querySelector({json.dumps(selector)}) !== null", f"{selector} is there")
        x, y = self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
                        "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect(); "
                        "return [b.x + b.width / 2, b.y + b.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, key: str, text: str | None = None, *, shift: bool = False) -> None:
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "End": 35, "Home": 36, "Delete": 46}
        text = text if text is not None else "\r" if key == "Enter" else key if len(key) == 1 else ""
        shared = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper())),
                  "modifiers": 8 if shift else 0}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **shared)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **shared)

    def type(self, selector: str, text: str) -> None:
        """Instead of what is there."""
        self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.focus(); e.select(); }})()")
        self.ask("Input.insertText", text=text)

    def choose(self, selector: str, value: str) -> None:
        self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)}; "
                 "e.dispatchEvent(new Event('change', {bubbles: true})); })()")

    def resize(self, width: int, height: int) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, theme: str, *, motion: str = "no-preference") -> None:
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme},
                                                         {"name": "prefers-reduced-motion", "value": motion}])

    def picture(self, file: pathlib.Path, *, whole: bool = True) -> None:
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(data))
