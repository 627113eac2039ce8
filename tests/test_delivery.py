"""Submissions as they really come: folders, nbgrader's trees, Canvas's and Moodle's zips, and hostile ones."""

import encodings.cp437  # noqa: F401, of names in zips: imported while it is watched, its compiled file would be seen
import io
import os
import random
import socket
import stat
import struct
import sys
import tempfile
import unicodedata
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.errors import CourseError
from autograder.files import MAX_NOTEBOOK
from autograder.handed_in import layouts, trees
from autograder.handed_in.delivery import Deliveries, Delivery, deliveries, original_stem
from autograder.handed_in.times import in_utc, read_time
from autograder.handed_in.trees import safe_id, safe_stem
from autograder.lms import canvas
from autograder.text import shown

NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
Member = tuple[str | zipfile.ZipInfo, bytes]


def zipped(*members: Member) -> bytes:
    """A zip with these members, under these very names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # two members of one name are meant
        for name, data in members:
            archive.writestr(name if isinstance(name, zipfile.ZipInfo) else named(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def named(name: str) -> zipfile.ZipInfo:
    """A plain file in a zip. Python cuts a name at its first NUL unless it is set afterwards."""
    info = zipfile.ZipInfo("cut")
    info.external_attr = 0o600 << 16
    info.filename = name
    return info


def special(name: str, kind: int) -> zipfile.ZipInfo:
    """A member that says it is a link, a pipe or a device."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o644) << 16
    return info


def tree(folder: Path, *names: str, data: bytes = NOTEBOOK) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every path under a folder with its kind and, for a file, its bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        found[str(path)] = (stat.S_IFMT(mode), path.read_bytes() if stat.S_ISREG(mode) else b"")
    return found


class Watch:
    """What Python opens, makes or moves while it is on (an audit hook: it cannot be taken off again)."""

    def __init__(self) -> None:
        self.on = False
        self.opened: list[tuple[str, int]] = []
        self.changed: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, args: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event == "open" and isinstance(args[0], str | Path):
            self.opened.append((str(args[0]), int(str(args[2]))))
        elif event in ("os.mkdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.chmod", "os.truncate"):
            self.changed.append(str(args[0]))

    def check(self, source: Path, scratch: Path) -> None:
        """All that was written lies in `scratch`; all that was read in `source` was opened with care."""
        writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        written = [*(path for path, flags in self.opened if flags & writing), *self.changed]
        assert all(Path(path).is_relative_to(scratch.parent) for path in written)
        assert any(Path(path).is_relative_to(scratch) for path in written)
        careful = os.O_NOFOLLOW | os.O_NONBLOCK
        assert all(flags & careful == careful for path, flags in self.opened if Path(path).is_relative_to(source))


WATCH = Watch()


def watched(source: Path, assignment: str, scratch: Path, **options: object) -> Deliveries:
    """`deliveries`, with every opened path looked at."""
    WATCH.opened, WATCH.changed, WATCH.on = [], [], True
    try:
        found = deliveries(source, assignment, scratch, **options)  # type: ignore[arg-type]
    finally:
        WATCH.on = False
    WATCH.check(source, scratch)
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Where deliveries may write. Around it nothing may change, and in it there are only plain files and folders."""
    place = tmp_path / "outer" / "scratch"
    yield place
    around = [path for path in (tmp_path / "outer").rglob("*") if place not in (path, *path.parents)]
    assert around == []
    for path in place.rglob("*"):
        assert stat.S_IFMT(path.lstat().st_mode) in (stat.S_IFREG, stat.S_IFDIR)
        assert path.name == unicodedata.normalize("NFC", path.name)


@pytest.fixture
def read(tmp_path: Path, scratch: Path) -> Callable[..., Deliveries]:
    """Read a source given as a zip's bytes or as a path; the source itself stays as it was."""

    def reading(source: bytes | Path, assignment: str = "attention", **options: object) -> Deliveries:
        if isinstance(source, bytes):
            path = tmp_path / "download.zip"
            path.write_bytes(source)
            return watched(path, assignment, scratch, **options)
        before = snapshot(source) if source.is_dir() else {}
        found = watched(source, assignment, scratch, **options)
        assert (snapshot(source) if source.is_dir() else {}) == before
        return found

    return reading


Read = Callable[..., Deliveries]


def names(delivery: Delivery) -> list[str]:
    """The names of the files, after a check that each is a plain file of ours."""
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in delivery.files)
    return [path.name for path in delivery.files]


def by_student(found: Deliveries) -> dict[str, Delivery]:
    students = {delivery.student: delivery for delivery in found}
    assert len(students) == len(found)
    return students


# Folders, and nbgrader's own trees


