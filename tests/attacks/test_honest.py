"""Honest work that looks odd: warnings, prints, plots, other types, other styles. It loses nothing."""

from __future__ import annotations

import pytest
from attacks.gallery import ALL, GOOD, Gallery, code, submissions

from autograder.engine.engine import Job

GROUPS = ("noise", "notebooks", "broken cells", "styles", "types", "the machine")
WORK = {(group, name): work for group in GROUPS for name, work in submissions("honest", group).items()}


SHARED = {"multiprocessing", "a process pool", "queues and locks", "shared memory"}  # these need /dev/shm


@pytest.mark.parametrize(("group", "name"), WORK)
def test_honest_work(roomy: Gallery, group: str, name: str) -> None:
    if name in SHARED and not roomy.walls.namespaces:
        pytest.skip("no namespaces on this machine: memory shared by name is shut off")
    work = WORK[group, name]
    outcome = roomy.run(GOOD | work.answers, before=work.before, after=work.after)
    assert outcome.earned == ALL, (sorted(ALL - outcome.earned), outcome.messages, outcome.errors(), outcome.kinds)
    assert not outcome.kinds, outcome.kinds
    if group != "broken cells":
        assert not outcome.errors(), outcome.errors()


def test_a_cell_with_null_bytes(roomy: Gallery) -> None:
    assert roomy.run(GOOD, before="x = 1\0").earned == ALL


# ---- what a test may need


def test_a_value_that_comes_later_in_the_notebook_costs_no_earlier_test(roomy: Gallery) -> None:
    """A solution cell may assign a value; the tests before it do not ask for it."""
    items = [
        {"kind": "cell", "id": "one", "source": "def one(): return 1\n"},
        {"kind": "test", "id": "test_one"},
        {"kind": "cell", "id": "table", "source": "table = [1, 2]\n"},
        {"kind": "test", "id": "test_table"},
    ]
    tests = [
        {"id": "test_one", "source": "assert one() == 1\n"},
        {"id": "test_table", "source": "assert table == [1, 2]\n"},
    ]
    run = roomy.engine.run(Job(items, [], tests, ["one"], ["table"]))
    assert run.cells["test_one"].passed, run.cells["test_one"]
    assert run.cells["test_table"].passed, run.cells["test_table"]


def test_data_beside_the_notebook_is_there_for_answers_and_tests(roomy: Gallery) -> None:
    files = [("words.txt", b"a b"), ("deep/more.txt", b"c")]
    answer = code("""
        def count():
            open('words.txt', 'a').close()
            return len(open('words.txt').read().split()) + len(open('deep/more.txt').read())
    """)
    test = code("""
        wanted = len(open('words.txt').read().split()) + len(open('deep/more.txt').read())
        assert count() == wanted == 3
    """)
    result = roomy.judge(answer, test, given="text = open('words.txt').read()\n", files=files)
    assert result.passed, result


