"""What `verify` records of a bank's answers: nothing that chance gave, and nothing that takes the machine with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking_course import write_asking

from autograder.course.questions import UNSTEADY, ask_everything

DRAWN = {
    "numpy": "np.random.choice(2, len(amounts))",
    "random": "[random.randrange(2) for _ in amounts]",
    "torch": "torch.randint(0, 2, (len(amounts),)).numpy()",
}
CHANCE = '''

@wrong("shares")
def drawn(amounts):
    """These are drawn."""
    import {module}
    return {drawn}
'''

HUGE = '''

@wrong("shares")
def far_too_large(amounts):
    """This makes room for far too many."""
    return np.empty(1 << 30)
'''


@pytest.mark.parametrize(
    "module", ["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in ("random", "torch"))]
)
def test_what_a_global_generator_gave_is_not_recorded(tmp_path: Path, module: str) -> None:
    """Of two coins, both processes see the same now and then; a record made again would be another."""
    course = write_asking(tmp_path)
    bank = course.bank("cooking")
    entry = CHANCE.format(module=module, drawn=DRAWN[module])
    bank.write_text(bank.read_text(encoding="utf-8") + entry, encoding="utf-8")
    source = course.sources("cooking")[0]
    asked = "".join(f"    check(shares, np.array([1.0, {n}.0]))\n" for n in range(8, 24))
    imported = f"import numpy as np\nimport {module}\n"
    text = source.read_text(encoding="utf-8").replace("import numpy as np\n", imported, 1)
    source.write_text(text.replace("    check(shares, np.array([2", asked + "    check(shares, np.array([2"), "utf-8")
    once, again = (ask_everything(course, "cooking")["shares"]["entries"]["drawn"]["marks"] for _ in range(2))
    assert UNSTEADY in once and once == again


def test_what_takes_all_memory_is_a_fault_of_its_own(tmp_path: Path) -> None:
    """Functions tried as answers are asked for what they were not meant for; nothing else must pay for it."""
    course = write_asking(tmp_path)
    bank = course.bank("cooking")
    bank.write_text(bank.read_text(encoding="utf-8") + HUGE, encoding="utf-8")
    entries = ask_everything(course, "cooking")["shares"]["entries"]
    assert "MemoryError" in entries["far_too_large"]["broken"]
    assert any(entries["of_the_largest"]["marks"]) and not any(entries["by_a_loop"]["marks"])
