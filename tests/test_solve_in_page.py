"""Exercises that are solved in the page: the verdicts, what is kept, and what a reader meets, in a real browser."""

import functools
import http.server
import json
import os
import re
import tempfile
import threading
from pathlib import Path

import nbformat
import pytest
from test_book import PAGES, article, open_page

from autograder.course.bank import load_bank, references
from autograder.course.course import Course
from autograder.grading.check import check_notebook
from autograder.grading.grade import grade_class

ROOT = Path(__file__).parent.parent
COURSE = Course(ROOT)
CHAPTER_PAGES = [name for name in PAGES if name.count("/") == 2]
ELSEWHERE = {f"chapters/classification/{name}" for name in ("cases", "data", "pretraining")}  # they need PyTorch
WEIGHTS = "chapters/attention/weights"
SOFTMAX = references(COURSE.bank("attention"))["softmax"]
NO_SHIFT = "def softmax(x, axis=-1):\n    e = np.exp(x)\n    return e / e.sum(axis=axis, keepdims=True)\n"
SECONDS = 120_000  # ms that anything may take on a busy machine


@pytest.fixture(autouse=True)
def python_in_the_book(book):
    if not (book / "_static" / "pyodide").is_dir():
        why = "the book was built without Python in the page: `make page-python`"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


def notebook_of(name: str) -> Path:
    chapter, stem = name.split("/")[1:]
    return ROOT / "chapters" / chapter / "exercises" / f"{stem}.ipynb"


# A page may leave its exercises to another.
IN_PAGE = [name for name in CHAPTER_PAGES if name not in ELSEWHERE and notebook_of(name).is_file()]


def exercises_of(path: Path) -> list[str]:
    """The exercises of a notebook, in order."""
    heads = [cell.metadata.get("nbgrader", {}) for cell in nbformat.read(path, as_version=4).cells]
    return [about["grade_id"].removeprefix("test_") for about in heads if about.get("grade") and not about["solution"]]


def door(page, exercise: str):
    return page.locator(f"#solve-{exercise}")


def open_exercise(page, site: str, name: str, exercise: str) -> None:
    """Open a page at an exercise, as a link from the map does."""
    page.goto(f"{site}/{name}.html#solve-{exercise}")
    page.wait_for_selector(f"#solve-{exercise}[data-ready=yes]", timeout=SECONDS)


def write(page, exercise: str, code: str) -> None:
    """Put an answer into an editor, as a reader who pastes it."""
    door(page, exercise).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)


def check(page, exercise: str) -> list[str]:
    """Press Check and wait for the verdict; gives its lines as they are shown."""
    button = door(page, exercise).locator(".solve-check")
    button.click()
    return settled(page, exercise)


def settled(page, exercise: str) -> list[str]:
    here = f"document.querySelector('#solve-{exercise} ' + name)"
    page.wait_for_function(f"""() => {{ const of = (name) => {here};
        return of('.solve-check').textContent === 'Check' && of('.solve-verdict').childNodes.length > 0; }}""",
                           timeout=SECONDS)  # fmt: skip
    return lines_of(door(page, exercise).locator(".solve-verdict").inner_text())


DUST = re.compile(r"-?\d(\.\d+)?e-1[5-9]\b")  # what rounding leaves of a nought: another processor leaves another


def lines_of(text: str) -> list[str]:
    """The lines that say something."""
    return [DUST.sub("0.0", line) for line in text.split("\n") if line.strip()]


def kept(page) -> dict:
    """All that the browser keeps of the reader's answers: "attention/weights/softmax" → what is kept of it."""
    items = page.evaluate("Object.entries(localStorage)")
    return {key.removeprefix("answer:"): json.loads(value) for key, value in items if key.startswith("answer:")}


