"""Forged bytes: on the sockets to the judge, on the report to the engine, and in what a test lends to an answer.

An answer to `area` is right; the others speak to the judge by themselves, with frames that no honest encoder makes.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from attacks.gallery import AREA, GOOD, NONE, SECRETS, Gallery, code, submissions

from autograder.engine.wire import Decoder, WireError

# Finds the engine's own objects by walking up the frames of the process that it shares with the student.
FIND = '''
import json, os, socket, struct, sys, time

def found(name):
    frame = sys._getframe()
    while frame:
        if name in frame.f_locals:
            return frame.f_locals[name]
        frame = frame.f_back
    raise LookupError(name)

def frame_of(text, buffers=()):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack("<II", len(text), len(buffers)) + text + b"".join(struct.pack("<Q", len(b)) + b for b in buffers)

def reply(text, buffers=()):
    """Answer the judge in place of the engine; then be silent until it hangs up."""
    connection = found("side").connection
    connection.sendall(frame_of(text, buffers))
    while connection.recv(1 << 16):
        pass
    os._exit(0)

def raw(content):
    connection = found("side").connection
    connection.sendall(content)
    while connection.recv(1 << 16):
        pass
    os._exit(0)
'''
OTHERS = ("shares", "apply", "running", "Tally", "draw", "squeeze")


def batches(names: Iterable[str]) -> list[tuple[str, ...]]:
    """As many at a time as there are exercises besides `area`: each is the answer to one of them."""
    found = list(names)
    return [tuple(found[i : i + len(OTHERS)]) for i in range(0, len(found), len(OTHERS))]


def hold(gallery: Gallery, calls: Iterable[str]) -> None:
    """Exercises are answered by calls: each fails, in words, and the point of `area` stays."""
    answers = {
        exercise: f"def {exercise}(*args, **kwargs):\n    {call}\n"
        for exercise, call in zip(OTHERS, calls, strict=False)
    }
    outcome = gallery.run({"area": GOOD["area"], **answers}, before=FIND)
    assert outcome.earned == AREA, f"earned {sorted(outcome.earned)}; {outcome.messages}; {outcome.errors()}"
    for exercise in answers:
        assert outcome.messages[exercise] not in ("", "not written yet"), exercise
    assert not [secret for secret in SECRETS if secret in repr(outcome.messages) + outcome.printed()]


# ---- replies

REPLIES = {
    "nothing": "{}",
    "no object": "[]",
    "true": "{'value': True}",
    "no value": "{'values': 1}",
    "a wire error that is no text": "{'wire': {'a': [1]}}",
    "an error without names": "{'error': [], 'text': 'x'}",
    "an error of a text": "{'error': 'ValueError', 'text': 'x'}",
    "an error of numbers": "{'error': [1, 2, 3], 'text': 7}",
    "an error that is an object": "{'error': {'a': 1}, 'text': None}",
    "EndedError": "{'error': ['EndedError'], 'text': ''}",
    "StopIteration": "{'error': ['StopIteration', 'Exception'], 'text': ''}",
    "SystemExit": "{'error': ['SystemExit', 'BaseException'], 'text': '0'}",
    "KeyboardInterrupt": "{'error': ['KeyboardInterrupt', 'BaseException'], 'text': ''}",
    "an error of a dunder": "{'error': ['__import__', 'eval', 'object'], 'text': ''}",
    "an error with an odd constructor": "{'error': ['UnicodeDecodeError', 'ValueError'], 'text': ''}",
    "a group": "{'error': ['BaseExceptionGroup', 'BaseException'], 'text': 'x'}",
    "a million names": "{'error': ['x'] * 1_000_000, 'text': ''}",
    "a value of no form": "{'value': ['zz', 1]}",
    "a value that is an object": "{'value': {'a': 1}}",
    "an empty list as a value": "{'value': []}",
    "a list of lists as a value": "{'value': [[1]]}",
    "a handle never given out": "{'value': ['h', 99, 'list', 'cio']}",
    "a handle of a negative number": "{'value': ['h', -1, 'x', 'c']}",
    "a handle with a huge kind": "{'value': ['h', 1, 'x' * 1_000_000, 'io']}",
    "a handle of a wrong form": "{'value': ['h', 'x', 5]}",
    "a dataclass of no such name": "{'value': ['dc', 'Config', [['a', 1]], 1]}",
    "a dataclass of a dunder": "{'value': ['dc', '__builtins__', [['a', 1]], 1]}",
    "a dataclass of a module": "{'value': ['dc', 'np', [['a', 1]], 1]}",
    "a dataclass with fields that are none": "{'value': ['dc', 'area', [1, 2], 1]}",
    "lent things never lent": "{'value': ['back', 77]}",
    "lent things by a boolean": "{'value': ['back', True]}",
    "the first thing lent": "{'value': ['back', 1]}",
    "a list of the first thing lent": "{'value': ['l', [['back', 1]] * 3]}",
    "the mark of a method": "{'value': ['m']}",
    "a gradient of nothing": "{'value': ['Tg', 1, ['a', '<f8', [1], 0]]}, [bytes(8)]",
    "what only goes the other way": "{'value': ['pk', 0]}",
    "a name": "{'value': ['nm', 'area']}",
    "a callback": "{'value': ['cb', 1]}",
    "a path": "{'value': ['p', '../../etc/passwd']}",
    "a generator's state as a value": "{'value': ['rng', 'x', 'PCG64', 1]}",
    "an array of objects": "{'value': ['a', 'O', [3], 0]}, [bytes(24)]",
    "an array of '|O'": "{'value': ['a', '|O8', [3], 0]}, [bytes(24)]",
    "an array of a structure": "{'value': ['a', [['f0', 'O']], [3], 0]}, [bytes(24)]",
    "an array of void": "{'value': ['a', '|V8', [3], 0]}, [bytes(24)]",
    "a dtype with commas": "{'value': ['a', 'f8,O', [3], 0]}, [bytes(24)]",
    "a negative shape": "{'value': ['a', '<f8', [-1], 0]}, [bytes(24)]",
    "a shape of -3": "{'value': ['a', '<f8', [-3], 0]}, [bytes(24)]",
    "a shape that overflows": "{'value': ['a', '<f8', [2**39, 2**39, 2**39], 0]}, [bytes(24)]",
    "a shape with a nought that overflows": "{'value': ['a', '<f8', [0, 2**39, 2**39, 2**39], 0]}, [b'']",
    "a shape of floats": "{'value': ['a', '<f8', [3.0], 0]}, [bytes(24)]",
    "a shape of booleans": "{'value': ['a', '<f8', [True, True, True], 0]}, [bytes(24)]",
    "a hundred axes": "{'value': ['a', '<f8', [1] * 100, 0]}, [bytes(8)]",
    "a shape that is a text": "{'value': ['a', '<f8', '3', 0]}, [bytes(24)]",
    "too few bytes": "{'value': ['a', '<f8', [3], 0]}, [bytes(8)]",
    "odd bytes": "{'value': ['a', '<f8', [3], 0]}, [bytes(25)]",
    "a buffer that is not there": "{'value': ['a', '<f8', [3], 5]}, [bytes(24)]",
    "a buffer of a text": "{'value': ['a', '<f8', [3], 'x']}, [bytes(24)]",
    "text of no characters": "{'value': ['a', '<U0', [3], 0]}, [b'']",
    "text beyond Unicode": "{'value': ['a', '<U1', [3], 0]}, [b'\\xff' * 12]",
    "a text of 9999999": "{'value': ['a', '<U9999999', [0], 0]}, [b'']",
    "dates of a wrong unit": "{'value': ['a', '<M8[zz]', [3], 0]}, [bytes(24)]",
    "an array of objects that is too short": "{'value': ['ao', [3], [1]]}",
    "a scalar without bytes": "{'value': ['n', '<f8', 0]}, [b'']",
    "a huge integer": "{'value': ['i', '0x' + 'f' * 1_000_000]}",
    "an integer that is none": "{'value': ['i', 'zz']}",
    "a float that is none": "{'value': ['f', 'zz']}",
    "a huge integer in JSON": "b'{\"value\": ' + b'9' * 1_000_000 + b'}'",
    "a set of lists": "{'value': ['s', [['l', []]]]}",
    "a dictionary of lists": "{'value': ['d', [[['l', []], 1]]]}",
    "a dictionary of triples": "{'value': ['d', [[1, 2, 3]]]}",
    "a counter of texts": "{'value': ['cn', [['a', 'b']]]}",
    "a range of nothing": "{'value': ['r', 1, 2, 0]}",
    "a range of a text": "{'value': ['r', 'a', 'b', 'c']}",
    "an endless range": "{'value': ['r', 0, 10**18, 1]}",
    "a slice of too few": "{'value': ['sl']}",
    "bytes that are no UTF-8": "{'value': ['u', 0]}, [b'\\xff\\xfe']",
    "a torch dtype of no such name": "{'value': ['td', '__class__']}",
    "a torch device of no such name": "{'value': ['tv', 'zz:9']}",
    "nested too deeply": "b'{\"value\": ' + b'[\"l\",[' * 60 + b']]' * 60 + b'}'",
    "deep JSON": "b'[' * 1_000_000",
    "JSON cut short": "b'{\"value\": '",
    "no JSON": "b'\\xff' * 100",
    "a thousand empty lists": "{'value': ['l', [['l', []]] * 1_000]}",
    "after: a number": "{'value': 1, 'after': 5}",
    "after: a list of numbers": "{'value': 1, 'after': [1, 2]}",
    "after: triples": "{'value': 1, 'after': [[1, 2, 3]]}",
    "after: a key that was never lent": "{'value': 1, 'after': [['rng5', ['d', []]], [7, 1], [-1, 1]]}",
    "after: a key that is a list": "{'value': 1, 'after': [[[1], 1]]}",
    "a buffer that nobody mentions": "{'value': 1}, [bytes(1000)] * 1000",
}


@pytest.mark.parametrize("names", batches(REPLIES), ids=", ".join)
def test_forged_replies(gallery: Gallery, names: tuple[str, ...]) -> None:
    hold(gallery, [f"reply({REPLIES[name]})" for name in names])


BYTES = {
    "an empty frame": "struct.pack('<II', 0, 0)",
    "a huge text": "struct.pack('<II', 2**32 - 1, 0)",
    "as much text as is allowed, and none comes": "struct.pack('<II', 2**25, 0) + b'{'",
    "very many buffers": "struct.pack('<II', 2, 2**32 - 1) + b'{}'",
    "a huge buffer": "struct.pack('<II', 2, 1) + b'{}' + struct.pack('<Q', 2**63)",
    "many buffers of nothing": "struct.pack('<II', 2, 99_999) + b'{}' + bytes(8 * 99_999)",
    "ready once more": "b'R' * 100",
    "the other end's words": "frame_of({'op': 'call', 'on': 'area', 'args': ['t', [3, 4]], 'kwargs': ['d', []]})",
    "HTTP": "b'GET / HTTP/1.1\\r\\n\\r\\n'",
    "two replies at once": "frame_of({'value': 12}) * 2",
    "a thousand replies at once": "frame_of({'value': 12}) * 1000",
}


@pytest.mark.parametrize("names", batches(BYTES), ids=", ".join)
def test_forged_bytes(gallery: Gallery, names: tuple[str, ...]) -> None:
    hold(gallery, [f"raw({BYTES[name]})" for name in names])


# ---- requests: what an answer asks of the judge while the judge waits for it

NOTHING, NO_NAMES = "['t', []]", "['d', []]"


def asked(op: str, on: str = "1", args: str = "", kwargs: str = NO_NAMES) -> str:
    return f"dict(op={op!r}, on={on}, args=['t', [{args}]], kwargs={kwargs})"


INSIDE = (
    "__globals__", "__code__", "__closure__", "__defaults__", "__self__", "__func__", "__class__", "__dict__",
    "__init__", "__builtins__", "__reduce__", "__wrapped__", "__subclasshook__", "__getattribute__", "gi_frame",
    "gi_code", "gi_yieldfrom", "cr_frame", "f_back", "send", "throw", "close", "append", "_about",
)  # fmt: skip
REQUESTS = {
    **{f"{op} {name}": asked(op, args=repr(name)) for op in ("get", "method") for name in INSIDE},
    "a call of what was never lent": asked("call", "99"),
    "a call of a negative number": asked("call", "-1"),
    "a call of a name": asked("call", "'exec'", "'print(1)'"),
    "a call of a list": asked("call", "[1]"),
    "no such kind": asked("special"),
    "no kind": f"dict(op=None, on=1, args={NOTHING}, kwargs={NO_NAMES})",
    "a kind that is a list": f"dict(op=[1], on=1, args={NOTHING}, kwargs={NO_NAMES})",
    "without arguments": "dict(op='call', on=1)",
    "arguments that are a number": "dict(op='call', on=1, args=5, kwargs=5)",
    "keywords that are no text": asked("call", kwargs="['d', [[1, 2]]]"),
    "the callback as its own argument": asked("call", args="['back', 1]"),
    "a set": asked("set", args="'x', 1"),
    "a value": asked("value", "'np'"),
}


@pytest.mark.parametrize("exercise", ["apply", "running"])
def test_requests_to_the_judge(gallery: Gallery, exercise: str) -> None:
    """What an answer asks of the judge while the judge waits for it: all are refused, and nothing is learnt."""
    lines = "".join(f"        {name!r}: {request},\n" for name, request in REQUESTS.items())
    answer = f"def {exercise}(lent, items=()):\n    requests = {{\n{lines}    }}\n" + '''
    side = found("side")
    for name, request in requests.items():
        side.connection.sendall(frame_of(request))
        answer = side.next_message()[0]
        if "value" in answer: raise LookupError(name + " was answered: " + repr(answer))
    raise LookupError("all refused")
'''
    outcome = gallery.run({"area": GOOD["area"], exercise: answer}, before=FIND)
    assert outcome.messages[exercise] == "LookupError: all refused"
    assert outcome.earned == AREA


ODD_CALLS = {
    "a handle for the callback to work on": asked("call", args="['h', 1, 'int', 'cio']"),
    "arguments that are a handle": f"dict(op='call', on=1, args=['h', 1, 'x', 'i'], kwargs={NO_NAMES})",
}


@pytest.mark.parametrize("name", ODD_CALLS)
def test_calls_of_a_callback_on_objects_of_the_student(gallery: Gallery, name: str) -> None:
    """The judge asks back, of objects that were never there; it waits no longer than it would for anything."""
    act = f"found('side').connection.sendall(frame_of({ODD_CALLS[name]}))"
    answer = f"def apply(function, items):\n    {act}\n    return 5\n"
    outcome = gallery.run({"area": GOOD["area"], "apply": answer}, before=FIND)
    assert outcome.earned == AREA, outcome.messages


LENT = submissions("tricks", "lent things")


@pytest.mark.parametrize("name", LENT)
def test_lent_things(gallery: Gallery, name: str) -> None:
    outcome = gallery.run({"area": GOOD["area"], **LENT[name].answers}, before=LENT[name].before)
    assert outcome.earned == AREA, (outcome.messages, outcome.errors())


# ---- the generator that a test lends

RIG = """
def rig(rng, state):
    # Have the engine send back another state than the generator's own.
    side = found("side")
    class Bits: pass
    bits, lent = Bits(), Bits()
    bits.state, lent.bit_generator, lent.getstate = state, bits, lambda: state
    key, kind, _ = side.borrowed[-1][0]
    side.borrowed[-1][:] = [(key, kind, lent)]
