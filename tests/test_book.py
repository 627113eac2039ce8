"""The built book: what its files say, and what a real browser makes of them."""

import functools
import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "_build" / "html"
ASSETS = ROOT / "chapters" / "assets"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]
MADE_BY_SPHINX = ["search", "genindex"]
FIGURES = sorted(path.stem for path in ASSETS.glob("*-*.js"))  # a figure's script is named after its element
FIGURE = ", ".join(FIGURES)
QUICK = {PAGES[0], "chapters/attention/weights", "search"}


def mostly_slow(names: list[str]) -> list:
    """The first page and one of each kind for every run; all of them where CI goes through the long matrices."""
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in names]


EVERY = mostly_slow([*PAGES, *MADE_BY_SPHINX])
WITH_FIGURES = mostly_slow([name for name in PAGES if name.count("/") == 2])
LIVE = "[data-ready]"  # what a figure carries once its script has built it
LATE = f"main :is({FIGURE}):has(script[data-src])"  # its record is in a file of its own
# Bytes of style sheets, scripts and fonts that a page asks for before its reader does anything. The theme alone had
# 2.3 million; a page with figures now has about 90,000, and the text face another 63,000.
BUDGET = 170_000


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def article(name: str):
    return soup(BOOK / f"{name}.html").find("article")


def figures_of(name: str) -> list[str]:
    return [figure for figure in FIGURES if article(name).find(figure)]


def open_page(page, site: str, name: str) -> None:
    """Open a page and wait until its figures have come alive; those with a long record do when one comes near."""
    page.goto(f"{site}/{name}.html", wait_until="load")
    for far in page.locator(LATE).all():
        far.scroll_into_view_if_needed()
    page.wait_for_function(f"document.querySelector('main :is({FIGURE}):not({LIVE})') === null")


# ---------- what the files say ----------


def test_every_link_leads_somewhere(book):
    """Each address within the book is a file, and each fragment an element in it."""
    ids = functools.cache(lambda path: {tag["id"] for tag in soup(path).find_all(id=True)})
    broken, seen = [], 0
    for path in sorted(book.rglob("*.html")):
        here = path.as_uri()
        for tag in soup(path).find_all(["a", "link", "img", "script", "source", "form"]):
            address = tag.get("href") or tag.get("src") or tag.get("action")
            if not address or urlsplit(address).scheme:
                continue
            seen += 1
            target, fragment = urldefrag(urljoin(here, address))
            file = Path(unquote(urlsplit(target).path))
            if not file.is_file():
                broken.append(f"{path.relative_to(book)}: {address}")
            elif fragment and file.suffix == ".html" and unquote(fragment) not in ids(file):
                broken.append(f"{path.relative_to(book)}: {address}: no such place")
    assert seen > 100, "the crawl found hardly any link"
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order(book, name):
    """One title, and no level is skipped on the way down."""
    levels = [int(tag.name[1]) for tag in soup(book / f"{name}.html").find_all(re.compile(r"^h[1-6]$"))]
    assert levels.count(1) == 1
    assert levels[0] == 1
    steps = [(a, b) for a, b in itertools.pairwise(levels) if b > a + 1]
    assert not steps, f"a level is skipped: {steps}"


def test_every_page_has_a_description_of_its_own(book):
    """What a search engine shows under the title."""
    found = {}
    for path in sorted(book.rglob("*.html")):
        tag = soup(path).find("meta", attrs={"name": "description"})
        if path != book / "index.html":  # sends the reader on to the first page
            assert tag, f"{path.relative_to(book)} has no description"
            found[path.relative_to(book).as_posix()] = tag["content"]
    assert len(set(found.values())) == len(found), "two pages have the same description"
    wrong = {name: text for name, text in found.items() if not 40 <= len(text) <= 160}
    assert not wrong, f"too short or too long: {wrong}"