def said_by_check(path: Path, answers: dict[str, str]) -> dict[str, tuple[bool, list[str]]]:
    """What `autograder check` says of a notebook with these answers: exercise → whether it is right, and the lines."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution"):
            cell.source = answers.get(about["grade_id"], cell.source)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        nbformat.write(notebook, copy)
        return {one.exercise: (not one.message, lines_of(f"{one.title}\n{one.message}"))
                for one in check_notebook(copy)}  # fmt: skip




# ---------- what the pages hold ----------


@pytest.mark.parametrize("name", CHAPTER_PAGES)
def test_a_page_holds_its_exercises(book, name):
    """All of its notebook, in order, with the stubs of the notebook; none where PyTorch is needed."""
    doors = article(name).select("details.solve")
    if name in ELSEWHERE or not notebook_of(name).is_file():  # its exercises are on another page
        assert not doors and not article(name).select(".solve-list")
        return
    assert [one["data-exercise"] for one in doors] == exercises_of(notebook_of(name))
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in
             nbformat.read(notebook_of(name), as_version=4).cells}  # fmt: skip
    for one in doors:
        assert one.select_one(".solve-answer pre").get_text().strip("\n") == cells[one["data-exercise"]].source
        assert len(one.get_text()) > 300, f"{one['data-exercise']}: no text"
        assert re.search(r"[●○]{3} · \d+ min · \d+ points?", one.summary.get_text())


# ---------- one exercise, from the first look to the last ----------


def test_an_exercise_is_solved_in_its_page(page, site):
    """Nothing is loaded before; a wrong answer is told as in the notebook, a right one is right, and it is kept."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site, WEIGHTS)
    assert not [url for url in asked if "/solve/" in url or "/pyodide/" in url or "/editor/" in url]
    open_exercise(page, site, WEIGHTS, "softmax")
    assert not [url for url in asked if "/pyodide/" in url], "Python starts when it is asked for"
    assert check(page, "softmax") == ["✗ softmax: 0 of 6 right", "not written yet"]
    write(page, "softmax", NO_SHIFT)
    right, told = said_by_check(notebook_of(WEIGHTS), {"softmax": NO_SHIFT})["softmax"]
    assert not right and len(told) >= 5
    assert check(page, "softmax") == told
    write(page, "softmax", SOFTMAX)
    assert check(page, "softmax") == ["✓ softmax: 6 of 6"]
    assert "solved" in door(page, "softmax").locator("summary").first.inner_text()
    answer = kept(page)["attention/weights/softmax"]
    assert (answer["solved"], answer["tries"], answer["code"].strip()) == (True, 3, SOFTMAX.strip())
    assert not [url for url in asked if not url.startswith((site, "blob:", "data:"))]


