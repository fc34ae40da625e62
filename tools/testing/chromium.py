"""Chromium as tests and benchmarks start it, and a picture handed to a page."""

from __future__ import annotations

import os
import shutil

CHROMIUM = os.environ.get("LIBRARY_TEST_CHROMIUM") or shutil.which("chromium")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]  # fmt: skip
HANDED = """([event, name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], name, { type }));
    document.body.dispatchEvent(event === "paste"
        ? new ClipboardEvent("paste", { clipboardData: files, bubbles: true })
        : new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
}"""