@pytest.mark.parametrize("name", PAGES)
def test_images_have_sizes_and_say_what_they_show(book, name):
    """Nothing moves when a picture arrives, and no alternative text is a file name."""
    for image in article(name).find_all("img"):
        assert image.get("width", "").isdecimal() and image.get("height", "").isdecimal(), f"no size: {image}"
        alt = image.get("alt", "")
        assert len(alt) > 20, f"says too little: {alt!r}"
        assert "/" not in alt.split(" ")[0] and not alt.endswith((".svg", ".png")), f"alt text is a path: {alt}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_the_scripts_of_its_figures_and_no_others(book, name):
    """And those of MathJax, Bootstrap and an icon font not at all."""
    scripts = soup(book / f"{name}.html").find_all("script", src=True)
    loaded = [Path(urlsplit(tag["src"]).path).name for tag in scripts]
    wanted = [f"{figure}.js" for figure in figures_of(name)]
    assert [script for script in loaded if script.removesuffix(".js") in FIGURES] == wanted
    assert ("lab.js" in loaded) == bool(wanted)
    if wanted:
        assert loaded.index("lab.js") < loaded.index(wanted[0])
    assert ("math.js" in loaded) == bool(article(name).select(".math"))
    assert not {"startup.js", "tex-chtml.js", "bootstrap.js", "fontawesome.js", "thebe.js"} & set(loaded)
    waiting = [tag["src"] for tag in scripts if not tag.has_attr("defer")]
    assert not waiting, f"scripts that hold the page up: {waiting}"


@pytest.mark.parametrize("name", [name for name in PAGES if name.count("/") == 2])
def test_quick_questions_explain_each_choice(book, name):
    """Every choice is marked as right or wrong, and each question has some of both."""
    heading = article(name).find("h2", string=re.compile("Quick questions")) or article(name).find(id="quick-questions")
    assert heading, "no section `Quick questions`"
    section = heading.find_parent("section") if heading.name == "h2" else heading
    questions, verdicts = 0, []
    for tag in [*section.find_all(["p", "details", "pre"], recursive=False), None]:
        if tag is not None and tag.name == "details":
            assert "choice" in tag.get("class", []), f"neither Yes nor No: {tag.summary.text}"
            verdicts.append(tag["data-verdict"])
        elif verdicts:
            assert set(verdicts) == {"right", "wrong"}, f"question {questions + 1}: {verdicts}"
            questions, verdicts = questions + 1, []
    assert questions >= 3


WITH_NOTEBOOK = [name for name in PAGES if "```{exercises}" in (ROOT / f"{name}.md").read_text(encoding="utf-8")]


def test_each_notebook_is_on_one_page():
    """A page may have none; no notebook is without a page."""
    notebooks = [path.relative_to(ROOT) for path in ROOT.glob("chapters/*/exercises/*.ipynb")]
    assert {f"{path.parent.parent}/{path.stem}" for path in notebooks} == set(WITH_NOTEBOOK)


@pytest.mark.parametrize("name", WITH_NOTEBOOK)
def test_a_chapter_page_hands_out_its_notebook(book, name):
    """The notebook that the page names is in the built book, byte for byte."""
    panel = article(name).find(class_="exercise-panel")
    assert panel, "no exercise panel"
    link = panel.find("a", class_="download", href=re.compile(r"\.ipynb$"))
    given = (book / f"{name}.html").parent / unquote(link["href"])
    chapter, notebook = Path(name).parent, Path(unquote(link["href"])).name
    assert given.read_bytes() == (ROOT / chapter / "exercises" / notebook).read_bytes()
    assert f"autograder check {notebook}" in panel.text
    rows = [row.code.text for row in panel.find("tbody").find_all("tr")]
    assert rows == [cell["metadata"]["nbgrader"]["grade_id"].removeprefix("test_")
                    for cell in json.loads(given.read_bytes())["cells"]
                    if cell["metadata"].get("nbgrader", {}).get("grade")]  # fmt: skip


def test_glossary_is_sorted_bilingual_and_linked(book):
    terms = [term.find(string=True, recursive=False) and term.get_text().rstrip("#") for term in article(
        "chapters/glossary").select("dl.glossary dt")]  # fmt: skip
    assert len(terms) > 30
    english = [re.match(r"(.+?) · .*[\u4e00-\u9fff]", term) for term in terms]
    assert all(english), f"without Chinese: {[t for t, e in zip(terms, english, strict=True) if not e]}"
    names = [e[1].lower() for e in english]
    assert names == sorted(names)
    for name in PAGES:
        links = [a["href"] for a in article(name).select("a.term-link")]
        assert len(links) == len(set(links)), f"{name}: a term is linked twice"
        if name.count("/") == 2:
            assert links, f"{name}: no term is linked to the glossary"