@pytest.mark.slow
def test_examples_come_before_code(page, site):
    """They are held against the reference and the known mistakes, which nobody loads before; and they are kept."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    open_exercise(page, site, WEIGHTS, "softmax")
    assert not any("/banks/" in url for url in asked)
    here = door(page, "softmax").locator(".solve-examples")
    here.locator("summary").click()
    lines = ["softmax(np.array([2.0, 0, 1])) == [0.665, 0.090, 0.245]", "softmax(np.array([1.0, 1])) == [1, 1]"]
    here.locator("textarea").fill("\n".join(lines))
    here.locator("button").click()
    page.wait_for_selector("#solve-softmax .example-sum", timeout=SECONDS)
    told = here.locator(".examples-said").inner_text()
    known = len([one for one in load_bank(COURSE.bank("attention")) if one.exercise == "softmax" and not one.is_right])
    assert re.search(rf"Your right example catches \d+ of {known} known mistakes\.", told)
    assert "the reference gives [0.5, 0.5]" in told and "One that gets through:" in told
    assert [one.get_attribute("data-right") for one in here.locator(".example-told").all()] == ["yes", "no"]
    open_exercise(page, site, WEIGHTS, "softmax")
    assert "0.245" in door(page, "softmax").locator("textarea").input_value()


@pytest.mark.slow
def test_an_answer_that_is_no_python_is_told_where(page, site):
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", "def softmax(x, axis=-1)\n    return x\n")
    told = check(page, "softmax")
    assert "Line 1 of the cell `softmax` is not Python: `def softmax(x, axis=-1)`: expected ':'" in told
    assert told[0] == "✗ softmax"


@pytest.mark.slow
def test_what_an_answer_prints_is_shown_apart(page, site):
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", SOFTMAX.replace("    ", "    print('looking at', np.shape(x))\n    ", 1))
    told = check(page, "softmax")
    assert told[0] == "✓ softmax: 6 of 6"
    assert told[1] == "Your code printed:" and told[2].startswith("looking at (")


@pytest.mark.slow
def test_other_answers_cost_nothing(page, site):
    """An answer that fails, or is no Python, leaves the verdict on the others alone."""
    open_exercise(page, site, WEIGHTS, "dot_and_angle")
    write(page, "dot_and_angle", "def dot_and_angle(u, v:\n    1 / 0\n")
    assert check(page, "dot_and_angle")[0] == "✗ dot_and_angle"
    door(page, "softmax").locator("summary").first.click()
    page.wait_for_selector("#solve-softmax[data-ready=yes]")
    write(page, "softmax", SOFTMAX)
    assert check(page, "softmax") == ["✓ softmax: 6 of 6"]


@pytest.mark.slow
@pytest.mark.timing
def test_an_endless_loop_is_stopped(page, site):
    """It is said so, the page answers meanwhile, and the next verdict comes as ever; the same for a loop beside."""
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", "def softmax(x, axis=-1):\n    while True:\n        pass\n")
    door(page, "softmax").locator(".solve-check").click()
    page.locator(".theme-switch-button").first.click()  # nothing is frozen
    told = settled(page, "softmax")
    assert told == ["✗ softmax", "this call took more than 10 s: is there a loop that does not end?"]
    write(page, "softmax", SOFTMAX)
    assert check(page, "softmax") == ["✓ softmax: 6 of 6"]
    door(page, "dot_and_angle").locator("summary").first.click()
    page.wait_for_selector("#solve-dot_and_angle[data-ready=yes]")
    write(page, "dot_and_angle", "while True:\n    pass\n")
    page.wait_for_function("localStorage.getItem('answer:attention/weights/dot_and_angle')?.includes('while')")
    told = check(page, "softmax")
    assert told[0] == "✓ softmax: 6 of 6"
    assert told[1] == "Your answer to dot_and_angle does not come to an end, so it was left out."


@pytest.mark.slow
def test_a_reader_can_stop_waiting(page, site):
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", "def softmax(x, axis=-1):\n    while True:\n        pass\n")
    button = door(page, "softmax").locator(".solve-check")
    button.click()
    page.wait_for_function("document.querySelector('#solve-softmax .solve-wait').textContent.startsWith('Asking')",
                           timeout=SECONDS)  # fmt: skip
    assert button.inner_text() == "Stop"
    button.click()
    page.wait_for_function("document.querySelector('#solve-softmax .solve-wait').textContent === 'Stopped.'")
    assert button.inner_text() == "Check"


@pytest.mark.slow
def test_reset_can_be_taken_back(page, site):
    open_exercise(page, site, WEIGHTS, "softmax")
    content, reset = door(page, "softmax").locator(".cm-content"), door(page, "softmax").locator(".solve-reset")
    write(page, "softmax", NO_SHIFT)
    reset.click()
    assert "NotImplementedError" in content.inner_text()
    reset.click()
    assert "np.exp(x)" in content.inner_text()


@pytest.mark.slow
def test_the_keyboard_alone_is_enough(page, site):
    """To the exercise, into the editor, to a verdict, and out again."""
    open_page(page, site, WEIGHTS)
    door(page, "softmax").locator("summary").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#solve-softmax[data-ready=yes]")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('cm-content')"):
            break
    page.keyboard.press("Control+a")
    page.keyboard.type("def softmax(x, axis=-1):\n")
    page.keyboard.insert_text(SOFTMAX.split("\n", 1)[1].lstrip(" "))
    page.keyboard.press("Control+Enter")
    assert settled(page, "softmax") == ["✓ softmax: 6 of 6"]
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.classList.contains('cm-content')"), "Tab indents"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "solve-check"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "solve-reset"


@pytest.mark.slow
def test_an_open_exercise_is_accessible(page, site):
    """axe-core finds nothing with an editor and a verdict of each kind, in the light and in the dark."""
    from axe_playwright_python.sync_playwright import Axe

    page.add_init_script("localStorage.setItem('mode', 'light')")
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", NO_SHIFT)
    for code in (NO_SHIFT, SOFTMAX.replace("    ", "    print(x)\n    ", 1)):
        write(page, "softmax", code)
        check(page, "softmax")
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            found = Axe().run(page, context=".solve-list").response["violations"]
            assert not found, f"{theme}: " + "\n".join(f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found)


@pytest.mark.slow
def test_an_open_exercise_fits_a_phone(phone, site):
    """At 390 px, with an editor and a long verdict; and what is typed is not under 16 px, at which phones zoom in."""
    open_exercise(phone, site, WEIGHTS, "softmax")
    door(phone, "softmax").locator(".cm-content").tap()
    phone.keyboard.press("Control+a")
    phone.keyboard.insert_text(NO_SHIFT.replace("np.exp(x)", "np.exp(x)  # " + "a long remark " * 8))
    check(phone, "softmax")
    assert phone.evaluate("document.scrollingElement.scrollWidth") <= 390
    size = "parseFloat(getComputedStyle(document.querySelector('#solve-softmax .cm-content')).fontSize)"
    assert phone.evaluate(size) >= 16
    assert door(phone, "softmax").locator(".solve-check").bounding_box()["height"] >= 40


# ---------- nothing is lost ----------


@pytest.mark.slow
def test_leaving_and_coming_back(page, site):
    """Answer, verdict and state are there again, on a page that loads no Python for it."""
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", NO_SHIFT)
    before = check(page, "softmax")
    write(page, "softmax", NO_SHIFT + "# one more line\n")
    page.goto(f"{site}/{PAGES[0]}.html")  # at once: what was typed last is kept as the page is left
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site, WEIGHTS)
    page.wait_for_function("document.querySelector('#solve-softmax .solve-state').textContent.includes('not right')")
    door(page, "softmax").locator("summary").first.click()
    page.wait_for_selector("#solve-softmax[data-ready=yes]")
    assert "# one more line" in door(page, "softmax").locator(".cm-content").inner_text()
    assert lines_of(door(page, "softmax").locator(".solve-verdict").inner_text()) == before
    assert not [url for url in asked if "/pyodide/" in url]


@pytest.mark.slow
def test_a_changed_question_keeps_the_answer_and_asks_again(browser, site):
    """When the book asks something else, the old verdict holds no longer; the answer is as it was."""
    # What the service worker has kept would come in the place of the changed page.
    context = browser.new_context(viewport={"width": 1280, "height": 900}, service_workers="block")
    page = context.new_page()
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", SOFTMAX)
    check(page, "softmax")

    def newer(route):
        body = route.fetch().text()
        body = re.sub(r'(data-exercise="softmax" data-asked=")\w+', r"\g<1>another", body)
        route.fulfill(body=body, content_type="text/html")

    page.route("**/weights.html", newer)
    page.reload()
    page.wait_for_selector("#solve-softmax[data-ready=yes]")
    assert door(page, "softmax").locator(".solve-state").inner_text() == "begun"
    assert "check it again" in door(page, "softmax").locator(".solve-verdict").inner_text()
    assert "keepdims" in door(page, "softmax").locator(".cm-content").inner_text()
    assert check(page, "softmax") == ["✓ softmax: 6 of 6"]
    assert kept(page)["attention/weights/softmax"]["asked"] == "another"
    context.close()


def download(page, button: str, folder: Path) -> Path:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def bring(page, button: str, path: Path) -> str:
    """Choose a file for a button that asks for one; gives what is said then."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(path)
    said = page.locator(".solve-said").first
    page.wait_for_function("document.querySelector('.solve-said').textContent.trim() !== ''")
    return said.inner_text()


