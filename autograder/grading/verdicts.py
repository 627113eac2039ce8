"""From a run to what each exercise earned and what its reader is told: in `check` and in `grade` the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autograder.grading.causes import first_cause
from autograder.hints import NOT_WRITTEN
from autograder.notebook.points import TooManyPointsError, earned
from autograder.notebook.rebuild import Placed
from autograder.notebook.source import exercise_of
from autograder.results import Exercise, Mistake, Run, State

NOT_RUN = "NotRun"  # the error of a test that the engine did not come to
SAID_IN_FULL = frozenset({"AssertionError", "TimedOut", "Crashed", "OutOfMemory", "WrongType", NOT_RUN, "WrongAnswer"})


def exercise_results(
    notebook: str, tests: Mapping[str, float], run: Run, placed: Sequence[Placed] = ()
) -> list[Exercise]:
    """What each test cell (`grade_id` → points) was worth, and the message where it was not worth all.

    `placed` is the notebook that ran, for a message to name the cell that led to an error.
    """
    return [_exercise(notebook, grade_id, points, run, placed) for grade_id, points in tests.items()]


def without_a_run(
    notebook: str, tests: Mapping[str, float], state: State, by_hand: Mapping[str, float]
) -> list[Exercise]:
    """The exercises of a notebook that was not handed in, or could not be graded."""
    nothing = [Exercise(notebook, exercise_of(test), 0.0, worth, state, str(state)) for test, worth in tests.items()]
    return nothing + left_to_a_person(notebook, by_hand)


def left_to_a_person(notebook: str, by_hand: Mapping[str, float]) -> list[Exercise]:
    """What no test grades (`grade_id` → points)."""
    state = State.BY_HAND
    return [Exercise(notebook, cell, 0.0, worth, state, str(state)) for cell, worth in by_hand.items()]


def _exercise(notebook: str, grade_id: str, worth: float, run: Run, placed: Sequence[Placed]) -> Exercise:
    exercise = exercise_of(grade_id)
    result = run.cells.get(grade_id)
    if result is None:
        message = f"not reached: the notebook {run.ended or 'stopped'} before this test"
        return Exercise(notebook, exercise, 0.0, worth, State.NOT_REACHED, message)
    title, message = result.title, ""
    if not result.passed:
        message = first_cause(result, run, placed) or explain(result.error, result.message)
    try:
        mine = earned(worth, result)
    except TooManyPointsError as error:
        mine, message = 0.0, str(error)
    if 0 < mine < worth or (result.passed and mine < worth and not message):
        title, said = told_apart(result.printed.strip())
        message = first_cause(result, run, placed) or said or f"partly right: {mine:g} of {worth:g} points"
    mistake = Mistake(result.entry, message.splitlines()[0] if message else "") if result.entry else None
    state = State.NOT_REACHED if result.error == NOT_RUN else _state(mine, message)
    return Exercise(notebook, exercise, mine, worth, state, message, mistake, result.details, title)


def _state(points: float, message: str) -> State:
    if not message:
        return State.RIGHT
    if message == NOT_WRITTEN:
        return State.NOT_WRITTEN
    return State.PARTLY if points else State.WRONG


def explain(error: str, message: str) -> str:
    """What a failed test says to its reader; `error` is the exception's type name."""
    if error == "NotImplementedError":
        return NOT_WRITTEN
    if error == "NotRecordedError":
        return f"This cannot be judged, by no fault of yours: {message}"
    if error in SAID_IN_FULL:
        return message or "an assertion without a message failed"
    return f"{error}: {message}" if message else error


def told_apart(printed: str) -> tuple[str, str]:
    """The title and the message of a verdict that was printed, or no title and all of it."""
    first, _, rest = printed.partition("\n")
    return (first, rest) if first.startswith("✗ ") else ("", printed)
