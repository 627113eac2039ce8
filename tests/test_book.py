"""The built book in a real browser: nothing fails, nothing leaves the machine, everybody can use it."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "_build" / "html"
PAGES = [
    "chapters/welcome",
    "chapters/attention/weights",
    "chapters/attention/heads",
    "chapters/attention/cost",
    "chapters/instructors",
    "chapters/glossary",
    "chapters/references",
]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"]  # fmt: skip
FIGURES = "softmax-lab, attention-map, mask-lab, tile-lab"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and keeps no log."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built book; builds it if it is missing."""
    if not (BOOK / "index.html").exists():
        tools = Path(sys.executable).parent
        env = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run([tools / "jupyter-book", "build", ".", "-W", "-n", "--keep-going"], cwd=ROOT, env=env,
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    handler = functools.partial(Quiet, directory=str(BOOK))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs the program `chromium` on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_in_peace(page, site, name):
    """No error in the console, no failed request, no request to another machine."""
    errors, outside, failed = [], [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith((site, "data:", "blob:"))
            else outside.append(request.url))  # fmt: skip
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    page.goto(f"{site}/{name}.html", wait_until="networkidle")
    assert not errors, errors
    assert not outside, f"requests to other machines: {outside}"
    assert not failed, f"missing files: {failed}"
    alts = page.eval_on_selector_all("main img", "images => images.map(image => image.alt)")
    assert not [alt for alt in alts if "/" in alt or alt.endswith((".svg", ".png"))], f"alt text is a path: {alts}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible(page, site, name, theme):
    """axe-core finds nothing."""
    from axe_playwright_python.sync_playwright import Axe

    page.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    page.goto(f"{site}/{name}.html", wait_until="networkidle")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    found = Axe().run(page).response["violations"]
    assert not found, "\n".join(f"{v['id']}: {v['nodes'][0]['html'][:200]} ({len(v['nodes'])})" for v in found)


def test_search_finds_softmax(page, site):
    page.goto(f"{site}/search.html?q=softmax", wait_until="networkidle")
    page.wait_for_selector("#search-results li", timeout=10_000)
    assert page.locator("#search-results li").count() >= 1


@pytest.mark.parametrize("name", PAGES)
def test_figures_answer_to_the_keyboard(page, site, name):
    """Each control of each interactive figure can be reached and changes what is shown."""
    page.goto(f"{site}/{name}.html", wait_until="networkidle")
    for figure in page.locator(FIGURES).all():
        assert figure.locator("input").count(), f"no control in {figure.evaluate('f => f.tagName')}"
        control = figure.locator("input:checked, input[type=range], input[type=checkbox]").first
        before = figure.evaluate("f => f.innerHTML")
        control.focus()
        kind = control.get_attribute("type")
        page.keyboard.press({"range": "ArrowRight", "radio": "ArrowUp", "checkbox": "Space"}[kind])
        assert figure.evaluate("f => f.innerHTML") != before, f"{kind} did not answer to the keyboard"