@pytest.mark.slow
def test_my_notebook_is_graded_as_the_page_said(page, site, course, tmp_path):
    """The notebook with the answers in it: `check` and `grade` give what the page gave, and a page takes it back."""
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", NO_SHIFT)
    wrong = check(page, "softmax")
    door(page, "scaled_scores").locator("summary").first.click()
    page.wait_for_selector("#solve-scaled_scores[data-ready=yes]")
    write(page, "scaled_scores", references(COURSE.bank("attention"))["scaled_scores"])
    assert check(page, "scaled_scores")[0].startswith("✓")
    (tmp_path / "class" / "ada").mkdir(parents=True)
    path = download(page, "Download my notebook", tmp_path / "class" / "ada")
    assert path.name == "weights.ipynb"
    nbformat.validate(nbformat.read(path, as_version=4))
    checked = {one.exercise: one for one in check_notebook(path)}
    assert lines_of(f"{checked['softmax'].title}\n{checked['softmax'].message}") == wrong
    assert checked["scaled_scores"].points == checked["scaled_scores"].max_points
    assert checked["attention"].message == "not written yet"
    results = grade_class(course, "attention", tmp_path / "class", tmp_path / "graded")
    (row,) = results.rows
    graded = {one.exercise: one for one in row.exercises if one.notebook == "weights"}
    assert graded["scaled_scores"].points == 2 and graded["softmax"].points == 0
    assert wrong[1] in graded["softmax"].message

    page.evaluate("localStorage.clear()")
    page.reload()
    page.wait_for_selector("#solve-softmax[data-ready=yes]")
    assert "NotImplementedError" in door(page, "softmax").locator(".cm-content").inner_text()
    assert bring(page, "Bring a notebook", path).startswith("2 answers came over")
    assert "np.exp(x)" in door(page, "softmax").locator(".cm-content").inner_text()
    assert check(page, "softmax") == wrong
    assert set(kept(page)) == {"attention/weights/softmax", "attention/weights/scaled_scores"}