CALLABLES = {
    "a function of numpy in C": ("np.tanh", "np.array([0.5, 1.0])"),
    "a function of numpy in Python": ("np.mean", "np.array([0.5, 1.0])"),
    "a function of numpy for linear algebra": ("np.linalg.norm", "np.array([0.5, 1.0])"),
    "a function of math": ("math.sqrt", "2.0"),
    "a built-in function": ("len", "[1, 2]"),
    "a class": ("float", "'2.5'"),
    "a part of a function": ("functools.partial(pow, 2)", "5"),
    "a part of a lambda": ("functools.partial(lambda a, b: a - b, b=3)", "5"),
    "a function that remembers": ("functools.lru_cache(lambda x: x + 1)", "5"),
    "an operator": ("operator.neg", "3"),
    "a getter of items": ("operator.itemgetter(1)", "[4, 5]"),
    "a caller of methods": ("operator.methodcaller('upper')", "'ab'"),
    "a method of a type": ("str.upper", "'ab'"),
    "a method of a value": ("'-'.join", "['a', 'b']"),
    "a slot of a type": ("int.__neg__", "3"),
    "a slot of a value": ("(5).__add__", "3"),
    "a method of a class of types": ("dict.fromkeys", "['a']"),
    "a lambda": ("lambda x: x * 2", "3"),
    "a vectorised function": ("np.vectorize(lambda x: x + 1)", "np.array([1, 2])"),
    "a function made of another": ("np.frompyfunc(lambda x: x + 1, 1, 1)", "3"),
    "a polynomial": ("np.polynomial.Polynomial([1, 2])", "3.0"),
    "an object that is called": ("Doubler()", "3"),
    "a method of an object": ("Doubler().twice", "3"),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_whatever_can_be_called_can_be_lent(roomy: Gallery, name: str) -> None:
    function, argument = CALLABLES[name]
    test = code(f"""
        import functools, math, operator
        import numpy as np

        class Doubler:
            def twice(self, x): return 2 * x
            def __call__(self, x): return 2 * x

        function = {function}
        assert np.array_equal(f(function, {argument}), function({argument}))
    """)
    result = roomy.judge("def f(function, x):\n    return function(x)\n", test)
    assert result.passed, result


UNUSABLE = ["np.random.RandomState(1)", "threading.Lock()", "re.compile('a')", "struct.Struct('i')"]


@pytest.mark.parametrize("made", UNUSABLE)
def test_what_an_answer_could_not_use_is_not_lent(roomy: Gallery, made: str) -> None:
    """The author is told, when the reference is asked, and no student pays for it."""
    test = f"import re, struct, threading\nimport numpy as np\nf({made})\n"
    result = roomy.judge("def f(x):\n    return 1\n", test)
    assert "the test passes a" in result.message and "lend a function" in result.message, result


def test_a_lent_function_has_its_name(roomy: Gallery) -> None:
    answer = code("""
        import functools
        def f(function):
            @functools.wraps(function)
            def g(): pass
            return g.__name__
    """)
    result = roomy.judge(answer, "def twice(x): return 2 * x\nassert f(twice) == 'twice'\n")
    assert result.passed, result


def test_callbacks_from_several_threads_do_not_mix(roomy: Gallery) -> None:
    answer = code("""
        from concurrent.futures import ThreadPoolExecutor
        def spread(f, items):
            with ThreadPoolExecutor(8) as pool:
                return list(pool.map(f, items))
    """)
    test = "got = spread(lambda n: n * n, list(range(200)))\nassert got == [n * n for n in range(200)]\n"
    result = roomy.judge(answer, test)
    assert result.passed, result


def test_generators_are_drawn_from_as_usual(roomy: Gallery) -> None:
    """All kinds, with as much drawing as an exercise may need."""
    answer = "def f(rng):\n    return rng.random(100_000).sum() + rng.integers(10) + rng.permutation(50).sum()\n"
    for kind in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
        test = (
            f"import numpy as np\na, b = (np.random.Generator(np.random.{kind}(3)) for _ in 'ab')\n"
            "for _ in range(3):\n"
            "    assert f(a) == b.random(100_000).sum() + b.integers(10) + b.permutation(50).sum()\n"
            "assert a.random() == b.random() and a.normal() == b.normal()\n"
        )
        result = roomy.judge(answer, test)
        assert result.passed, (kind, result)


def test_pythons_generator_is_drawn_from_as_usual(roomy: Gallery) -> None:
    answer = code("""
        def f(rng, n):
            for _ in range(n): rng.random()
            rng.shuffle(list(range(100)))
            return rng.gauss(0, 1)
    """)
    test = code("""
        import random
        a, b = random.Random(5), random.Random(5)
        def g(rng, n):
            for _ in range(n): rng.random()
            rng.shuffle(list(range(100)))
            return rng.gauss(0, 1)
        for n in (0, 1, 311, 312, 313, 624, 5_000, 100_000):
            assert f(a, n) == g(b, n)
            assert a.random() == b.random()
    """)
    result = roomy.judge(answer, test)
    assert result.passed, result


def test_given_records_cross_with_their_names(roomy: Gallery) -> None:
    """Named tuples and dataclasses of the notebook's own cells, with arrays in them, there and back."""
    given = code("""
        import numpy as np
        from dataclasses import dataclass
        from typing import NamedTuple
        class Merge(NamedTuple):
            pair: tuple
            counts: object
        @dataclass(frozen=True)
        class Layer:
            weights: np.ndarray
            name: str = 'x'
    """)
    answer = code("""
        def merge(m): return Merge((*m.pair, 3), m.counts * 2)
        def layer(l): return Layer(l.weights + 1, l.name + 'y')
        def own():
            from collections import namedtuple
            return namedtuple('Own', 'a b')(1, 2)
    """)
    test = code("""
        got = merge(Merge((1, 2), np.arange(3)))
        assert got.pair == (1, 2, 3) and got.counts.tolist() == [0, 2, 4] and type(got) is Merge
        got = layer(Layer(np.zeros(2)))
        assert got.weights.tolist() == [1, 1] and got.name == 'xy'
        assert own() == (1, 2)
    """)
    result = roomy.judge(answer, test, given=given)
    assert result.passed, result


def test_an_object_of_a_class_that_is_a_dictionary_keeps_its_methods(roomy: Gallery) -> None:
    answer = code("""
        class Vocabulary(dict):
            def learn(self, word): return self.setdefault(word, len(self))
            def copy(self): return Vocabulary(self)
        class Words(list):
            def longest(self): return max(self, key=len)
        def words(n): return Words(['a'] * n)
    """)
    test = code("""
        v = Vocabulary({'a': 0})
        assert v.learn('b') == 1 and len(v) == 2 and v['b'] == 1
        assert v.copy().learn('c') == 2 and sorted(v) == ['a', 'b'] and dict(v) == {'a': 0, 'b': 1}
        assert words(2) == ['a', 'a']
        assert Words(['a', 'bc']).longest() == 'bc'
    """)
    result = roomy.judge(answer, test)
    assert result.passed, result


def test_empty_arrays_and_odd_numbers_cross(roomy: Gallery) -> None:
    answer = code("""
        import numpy as np
        from fractions import Fraction
        from decimal import Decimal
        def same(x): return x
        def empty(shape, kind): return np.empty(shape, kind)
    """)
    test = code("""
        import numpy as np
        from fractions import Fraction
        from decimal import Decimal
        for shape in ((0,), (0, 3), (2, 0)):
            for kind in (float, bool, 'U3', object):
                got = empty(shape, kind)
                assert got.shape == shape and got.dtype == kind, (got, shape, kind)
        for x in (
            -0.0, 1e308, 2**70, -2**70, 1j, Fraction(1, 3), Decimal('0.1'), True, b'', '', 'ñ\\ud800', (), [], {},
            {1: {2: (3,)}}, range(5), slice(1, None, 2), frozenset({1}), float('inf'),
        ):
            got = same(x)
            assert got == x and type(got) is type(x), (got, x)
        assert np.isnan(same(float('nan'))) and same(None) is None and same(...) is ...
        flags = same(np.array([True, False]))
        assert flags.dtype == bool and flags.tolist() == [True, False]
        assert same(np.True_).dtype == bool and same(np.False_) == False
    """)
    result = roomy.judge(answer, test)
    assert result.passed, result