"""
STATES = {
    "stuck at nought": "dict(state, state={'state': 0, 'inc': 0})",
    "another stream": "dict(state, state={'state': state['state']['state'], 'inc': state['state']['inc'] + 2})",
    "another place": "dict(state, state={'state': 12345, 'inc': state['state']['inc']})",
    "of another kind": "dict(state, bit_generator='MT19937')",
    "no state": "{}",
    "numbers that are none": "dict(state, state={'state': -1, 'inc': state['state']['inc']})",
    "half a number that waits": "dict(state, has_uint32=1, uinteger=7)",
    "half a number from nowhere": "(rng.random(3), dict(rng.bit_generator.state, has_uint32=1, uinteger=7))[1]",
    "half a number, once more": "(rng.integers(9, dtype='u4'), rng.integers(9, dtype='u4'), "
    "dict(rng.bit_generator.state, has_uint32=1, uinteger=0))[2]",
    "half a number that is none": "dict(state, has_uint32=True)",
}
OTHER_STATES = {
    "MT19937, words of its own": "dict(state, state={'key': state['state']['key'] * 0, 'pos': 1})",
    "MT19937, back": "dict(state, state={'key': state['state']['key'], 'pos': 0})",
    "MT19937, beyond its words": "dict(state, state={'key': state['state']['key'], 'pos': 10**6})",
    "Philox, another key": "dict(state, state=dict(state['state'], key=state['state']['key'] + np.uint64(1)))",
    "Philox, words of its own": "dict(state, buffer=state['buffer'] * 0, buffer_pos=0)",
    "Philox, beyond its words": "dict(state, buffer_pos=10**6)",
    "Philox, a counter from nowhere": "dict(state, state=dict(state['state'], counter=~state['state']['counter']))",
    "Philox, half a number": "dict(state, has_uint32=1, uinteger=7)",
    "SFC64, words of its own": "dict(state, state={'state': np.arange(4, dtype='u8')})",
    "SFC64, only counted": "dict(state, state={'state': state['state']['state'] + np.array([0, 0, 0, 1], 'u8')})",
    "SFC64, half a number": "dict(state, has_uint32=1, uinteger=7)",
}


@pytest.mark.parametrize("name", STATES | OTHER_STATES)
def test_a_generator_that_comes_back_rigged(patient: Gallery, name: str) -> None:
    """A test that goes on drawing from a generator does not draw what the student wants."""
    state = (STATES | OTHER_STATES)[name]
    rigged = f"def f(rng):\n    state = rng.bit_generator.state\n    rig(rng, {state})\n"
    answer = f"import numpy as np\n{FIND}{RIG}\n{rigged}"
    kind = name.split(",")[0] if name in OTHER_STATES else "PCG64"
    result = patient.judge(answer, code(f"""
        import numpy as np
        rng = np.random.Generator(np.random.{kind}(3))
        f(rng)
        rng.random(3)
    """))
    assert "does not lead to" in result.message, result


RANDOM_STATES = {
    "words of its own": "(3, (0,) * 624 + (624,), None)",
    "a normal number that waits": "(*state[:2], 1e9)",
    "a normal number from nowhere": "(rng.random(), *rng.getstate()[:2], 0.5)[1:]",
    "too few words": "(3, state[1][1:], None)",
    "another version": "(2, *state[1:])",
}


@pytest.mark.timing
@pytest.mark.parametrize("name", RANDOM_STATES)
def test_a_twister_that_comes_back_rigged(roomy: Gallery, name: str) -> None:
    """It is run forward through many blocks before it is given up, which takes a while on a busy machine."""
    answer = f"{FIND}{RIG}\ndef f(rng):\n    state = rng.getstate()\n    rig(rng, {RANDOM_STATES[name]})\n"
    result = roomy.judge(answer, code("""
        import random
        rng = random.Random(3)
        f(rng)
        rng.random()
    """))
    assert "does not lead to" in result.message, result


# ---- what tests do with an answer, and how an answer could use it


def test_an_exception_does_not_end_a_loop_of_the_test(gallery: Gallery) -> None:
    """StopIteration, under the name that the engine gives to the end of an iterator."""
    answer = code("""
        class EndedError(Exception): pass
        def double(n):
            raise EndedError
    """)
    test = "for got, want in zip(map(double, [1, 2]), [2, 4]):\n    assert got == want, 'wrong'\n"
    assert not gallery.judge(answer, test).passed


@pytest.mark.timing
@pytest.mark.parametrize("call", ["os._exit(0)", "time.sleep(60)", "reply({'value': ['zz', 1]})", "raw(b'x')"])
def test_silence_is_no_exception_that_was_asked_for(gallery: Gallery, call: str) -> None:
    answer = f"{FIND}\ndef check(n):\n    {call}\n"
    test = code("""
        try:
            check(-1)
        except Exception:
            pass
        else:
            assert False, 'expected an error'
    """)
    assert not gallery.judge(answer, test).passed


def test_an_object_is_not_asked_whether_it_contains(gallery: Gallery) -> None:
    """It would learn what is wanted, and say that it has it."""
    answer = code("""
        class Box:
            def __contains__(self, item): return True
            def __iter__(self): return iter([1, 2])
    """)
    assert not gallery.judge(answer, "assert 'secret' in Box()\n").passed
    assert gallery.judge(answer, "assert 2 in Box()\n").passed


def test_a_tensor_without_bytes_shows_no_memory_of_the_judge() -> None:
    """Memory that was just freed may hold what is expected."""
    decoder = Decoder([b""], lambda item, decoder, depth: None)
    for shape in ([3], [2**20], [2, 2]):
        with pytest.raises(WireError, match="does not fit its own description"):
            decoder.decode(["T", "float32", shape, 0, False, None, False])
    assert decoder.decode(["T", "float32", [0, 4], 0, False, None, False]).shape == (0, 4)


def test_booleans_are_true_or_false(gallery: Gallery) -> None:
    answer = f"{FIND}\ndef f():\n    reply({{'value': ['a', '|b1', [2], 0]}}, [b'\\x02\\x00'])\n"
    assert gallery.judge(answer, "got = f()\nassert got.sum() == 1 and got.tobytes() == b'\\x01\\x00'\n").passed


def test_a_state_is_taken_of_what_was_lent_for_this_call_only(gallery: Gallery) -> None:
    answer = (
        f"{FIND}\ndef first(rng):\n    global key\n    key = found('side').borrowed[-1][0][0]\n"
        "def second():\n    reply({'value': 1, 'after': [[key, ['d', []]]]})\n"
    )
    test = code("""
        import numpy as np
        rng = np.random.default_rng(1)
        first(rng)
        second()
    """)
    assert not gallery.judge(answer, test).passed


def test_files_come_back_inside_the_folder_that_was_lent(gallery: Gallery) -> None:
    answer = f"{FIND}\ndef f(folder):\n    key = found('side').borrowed[-1][0][0]\n" + (
        "    reply({'value': 1, 'after': [[key, ['d', [[NAME, ['b', 0]]]]]]}, [b'x'])\n"
    )
    test = code("""
        import pathlib
        folder = pathlib.Path('lent')
        folder.mkdir()
        try:
            f(folder)
        finally:
            written = [str(p) for p in pathlib.Path('.').rglob('*') if p.is_file()]
            assert not pathlib.Path('outside').exists() and not pathlib.Path('/tmp/attacked').exists()
    """)
    for name in ("../outside", "/tmp/attacked", "a/../../outside"):
        result = gallery.judge(answer.replace("NAME", repr(name)), test)
        assert "lies elsewhere" in result.message, result


HOARDS = {
    "an endless answer": (
        "def f():\n    while True: yield bytes(20_000_000)\n",
        "everything = list(f())\n",
    ),
    "a callback that keeps what it is given": (
        "def f(keep):\n    while True: keep(bytes(20_000_000))\n",
        "kept = []\nf(lambda item: kept.append(item))\n",
    ),
}


@pytest.mark.timing
@pytest.mark.parametrize("name", HOARDS)
def test_no_answer_fills_the_memory_of_the_judge(patient: Gallery, name: str) -> None:
    """Each value is far below the limit of one message; together they are not, and time enough there is."""
    result = patient.judge(*HOARDS[name])
    assert "MemoryError" in result.error + result.message, result


def test_a_huge_answer_says_what_is_wrong_with_it(patient: Gallery) -> None:
    """Writing it down takes time, which is not what is wrong with it."""
    result = patient.judge("def f():\n    return ['x' * 90] * 400_000\n", "assert f() == 1\n")
    assert result.error == "WrongType"
    assert "MiB" in result.message, result


# ---- sockets: bytes before their time, and on the report

SOCKETS = {
    "ready before its time": "for s in found('tests'): s.sendall(b'R')",
    "ready and replies before their time": (
        "for s in found('tests'): s.sendall(b'R' + b''.join(frame_of({'value': v}) for v in (12, 3865.5, True)))"
    ),
    "not ready": "for s in found('tests'): s.sendall(b'X')",
    "all closed": "for s in found('tests'): os.close(s.fileno())",
    "shut down": "for s in found('tests'): s.shutdown(socket.SHUT_RDWR)",
    "answering by itself": (
        "import threading\n"
        "def serve(s):\n    s.sendall(b'R')\n    while s.recv(1 << 16):\n        s.sendall(frame_of({'value': True}))\n"
        "for s in found('tests'): threading.Thread(target=serve, args=(s,), daemon=True).start()\ntime.sleep(1)"
    ),
    "every descriptor written to": (
        "for fd in range(3, 200):\n    try: os.write(fd, b'R{\"ended\": true}\\n' * 100)\n    except OSError: pass"
    ),
    "every descriptor closed": "os.closerange(0, 256)",
    "the report closed": "found('report').close()",
    "sockets exchanged": "tests = found('tests')\ntests.reverse()",
    "sockets doubled": "for s in found('tests'): os.dup2(found('tests')[0].fileno(), s.fileno())",
}


@pytest.mark.parametrize("name", SOCKETS)
def test_sockets(gallery: Gallery, name: str) -> None:
    outcome = gallery.run({"area": GOOD["area"]}, before=FIND + SOCKETS[name])
    assert outcome.earned in (AREA, NONE), (outcome.messages, outcome.errors())
    assert all(outcome.messages[name] for name in OTHERS)


REPORTS = {
    "the end": "{'ended': True}",
    "a verdict": "{'id': 'test_shares', 'error': '', 'message': ''}",
    "a verdict on every test": (
        "*({'id': f'test_{name}', 'error': '', 'message': ''} for name in ('shares', 'apply', 'running', 'Tally'))"
    ),
    "a test that began": "{'started': 'test_shares'}",
    "a cell that began": "{'started': 'squeeze'}",
    "a cell that began with a list": "{'started': ['area']}",
    "a cell with an object for a name": "{'id': {'a': 1}}",
    "a cell with a list for a name": "{'id': [1]}",
    "no sandbox": "{'sandbox': 'it fell down'}",
    "an odd error": "{'id': 'squeeze', 'error': {'a': 1}, 'message': [1], 'printed': 7, 'flood': [0]}",
    "many errors": "*({'id': 'squeeze', 'error': 'x', 'message': str(i)} for i in range(10_000))",
    "numbers": "1, 2, 3",
    "nothing": "None, [], {}, ''",
    "deep": "*[__import__('functools').reduce(lambda x, _: [x], range(500), 1)]",
}


@pytest.mark.parametrize("name", REPORTS)
def test_forged_reports(gallery: Gallery, name: str) -> None:
    """What a student's process says of itself changes no verdict and stops no run."""
    before = f"for record in [{REPORTS[name]}]: found('report').sendall(json.dumps(record).encode() + b'\\n')\n"
    outcome = gallery.run({"area": GOOD["area"]}, before=FIND + before)
    assert outcome.earned == AREA, (outcome.messages, outcome.errors())