@pytest.mark.slow
def test_what_a_brought_notebook_replaces_can_be_put_back(page, site, tmp_path):
    """And a notebook without nbgrader's metadata is known by what its cells define."""
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", SOFTMAX)
    page.wait_for_function("localStorage.getItem('answer:attention/weights/softmax') !== null")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NO_SHIFT), nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    assert bring(page, "Bring a notebook", tmp_path / "mine.ipynb").startswith("One answer came over")
    assert "keepdims=True)" in door(page, "softmax").locator(".cm-content").inner_text()
    assert "np.max" not in door(page, "softmax").locator(".cm-content").inner_text()
    page.get_by_role("button", name="Put back what was here").click()
    assert kept(page)["attention/weights/softmax"]["code"].strip() == SOFTMAX.strip()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text", "said"), [
    ("mine.ipynb", "not json", "mine.ipynb is no notebook."),
    ("mine.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "has no answer to an exercise"),
])  # fmt: skip
def test_a_file_that_is_no_notebook_of_the_page_is_refused(page, site, tmp_path, name, text, said):
    open_page(page, site, WEIGHTS)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert said in bring(page, "Bring a notebook", tmp_path / name)
    assert kept(page) == {}


@pytest.mark.slow
def test_the_map_fills_and_says_what_is_next(page, site):
    """Part by part, in the book's order; nothing of it is loaded before something is solved."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, site, PAGES[0])
    assert not [url for url in asked if "/solve/" in url]
    assert page.locator(".map-done").count() == 0
    open_exercise(page, site, WEIGHTS, "dot_and_angle")
    write(page, "dot_and_angle", references(COURSE.bank("attention"))["dot_and_angle"])
    check(page, "dot_and_angle")
    open_page(page, site, PAGES[0])
    page.wait_for_selector(".map-done")
    count = {name: len(exercises_of(notebook_of(name))) for name in IN_PAGE}
    said = page.locator(".course-progress-said")
    assert f"You have solved 1 of the {sum(count.values())} exercises" in said.inner_text()
    attention = sum(number for name, number in count.items() if "/attention/" in name)
    assert page.locator(".map-count").all_text_contents()[0] == f"1 of {attention} solved"
    said.locator("a").click()
    page.wait_for_selector("#solve-softmax[data-ready=yes]")


@pytest.mark.slow
def test_all_answers_go_into_a_file_and_come_back(page, site, tmp_path):
    """Into another browser; of two answers to an exercise the newer is kept."""
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", SOFTMAX)
    check(page, "softmax")
    before = kept(page)
    open_page(page, site, PAGES[0])
    path = download(page, "Save my answers to a file", tmp_path)
    page.evaluate("localStorage.clear()")
    page.reload()
    assert bring(page, "Bring answers from a file", path).startswith("One answer is here now")
    assert kept(page) == before
    newer = json.dumps({"code": "new", "when": "9999"})
    page.evaluate(f"localStorage.setItem('answer:attention/weights/softmax', '{newer}')")
    page.reload()
    assert "1 in the file were older than yours" in bring(page, "Bring answers from a file", path)
    assert kept(page)["attention/weights/softmax"]["code"] == "new"
    (tmp_path / "other.json").write_text('{"a": 1}', encoding="utf-8")
    page.reload()
    refused = bring(page, "Bring answers from a file", tmp_path / "other.json")
    assert refused == "This file holds no answers of the course."


@pytest.mark.slow
def test_a_browser_that_keeps_nothing_says_so(page, site):
    """An answer is checked all the same."""
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('no', 'QuotaExceededError'); };")
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", SOFTMAX)
    page.wait_for_function("document.querySelector('#solve-softmax .solve-wait').textContent.includes('keeps nothing')")
    assert check(page, "softmax") == ["✓ softmax: 6 of 6"]


@pytest.mark.slow
def test_what_was_loaded_works_in_flight_mode(browser, book):
    """Without its server, a page that was run runs again; when the book is built anew, the older one is let go of."""

    class Server(http.server.SimpleHTTPRequestHandler):
        build = "book"

        def do_GET(self):
            if self.path != "/flight.js":
                return super().do_GET()
            text = (book / "flight.js").read_text(encoding="utf-8").replace('BUILD = "', f'BUILD = "{self.build}')
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args):
            pass

    def serve(port=0):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Server, directory=str(book)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    server = serve()
    site, context = f"http://127.0.0.1:{server.server_port}", browser.new_context()
    page = context.new_page()
    open_exercise(page, site, WEIGHTS, "softmax")
    write(page, "softmax", SOFTMAX)
    assert check(page, "softmax") == ["✓ softmax: 6 of 6"]
    page.wait_for_selector("html[data-flight=kept]", timeout=SECONDS)
    server.shutdown()
    server.server_close()
    page.reload()
    page.wait_for_selector("#solve-softmax[data-ready=yes]", timeout=SECONDS)
    write(page, "softmax", NO_SHIFT)
    assert check(page, "softmax")[0].startswith("✗ softmax")

    Server.build = "newer"
    server = serve(server.server_port)
    names = page.evaluate("caches.keys()")
    assert len(names) == 2
    page.evaluate("navigator.serviceWorker.ready.then((it) => it.update())")
    page.wait_for_function("caches.keys().then((names) => names.every((name) => !name.startsWith('book book')))")
    assert page.evaluate("caches.keys()").count(next(name for name in names if name.startswith("python"))) == 1
    context.close()
    server.shutdown()
    server.server_close()


def test_a_page_opened_as_a_file_says_how_to_run_it(page, book):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    open_page(page, book.as_uri(), WEIGHTS)
    door(page, "softmax").locator("summary").first.click()
    assert "make read" in page.locator(".solve-lead").inner_text()
    assert door(page, "softmax").locator("pre").last.is_visible(), "the stub can be read"
    assert not page.locator(".solve-tools").count() and not errors


# ---------- every notebook ----------

ASK = """async ([module, name, notebook, packages, questions]) => {
  const { verdict } = await import(module), found = [];
  for (const [exercise, answers] of questions) {
    const began = performance.now();
    const it = await verdict({ name, notebook, exercise, answers, packages }, () => {});
    found.push({ ...it, seconds: (performance.now() - began) / 1000 });
  }
  return found;
}"""


def ask(page, site: str, name: str, questions: list[tuple[str, dict[str, str]]]) -> list[dict]:
    """The verdicts of the page's own Python on (exercise, answers), one after the other."""
    open_page(page, site, name)
    needs = page.locator(".solve-list").get_attribute("data-needs").split()
    text = notebook_of(name).read_text(encoding="utf-8")
    module = f"{site}/_static/solve/python.js"
    return page.evaluate(ASK, [module, name, text, needs, questions])


