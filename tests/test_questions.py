"""What `verify` records of a bank's answers: nothing that chance gave, and nothing that takes the machine with it."""

from __future__ import annotations

from pathlib import Path

from asking_course import write_asking

from autograder.course.questions import UNSTEADY, ask_everything

CHANCE = '''

@wrong("shares")
def drawn_by_numpy(amounts):
    """These are drawn."""
    return np.random.choice(2, len(amounts))


@wrong("shares")
def drawn_by_python(amounts):
    """These are drawn one by one."""
    import random
    return [random.randrange(2) for _ in amounts]


@wrong("shares")
def drawn_by_torch(amounts):
    """These are drawn as a tensor."""
    import torch
    return torch.randint(0, 2, (len(amounts),)).numpy()
'''

HUGE = '''

@wrong("shares")
def far_too_large(amounts):
    """This makes room for far too many."""
    return np.empty(1 << 30)
'''


def test_what_a_global_generator_gave_is_not_recorded(tmp_path: Path) -> None:
    """Of two coins, both processes see the same now and then; a record made again would be another."""
    course = write_asking(tmp_path)
    bank = course.bank("cooking")
    bank.write_text(bank.read_text(encoding="utf-8") + CHANCE, encoding="utf-8")
    source = course.sources("cooking")[0]
    asked = "".join(f"    check(shares, np.array([1.0, {n}.0]))\n" for n in range(8, 24))
    text = source.read_text(encoding="utf-8").replace("import numpy as np\n", "import numpy as np\nimport torch\n", 1)
    source.write_text(text.replace("    check(shares, np.array([2", asked + "    check(shares, np.array([2"), "utf-8")
    once, again = (ask_everything(course, "cooking")["shares"]["entries"] for _ in range(2))
    for name in ("drawn_by_numpy", "drawn_by_python", "drawn_by_torch"):
        assert UNSTEADY in once[name]["marks"], name
        assert once[name]["marks"] == again[name]["marks"], name


def test_what_takes_all_memory_is_a_fault_of_its_own(tmp_path: Path) -> None:
    """Functions tried as answers are asked for what they were not meant for; nothing else must pay for it."""
    course = write_asking(tmp_path)
    bank = course.bank("cooking")
    bank.write_text(bank.read_text(encoding="utf-8") + HUGE, encoding="utf-8")
    entries = ask_everything(course, "cooking")["shares"]["entries"]
    assert "MemoryError" in entries["far_too_large"]["broken"]
    assert any(entries["of_the_largest"]["marks"]) and not any(entries["by_a_loop"]["marks"])
