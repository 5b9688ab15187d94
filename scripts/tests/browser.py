"""Headless Chromium, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs it with a profile in the folder; nothing may be fetched."""
    assert CHROMIUM is not None
    # Without a sandbox: containers seldom allow one, and the page is ours.
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,1400",
               f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