def test_the_glossary_and_the_references_lead_back(book):
    """A term links to the pages that use it, a reference to those that name it, and both ways say so."""
    glossary = article("chapters/glossary")
    for name in (name for name in PAGES if name.count("/") == 2):
        here = f"{name.removeprefix('chapters/')}.html"
        for link in article(name).select("a.term-link"):
            term = glossary.find(id=link["href"].split("#")[1])
            meaning = term.find_next_sibling("dd")
            assert link["title"].rstrip("…") in " ".join(meaning.get_text().split()), f"{name}: {link['title']}"
            assert here in [back["href"] for back in meaning.select(".used-on a")], f"{term.get_text()} in {name}"
    short = [dd for dd in glossary.select("dd") if dd.get_text().startswith("Short for")]
    assert len(short) > 5
    references = article("chapters/references")
    papers = [item.get_text() for item in references.find(id="papers-and-books").select("li")]
    names = [re.match(r"(?:[A-Z]\. )+(.+?)(?:,|\.| and others)", paper)[1].lower() for paper in papers]
    assert names == sorted(names)
    assert len(papers) == len({paper[:40] for paper in papers})
    unused = [item.get_text() for item in references.select("li") if not item.select(".used-on a")]
    assert not unused, "named by no page: " + "; ".join(unused)


def test_first_page_leads_into_each_chapter(book):
    """The map links the chapters that the book has."""
    chapters = {name.split("/")[1] for name in PAGES if name.count("/") == 2}
    linked = {a["href"].split("/")[0] for a in article(TOC["root"]).select(".course-map a[href]")}
    assert linked == chapters & {"attention", "tokenization", "classification", "llama", "capstone"}
    assert f"url={TOC['root']}.html" in (book / "index.html").read_text(encoding="utf-8")


def test_printed_lines_stay_whole(monkeypatch):
    """Pieces of a stream are joined as they came, also where a piece ends within a line."""
    monkeypatch.syspath_prepend(ROOT / "chapters" / "extensions")
    import whole_lines

    def stream(name, text):
        return {"output_type": "stream", "name": name, "text": text}

    picture = {"output_type": "display_data"}
    pieces = [stream("stdout", "3"), picture, stream("stderr", "hm"), stream("stdout", " x clean\n1 x ne"),
              stream("stdout", "w\n")]  # fmt: skip
    joined = whole_lines.join_streams(pieces)
    assert joined == [stream("stdout", "3 x clean\n1 x new\n"), picture, stream("stderr", "hm")]


# ---------- the panel's links, with and without a public address ----------

CONF = """
import sys
from collections import Counter
from collections.abc import Iterator
sys.path.insert(0, {extensions!r})
extensions = ["myst_parser", "exercise_panel"]
html_theme = "basic"
"""


@pytest.fixture
def panel(tiny, tmp_path):
    """Build a page with one exercise panel; returns the addresses it links to, by their text."""
    tiny.student_notebooks("cooking").mkdir(parents=True)
    (tiny.student_notebooks("cooking") / "recipes.ipynb").write_text("{}", encoding="utf-8")
    (tiny.root / "index.md").write_text("# Cooking\n\n```{exercises} cooking/recipes\n```\n", encoding="utf-8")
    conf = CONF.format(extensions=str(ROOT / "chapters" / "extensions"))
    (tiny.root / "conf.py").write_text(conf, encoding="utf-8")

    def build(*settings: str) -> dict[str, str]:
        out = tmp_path / "out"
        done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "-E", *settings, tiny.root, out],
                              cwd=ROOT, capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        page = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")
        assert page.find(class_="exercise-panel")
        return {a.text: a["href"] for a in page.select(".exercise-panel a")}

    return build


def test_panel_without_a_public_address(panel):
    """The notebook and a JupyterLab on this machine; no word of Colab or Binder."""
    links = panel()
    assert list(links) == ["Download recipes.ipynb", "Open in JupyterLab on this machine"]
    assert links["Download recipes.ipynb"].endswith("/recipes.ipynb")


def test_panel_with_a_public_address(panel):
    """Colab and Binder open the notebook of that repository and branch."""
    links = panel("-D", "course_repository=https://github.com/someone/course.git", "-D", "course_branch=next")
    where, quoted = "chapters/cooking/exercises/recipes.ipynb", "chapters%2Fcooking%2Fexercises%2Frecipes.ipynb"
    assert links["Open in Colab"] == f"https://colab.research.google.com/github/someone/course/blob/next/{where}"
    assert links["Open on Binder"] == f"https://mybinder.org/v2/gh/someone/course/next?labpath={quoted}"
    assert "Download recipes.ipynb" in links


# ---------- in a browser ----------


