# SPDX-License-Identifier: MIT
"""The page of `fanin check --html` in a real browser, headless Chromium: it opens without a word on the console, fits
1280 and 380 pixels without scrolling sideways, and shows the findings. Skipped where there is no browser."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

COMMAND = os.environ.get("FANIN_COMMAND", "build/release/bin/fanin")
SKIPPED = 77


def write_safetensors(path, tensors):
    """tensors: name -> (shape, floats), as f32."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack("<%df" % len(values), *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def draws(n, scale, state):
    """n numbers between -scale and scale."""
    values = []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append(((state >> 33) / 2**30 - 1) * scale)
    return values


def models(folder):
    """name -> (checkpoint, ids that must be on the page)."""
    healthy = {"layers.%d.fc.weight" % i: ([32, 32], draws(1024, 0.1, i)) for i in range(12)}
    broken = dict(healthy)
    broken["layers.3.fc.weight"] = ([32, 32], [0.0] * 1024)
    broken["layers.5.fc.weight"] = ([32, 32], [float("nan")] + draws(1023, 0.1, 5))
    broken["layers.7.fc.weight"] = healthy["layers.2.fc.weight"]
    hostile = {
        "<script>document.title='owned'</script><img src=x onerror=alert(1)>.weight": ([32, 32], [float("nan")] * 1024),
        "\"'><style>*{display:none}</style>\u202e\x1b[2J.weight": ([32, 32], [float("inf")] * 1024),
        "a" * 5000 + ".weight": ([32, 32], [float("nan")] * 1024),
    }
    many = {"layers.%d.fc%d.weight" % (i // 8, i % 8): ([8, 8], draws(64, 0.1, i)) for i in range(10000)}
    many["layers.700.fc1.weight"] = ([8, 8], [0.0] * 64)
    pages = {}
    for name, tensors, ids in (("healthy", healthy, []), ("broken", broken, ["W01", "W03", "W06"]),
                               ("hostile", hostile, ["W01"]), ("two", dict(list(healthy.items())[:2]), []),
                               ("many", many, ["W03"])):
        write_safetensors(folder / (name + ".safetensors"), tensors)
        pages[name] = ids
    return pages


class Browser:
    """Chromium by its debugging protocol over two pipes."""

    def __init__(self, program, profile):
        to_read, self.to = os.pipe()
        self.of, of_write = os.pipe()
        self.process = subprocess.Popen(
            ["sh", "-c", 'exec "$0" "$@" 3<&%d 4>&%d' % (to_read, of_write), program, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=%s" % profile, "--remote-debugging-pipe",
             "about:blank"],
            pass_fds=(to_read, of_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(of_write)
        self.pending, self.events, self.count = b"", [], 0
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(domain + ".enable")

    session = None

    def receive(self):
        while b"\0" not in self.pending:
            piece = os.read(self.of, 1 << 16)
            if not piece:
                raise SystemExit("the browser went away")
            self.pending += piece
        message, _, self.pending = self.pending.partition(b"\0")
        return json.loads(message)

    def ask(self, method, **parameters):
        self.count += 1
        request = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            request["sessionId"] = self.session
        os.write(self.to, json.dumps(request).encode() + b"\0")
        while True:
            message = self.receive()
            if message.get("id") == self.count:
                assert "error" not in message, (method, message)
                return message["result"]
            self.events.append(message)

    def open(self, path, width, scheme):
        self.events = []
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

    def value(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def complaints(self):
        """What went to the console, and what was loaded besides the page."""
        self.ask("Runtime.evaluate", expression="0")
        found = [event for event in self.events
                 if event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
        urls = [event["params"]["request"]["url"] for event in self.events
                if event["method"] == "Network.requestWillBeSent"]
        return found, urls[1:]

    def close(self):
        self.process.terminate()
        self.process.wait(20)


def look(browser, page, name, ids):
    for width in (1280, 380):
        for scheme in ("light", "dark"):
            browser.open(page, width, scheme)
            where = "%s at %d, %s" % (name, width, scheme)
            said, loaded = browser.complaints()
            assert not said, "%s: on the console: %s" % (where, said)
            assert not loaded, "%s: it loads %s" % (where, loaded)
            across = browser.value("document.documentElement.scrollWidth")
            assert across <= width, "%s: it is %d wide" % (where, across)
            shown = browser.value("[...document.querySelectorAll('main section > article h3 small')].map(e => e.textContent)")
            assert set(ids) <= set(shown), "%s: findings %s, shown are %s" % (where, ids, shown)
            assert bool(shown) == bool(ids), "%s: findings nobody planted: %s" % (where, shown)
            lowest = browser.value("Math.min(...[...document.querySelectorAll('h1, h2, article')]"
                                   ".map(e => e.getBoundingClientRect().height))")
            assert lowest > 10, "%s: something is not shown" % where
            ground = browser.value("getComputedStyle(document.body).backgroundColor")
            dark = sum(map(int, ground.strip("rgb()").split(","))) < 3 * 128
            assert dark == (scheme == "dark"), "%s: the ground is %s" % (where, ground)
            assert browser.value("document.scripts.length") == 0, "%s: a script" % where
            assert "fanin check" in browser.value("document.title"), "%s: the title is another's" % where


def main():
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if program is None:
        print("skipped: there is no Chromium")
        return SKIPPED
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        pages = models(folder)
        browser = Browser(program, folder / "profile")
        try:
            for name, ids in pages.items():
                page = folder / (name + ".html")
                run = subprocess.run([COMMAND, "check", folder / (name + ".safetensors"), "--html", page, "--quiet"])
                assert run.returncode == (1 if ids else 0), (name, run.returncode)
                assert page.stat().st_size < 2_000_000, (name, page.stat().st_size)
                look(browser, page, name, ids)
        finally:
            browser.close()
    print("%d pages" % len(pages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
