"""What a machine can see of the book's look, on every page, for three readers: light, dark, and on a phone.

`unstyled`: a class in a drawing or figure that neither a style sheet nor a script of the page knows. `cut`: text of a
drawing that ends outside it. `font`: Latin text that is not set in the face that comes with the book, or, in labels, is
set in a Chinese one. `console`: an error. `too wide`: something that makes the page itself scroll sideways.
"""

import re

import pytest
from bs4 import BeautifulSoup
from test_book import PAGES, QUICK, open_page

READERS = {"light": (1280, 900, "light"), "dark": (1280, 900, "dark"), "phone": (390, 844, "light")}
TEXT_FACE = "Course Serif"
FAULTS = """() => {
  const found = [], article = document.querySelector("article");
  const known = new Set();
  const learn = (rules) => {
    for (const rule of rules) {
      for (const [, name] of (rule.selectorText ?? "").matchAll(/\\.([\\w-]+)/g)) known.add(name);
      if (rule.cssRules) learn(rule.cssRules);
    }
  };
  for (const sheet of document.styleSheets) learn(sheet.cssRules);
  const drawn = [...article.querySelectorAll("svg, svg [class], figure")].filter((node) => !node.closest("button"));
  for (const name of new Set(drawn.flatMap((node) => [...node.classList]))) {
    if (!known.has(name) && !/^mjx/i.test(name)) found.push(`unstyled: .${name}`);
  }
  for (const svg of article.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    if (!box.width || getComputedStyle(svg).overflow === "visible") continue;
    for (const text of svg.querySelectorAll("text")) {
      const b = text.getBoundingClientRect();
      const within = b.left >= box.left - 1 && b.right <= box.right + 1
        && b.top >= box.top - 2 && b.bottom <= box.bottom + 2;
      if (b.width && !within) found.push(`cut: "${text.textContent.trim()}"`);
    }
  }
  if (document.scrollingElement.scrollWidth > innerWidth) {
    const wide = [...article.querySelectorAll("*")].find((node) => node.getBoundingClientRect().right > innerWidth + 1);
    found.push(`too wide: ${wide ? wide.outerHTML.slice(0, 100) : "the page"}`);
  }
  return found;
}"""
TEXTS = "article :is(p, li, h1, h2, h3, figcaption, summary)"
# The texts that hold Latin letters and signs alone, and whether each is to be set in the book's face; a summary may
# have a letter of another face before it.
PLAIN = """(texts) => texts
  .map((node, index) => ({ node, index, ours: !node.matches("summary") && [node, ...node.querySelectorAll("*")].every(
    (part) => getComputedStyle(part).fontFamily.startsWith('"FACE"')) }))
  .filter(({ node }) => node.checkVisibility()
    && !node.querySelector("code, math, .math, svg, kbd, button, ul, ol, pre, table, details, .section-number")
    && /^[\\u0020-\\u007e\\u2013\\u2014\\u2018-\\u201d\\u2026]+$/.test(node.textContent.trim()))
  .map(({ index, ours }) => [index, ours])"""
CHINESE_FONT = re.compile("CJK|Han|Song|Hei|Kai|Ming|PingFang|WenQuanYi|YaHei")


def strange_fonts(page, session) -> dict[str, int]:
    """Glyphs of Latin text, by the font, where it is not the book's own or, in labels, where it is a Chinese one."""
    page.evaluate("document.fonts.ready")
    plain = page.eval_on_selector_all(TEXTS, PLAIN.replace("FACE", TEXT_FACE))
    assert sum(ours for _, ours in plain) >= 3, "hardly any text on this page is set in the book's face"
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    nodes = session.send("DOM.querySelectorAll", {"nodeId": root, "selector": TEXTS})["nodeIds"]
    found: dict[str, int] = {}
    for index, ours in plain[:40]:
        for font in session.send("CSS.getPlatformFontsForNode", {"nodeId": nodes[index]})["fonts"]:
            name = font["familyName"]
            if CHINESE_FONT.search(name) or (ours and not (font["isCustomFont"] and name == TEXT_FACE)):
                found[name] = found.get(name, 0) + int(font["glyphCount"])
    return found


def faults_of(context, address: str, name: str) -> list[str]:
    """Everything that is wrong with a page for one reader."""
    page, errors = context.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((address, "data:", "blob:"))
            else errors.append(f"asks another machine: {request.url}"))  # fmt: skip
    open_page(page, address, name)
    found = page.evaluate(FAULTS)
    fonts = strange_fonts(page, context.new_cdp_session(page))
    page.close()
    return [*found, *(f"font: {n} glyphs from {font}" for font, n in fonts.items()), *(f"console: {e}" for e in errors)]


@pytest.mark.parametrize(
    ("reader", "names"),
    [
        ("light", [name for name in PAGES if name in QUICK]),
        *(pytest.param(reader, PAGES, marks=pytest.mark.slow) for reader in READERS),
    ],
)
def test_nothing_is_wrong_with_the_look(browser, site, reader, names):
    width, height, scheme = READERS[reader]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    found = {name: faults for name in names if (faults := faults_of(context, site, name))}
    context.close()
    assert not found, "\n".join(f"{name} ({reader}): {fault}" for name, faults in found.items() for fault in faults)


SHIFTS = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; }))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""


@pytest.mark.parametrize("name", ["chapters/welcome", "chapters/glossary", "chapters/llama/cache"])
def test_nothing_moves_while_a_page_arrives(browser, site, name):
    """Faces that came late set the first lines twice, and everything below them moved."""
    context = browser.new_context(viewport={"width": 412, "height": 823})
    page = context.new_page()
    open_page(page, site, name)
    assert page.evaluate(SHIFTS) < 0.1
    context.close()


BROKEN = """<!doctype html><html lang="en"><title>Broken</title>
<style>p, .styled { font-family: "Course Serif"; fill: red }</style>
<article><h1>A title</h1><p>One text.</p><p>Another text.</p><p>A third.</p>
<svg width="99" height="50" class="styled"><g class="lost-rule"/><text x="60" y="20">too long a text</text></svg>
<div style="width: 2000px">wide</div><script>console.error("hm")</script></article>"""


@pytest.mark.parametrize("name", PAGES)
def test_charts_are_narrow_enough_for_a_phone(book, name):
    """Their words are set in points and shrink with them: at this width, a phone still shows them 10 pixels high."""
    soup = BeautifulSoup((book / f"{name}.html").read_text("utf-8"), "html.parser")
    charts = [(book / name).parent / image["src"] for image in soup.select("main img.dark-light[src$='.svg']")]
    wide = {}
    for chart in charts:
        points = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', chart.read_text("utf-8"))[1])
        if points > 380:
            wide[chart.name] = points
    assert not wide, f"{wide}: draw them 4.9 inches wide, with their panels one above the other"


def test_each_kind_of_fault_is_seen(browser, site):
    """A page on which all of it is wrong."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.route("**/broken.html", lambda route: route.fulfill(body=BROKEN, content_type="text/html"))
    found = faults_of(context, site, "broken")
    context.close()
    kinds = [fault.split(":")[0] for fault in found]
    assert set(kinds) == {"unstyled", "cut", "too wide", "font", "console"}, found
    assert [fault for fault in found if fault.startswith("unstyled")] == ["unstyled: .lost-rule"]
