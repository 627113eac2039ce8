"""What crosses between a test and a student's code: every kind of value, there and back, through the real processes."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import autograder
from autograder.commands import app
from autograder.engine import sandbox, streams
from autograder.engine.engine import Engine
from autograder.engine.jobs import Job
from autograder.engine.limits import Limits
from autograder.engine.pools import EngineOptions, Engines
from autograder.engine.processes import Child, EngineError, Libraries
from autograder.notebook.rebuild import imports_of
from autograder.results import CellResult, Run

pytestmark = pytest.mark.skipif(not sandbox.probe().safe(), reason="this machine offers no sandbox")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(["numpy", "torch"], Limits.for_notebook(30)) as made:
        yield made


def converse(engine: Engine, student: str, test: str, given: str = "", names: tuple[str, ...] = ("f",)) -> Run:
    """Run one test against one answer; `given` is in the notebook for both."""
    plain = [{"kind": "cell", "id": "given", "source": given}] if given else []
    job = Job(
        items=[*plain, {"kind": "cell", "id": "answer", "source": student}, {"kind": "test", "id": "t"}],
        given=[{"id": "given", "source": given}] if given else [],
        tests=[{"id": "t", "source": test}],
        names=names,
    )
    return engine.run(job)


def passes(run: Run) -> None:
    wrong = [(c.id, c.error, c.message) for c in run.cells.values() if not c.passed]
    assert not wrong, wrong


SAME = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    "value",
    [
        "None", "True", "-7", "2**80", "1.5", "float('inf')", "1e-320", "1 + 2j", "'酒店🙂'", "'\\ud800'",
        "b'\\x00\\xff'", "bytearray(b'ab')", "[1, [2, 'x']]", "(1, (2,))", "{'a': [1], 2: (3,)}", "{1, 2}",
        "frozenset({3})", "range(2, 9, 3)", "slice(1, None, 2)", "...",
        "np.arange(6).reshape(2, 3)", "np.float32(0.1)", "np.zeros((0, 3))", "np.array(['a', 'bc'])",
        "np.array([1, None, 'x'], dtype=object)", "np.array(3.0)", "np.ones((2, 2), dtype=np.complex64)",
        "np.ones(3, dtype='>i4')", "np.dtype('float16')",
        "torch.arange(6).reshape(2, 3)", "torch.ones(2, dtype=torch.bfloat16)", "torch.tensor(True)",
        "torch.float64", "torch.zeros(0, 2)",
    ],
)  # fmt: skip
def test_a_value_comes_back_as_it_went(engine: Engine, value: str) -> None:
    test = f"""
import numpy as np, torch
want, got = {value}, f({value})
assert type(got) is type(want), f"{{type(got)}} for {{type(want)}}"
same = (torch.equal(got, want) if isinstance(want, torch.Tensor) else
        got.dtype == want.dtype and got.shape == want.shape and got.tolist() == want.tolist()
        if isinstance(want, (np.ndarray, np.generic)) else got == want)
assert same, f"{{got!r}} for {{want!r}}"
"""
    passes(converse(engine, SAME, test))


def test_nan_and_a_copy_of_ones_own(engine: Engine) -> None:
    test = """
import math
assert math.isnan(f(float("nan")))
import numpy as np
a = np.zeros(3)
b = f(a)
b[0] = 1
assert a[0] == 0
"""
    passes(converse(engine, SAME, test))


def test_a_generator_comes_back_advanced(engine: Engine) -> None:
    student = "def f(rng, r):\n    return rng.normal(size=3), r.random()\n"
    test = """
import numpy as np, random
mine, yours = np.random.default_rng(5), np.random.default_rng(5)
r, s = random.Random(1), random.Random(1)
first, second = f(yours, r)
assert np.array_equal(first, mine.normal(size=3)) and second == s.random()
assert yours.normal() == mine.normal() and r.random() == s.random()
"""
    passes(converse(engine, student, test))


def test_callbacks_iterators_and_lent_objects(engine: Engine) -> None:
    student = """