@pytest.mark.parametrize("name", EVERY)
def test_page_loads_in_peace(page, site, name):
    """No error in the console, no failed request, no request to another machine, few bytes."""
    errors, outside, failed, weights = [], [], [], {}
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((site, "data:", "blob:"))
            else outside.append(request.url))  # fmt: skip

    def arrived(response):
        if response.status >= 400:
            failed.append(response.url)
        elif response.request.resource_type in ("stylesheet", "script", "font"):
            weights[response.url] = int(response.headers["content-length"])

    page.on("response", arrived)
    page.goto(f"{site}/{name}.html", wait_until="networkidle")
    assert not errors, errors
    assert not outside, f"requests to other machines: {outside}"
    assert not failed, f"missing files: {failed}"
    # MathJax comes when a formula is in sight; what is searched grows with the book, and comes when one searches.
    light = {url: size for url, size in weights.items() if not re.search("/mathjax/|/search/", url)}
    assert len(light) >= 5
    assert sum(light.values()) <= BUDGET, f"{sum(light.values())} bytes: {light}"


@pytest.mark.parametrize("name", EVERY)
def test_page_is_accessible(page, site, name):
    """axe-core finds nothing, in the light and in the dark, with every door open."""
    from axe_playwright_python.sync_playwright import Axe

    page.add_init_script("localStorage.setItem('mode', 'light')")
    open_page(page, site, name)
    page.evaluate("for (const door of document.querySelectorAll('main details')) door.open = true")
    # Code is thousands of nodes in a handful of colours; test_code_is_legible looks at each colour once.
    page.evaluate("for (const code of document.querySelectorAll('.highlight pre')) code.textContent = code.textContent")
    for theme, rules in [("light", {}), ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]})]:
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        found = Axe().run(page, options=rules).response["violations"]
        assert not found, f"{theme}: " + "\n".join(
            f"{v['id']}: {v['nodes'][0]['html'][:200]} ({len(v['nodes'])})" for v in found)  # fmt: skip


CONTRASTS = """() => {
  const light = (colour) => {
    const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? ground(node.parentElement) : colour;
  };
  const found = {};
  for (const span of document.querySelectorAll(".highlight pre, .highlight span")) {
    const on = ground(span), colour = getComputedStyle(span).color, [a, b] = [light(colour), light(on)];
    found[`${colour} on ${on}`] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_code_is_legible(page, site, theme):
    """Every colour that code or output comes in has a contrast of 4.5 to 1 at least."""
    page.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    found = {}
    for name in [name for name in PAGES if name.count("/") == 2]:
        open_page(page, site, name)
        found |= page.evaluate(CONTRASTS)
    assert len(found) >= 5
    assert not {pair: ratio for pair, ratio in found.items() if ratio < 4.5}


@pytest.mark.parametrize("name", EVERY)
def test_page_fits_a_phone(phone, site, name):
    """Nothing is wider than 390 px, doors open or closed; what is wider by nature scrolls within itself."""
    open_page(phone, site, name)
    for is_open in ["false", "true"]:
        phone.evaluate(f"for (const door of document.querySelectorAll('main details')) door.open = {is_open}")
        width = phone.evaluate("document.scrollingElement.scrollWidth")
        assert width <= 390, phone.evaluate("""() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > 391 && !e.closest('pre, .pst-scrollable-table-container'))
            .slice(0, 5).map(e => e.outerHTML.slice(0, 120))""")


@pytest.mark.parametrize("name", mostly_slow(PAGES))
def test_page_reads_without_scripts(browser, site, name):
    """Text, navigation and what each figure shows are there; buttons that would do nothing are not."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{site}/{name}.html")
    assert page.locator("article h1").is_visible()
    assert len(page.locator("article").inner_text()) > 200
    assert page.locator(".bd-links a").first.is_visible()
    assert not page.locator("header button, .bd-header-article button").filter(visible=True).count()
    for figure in page.locator(FIGURE).all():
        assert len(figure.inner_text()) > 40, f"{figure.evaluate('f => f.tagName')} says: {figure.inner_text()}"
    context.close()