def told(verdict: dict) -> list[str]:
    """The lines of a verdict as `autograder check` has them: the cause, where there is one, in place of its result."""
    lines = [verdict["lines"][0], verdict["cause"]] if verdict["cause"] else verdict["lines"]
    return [] if verdict["solved"] else lines_of("\n".join(lines))


def wrong_entries(name: str) -> dict[str, list]:
    """The bank's wrong entries that a student's own questions can tell: exercise → entries."""
    found = {exercise: [] for exercise in exercises_of(notebook_of(name))}
    for entry in load_bank(COURSE.bank(name.split("/")[1])):
        if entry.exercise in found and not entry.is_right and not entry.hidden:
            found[entry.exercise].append(entry)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_PAGE)
def test_each_notebook_gives_the_notebook_s_verdicts(page, site, name):
    """Every reference is right, and one wrong entry of each exercise is told in the notebook's words."""
    right = references(COURSE.bank(name.split("/")[1]))
    wrong = {exercise: entries[0].source for exercise, entries in wrong_entries(name).items() if entries}
    exercises = exercises_of(notebook_of(name))
    assert wrong.keys() == set(exercises)
    questions = [(exercise, right) for exercise in exercises]
    questions += [(exercise, right | {exercise: wrong[exercise]}) for exercise in exercises]
    verdicts = ask(page, site, name, questions)
    said = said_by_check(notebook_of(name), right | wrong)
    for exercise, verdict in zip(exercises, verdicts[: len(exercises)], strict=True):
        assert verdict["solved"], (exercise, verdict)
    warm = sorted(verdict["seconds"] for verdict in verdicts[1:])
    assert warm[len(warm) // 2] < 1, f"a verdict takes {warm[len(warm) // 2]:.1f} s"
    for exercise, verdict in zip(exercises, verdicts[len(exercises) :], strict=True):
        is_right, lines = said[exercise]
        assert not is_right
        assert told(verdict) == lines, exercise


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chapters/attention/weights", "chapters/attention/heads"])
def test_a_whole_bank_gives_the_notebook_s_verdicts(page, site, name):
    """Each wrong entry is told in the notebook's words and by the sentence that names it, each right one is right."""
    chapter = name.split("/")[1]
    right, entries = references(COURSE.bank(chapter)), wrong_entries(name)
    rights = [entry for entry in load_bank(COURSE.bank(chapter)) if entry.is_right and entry.exercise in entries]
    wrongs = [entry for each in entries.values() for entry in each]
    assert len(wrongs) >= 20 and len(rights) >= 8
    questions = [(entry.exercise, right | {entry.exercise: entry.source}) for entry in wrongs + rights]
    verdicts = ask(page, site, name, questions)
    said = {}
    for number in range(max(map(len, entries.values()))):
        some = {exercise: each[number] for exercise, each in entries.items() if number < len(each)}
        checked = said_by_check(notebook_of(name), right | {exercise: entry.source for exercise, entry in some.items()})
        said |= {(entry.exercise, entry.name): checked[entry.exercise] for entry in some.values()}
    for entry, verdict in zip(wrongs, verdicts, strict=False):
        is_right, lines = said[entry.exercise, entry.name]
        assert not is_right and not verdict["solved"], entry.name
        assert told(verdict) == lines, entry.name
        assert any(entry.summary in line for line in lines), (entry.name, lines)
    for entry, verdict in zip(rights, verdicts[len(wrongs) :], strict=True):
        assert verdict["solved"], (entry.name, verdict)