def f(callback, numbers, model):
    total = 0
    for n in numbers:
        total += callback(n)
        if total > 10:
            break
    model.train()
    return total, model(3), model.name
"""
    test = """
taken = []
def numbers():
    for n in range(1000):
        taken.append(n)
        yield n
class Stub:
    name = "stub"
    def __init__(self):
        self.calls = []
    def train(self):
        self.calls.append("train")
        return self
    def __call__(self, x):
        return x + 1
stub = Stub()
assert f(lambda n: n * n, numbers(), stub) == (14, 4, "stub")
assert taken == [0, 1, 2, 3], f"an iterator is pulled item by item, {taken}"
assert stub.calls == ["train"]
"""
    passes(converse(engine, student, test))


def test_objects_of_the_students_class(engine: Engine) -> None:
    student = """
class f:
    kind = "counter"
    def __init__(self, start=0):
        self.n = start
    def add(self, k):
        self.n += k
        return self
    def __len__(self):
        return self.n
    def __getitem__(self, i):
        return i * self.n
    def __iter__(self):
        return iter(range(self.n))
    @property
    def double(self):
        return 2 * self.n
"""
    test = """
c = f(2)
assert c.add(3).n == 5 and len(c) == 5 and c[2] == 10 and list(c) == [0, 1, 2, 3, 4] and c.double == 10
assert f.kind == "counter"
other = f()
assert other.n == 0 and c.n == 5
try:
    c == 5
except TypeError as error:
    assert "expected plain data" in str(error)
else:
    raise AssertionError("an object of the student's can be compared")
"""
    passes(converse(engine, student, test))


def test_errors_keep_their_kind_and_their_text(engine: Engine) -> None:
    student = """
class Mine(ValueError):
    pass
def f(kind):
    if kind == "stop":
        raise StopIteration
    if kind == "unicode":
        b"\\xff".decode()
    raise Mine(f"no {kind}")
"""
    test = """
try:
    f("bread")
except ValueError as error:
    assert str(error) == "no bread" and type(error).__name__ == "Mine"
try:
    f("unicode")
except UnicodeDecodeError as error:
    assert "invalid start byte" in str(error)
try:
    list(map(f, ["stop"]))
except RuntimeError as error:
    assert "StopIteration" in str(error)
else:
    raise AssertionError("a StopIteration of the student's ended a loop of the test's")
"""
    passes(converse(engine, student, test))


def test_gradients_flow_through_the_students_graph(engine: Engine) -> None:
    student = """
import torch
class f(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([2.0, 3.0]))
    def forward(self, x):
        return (x * self.w).sum() ** 2
"""
    test = """
import torch
model = f()
x = torch.tensor([1.0, 4.0], requires_grad=True)
y = model(x)
(3 * y).backward()
assert y.item() == 196.0
assert torch.equal(x.grad, 3 * 2 * 14 * torch.tensor([2.0, 3.0])), x.grad
(w,) = list(model.parameters())
assert torch.equal(w.grad, 3 * 2 * 14 * torch.tensor([1.0, 4.0])), w.grad
with torch.no_grad():
    assert not model(x).requires_grad
"""
    passes(converse(engine, student, test))


def test_a_module_and_its_optimiser_come_back_trained(engine: Engine) -> None:
    student = """
import torch
def f(model, optimiser, x, y):
    model.train()
    optimiser.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimiser.step()
    return loss.item()
"""
    test = """
import copy, torch
torch.manual_seed(0)
model = Net()
twin = copy.deepcopy(model)
a, b = torch.optim.Adam(model.parameters(), lr=0.1), torch.optim.Adam(twin.parameters(), lr=0.1)
x, y = torch.randn(4, 3), torch.randn(4, 2)
model.eval()
for _ in range(3):
    loss = f(model, a, x, y)
    b.zero_grad()
    want = torch.nn.functional.mse_loss(twin(x), y)
    want.backward()
    b.step()
    assert abs(loss - want.item()) < 1e-6
assert model.training
for p, q in zip(model.parameters(), twin.parameters()):
    assert torch.allclose(p, q, atol=1e-6) and torch.allclose(p.grad, q.grad, atol=1e-6)