@pytest.mark.parametrize("name", mostly_slow(PAGES))
def test_page_opens_from_disk(page, book, name):
    """A page opened as a file is the same page: its figures live, its formulas are set, and no file is missing."""
    errors, failed = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: failed.append(request.url))
    open_page(page, book.as_uri(), name)
    if page.locator(".math").count():
        page.mouse.move(200, 200)
        page.mouse.move(300, 300)
        page.wait_for_selector("html[data-math=set]", timeout=20_000)
        assert page.locator("mjx-container").count() == page.locator("main .math").count()
        assert not page.locator("mjx-merror").count(), "a formula that TeX does not understand"
    assert not errors, errors
    assert not failed, failed


@pytest.mark.parametrize("where", ["served", "from disk"])
def test_a_long_record_comes_when_its_figure_is_near(page, site, book, where):
    """The page does not wait for what stands far below; the same from disk, where nothing may be fetched."""
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/records/" in request.url else None)
    page.goto(f"{site if where == 'served' else book.as_uri()}/chapters/llama/generation.html", wait_until="load")
    figure = page.locator("main sampling-lab")
    assert not asked and not figure.get_attribute("data-ready")
    assert "crowded" in figure.inner_text(), "until then its words are there"
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(f"main sampling-lab{LIVE}")
    assert len(asked) == 1 and figure.locator("input[type=range]").count() == 3


@pytest.mark.parametrize("where", ["served", "from disk"])
def test_search_finds_softmax(page, site, book, where):
    page.goto(f"{site if where == 'served' else book.as_uri()}/search.html?q=softmax")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    assert "Looking things up softly" in page.locator("#search-results").inner_text()


def test_search_box_opens_by_key_and_button(page, site):
    open_page(page, site, PAGES[1])
    page.keyboard.press("Control+k")
    page.keyboard.type("softmax")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=softmax")
    page.go_back()
    page.locator(".search-button-field").click()
    assert page.locator("#pst-search-dialog input").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#pst-search-dialog input").is_visible()


