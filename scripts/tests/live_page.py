"""A report of the size of the standard suite: its page stays small enough to open and to send.

ctest calls it with ZEROIPC_HARNESS, the program zeroipc-bench, which lists the suite's cells; what they measured is invented.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import browser
import make_records
import make_standard
import pytest
from zeroipc_report import __main__ as command

MOST_BYTES = 15_000_000
ROUNDS = 30
TELLS = """<script>
window.addEventListener("load", () => {
  const found = document.createElement("pre");
  found.id = "loaded";
  found.textContent = Math.round(performance.now());
  document.body.append(found);
});
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("standard") / "run"
    listed = subprocess.run([os.environ["ZEROIPC_HARNESS"], "--suite", "standard", "--dry-run"], capture_output=True,
                            text=True, check=True).stdout
    cells, lines = make_standard.records(listed.splitlines(), ROUNDS)
    assert cells > 400 and len(lines) == cells * ROUNDS
    make_records.write(folder, lines, make_records.environment(ROUNDS))
    assert command.main([str(folder), "--quiet"]) == 0
    return folder / "report.html"


def test_the_page_of_a_standard_run_is_small_enough(page: Path):
    assert 1_000_000 < page.stat().st_size < MOST_BYTES


@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium here: Debian's package chromium")
def test_how_long_a_browser_takes_to_load_it_is_printed(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    text = page.read_text(encoding="utf-8")
    at = text.rindex("</body>")
    copy = tmp_path / "page.html"
    copy.write_text(text[:at] + TELLS + text[at:], encoding="utf-8")
    done = browser.run(tmp_path, "--dump-dom", copy.as_uri())
    loaded = re.search(r'<pre id="loaded">(\d+)</pre>', done.stdout)
    assert loaded, done.stderr[-2000:]
    with capsys.disabled():  # for a reader: how long it takes is the machine's affair, and no verdict
        print(f"page of a standard run: {page.stat().st_size / 1e6:.1f} MB, loaded in {loaded[1]} ms")