assert int(a.state_dict()["state"][0]["step"]) == 3
"""
    given = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
    def forward(self, x):
        return self.layer(x).tanh()
"""
    passes(converse(engine, student, test, given))


def test_gradients_that_one_call_leaves_are_there_in_the_next(engine: Engine) -> None:
    """As in a notebook: a loop that clears no gradients adds them up."""
    student = "def f(model, x):\n    model(x).sum().backward()\n"
    test = """
import torch
layer = torch.nn.Linear(2, 1)
for call in (1, 2, 3):
    f(layer, torch.tensor([[1.0, 3.0]]))
    assert layer.weight.grad.tolist() == [[call, 3.0 * call]], layer.weight.grad
layer.zero_grad()
f(layer, torch.ones(1, 2))
assert layer.weight.grad.tolist() == [[1.0, 1.0]]
"""
    passes(converse(engine, student, test))


def test_dataclasses_of_the_notebook_and_files(engine: Engine) -> None:
    given = "from dataclasses import dataclass\n@dataclass\nclass Config:\n    width: int\n    names: tuple = ()\n"
    student = """
from dataclasses import replace
def f(config, source, target):
    target.write_bytes(source.read_bytes()[::-1])
    return replace(config, width=config.width + 1)
"""
    test = """
import tempfile
from pathlib import Path
with tempfile.TemporaryDirectory() as folder:
    source, target = Path(folder, "in.bin"), Path(folder, "out.bin")
    source.write_bytes(b"abc")
    got = f(Config(4, ("a",)), source, target)
    assert type(got) is Config and got == Config(5, ("a",))
    assert target.read_bytes() == b"cba"
"""
    passes(converse(engine, student, test, given))


def test_one_tests_effects_do_not_reach_the_next(engine: Engine) -> None:
    student = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    test = "assert f(1) == 1\nassert f(1) == 2\n"
    job = Job(
        items=[
            {"kind": "cell", "id": "a", "source": student},
            {"kind": "test", "id": "t1"},
            {"kind": "test", "id": "t2"},
        ],
        given=[],
        tests=[{"id": "t1", "source": test}, {"id": "t2", "source": test}],
        names=["f"],
    )
    passes(engine.run(job))


def test_modules_that_are_imported_by_name_are_warm_too() -> None:
    sources = ["import numpy as np\nfrom scipy import stats\n", "def f():\n    import os.path", "not Python ("]
    found = imports_of(sources)
    assert {"numpy", "scipy", "scipy.stats", "os.path"} <= set(found)
    job = Job([{"kind": "cell", "id": "a", "source": "import sys\nthere = 'scipy.stats' in sys.modules"},
               {"kind": "test", "id": "t"}], [], [{"id": "t", "source": "assert there"}], [], ["there"])  # fmt: skip
    with Engine(found) as engine:
        assert engine.run(job).cells["t"].passed


def test_tensors_that_share_their_memory_cross() -> None:
    """One that is expanded from a single number has strides that its bytes cannot be read with."""
    source = "import torch\ndef same(t):\n    return t"
    test = """
import torch
for tensor in (torch.tensor([2.0]).expand(3, 4), torch.tensor(2.0).expand(1), torch.arange(6.0).reshape(2, 3).T,
               torch.arange(4.0)[::2], torch.zeros(0).expand(2, 0), torch.tensor([[1.5]], dtype=torch.bfloat16)):
    got = same(tensor)
    assert got.dtype == tensor.dtype and got.shape == tensor.shape and torch.equal(got, tensor), (tensor, got)
"""
    items = [{"kind": "cell", "id": "a", "source": source}, {"kind": "test", "id": "t"}]
    with Engine(("torch",)) as engine:
        result = engine.run(Job(items, [], [{"id": "t", "source": test}], ["same"])).cells["t"]
    assert result.passed, result.message