@pytest.mark.timing
def test_a_cell_that_hangs_is_not_hidden_by_a_report_of_another(gallery: Gallery) -> None:
    """It is the one that is left out, and the others are run; where it goes on to report, that is not heard of."""
    before = "found('report').sendall(json.dumps({'started': 'squeeze'}).encode() + b'\\n')\n"
    stop = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(1000)\n"
    outcome = gallery.run({"area": GOOD["area"]}, before=FIND + before + stop)
    assert outcome.earned == AREA, (outcome.messages, outcome.errors())
    assert outcome.kinds == {"free-0": "timed out"}


RAW_REPORTS = {
    "no JSON": "b'\\xff\\n' * 10",
    "deep JSON": "b'[' * 200_000 + b'\\n'",
    "a long line": "b'x' * (40 << 20)",
    "many lines": "b'{}\\n' * (12 << 20)",
    "a huge number": "b'9' * 100_000 + b'\\n'",
    "no end of a line": "b'{'",
}


@pytest.mark.parametrize("name", RAW_REPORTS)
def test_noise_on_the_report(gallery: Gallery, name: str) -> None:
    outcome = gallery.run({"area": GOOD["area"]}, before=FIND + f"found('report').sendall({RAW_REPORTS[name]})\n")
    assert outcome.earned in (AREA, NONE), (outcome.messages, outcome.errors())


@pytest.mark.parametrize("code", [0, 1, 42, 77, 78, 137])
def test_exit_codes_mean_nothing(gallery: Gallery, code: int) -> None:
    """Among them the two by which the keeper tells the engine of itself."""
    outcome = gallery.run({"area": GOOD["area"]}, after=f"import os\nos._exit({code})\n")
    assert outcome.earned == AREA, (outcome.messages, outcome.errors())
    assert set(outcome.kinds.values()) == {"crashed"}
