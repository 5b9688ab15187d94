"""The page in a browser: headless Chromium, where there is one, opens a copy of it that uses itself and says what came of it."""

from __future__ import annotations

import html
import json
import re

import browser
import numpy as np
import pytest
from matplotlib import image

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium here: Debian's package chromium")

# Runs behind the page's own script; what it finds is the text of an element that the test reads back.
PROBE = """
<script>
const found = {errors: window.probeErrors};
const table = document.querySelector("table.sortable");
const key = (row, i) => row.cells[i].dataset.sort ?? row.cells[i].textContent.trim();
const rows = () => Array.from(table.tBodies[0].rows);
const numeric = rows()[0].cells.length - 1 - Array.from(rows()[0].cells).reverse().findIndex(
  (_, back, all) => rows().every((row) => key(row, all.length - 1 - back) !== "" && !isNaN(key(row, all.length - 1 - back))));
const head = table.querySelectorAll("thead th")[numeric];
const column = () => rows().map((row) => Number(key(row, numeric)));
found.buttons = document.querySelectorAll("table.sortable thead th > button").length;
found.heads = document.querySelectorAll("table.sortable thead th").length;
found.before = column();
head.querySelector("button").click();
found.up = column();
head.querySelector("button").click();
found.down = column();
found.sorted = head.getAttribute("aria-sort");
const input = document.querySelector(".filter input");
const filtered = document.getElementById(input.dataset.table);
const shown = () => Array.from(filtered.querySelectorAll("tbody tr")).filter((row) => row.querySelector("td") && !row.hidden);
found.visible = !input.parentElement.hidden;
found.all = shown().length;
input.value = "mutex";
input.dispatchEvent(new Event("input"));
found.kept = shown().map((row) => row.textContent + (row.parentElement.querySelector("th")?.textContent ?? ""));
found.status = input.parentElement.querySelector("[role=status]").textContent;
found.requests = performance.getEntriesByType("resource").filter((one) => !one.name.startsWith("data:")).map((one) => one.name);
found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
found.axes = Array.from(document.querySelectorAll(".axes a")).map((link) => {
  const head = document.getElementById(link.hash.slice(1));
  link.focus();
  return {text: link.textContent, focused: document.activeElement === link, tag: head?.tagName, head: head?.textContent,
    own: link.hash.startsWith("#axis-") ? head?.closest("section").getAttribute("aria-labelledby") === head?.id : null};
});
found.broken = Array.from(document.images).filter((image) => image.complete && image.naturalWidth === 0).length;
found.background = getComputedStyle(document.body).backgroundColor;
const probe = document.createElement("pre");
probe.id = "probe";
probe.textContent = JSON.stringify(found);
document.body.append(probe);
</script>
"""
LISTENS = '<script>window.probeErrors = []; window.addEventListener("error", (e) => window.probeErrors.push(e.message));</script>'


def _opened(page, folder, *flags):
    """What the probe found on a copy of the page."""
    text = page.read_text(encoding="utf-8")
    text = text.replace("<head>", "<head>" + LISTENS, 1)
    at = text.rindex("</body>")
    copy = folder / "page.html"
    copy.write_text(text[:at] + PROBE + text[at:], encoding="utf-8")
    done = browser.run(folder, *flags, "--dump-dom", copy.as_uri())
    probe = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert probe, done.stderr[-2000:]
    return json.loads(html.unescape(probe.group(1)))


@pytest.fixture(scope="module")
def found(demo, tmp_path_factory):
    return _opened(demo / "report.html", tmp_path_factory.mktemp("browser"))


def test_it_runs_without_an_error_and_fetches_nothing(found):
    assert found["errors"] == [] and found["requests"] == [] and found["broken"] == 0


def test_columns_sort_both_ways(found):
    assert found["buttons"] == found["heads"] > 0
    assert len(set(found["before"])) > 1 and found["up"] == sorted(found["before"])
    assert found["down"] == sorted(found["before"], reverse=True)
    assert found["sorted"] == "descending"


def test_a_filter_leaves_the_rows_that_match(found):
    assert found["visible"] and 0 < len(found["kept"]) < found["all"]
    assert all("mutex" in text.lower() for text in found["kept"])
    assert found["status"] == f"{len(found['kept'])} of {found['all']} rows"


def test_the_navigation_leads_to_each_axis_by_keyboard(found):
    assert found["axes"][0] == {"text": "Queue", "focused": True, "tag": "H3", "head": "Queue", "own": None}
    assert len(found["axes"]) == 5
    for link in found["axes"][1:]:
        assert link == {"text": link["head"], "focused": True, "tag": "H4", "head": link["head"], "own": True}


def test_nothing_is_wider_than_the_window(found):
    assert found["wide"] <= 0


def test_it_is_dark_where_the_reader_is(demo, found, tmp_path):
    dark = _opened(demo / "report.html", tmp_path, "--blink-settings=preferredColorScheme=0")
    assert dark["errors"] == [] and dark["background"] != found["background"]


def test_a_screenshot_shows_something(demo, tmp_path):
    picture = tmp_path / "page.png"
    done = browser.run(tmp_path, f"--screenshot={picture}", (demo / "report.html").as_uri())
    assert picture.exists(), done.stderr[-2000:]
    pixels = np.round(image.imread(picture)[..., :3] * 255).astype(np.uint32)
    _, counts = np.unique(pixels @ [65536, 256, 1], return_counts=True)
    assert pixels.shape[:2] == (1400, 1000) and len(counts) > 20 and counts.max() < 0.98 * counts.sum()