@pytest.mark.timing
def test_a_cell_without_end_is_told_in_a_sentence() -> None:
    limits = Limits(cell_cpu=0.5)
    with Engine((), limits) as engine:
        run = engine.run(Job([{"kind": "cell", "id": "a", "source": "while True: pass"}], [], [], []))
    assert run.cells["a"].error == "TimedOut"
    assert run.cells["a"].message == "this cell took too much computing: is there a loop that does not end?"
    assert [i.kind for i in run.incidents] == ["timed out"]


@pytest.mark.timing
def test_a_last_test_that_ignores_its_time_limit_costs_itself_only() -> None:
    """It runs in no snapshot, so the whole process has to be ended."""
    stubborn = """
def f():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
    items = [{"kind": "cell", "id": "a", "source": "def g():\n    return 1"}, {"kind": "test", "id": "first"},
             {"kind": "cell", "id": "b", "source": stubborn}, {"kind": "test", "id": "last"}]  # fmt: skip
    tests = [{"id": "first", "source": "assert g() == 1"}, {"id": "last", "source": "f()"}]
    with Engine((), Limits(call_cpu=0.3, test=1.0)) as engine:
        began = time.monotonic()
        run = engine.run(Job(items, [], tests, ["f", "g"]))
        assert time.monotonic() - began < 60, "it waited for the notebook's limit"
        again = engine.run(Job(items[:2], [], tests[:1], ["g"]))
    assert run.cells["first"].passed and run.cells["last"].error == "TimedOut"
    assert run.cells["b"].passed and not run.ended
    assert again.cells["first"].passed


def test_a_last_test_that_ends_the_process_costs_itself_only(engine: Engine) -> None:
    source = "import os\ndef f():\n    os._exit(0)\ndef g():\n    return 1"
    items = [{"kind": "cell", "id": "a", "source": source}, {"kind": "test", "id": "t1"}, {"kind": "test", "id": "t2"}]
    tests = [{"id": "t1", "source": "assert g() == 1"}, {"id": "t2", "source": "f()"}]
    run = engine.run(Job(items, [], tests, ["f", "g"]))
    assert run.cells["t1"].passed and run.cells["t2"].error == "Crashed"
    assert [incident.cell for incident in run.incidents] == ["t2"]


def test_what_is_python_runs_as_it_is_and_what_is_not_may_be_a_magic(engine: Engine) -> None:
    cells = [
        "text = '''\n%time\n!ls\nwhat?\n'''\nrest = 7 \\\n  % 4\n",
        "%time x = 3",
        "there = !echo hello",
        "def louder(lines):\n    return [line.replace('quiet', 'loud') for line in lines]\n"
        "get_ipython().input_transformers_post.append(louder)",
        "word = 'quiet'",
    ]
    items = [{"kind": "cell", "id": f"c{n}", "source": source} for n, source in enumerate(cells)]
    names = ["text", "rest", "x", "there", "word"]
    test = (
        "assert text == '\\n%time\\n!ls\\nwhat?\\n' and rest == 3 and x == 3\n"
        "assert list(there) == ['hello'] and word == 'loud'"
    )
    run = engine.run(Job([*items, {"kind": "test", "id": "t"}], [], [{"id": "t", "source": test}], [], names))
    passes(run)


def test_engines_have_the_libraries_in_common_and_outlive_them() -> None:
    """A process with the libraries that ends takes its warm processes along; the next task makes them anew."""
    engines = Engines(EngineOptions(("numpy",)))
    job = Job([{"kind": "cell", "id": "a", "source": SAME}, {"kind": "test", "id": "t"}], [],
              [{"id": "t", "source": "assert f(2) == 2"}], ["f"])  # fmt: skip
    try:
        engines.start(2)
        first, second = engines.all
        assert first.libraries is second.libraries
        assert engines.run(job).cells["t"].passed
        second.warm["judge"].wait_ready()
        pids = [warm.pid for warm in (*first.warm.values(), second.warm["judge"])]
        assert first.libraries.process.pid not in pids and len(set(pids)) == 3
        first.libraries.process.kill()
        first.libraries.process.wait()
        assert engines.run(job).cells["t"].passed
        assert engines.libraries is not first.libraries
    finally:
        engines.close()
    assert not any(runs(pid) for pid in pids)


def test_engines_that_were_replaced_leave_no_ended_process() -> None:
    """The process with the libraries hears of the end of its warm ones when it makes others."""
    libraries = Libraries(["math"])
    job = Job([{"kind": "cell", "id": "a", "source": "x = 1"}], [], [], [])
    try:
        for _ in range(3):
            with Engine(libraries=libraries) as engine:
                assert engine.run(job).cells["a"].error == ""
                pid = libraries.process.pid
                below = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
                assert len(below) == 2 and all(runs(one) for one in below), below
            while any(runs(one) for one in below):  # what stood between two of them ends a moment later
                time.sleep(0.01)
    finally:
        libraries.close()


def test_a_judge_that_cannot_be_started_leaves_no_student(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job([{"kind": "cell", "id": "a", "source": "x = 1"}], [], [], [])
    with Engine(["math"]) as engine:
        engine.run(job)

        def fails(*args: object) -> Child:
            raise EngineError("a warm process is gone")

        monkeypatch.setattr(engine.warm["judge"], "fork", fails)
        with pytest.raises(EngineError):
            engine.run(job)
        pid = engine.warm["student"].pid
        assert not Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


HUGE = """
import hashlib, re
from pathlib import Path
import numpy as np
from autograder.engine import huge_pages

