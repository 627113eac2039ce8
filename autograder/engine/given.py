"""Our own cells on the judge's side: what the given ones define for the tests, and what a test's last line is worth.

A given cell may call an answer, draw, use a magic, or need a file or a module that is not here. The judge runs it
statement by statement. What a statement would have defined from an answer is the student's and is taken from there;
what it would have defined but for another failure is missing, and a test that needs it is told the cause.
"""

from __future__ import annotations

import ast
import builtins
import functools
import types
from collections.abc import Collection, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from autograder.engine.jobs import GivenCell
from autograder.engine.shell import Namespace, make_shell
from autograder.notebook.magics import as_python

SHOWN = 300  # characters of a cause


class NeedsAnswerError(BaseException):
    """A given statement uses an answer. Not an Exception: no `except Exception` of the statement's own catches it."""


class Absent:
    """Stands for an answer while the given cells run: it may be passed on, and not used."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name


def _needs(self: Absent, *args: Any, **kwargs: Any) -> NoReturn:
    raise NeedsAnswerError(object.__getattribute__(self, "_name"))


_USES = (
    "__call__ __getattr__ __bool__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __int__ __float__ __index__ "
    "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __floordiv__ __rfloordiv__ __mod__ "
    "__rmod__ __pow__ __rpow__ __matmul__ __rmatmul__ __and__ __or__ __ror__ __xor__ __neg__ __abs__ __round__ "
    "__array__ __len__ __getitem__ __setitem__ __iter__ __next__ __contains__ __enter__ __exit__ __str__ __repr__ "
    "__format__ __mro_entries__"
)
for _name in _USES.split():
    setattr(Absent, _name, _needs)


@dataclass
class Given:
    """What the given cells left: names that the student's side has, and missing names with their causes."""

    theirs: set[str] = field(default_factory=set)
    missing: dict[str, str] = field(default_factory=dict)
    uses: dict[str, frozenset[str]] = field(default_factory=dict)  # a helper → the names in its body

    def wanted(self, mentioned: Collection[str]) -> set[str]:
        """Of the student's names, those that a test reads: by itself, or through helpers."""
        found: set[str] = set()
        waiting = set(mentioned)
        while waiting:
            found |= waiting
            waiting = {name for helper in waiting for name in self.uses.get(helper, ())} - found
        return found & self.theirs


@dataclass(frozen=True)
class Statement:
    """One statement of a given cell, compiled, and the names in it."""

    code: types.CodeType
    now: frozenset[str]  # names that are looked up when it runs, not in the bodies of functions that it defines
    within: frozenset[str]  # names in those bodies
    sets: frozenset[str]  # names that it binds or whose objects it changes


@functools.lru_cache(maxsize=2000)
def statements(name: str, source: str) -> tuple[Statement, ...]:
    """The statements of a cell in order; magics become calls. Raises SyntaxError for what is not Python."""
    found = []
    for node in ast.parse(as_python(source)).body:
        module = ast.Module([node], [])
        now, within, sets = set[str](), set[str](), set[str]()
        _look(node, now, within, sets)
        code = compile(module, f"<{name}>", "exec")
        found.append(Statement(code, frozenset(now), frozenset(within), frozenset(sets)))
    return tuple(found)


