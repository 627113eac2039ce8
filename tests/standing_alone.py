"""A page of ours that stands alone, a report or a student's feedback, as everybody may meet it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDE, PHONE = 1280, 390


def pages_for_everybody(
    browser: Any, path: Path, theme: str, *, axe_on: tuple[int, ...] = (WIDE, PHONE)
) -> Iterator[Any]:
    """The page on a desk and on a phone, each with its width; what must hold on both is asserted.

    axe-core finds nothing, with all that is folded opened; the console is silent; nothing is asked for; and nobody
    scrolls sideways. `axe_on` leaves out widths on which axe would take minutes.
    """
    from axe_playwright_python.sync_playwright import Axe

    for width in (WIDE, PHONE):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found = Axe().run(page).response["violations"] if width in axe_on else []
        assert not found, "\n".join(f"{v['id']}: {v['nodes'][0]['html'][:200]} ({len(v['nodes'])})" for v in found)
        assert said == []
        assert asked == [path.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        yield page, width
        context.close()