def test_a_folder_for_each_student(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann/heads.ipynb", "ann/weights.ipynb", "bob/attention/heads.ipynb", "cem/a.txt")
    (source / "dan").mkdir()
    found = by_student(read(source))
    assert list(found) == ["ann", "bob", "cem", "dan"]
    assert names(found["ann"]) == ["heads.ipynb", "weights.ipynb"]
    assert names(found["bob"]) == ["heads.ipynb"]
    assert found["ann"].files[0].read_bytes() == NOTEBOOK
    assert found["ann"].notes == ()
    assert found["cem"].files == ()
    assert found["cem"].notes == ("not notebooks, left alone: a.txt", "no notebook was handed in")


ODD = ["x_assignsubmission_file", "Jane Doe_12_assignsubmission_file_", "ann+attention+2026-11-01 10:00:00 UTC"]


@pytest.mark.parametrize("odd", [*ODD, "doejane_12_345_heads.zip", "anon_a1b2c_345_heads.zip"])
def test_one_name_like_those_of_an_lms_does_not_speak_for_the_class(tmp_path: Path, read: Read, odd: str) -> None:
    source = tree(tmp_path / "class", "ann/heads.ipynb", "bob/heads.ipynb")
    if odd.endswith(".zip"):
        tree(source, odd, data=zipped(("heads.ipynb", NOTEBOOK)))
    else:
        tree(source, f"{odd}/heads.ipynb")
    found = read(source)
    assert found.problems == ()
    assert {delivery.display_name for delivery in found} == {"ann", "bob", odd.removesuffix(".zip")}
    assert all(names(delivery) == ["heads.ipynb"] for delivery in found)


def test_what_lies_deeper_and_what_systems_leave_behind(tmp_path: Path, read: Read) -> None:
    source = tree(
        tmp_path / "class",
        *("ann/work/part/heads.ipynb", "ann/.ipynb_checkpoints/heads-checkpoint.ipynb", "ann/__MACOSX/._heads.ipynb"),
        *("ann/.DS_Store", "ann/.hidden.ipynb", "ann/data.csv", ".DS_Store", "README.txt"),
    )
    found = read(source)
    (ann,) = found
    assert names(ann) == ["heads.ipynb"]
    assert ann.notes == ("not notebooks, left alone: .hidden.ipynb, data.csv",)
    assert found.problems == ()
    assert found.notes == ("README.txt: not a notebook: not opened",)


def test_submitted(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "submitted", "ann/attention/heads.ipynb", "ann/llama/heads.ipynb", "ann/loose.ipynb")
    tree(source, "bob/llama/heads.ipynb")
    tree(source, "ann/attention/timestamp.txt", data=b"2026-02-02 15:58:23.948203 UTC\n")
    found = read(source)
    students = by_student(found)
    assert found.layout == "nbgrader's submitted/"
    assert names(students["ann"]) == ["heads.ipynb"]
    assert students["ann"].timestamp == "2026-02-02 15:58:23.948203 UTC"
    assert students["ann"].notes == ("loose.ipynb: not in the folder attention: not opened",)
    assert students["bob"].files == ()
    assert students["bob"].notes == ("no folder attention in it, only llama", "no notebook was handed in")


def test_what_nbgrader_wrote_for_another_assignment_is_left_alone(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann/llama/heads.ipynb", "ann/llama/timestamp.txt", "ann/work/weights.ipynb")
    tree(source, "bob/attention/heads.ipynb")
    ann, bob = read(source)
    assert names(ann) == ["weights.ipynb"]
    assert ann.notes == ("no folder attention in it, only llama",)
    assert names(bob) == ["heads.ipynb"]


def test_the_course_folder_stands_for_its_submitted_folder(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "course", "source/attention/heads.ipynb", "submitted/ann/attention/heads.ipynb")
    assert [delivery.student for delivery in read(source)] == ["ann"]


TIMES = [
    "2026-02-02 15:58:23.948203 UTC",
    "2026-02-02",
    "2026-02-02 15:58",
    "2026-02-02T15:58:23",
    "2026-02-02 15:58 +0100",
]


@pytest.mark.parametrize("text", [*TIMES, "tomorrow", "2026-13-02 15:58:23 UTC", "x" * 5000, ""])
def test_a_timestamp_is_kept_only_if_nbgrader_can_read_it(tmp_path: Path, read: Read, text: str) -> None:
    from nbgrader.utils import parse_utc

    source = tree(tmp_path / "class", "ann/heads.ipynb")
    tree(source, "ann/timestamp.txt", data=text.encode())
    (ann,) = read(source)
    if ann.timestamp:
        assert ann.timestamp == in_utc(text)
        assert parse_utc(ann.timestamp) == read_time(text)
    elif text:
        assert any("is not a time" in note for note in ann.notes)
    assert bool(ann.timestamp) is (text in TIMES and text != "2026-02-02")


def test_the_exchange_gives_the_latest_of_this_assignment(tmp_path: Path, read: Read) -> None:
    inbound = tmp_path / "exchange" / "inbound"
    early, late = "2026-02-02 15:58:23.948203 UTC", "2026-02-10 09:00:00.000000 UTC"
    tree(inbound, f"ann+attention+{late}+Zm9v-_==/heads.ipynb", f"ann+attention+{late}+Zm9v-_==/submission_secret.txt")
    tree(inbound, f"ann+attention+{late}+Zm9v-_==/timestamp.txt", data=late.encode())
    tree(inbound, f"ann+attention+{early}+YmFy/old.ipynb", f"a+b@uni.edu+attention+{early}/heads.ipynb")
    tree(inbound, f"ann+llama+{late}+YmF6/heads.ipynb", "thesis/heads.ipynb")
    found = read(inbound.parent)
    students = by_student(found)
    assert list(students) == ["a_b@uni.edu", "ann"]
    assert names(students["ann"]) == ["heads.ipynb"]
    assert students["ann"].timestamp == late
    assert students["ann"].notes == (f"the latest of 2: {late}",)
    assert students["a_b@uni.edu"].display_name == "a+b@uni.edu"
    assert "called a_b@uni.edu here" in students["a_b@uni.edu"].notes[0]
    assert found.notes == ("1 of llama left alone",)
    assert [problem.name for problem in found.problems] == ["thesis"]


def test_the_exchange_compares_times_in_one_zone(tmp_path: Path, read: Read) -> None:
    inbound = tree(tmp_path / "inbound", "ann+attention+2026-02-02 10:00:00.0 +0200+a/early.ipynb")
    tree(inbound, "ann+attention+2026-02-02 09:00:00.0 +0000+b/late.ipynb")
    (ann,) = read(inbound)
    assert names(ann) == ["late.ipynb"]


def test_the_exchange_notes_a_folder_of_another_account(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbound = tree(tmp_path / "inbound", "ann+attention+2026-02-02 10:00:00.0 UTC+a/heads.ipynb")
    monkeypatch.setattr(layouts, "_owner", lambda folder: "bob")
    (ann,) = read(inbound)
    assert ann.notes == ("the folder belongs to the account bob",)


def test_the_exchange_without_this_assignment_is_an_error(tmp_path: Path, read: Read) -> None:
    inbound = tree(tmp_path / "inbound", "ann+llama+2026-02-02 10:00:00.0 UTC+a/heads.ipynb")
    with pytest.raises(CourseError, match=r"inbound: no submissions of attention in it"):
        read(inbound)


# Canvas

CANVAS = (
    "doejane_12_345_heads.ipynb",
    "doejane_12_346_weights-1.ipynb",
    "doejane_12_300_weights.ipynb",
    "leeann_LATE_13_400_heads.ipynb",
    "leeann_LATE_13_401_data.csv",
    "li小龙_14_500_heads.ipynb",
    "doejane_15_600_heads.ipynb",
    "obrien_text_16_text.html",
    "anon_aB3x9_700_heads.ipynb",
    "LATE_anon_zz9Qy_701_heads.ipynb",
)


@pytest.mark.parametrize("as_folder", [False, True])
def test_canvas(tmp_path: Path, read: Read, as_folder: bool) -> None:
    if as_folder:
        found = read(tree(tmp_path / "submissions", *CANVAS))
    else:
        found = read(zipped(*((name, NOTEBOOK) for name in CANVAS)))
    students = by_student(found)
    assert found.layout == "a download from Canvas"
    assert found.problems == ()
    assert set(students) == {
        *("doejane_12", "doejane_15", "leeann_13", "li小龙_14", "obrien_text_16", "anon_aB3x9", "anon_zz9Qy")
    }
    jane = students["doejane_12"]
    assert names(jane) == ["heads.ipynb", "weights-1.ipynb", "weights.ipynb"]
    assert jane.notes == ("may be versions of one notebook, tried in this order: weights-1.ipynb, weights.ipynb",)
    assert jane.lms == {"canvas_user": "12", "canvas_file": "doejane_12_346_weights-1.ipynb"}
    assert jane.display_name == "doejane"
    assert students["leeann_13"].notes == ("late, says Canvas", "not notebooks, left alone: data.csv")
    assert students["obrien_text_16"].notes[0] == "text typed into Canvas, not a file: not opened"
    assert students["obrien_text_16"].files == ()
    assert students["anon_aB3x9"].lms == {"canvas_anonymous": "aB3x9", "canvas_file": "anon_aB3x9_700_heads.ipynb"}
    assert students["anon_zz9Qy"].notes == ("late, says Canvas",)


def test_canvas_numbers_in_file_names_are_the_files_own(read: Read) -> None:
    found = read(zipped(("doejane_12_345_hw_1_2_heads.ipynb", NOTEBOOK), ("a_b1_13_346_x.ipynb", NOTEBOOK)))
    students = by_student(found)
    assert names(students["doejane_12"]) == ["hw_1_2_heads.ipynb"]
    assert names(students["a_b1_13"]) == ["x.ipynb"]


def test_canvas_two_names_with_one_number_are_not_merged(read: Read) -> None:
    found = read(zipped(("ann_12_345_heads.ipynb", NOTEBOOK), ("bob_12_346_heads.ipynb", NOTEBOOK)))
    students = by_student(found)
    assert list(students) == ["ann_12", "bob_12"]
    assert students["ann_12"].notes == ("the number 12 stands on files of bob_12, too: whose are they?",)


def test_canvas_names_that_are_not_canvas_names_are_problems(read: Read) -> None:
    strays = ("heads.ipynb", "folder/doejane_12_346_heads.ipynb", "notes.pdf")
    found = read(zipped(("doejane_12_345_heads.ipynb", NOTEBOOK), *((name, NOTEBOOK) for name in strays)))
    assert [delivery.student for delivery in found] == ["doejane_12"]
    assert [problem.name for problem in found.problems] == ["folder", "heads.ipynb"]
    assert found.problems[0].why == "not named as Canvas names a submission"
    assert found.notes == ("notes.pdf: not a notebook: not opened",)


def test_canvas_a_student_may_hand_in_a_zip(read: Read) -> None:
    inner = zipped(("work/heads.ipynb", b"inner"), ("work/inner.zip", zipped(("x.ipynb", NOTEBOOK))), ("a.png", b""))
    found = read(zipped(("doejane_12_345_all.zip", inner), ("doejane_12_340_heads.ipynb", b"older")))
    (jane,) = found
    assert [path.read_bytes() for path in jane.files] == [b"inner", b"older"]
    assert jane.notes == (
        "may be versions of one notebook, tried in this order: all.zip/work/heads.ipynb, heads.ipynb",
        "not notebooks, left alone: all.zip/a.png, all.zip/work/inner.zip",
    )


def test_part_2_is_no_version_where_it_is_a_notebook_of_the_assignment(read: Read) -> None:
    source = zipped(("doejane_12_345_part-1.ipynb", NOTEBOOK), ("doejane_12_346_part-2.ipynb", NOTEBOOK))
    assert "may be versions" in next(iter(read(source))).notes[0]
    (jane,) = read(source, notebooks=("part-1", "part-2"))
    assert jane.notes == ()
    assert names(jane) == ["part-1.ipynb", "part-2.ipynb"]


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        *(("heads", ("heads", 0)), ("heads-1", ("heads", 1)), ("heads-12", ("heads", 12)), ("heads (3)", ("heads", 3))),
        *(("heads(3)", ("heads", 3)), ("heads-Copy1", ("heads", 1)), ("week-2026", ("week-2026", 0))),
        ("heads-0b9f6f6e-9d1c-4d52-8f53-0123456789ab", ("heads", 1)),
    ],
)
def test_counters(stem: str, expected: tuple[str, int]) -> None:
    assert original_stem(stem) == expected


# Moodle

MOODLE = (
    "Jane Doe_678_assignsubmission_file_/heads.ipynb",
    "Jane Doe_678_assignsubmission_file_/deeper/weights.ipynb",
    "Jane Doe_678_assignsubmission_onlinetext_/onlinetext.html",
    "Jane Doe_679_assignsubmission_file_/heads.ipynb",
    "Bob Ray_680_assignsubmission_onlinetext/onlinetext.html",
    "李 小龙_681_assignsubmission_file/heads.ipynb",
    "Default group_assignsubmission_file/heads.ipynb",
)


@pytest.mark.parametrize("as_folder", [False, True])
def test_moodle(tmp_path: Path, read: Read, as_folder: bool) -> None:
    if as_folder:
        found = read(tree(tmp_path / "COURSE-attention-12", *MOODLE))
    else:
        found = read(zipped(*((name, NOTEBOOK) for name in MOODLE)))
    students = by_student(found)
    assert found.layout == "a download from Moodle"
    assert set(students) == {"Jane_Doe_678", "Jane_Doe_679", "Bob_Ray_680", "李_小龙_681", "Default_group"}
    jane = students["Jane_Doe_678"]
    assert names(jane) == ["heads.ipynb", "weights.ipynb"] or names(jane) == ["weights.ipynb", "heads.ipynb"]
    assert jane.notes == ("onlinetext: not a file: not opened",)
    assert jane.lms == {"moodle_participant": "678"}
    assert jane.display_name == "Jane Doe"
    assert students["Bob_Ray_680"].files == ()
    assert students["Bob_Ray_680"].notes == ("onlinetext: not a file: not opened", "no notebook was handed in")
    assert students["Default_group"].lms == {}
    assert "a group's submission?" in students["Default_group"].notes[0]


def test_moodle_without_folders(read: Read) -> None:
    found = read(
        zipped(
            ("Jane Doe_678_assignsubmission_file_heads.ipynb", NOTEBOOK),
            ("Jane Doe_678_assignsubmission_file_my_weights_2.ipynb", NOTEBOOK),
            ("Jane Doe_678_assignsubmission_onlinetext_onlinetext.html", b""),
            ("worksheet.csv", b""),
        )
    )
    (jane,) = found
    assert jane.student == "Jane_Doe_678"
    assert names(jane) == ["heads.ipynb", "my_weights_2.ipynb"]
    assert found.notes == ("worksheet.csv: not a notebook: not opened",)


def test_moodle_a_student_may_hand_in_a_zip_and_a_time_of_his_own_is_no_time(read: Read) -> None:
    inner = zipped(("heads.ipynb", NOTEBOOK), ("timestamp.txt", b"2000-01-01 00:00:00 UTC"))
    found = read(zipped(("Jane Doe_678_assignsubmission_file_/mine.ZIP", inner)))
    (jane,) = found
    assert names(jane) == ["heads.ipynb"]
    assert jane.timestamp == ""


@pytest.mark.parametrize("wrapper", ["submissions/", "My Download/"])
def test_a_folder_around_it_all_is_looked_through(tmp_path: Path, read: Read, wrapper: str) -> None:
    moodle = read(zipped(*((wrapper + name, NOTEBOOK) for name in MOODLE)))
    assert moodle.layout == "a download from Moodle"
    canvas = read(tree(tmp_path / "unpacked", *(wrapper + name for name in CANVAS)))
    assert canvas.layout == "a download from Canvas"
    plain = read(zipped((wrapper + "ann/heads.ipynb", NOTEBOOK), (wrapper + "bob/heads.ipynb", NOTEBOOK)))
    assert [delivery.student for delivery in plain] == ["ann", "bob"]
    one = read(zipped((wrapper + "ann/attention/heads.ipynb", NOTEBOOK)))
    assert [delivery.student for delivery in one] == ["ann"]
    student = read(zipped(("ann/heads.ipynb", NOTEBOOK)))
    assert [delivery.student for delivery in student] == ["ann"]


def test_a_zip_for_each_student(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann.zip", data=zipped(("ann/heads.ipynb", NOTEBOOK)))
    tree(source, "canvas.zip", data=zipped(("doejane_12_345_heads.ipynb", NOTEBOOK)))
    tree(source, "bob.zip", data=b"PK\x03\x04 cut short")
    tree(source, "cem.ipynb")
    found = read(source)
    students = by_student(found)
    assert list(students) == ["ann", "bob"]
    assert names(students["ann"]) == ["heads.ipynb"]
    assert students["bob"].notes == (
        "bob.zip: not a zip that can be read: hand it in again",
        "no notebook was handed in",
    )
    assert {problem.name: problem.why for problem in found.problems} == {
        "canvas.zip": "looks like the download of a whole class: give this zip by itself",
        "cem.ipynb": "whose is it? Put it into a folder with the student's name, or say with --names how the files are "
        "named, as in --names '{student}_{file}'",
    }


# Sources that cannot be read at all: one line that names the file and the mend


def test_a_source_that_is_none(tmp_path: Path, read: Read) -> None:
    whole = zipped(("ann/heads.ipynb", NOTEBOOK))
    cases = {
        "missing": None,
        "heads.ipynb": NOTEBOOK,
        "text.zip": b"not a zip at all",
        "nothing.zip": b"",
        "empty.zip": zipped(),
        "truncated.zip": whole[: len(whole) // 2],
        "headless.zip": whole[-60:],
        "badname.zip": zipped(("é/heads.ipynb", NOTEBOOK)).replace("é".encode(), b"\xff\xfe"),
    }
    said = {}
    for name, data in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(CourseError) as error:
            read(path)
        said[name] = str(error.value).removeprefix(str(path))
        assert "\n" not in said[name]
    not_whole = ": not a whole zip: download it again, or give a folder"
    assert said == {
        "missing": ": no such folder or zip",
        "heads.ipynb": ": one notebook: give the folder or zip of the class, or use `autograder check`",
        "text.zip": not_whole,
        "nothing.zip": not_whole,
        "empty.zip": ": the zip is empty: download it again",
        "truncated.zip": not_whole,
        "headless.zip": not_whole,
        "badname.zip": not_whole,
    }
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CourseError, match="pipe: not a regular file"):
        read(tmp_path / "pipe")


def test_a_folder_without_students(tmp_path: Path, read: Read) -> None:
    (tmp_path / "class").mkdir()
    with pytest.raises(CourseError, match="no submissions of attention in it: give the folder with the students"):
        read(tmp_path / "class")
    tree(tmp_path / "flat", "heads.ipynb", "weights.ipynb")
    with pytest.raises(CourseError, match=r"heads.ipynb: whose is it\? Put it into a folder .* \(and 1 more like it\)"):
        read(tmp_path / "flat")
    tree(tmp_path / "downloads", "canvas.zip", data=zipped(("doejane_12_345_heads.ipynb", NOTEBOOK)))
    with pytest.raises(CourseError, match=r"canvas.zip: looks like the download of a whole class: give this zip by"):
        read(tmp_path / "downloads")


def test_scratch_must_not_lie_among_the_submissions(tmp_path: Path) -> None:
    source = tree(tmp_path / "class", "ann/heads.ipynb")
    with pytest.raises(CourseError, match="lies among the submissions"):
        deliveries(source, "attention", source / "scratch")
    assert not (source / "scratch").exists()


def test_two_runs_in_one_scratch_do_not_meet(tmp_path: Path, scratch: Path) -> None:
    source = tree(tmp_path / "class", "ann/heads.ipynb")
    first, second = (deliveries(source, "attention", scratch).students[0].files[0] for _ in range(2))
    assert first != second
    assert first.read_bytes() == second.read_bytes() == NOTEBOOK


def test_a_full_disk_is_nobodys_fault(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tree(tmp_path / "class", "ann/heads.ipynb")
    real = Path.open

    class Full(io.FileIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    def no_room(self: Path, mode: str = "r", *rest: object, **options: object) -> object:
        return Full(str(self), "xb") if mode == "xb" else real(self, mode, *rest, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", no_room)
    with pytest.raises(
        CourseError, match=r"heads.ipynb: cannot be written \(No space left on device\): free some room"
    ):
        deliveries(source, "attention", scratch)


# Hostile folders


def test_links_pipes_sockets_and_devices_are_named_and_never_opened(tmp_path: Path, scratch: Path) -> None:
    secret = tmp_path / "secret.ipynb"
    secret.write_text("the answers")
    source = tree(tmp_path / "class", "ann/good.ipynb", "bob/heads.ipynb")
    (source / "ann" / "link.ipynb").symlink_to(secret)
    (source / "ann" / "dangling.ipynb").symlink_to(tmp_path / "nowhere")
    (source / "ann" / "folder").symlink_to(tmp_path)
    (source / "ann" / "loop").symlink_to(source / "ann")
    os.mkfifo(source / "ann" / "pipe.ipynb")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(source / "ann" / "socket.ipynb"))
        (source / "cem").symlink_to(source / "bob")
        (source / "bob" / "attention").symlink_to(source / "ann")
        found = watched(source, "attention", scratch)
    students = by_student(found)
    assert names(students["ann"]) == ["good.ipynb"]
    assert students["ann"].notes == (
        *(f"{name}: a link: not followed" for name in ("dangling.ipynb", "folder", "link.ipynb", "loop")),
        *(
            f"{name}: not a regular file (a pipe, a socket or a device): not opened"
            for name in ("pipe.ipynb", "socket.ipynb")
        ),
    )
    assert names(students["bob"]) == ["heads.ipynb"]
    assert students["bob"].notes == ("attention: a link: not followed",)
    assert [(problem.name, problem.why) for problem in found.problems] == [("cem", "a link: not followed")]
    assert all(b"answers" not in path.read_bytes() for path in scratch.rglob("*.ipynb"))


def test_what_may_not_be_read_costs_its_student_only(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tree(tmp_path / "class", "ann/heads.ipynb", "bob/heads.ipynb", "cem/heads.ipynb")
    really_open, really_list = os.open, Path.iterdir

    def no_open(path: object, *rest: object, **options: object) -> int:
        if str(path).endswith("ann/heads.ipynb"):
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, *rest, **options)  # type: ignore[arg-type]

    def no_list(self: Path) -> Iterator[Path]:
        if self.name == "bob":
            raise PermissionError(13, "Permission denied", str(self))
        return really_list(self)

    monkeypatch.setattr(trees.os, "open", no_open)
    monkeypatch.setattr(Path, "iterdir", no_list)
    students = by_student(deliveries(source, "attention", tmp_path / "outer" / "scratch"))
    assert students["ann"].notes[0] == "heads.ipynb: cannot be read (Permission denied)"
    assert students["bob"].notes[0] == "cannot be looked into (Permission denied)"
    assert names(students["cem"]) == ["heads.ipynb"]


@pytest.mark.parametrize(
    ("folder", "student"),
    [
        *(("-rf", "rf"), ("a+b", "a_b"), ("two\nlines", "twolines"), ("x\u202eevil", "xevil"), ("..dots", None)),
        *((".hidden", None), ("CON", "CON_"), ("a, b", "a__b"), ("[ab]*", "_ab__"), ("José", "José"), ("ann ", "ann")),
    ],
)
def test_odd_folder_names(tmp_path: Path, read: Read, folder: str, student: str | None) -> None:
    source = tree(tmp_path / "class", f"{folder}/heads.ipynb", "zoe/heads.ipynb")
    found = read(source)
    if student is None:
        assert [problem.why for problem in found.problems] == ["a hidden folder: rename it if it is a student's"]
    else:
        odd = by_student(found)[student]
        assert names(odd) == ["heads.ipynb"]
        assert (student == folder) or any(note.startswith(f"called {student} here") for note in odd.notes)
    assert "zoe" in by_student(found)


def test_names_that_meet_on_other_systems_stay_apart(tmp_path: Path, read: Read) -> None:
    composed, decomposed = "Jos\u00e9", "Jose\u0301"
    source = tree(
        tmp_path / "class", *(f"{name}/heads.ipynb" for name in ("Ann", "ann", composed, decomposed, "a b", "a_b"))
    )
    found = by_student(read(source))
    assert len(found) == 6
    assert {"Ann", composed, "a_b"} <= found.keys()
    assert len({unicodedata.normalize("NFKC", student).casefold() for student in found}) == 6
    again = by_student(read(source))
    assert list(again) == list(found)


def test_one_student_twice_is_asked_about(tmp_path: Path, read: Read) -> None:
    folders = ("Ann", "ann", "bob", "bob (1)", "cem", "cem - Copy", "group-1", "group-2", "dora (2)")
    found = read(tree(tmp_path / "class", *(f"{name}/heads.ipynb" for name in folders)))
    asked = {note.partition(":")[0] for note in found.notes if "one student twice?" in note}
    assert asked == {"Ann and ann", "bob and bob (1)", "cem and cem - Copy"}
    assert len(found) == len(folders), "nothing is guessed"


def test_a_folder_above_the_class_is_no_student(tmp_path: Path, read: Read) -> None:
    """`grade sample` instead of `grade sample/class`: the class was graded as one student."""
    three = ("ann", "bob", "cem")
    students = tree(tmp_path / "all", *(f"class/{name}/{book}.ipynb" for name in three for book in "ab"))
    tree(students, *(f"old/canvas/{name}" for name in CANVAS))
    tree(students, *(f"dora/try{n}/a.ipynb" for n in (1, 2, 3)))
    tree(students, *(f"eve/{place}/a.ipynb" for place in ("old", "new", "final copy")))
    tree(students, *(f"finn/{place}/a.ipynb" for place in ("mine", "backup")))
    found = read(students)
    assert set(by_student(found)) == {"dora", "eve", "finn"}
    assert {problem.name: problem.why for problem in found.problems} == {
        "class": "looks like the folder of a whole class: give this folder by itself",
        "old": "looks like the download of a whole class: give this folder by itself",
    }
    zip_of_it = read(zipped(*((f"My Class/class/{name}/a.ipynb", NOTEBOOK) for name in three)))
    assert set(by_student(zip_of_it)) == set(three)


def test_too_much_costs_its_student_only(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_FILES", 20)
    monkeypatch.setattr(
        trees.Budget, "__init__", lambda self: setattr(self, "bytes", 500) or setattr(self, "files", 20)
    )
    source = tree(tmp_path / "class", *(f"many/{n}.txt" for n in range(100)), "zoe/heads.ipynb")
    tree(source, *(f"large/{n}.ipynb" for n in range(100)))
    deep = source / "deep"
    for _ in range(trees.MAX_DEPTH + 3):
        deep = deep / "d"
    tree(deep, "heads.ipynb")
    found = by_student(read(source))
    assert "more than 20 files: the rest was not looked at" in found["many"].notes
    assert len(found["large"].files) == 500 // len(NOTEBOOK)
    assert any("MiB in all" in note for note in found["large"].notes)
    assert any(f"more than {trees.MAX_DEPTH} folders deep" in note for note in found["deep"].notes)
    assert names(found["zoe"]) == ["heads.ipynb"]


def test_a_notebook_of_more_than_20_mib_is_refused(tmp_path: Path, read: Read) -> None:
    source = tree(tmp_path / "class", "ann/small.ipynb")
    with (source / "ann" / "large.ipynb").open("wb") as file:
        file.truncate(MAX_NOTEBOOK + 1)  # sparse
    with (source / "ann" / "largest.ipynb").open("wb") as file:
        file.truncate(MAX_NOTEBOOK)
    (ann,) = deliveries(source, "attention", tmp_path / "outer" / "scratch")
    assert names(ann) == ["largest.ipynb", "small.ipynb"]
    assert ann.notes == ("large.ipynb: larger than 20 MiB: leave out data and outputs",)


def test_a_folder_of_too_many_entries_is_not_looked_into(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "MAX_ENTRIES", 10)
    source = tree(tmp_path / "class", *(f"many/{n}.ipynb" for n in range(11)), "zoe/heads.ipynb")
    found = by_student(read(source))
    assert found["many"].notes[0] == "more than 10 files in one folder: not looked into"
    assert names(found["zoe"]) == ["heads.ipynb"]


# Hostile zips


def student_with(read: Read, inner: bytes) -> Delivery:
    """One student's zip in a class of two; the other must not notice."""
    found = read(zipped(("doejane_12_345_mine.zip", inner), ("zoe_13_346_heads.ipynb", NOTEBOOK)))
    assert found.problems == ()
    students = by_student(found)
    assert names(students["zoe_13"]) == ["heads.ipynb"]
    assert students["zoe_13"].notes == ()
    return students["doejane_12"]


@pytest.mark.parametrize(
    "name",
    [
        "/etc/evil.ipynb",
        "../../evil.ipynb",
        "a/../../evil.ipynb",
        "C:\\evil.ipynb",
        "\\\\host\\evil.ipynb",
        "..\\evil.ipynb",
    ],
)
def test_paths_that_lead_out_are_refused(read: Read, name: str) -> None:
    jane = student_with(read, zipped((name, NOTEBOOK), ("good.ipynb", NOTEBOOK)))
    assert names(jane) == ["good.ipynb"]
    assert any("its path leads out of the zip: not opened" in note for note in jane.notes)
    outer = read(zipped((name, NOTEBOOK), ("zoe_13_346_heads.ipynb", NOTEBOOK)))
    assert [delivery.student for delivery in outer] == ["zoe_13"]
    assert any("evil.ipynb" in problem.name or problem.name in ("etc", "a", "host", "C:") for problem in outer.problems)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_special_members_are_refused(read: Read, kind: int) -> None:
    jane = student_with(read, zipped((special("heads.ipynb", kind), b"/etc/passwd"), ("good.ipynb", NOTEBOOK)))
    assert names(jane) == ["good.ipynb"]
    why = (
        "a link: not followed"
        if kind == stat.S_IFLNK
        else "not a regular file (a pipe, a socket or a device): not opened"
    )
    assert jane.notes == (f"mine.zip/heads.ipynb: {why}",)
    found = read(
        zipped((special("doejane_12_345_heads.ipynb", kind), b"/etc/passwd"), ("zoe_13_346_h.ipynb", NOTEBOOK))
    )
    assert by_student(found)["doejane_12"].files == ()
    assert by_student(found)["doejane_12"].notes[0] == f"heads.ipynb: {why}"


def test_a_password_is_said(read: Read) -> None:
    plain = bytearray(zipped(("heads.ipynb", NOTEBOOK)))
    directory = plain.index(b"PK\x01\x02")
    plain[6] |= 1
    plain[directory + 8] |= 1
    jane = student_with(read, bytes(plain))
    assert jane.notes[0] == "mine.zip/heads.ipynb: locked with a password: hand it in without one"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_cannot_be_read_in_bounded_memory_are_refused(read: Read, method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("heads.ipynb", bytes(10**6))
    jane = student_with(read, buffer.getvalue())
    assert jane.notes[0] == "mine.zip/heads.ipynb: packed in an unusual way: hand in an ordinary zip"


def test_bombs_are_counted_while_reading(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.handed_in.delivery.MAX_NOTEBOOK", 2**20)
    bomb = zipped(("bomb.ipynb", bytes(2**20 + 1)), ("heads.ipynb", NOTEBOOK))
    assert len(bomb) < 5000
    jane = student_with(read, bomb)
    assert names(jane) == ["heads.ipynb"]
    assert jane.notes == ("mine.zip/bomb.ipynb: larger than 1 MiB: leave out data and outputs",)


def test_a_bomb_that_lies_about_its_size(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.handed_in.delivery.MAX_NOTEBOOK", 2**20)
    bomb = bytearray(zipped(("bomb.ipynb", bytes(2**22))))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", bomb, bomb.index(signature) + at, 10)
    jane = student_with(read, bytes(bomb))
    assert jane.files == ()
    assert jane.notes[0].startswith("mine.zip/bomb.ipynb: ")


def test_many_bombs_spend_the_students_budget(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    real = trees.Budget.__init__
    monkeypatch.setattr(trees.Budget, "__init__", lambda self: real(self, bytes=5 * 2**20))
    inner = zipped(*((f"{n:02}.ipynb", bytes(2**20)) for n in range(50)))
    jane = student_with(read, inner)
    assert len(jane.files) == 4
    assert "more than 100 MiB in all: hand in the notebooks alone" in jane.notes


def test_overlapping_members_are_counted_too(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry of the table points at the same data, as in the bombs that grow without bound."""
    one = zipped(("heads.ipynb", bytes(2**20)))
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    entry = one[start:end]
    many = (
        one[:start] + entry * 300 + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 300, 300, len(entry) * 300, start, 0)
    )
    real = trees.Budget.__init__
    monkeypatch.setattr(trees.Budget, "__init__", lambda self: real(self, bytes=5 * 2**20))
    jane = student_with(read, many)
    assert len(jane.files) <= 5


@pytest.mark.parametrize("hidden_in_the_comment", [False, True])
def test_a_table_of_contents_without_end_is_not_read(read: Read, hidden_in_the_comment: bool) -> None:
    inner = bytearray(zipped(*((f"{'n' * 200}{i}", b"") for i in range(6000))))
    assert inner[-22:-18] == b"PK\x05\x06"
    if hidden_in_the_comment:  # a second end record, with a small table, inside the first
        struct.pack_into("<4s", inner, len(inner) - 18, b"PK\x05\x06")
    jane = student_with(read, bytes(inner))
    assert jane.notes[0] == "mine.zip: too many files in it: hand in the notebooks alone"


def test_many_members_in_a_students_zip(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    jane = student_with(read, zipped(*((f"{i}.txt", b"") for i in range(trees.MAX_FILES + 10))))
    assert f"more than {trees.MAX_FILES} files: the rest was not looked at" in jane.notes
    assert len(jane.notes) < 20


def test_many_members_in_the_zip_of_the_class(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_MEMBERS", 3)
    with pytest.raises(CourseError, match=r"download.zip: 4 files in it: is it the download of one assignment"):
        read(zipped(*((f"ann/{n}.ipynb", NOTEBOOK) for n in range(4))))


def test_members_of_one_name_are_all_kept_the_last_first(read: Read) -> None:
    jane = student_with(read, zipped(("heads.ipynb", b"first"), ("heads.ipynb", b"second"), ("HEADS.ipynb", b"third")))
    assert sorted(path.read_bytes() for path in jane.files) == [b"first", b"second", b"third"]
    contents = [path.read_bytes() for path in jane.files]
    assert contents.index(b"second") < contents.index(b"first")
    assert len({str(path).casefold() for path in jane.files}) == 3


def test_damaged_members_cost_themselves_only(read: Read) -> None:
    inner = bytearray(zipped(("heads.ipynb", NOTEBOOK * 50), ("weights.ipynb", NOTEBOOK)))
    inner[45] ^= 0xFF
    jane = student_with(read, bytes(inner))
    assert names(jane) == ["weights.ipynb"]
    assert jane.notes == ("mine.zip/heads.ipynb: damaged in the zip: hand it in again",)


@pytest.mark.parametrize("inner", [b"", b"text", zipped(("heads.ipynb", NOTEBOOK))[:-30], b"PK\x05\x06" + bytes(18)])
def test_zips_of_students_that_are_none(read: Read, inner: bytes) -> None:
    jane = student_with(read, inner)
    assert jane.files == ()
    assert jane.notes[-1] == "no notebook was handed in"


def test_names_in_utf8_without_the_flag_and_in_cp437(read: Read) -> None:
    utf8 = bytearray(zipped(("李/heads.ipynb", NOTEBOOK), ("x/y.ipynb", NOTEBOOK)))
    assert utf8.count("李".encode()) == 2
    for signature, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        utf8[utf8.index(signature) + at] &= ~0x08
    assert "李" in by_student(read(bytes(utf8)))
    cp437 = bytearray(zipped(("Zo__/heads.ipynb", NOTEBOOK), ("x/y.ipynb", NOTEBOOK)))
    assert "Zoë_" in by_student(read(bytes(cp437.replace(b"Zo__", b"Zo\x89_"))))


def test_windows_separators(read: Read) -> None:
    found = read(zipped(("ann\\work\\heads.ipynb", NOTEBOOK), ("bob\\heads.ipynb", NOTEBOOK)))
    assert {delivery.student: names(delivery) for delivery in found} == {"ann": ["heads.ipynb"], "bob": ["heads.ipynb"]}


def test_control_and_bidi_marks_and_length(read: Read) -> None:
    long = "n" * 5000
    members = ((f"a\u202eb\x07c\n{long}.ipynb", NOTEBOOK), ("a\u2066/nul.ipynb", NOTEBOOK), ("a\tb.txt", b""))
    jane = student_with(read, zipped(*members))
    assert len(jane.files) == 2
    for path in jane.files:
        assert path.name.isprintable()
        assert len(path.name.encode()) < 255
    assert all(note.isprintable() and len(note) < 400 for note in jane.notes)
    found = read(zipped((f"a\u202e{long}/heads.ipynb", NOTEBOOK), ("b\x00c/heads.ipynb", NOTEBOOK)))
    for delivery in found:
        assert delivery.student.isprintable()
        assert len(delivery.student) < 128
        assert delivery.display_name.isprintable()
        assert delivery.notes[0].isprintable()


def test_a_zip_that_zipfile_cannot_take_apart(read: Read) -> None:
    """Wrecked zips of every sort: an answer in words, whatever the wreck."""
    whole = zipped(("heads.ipynb", NOTEBOOK * 20), ("w/weights.ipynb", NOTEBOOK), ("李.ipynb", NOTEBOOK))
    rng = random.Random(0)
    for _ in range(300):
        wreck = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            wreck[rng.randrange(len(wreck))] = rng.randrange(256)
        jane = student_with(read, bytes(wreck))
        assert len(jane.files) + len(jane.notes) > 0


# Names, any names

NAMES = st.text(min_size=1, max_size=300)


@given(NAMES)
@settings(max_examples=300)
def test_a_safe_id_is_safe_and_stable(name: str) -> None:
    made = safe_id(name)
    assert made
    assert made.isprintable()
    assert len(made) <= 90
    assert len(made.encode()) <= 200
    assert not set(made) & set('/\\+*?[]<>:"|, \n\0')
    assert made[0] not in "-."
    assert not made.endswith(".")
    assert made == unicodedata.normalize("NFC", made)
    assert safe_id(made) == made
    assert shown(name).isprintable()


@given(NAMES)
@settings(max_examples=200)
def test_a_safe_file_name_can_be_written(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{safe_stem(name)}.ipynb"
        path.write_bytes(NOTEBOOK)
        assert [entry.name for entry in Path(folder).iterdir()] == [path.name]


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=6))
@example([("\0", "heads")])
@example([("\0", "\0"), ("a\0b", "\0")])
@example([(".0", "0"), (".0", "0")])
@example([("a", ".0"), ("a", ".1"), ("a", ".2")])
@settings(max_examples=60)
def test_whatever_the_names_nothing_is_lost_or_written_elsewhere(pairs: list[tuple[str, str]]) -> None:
    """Every notebook of a class's zip ends in a student's files, in a student's notes, or in a problem."""
    members = [(f"{student}/{name}.ipynb", f"{i}".encode()) for i, (student, name) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as folder:
        source, scratch = Path(folder) / "class.zip", Path(folder) / "outer" / "scratch"
        source.write_bytes(zipped(*members, ("zoe/heads.ipynb", NOTEBOOK), ("yan/heads.ipynb", NOTEBOOK)))
        found = deliveries(source, "attention", scratch)
        assert set(Path(folder).iterdir()) == {source, Path(folder) / "outer"}
        assert set((Path(folder) / "outer").iterdir()) == {scratch}
        files = [path for delivery in found for path in delivery.files]
        assert len(files) == len(set(files))
        kept = {path.read_bytes() for path in files}
        problems = {problem.name for problem in found.problems}
        lost = [name for name, content in members if content not in kept and shown(top(name)) not in problems]
        notes = [*found.notes, *(note for delivery in found for note in delivery.notes)]
        assert len(lost) <= sum(1 + note.count(", ") for note in notes), "a note tells of one file or lists several"


def top(name: str) -> str:
    """The first folder of a member, or the file itself."""
    return next(part for part in name.replace("\\", "/").split("/") if part not in ("", ".", ".."))


@given(st.from_regex(r"\A[\w.' -]{1,30}\Z"), st.integers(1, 10**7), st.integers(1, 10**9), st.booleans(), NAMES)
@settings(max_examples=100)
def test_canvas_names_are_taken_apart_as_canvas_puts_them_together(
    name: str, user: int, attachment: int, late: bool, file: str
) -> None:
    """The rules of content_zipper.rb: no inner `_digits_` in the name, word characters only, lower case."""
    token = "".join(c for c in name.lower() if c.isalnum() or c == "_")
    token = "".join(part for part in token.split("_"))
    member = f"{token}{'_LATE' if late else ''}_{user}_{attachment}_{file}"
    match = canvas.CANVAS.fullmatch(member)
    assert match is not None
    assert (match["name"], match["user"], match["attachment"], match["file"]) == (
        token,
        str(user),
        str(attachment),
        file,
    )
    assert bool(match["late"]) is late