def _look(node: ast.AST, now: set[str], within: set[str], sets: set[str]) -> None:
    """Sort the names below a node."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            sets.add(node.name)
            defaults = [d for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]
            for expression in (*node.decorator_list, *defaults):
                _look(expression, now, within, sets)
            within |= {n.id for line in node.body for n in ast.walk(line) if isinstance(n, ast.Name)}
            return
        case ast.Lambda():
            within |= {n.id for n in ast.walk(node.body) if isinstance(n, ast.Name)}
            return
        case ast.ClassDef():
            sets.add(node.name)
            inside: set[str] = set()
            for part in (*node.decorator_list, *node.bases, *node.body):
                _look(part, now, within, inside)
            return
        case ast.Name(ctx=ast.Load()):
            now.add(node.id)
        case ast.Name():
            sets.add(node.id)
        case ast.alias():
            sets.add((node.asname or node.name).split(".")[0])
        case ast.ExceptHandler(name=str(name)):
            sets.add(name)
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            sets |= _base(node)
        case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
            sets |= _base(method)  # `found.append(…)`
        case ast.AnnAssign():
            _look(node.target, now, within, sets)
            if node.value is not None:
                _look(node.value, now, within, sets)
            return
    for child in ast.iter_child_nodes(node):
        _look(child, now, within, sets)


def _base(node: ast.expr) -> set[str]:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def run_given(cells: Sequence[GivenCell], answers: Collection[str], namespace: Namespace) -> Given:
    """Run the given cells in `namespace`, where `answers` stand for themselves only."""
    found = Given()
    apart = set(answers)  # what only the student's side has
    namespace.update({name: Absent(name) for name in answers})
    offer_what_notebooks_have(namespace)
    for cell in cells:
        try:
            parts = statements(cell["id"], cell["source"])
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            found.missing[""] = _cause(cell["id"], error)
            continue
        for part in parts:
            _run(cell["id"], part, apart, namespace, found)
    for name in [name for name, value in namespace.items() if type(value) is Absent]:
        del namespace[name]
    return found


def _run(cell: str, part: Statement, apart: set[str], namespace: Namespace, found: Given) -> None:
    modules = {name for name, value in namespace.items() if isinstance(value, types.ModuleType)}
    sets = part.sets - modules if part.now & apart else part.sets
    try:
        if part.now & apart:
            raise NeedsAnswerError
        exec(part.code, namespace)
    except NeedsAnswerError:
        apart |= sets
        found.theirs |= sets
        namespace.update({name: Absent(name) for name in sets})
        return
    except BaseException as error:
        found.missing.update(dict.fromkeys(sets - set(namespace), _cause(cell, error)))
        return
    for name in sets:
        found.missing.pop(name, None)
        found.uses[name] = part.within


def _cause(cell: str, error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"the given cell {cell} failed: {text[:SHOWN]}"


# ---- what a notebook offers: magics, `display`, the value of the last line


def offer_what_notebooks_have(namespace: Namespace) -> None:
    """`display` and `get_ipython`, imported or made when first used."""

    def display(*args: Any, **kwargs: Any) -> Any:
        from IPython.display import display as show  # half a second that few need; so below

        return show(*args, **kwargs)

    @functools.cache
    def get_ipython() -> Any:
        shell = make_shell(namespace)
        run_cell = shell.run_cell

        def run_and_raise(*args: Any, **kwargs: Any) -> Any:
            """A magic that runs the rest of its cell, `%%capture`, keeps its error to itself; here it is a failure."""
            result = run_cell(*args, **kwargs)
            result.raise_error()
            return result

        shell.run_cell = run_and_raise
        return shell

    vars(builtins).setdefault("display", display)
    namespace.setdefault("get_ipython", get_ipython)


@dataclass(frozen=True)
class TestCode:
    """A test cell, compiled: its statements, and its last line where that is an expression whose value is shown."""

    body: types.CodeType
    last: types.CodeType | None
    sets: frozenset[str]  # names that it binds or deletes at its top level


@functools.lru_cache(maxsize=2000)
def test_code(name: str, source: str) -> TestCode:
    tree = ast.parse(as_python(source))
    sets = {name for node in _top_level(tree) for name in _bound(node)}
    last = None
    if tree.body and isinstance(end := tree.body[-1], ast.Expr) and not _is_silenced(source):
        tree.body.pop()
        last = compile(ast.Expression(end.value), f"<{name}>", "eval")
    return TestCode(compile(tree, f"<{name}>", "exec"), last, frozenset(sets))


def _top_level(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run in the cell's own namespace."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _top_level(child)


def _bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.alias():
            yield (node.asname or node.name).split(".")[0]


def _is_silenced(source: str) -> bool:
    """Whether a semicolon ends the cell, as IPython tells it."""
    if ";" not in source:
        return False
    from IPython.core.displayhook import DisplayHook

    return bool(DisplayHook.semicolon_at_end_of_expression(source))


def run_test_cell(code: TestCode, namespace: Namespace, names: MutableMapping[str, Any] | None = None) -> str:
    """Run a test cell, or any other; returns what a notebook would show of its last line, "" for nothing.

    `names` is where its top level binds names, if not in `namespace`.
    """
    where: Any = namespace if names is None else names
    exec(code.body, namespace, where)
    value = eval(code.last, namespace, where) if code.last is not None else None
    return shown_value(value)


def shown_value(value: Any) -> str:
    """The plain text that IPython shows of a value, "" for None."""
    if value is None:
        return ""
    if type(value) in (int, float, bool):
        return repr(value)
    from IPython.core.formatters import PlainTextFormatter

    return str(PlainTextFormatter()(value))
