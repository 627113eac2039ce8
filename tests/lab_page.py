"""An interactive figure on a page of its own, and a hand for its sliders."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent.parent / "chapters" / "assets"


def shown(page: Any, tag: str, data: dict[str, Any]) -> Any:
    """The figure, with this data, on a page of its own."""
    source = json.dumps(data, ensure_ascii=False)
    page.set_content(f'<{tag}><script type="application/json">{source}</script><p>In words.</p></{tag}>')
    for script in ("lab.js", f"{tag}.js"):
        page.add_script_tag(path=ASSETS / script)
    page.locator(f"{tag}[data-ready]").wait_for()
    return page.locator(tag)


def put(lab: Any, value: float, index: int = 0) -> None:
    """Moves a slider, as a hand would."""
    lab.locator("input[type=range]").nth(index).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})); }", value
    )


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+(?:\.\d+)?", text.replace("\u2212", "-"))]