def held():
    return int(re.search(r"AnonHugePages: *(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1])

rng = np.random.default_rng(0)
arrays = [rng.bytes(1000 * n) for n in range(1, 250)]  # 31 MB in many pieces
before, small = hashlib.sha256(b"".join(arrays)).digest(), held()
gathered = huge_pages.gather()
assert hashlib.sha256(b"".join(arrays)).digest() == before
print(gathered, held() - small)
"""


def test_memory_in_huge_pages_is_the_same_memory() -> None:
    done = subprocess.run([sys.executable, "-c", HUGE], capture_output=True, text=True, check=True)
    gathered, more = map(int, done.stdout.split())
    if gathered:  # a kernel before 6.1 says no
        assert gathered >= 8 * 2**20 and 1024 * more > gathered / 2


@given(seed=st.integers(0, 2**32), steps=st.one_of(st.integers(0, 50), st.integers(0, 2**48)))
def test_a_generator_that_was_drawn_from_is_told_from_one_that_was_set(seed: int, steps: int) -> None:
    for kind in (np.random.PCG64, np.random.PCG64DXSM):
        bits = kind(seed)
        before = bits.state
        bits.advance(steps)
        assert streams.advanced(before, bits.state)
        assert steps == 0 or not streams.advanced(bits.state, before), "back is nearly all the way round"
        other = dict(bits.state, state={"state": bits.state["state"]["state"] ^ 1, "inc": before["state"]["inc"]})
        assert not streams.advanced(before, other)


def test_doctor_grades_a_tiny_submission() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "a tiny submission was graded as it should be" in done.output


@pytest.mark.parametrize("fault", ["cannot start", "everything passes", "nothing passes"])
def test_doctor_says_what_became_of_it(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Engine, job: Job) -> Run:
        if fault == "cannot start":
            raise EngineError("Permission denied: '/somewhere'")
        error = "ImportError" if fault == "nothing passes" else ""
        return Run({name: CellResult(name, error, "", "", 0.0) for name in ("answer", "right", "wrong")}, "")

    monkeypatch.setattr(Engine, "run", run)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    said = {"cannot start": "/somewhere", "everything passes": "wrong: passed", "nothing passes": "answer: ImportError"}
    assert f"could not be graded: {said[fault]}" in done.output.replace("Permission denied: '", "")


def test_libraries_that_another_user_may_not_read_are_named_with_a_mend() -> None:
    """Root with Landlock and a Python in root's own folder, say: submissions run as a user who may not go there."""
    open_to_all = Path(tempfile.mkdtemp())
    open_to_all.chmod(0o755)
    closed = open_to_all / "closed"
    (closed / "python" / "lib").mkdir(parents=True)
    script = f"""
import os
from autograder.engine import sandbox
sandbox.readable_paths = lambda: ({str(closed / "python" / "lib")!r},)
if os.geteuid() == 0:
    os.setresuid(61000, 61000, 61000)
try:
    sandbox.shut_in(sandbox.Walls("", 3, False), 0, "/tmp")
except sandbox.SandboxError as error:
    print(error)
"""
    closed.chmod(0)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    closed.chmod(0o700)
    shutil.rmtree(open_to_all)
    assert f"`chmod o+x {closed}`" in done.stdout, done
    assert done.stdout.count("\n") == 1


DRAWING = {
    "random": lambda g, n: g.random(n),
    "normal": lambda g, n: g.normal(size=n),
    "halves": lambda g, n: g.integers(0, 2**32, size=n, dtype=np.uint32),
    "single": lambda g, n: g.random(n, dtype=np.float32),
    "shuffle": lambda g, n: g.shuffle(np.arange(n)),
}


@given(
    kind=st.sampled_from(["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"]),
    seed=st.integers(0, 2**32),
    earlier=st.lists(st.tuples(st.sampled_from(sorted(DRAWING)), st.integers(0, 700)), max_size=3),
    later=st.lists(st.tuples(st.sampled_from(sorted(DRAWING)), st.integers(0, 700)), max_size=4),
)
def test_drawing_leads_from_state_to_state(
    kind: str, seed: int, earlier: list[tuple[str, int]], later: list[tuple[str, int]]
) -> None:
    """Whatever was drawn is accepted; half a number that no draw has left is not."""
    bits = getattr(np.random, kind)(seed)
    generator = np.random.Generator(bits)
    for name, count in earlier:
        DRAWING[name](generator, count)
    before = bits.state
    for name, count in later:
        DRAWING[name](generator, count)
    after = bits.state
    assert streams.advanced(before, after)
    if kind != "MT19937":
        rigged = (after["uinteger"] + 1) % 2**32
        assert not streams.advanced(before, dict(after, has_uint32=1, uinteger=rigged))


@given(seed=st.integers(), draws=st.lists(st.sampled_from(["random", "gauss", "getrandbits", "many"]), max_size=8))
def test_pythons_generator_keeps_one_of_two_normal_numbers(seed: int, draws: list[str]) -> None:
    generator = random.Random(seed)
    generator.gauss(0, 1)
    before = generator.getstate()
    for name in draws:
        arguments = {"gauss": (0, 1), "getrandbits": (7,)}.get(name, ())
        for _ in range(400 if name == "many" else 1):
            getattr(generator, "random" if name == "many" else name)(*arguments)
    after = generator.getstate()
    assert streams.advanced_random(before, after)
    assert not streams.advanced_random(before, (*after[:2], 0.5))


def test_a_course_whose_package_lies_below_tmp_is_graded() -> None:
    """A clone in /tmp: the judge's own /tmp must not be in the way of the code that it runs."""
    code = "from autograder.engine import sandbox, trial; print(repr(trial.what_fails(sandbox.probe())))"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.copytree(Path(autograder.__file__).parent, Path(folder, "autograder"))
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": folder},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.stdout.strip() == "''", done.stdout + done.stderr


def test_what_the_student_said_before_its_last_test_is_heard(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge's last verdict may be read in the same look that found nothing new of the student's, yet."""
    hear = Engine._hear_student

    def late(self: Engine, child: Child, job: Job, state: Any, now: Any) -> bool:
        return hear(self, child, job, state, now) if now.judge_ended else True

    monkeypatch.setattr(Engine, "_hear_student", late)
    items = [{"kind": "cell", "id": "double", "source": "def double(x):\n    pass\nreturn 2\n"}]
    tests = [{"id": "test_double", "source": "assert double(1) == 2, 'not twice'"}]
    run = engine.run(Job([*items, {"kind": "test", "id": "test_double"}], [], tests, ["double"]))
    assert (run.cells["test_double"].message, run.cells["double"].error) == ("not twice", "SyntaxError")