def test_skip_link_leads_to_the_text(page, site):
    """The first Tab shows it, and after it the next Tab is in the text."""
    open_page(page, site, PAGES[1])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.skip-link') !== null")
    page.wait_for_function("document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_colours_follow_the_reader(browser, site):
    """The system's choice first, the button's from then on."""
    context = browser.new_context(color_scheme="dark", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    open_page(page, site, PAGES[0])
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator(".theme-switch-button").click()
    assert page.evaluate(theme) == "light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    open_page(page, site, PAGES[1])
    assert page.evaluate(theme) == "light"
    context.close()


def test_side_panels_on_a_phone(phone, site):
    """The lists of pages and of headings open as dialogs, and Escape closes them."""
    open_page(phone, site, PAGES[1])
    for button, panel, link in [("primary", "primary", "Glossary"), ("secondary", "secondary", "Quick questions")]:
        phone.locator(f".{button}-toggle").tap()
        shown = phone.locator(f"#pst-{panel}-sidebar-modal")
        assert shown.get_by_text(link).first.is_visible()
        phone.keyboard.press("Escape")
        assert not shown.is_visible()


def test_less_motion_where_asked(browser, site):
    for wish, behaviour in [("reduce", "auto"), ("no-preference", "smooth")]:
        context = browser.new_context(reduced_motion=wish)
        page = context.new_page()
        open_page(page, site, PAGES[1])
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour
        durations = page.eval_on_selector_all("main *", "all => all.map(e => getComputedStyle(e).transitionDuration)")
        if wish == "reduce":
            assert set(durations) == {"0s"}
        context.close()


def test_download_gives_the_notebook(page, site):
    name = next(name for name in PAGES if name.count("/") == 2)
    open_page(page, site, name)
    with page.expect_download() as started:
        page.locator(".exercise-panel a.download").first.click()
    assert started.value.suggested_filename == f"{name.split('/')[-1]}.ipynb"
    assert json.loads(Path(started.value.path()).read_text(encoding="utf-8"))["nbformat"] == 4


def test_quick_question_says_whether_it_was_right(page, site):
    """By a sign, not by colour alone."""
    open_page(page, site, PAGES[1])
    sign = "choice => getComputedStyle(choice.querySelector('summary'), '::before').content"
    for verdict, mark in [("right", "✓"), ("wrong", "✗")]:
        choice = page.locator(f"details.choice[data-verdict={verdict}]").first
        assert mark not in choice.evaluate(sign)
        choice.locator("summary").click()
        assert mark in choice.evaluate(sign)


SHOWN = "f => f.outerHTML"  # without what a control itself holds: its state is no attribute
CONTROLS = "input:visible, button:visible, textarea:visible, select:visible"


def find_figures(page) -> list:
    return page.locator(f"main :is({FIGURE})").all()


ALIKE = 8  # of controls of one kind in one figure: a bench has a button for each of a hundred tokens


def of_each_kind(controls) -> Iterator:
    """Controls in order, of a kind only the first ones; a kind is a class, or a type where there is none."""
    seen: Counter[str] = Counter()
    for index in range(controls.count()):
        control = controls.nth(index)
        if not control.count():
            continue  # an earlier control took it away
        kind = control.evaluate("c => `${c.tagName} ${c.type} ${c.classList[0]}`")
        seen[kind] += 1
        if seen[kind] <= ALIKE:
            yield control


def reached(control) -> bool:
    """Takes the focus. An answer of Python that comes meanwhile may draw the row anew: then what stands there now."""
    focus = "c => { c.focus(); return c.isConnected ? c === document.activeElement : null; }"
    return next(answer for answer in iter(lambda: control.evaluate(focus), object()) if answer is not None)


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_figures_answer_to_the_keyboard(page, site, name):
    """Each kind of control in each figure can be reached, has a name, and changes what is shown."""
    open_page(page, site, name)
    for figure in find_figures(page):
        tag = figure.evaluate("f => f.tagName").lower()
        controls = figure.locator(CONTROLS)
        assert controls.count(), f"no control in {tag}"
        answered = {}
        for control in of_each_kind(controls):
            kind = control.get_attribute("type") or control.evaluate("c => c.tagName.toLowerCase()")
            if kind == "radio" and not control.is_checked():
                continue  # reached from the checked one
            before = figure.evaluate(SHOWN)
            assert reached(control), f"{tag}: a {kind} cannot be reached"
            at_end = kind == "range" and control.evaluate("c => Number(c.value) + Number(c.step || 1) > Number(c.max)")
            key = {"range": "ArrowLeft" if at_end else "ArrowRight", "radio": "ArrowUp", "checkbox": "Space",
                   "textarea": "x", "text": "x"}.get(kind, "Enter")  # fmt: skip
            page.keyboard.press(key)
            answered[kind] = answered.get(kind, False) or figure.evaluate(SHOWN) != before
        assert all(answered.values()), f"{tag}: no answer to the keyboard: {answered}"


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_figures_answer_to_the_mouse(page, site, name):
    """Sliders are dragged; boxes, choices and buttons are clicked."""
    open_page(page, site, name)
    for figure in find_figures(page):
        tag = figure.evaluate("f => f.tagName").lower()
        figure.scroll_into_view_if_needed()
        for slider in figure.locator("input[type=range]:visible").all()[:3]:
            slider.scroll_into_view_if_needed()
            before, box = figure.evaluate(SHOWN), slider.bounding_box()
            share = slider.evaluate("s => (s.value - s.min) / (s.max - s.min)")
            height = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + 8 + share * (box["width"] - 16), height)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * (0.2 if share > 0.5 else 0.8), height, steps=4)
            page.mouse.up()
            assert figure.evaluate(SHOWN) != before, f"{tag}: a slider did not move"
        answers = []
        for button in of_each_kind(figure.locator("button:visible")):
            if button.get_attribute("aria-disabled") == "true" or button.is_disabled():
                continue  # nothing to go back to, at the start
            before = figure.evaluate(SHOWN)
            button.click()
            answers.append(figure.evaluate(SHOWN) != before)
        assert not answers or any(answers), f"{tag}: no button answered to a click"
        for kind in ["radio", "checkbox"]:
            control = figure.locator(f"input[type={kind}]:not(:checked):visible")
            if control.count():
                before = figure.evaluate(SHOWN)
                figure.locator("label").filter(has=page.locator(f"input[type={kind}]:not(:checked)")).first.click()
                assert figure.evaluate(SHOWN) != before, f"{tag}: a {kind} did not answer to a click"


def test_attention_map_previews_on_hover(page, site):
    """Under the pointer another query's weights are shown; when it leaves, those of the chosen one."""
    name = next(name for name in PAGES if "attention-map" in figures_of(name))
    open_page(page, site, name)
    figure = page.locator("attention-map").first
    weights = figure.locator("output")
    chosen = weights.all_inner_texts()
    figure.locator("label").first.hover()
    assert weights.all_inner_texts() != chosen
    page.mouse.move(2, 2)
    assert weights.all_inner_texts() == chosen
    assert figure.locator("input:checked").get_attribute("value") == str(figure.locator("input").count() - 1)
