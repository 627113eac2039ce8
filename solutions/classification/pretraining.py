# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # Read first, then judge
#
# Case 4 reads thousands of reviews without their labels before it is asked for a verdict. This notebook builds the two
# steps that are new in it: the gaps that it learns to fill, and the switch that decides which of its parts go on learning
# afterwards.
#
# **When you are done you can** make the questions and the answers of masked pretraining out of any text, and hold a part
# of a model still in such a way that no optimiser moves it.
#
# **You need** NumPy arrays of truth values, and PyTorch's `nn.Module` and its parameters. Plan about 40 minutes.
#
# Each exercise stands alone: neither of them needs your answer to the other one.

# %%
from collections.abc import Collection

import numpy as np
import torch
from torch import nn

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check

# %% [markdown]
# ## Given: the numbers that are no words
# The vocabulary has 8,194 numbers. Number 0 fills a short review up, number 1 stands in a gap, and every number from 2 on
# is a piece of text.

# %%
PADDING, MASK, FIRST, VOCABULARY = 0, 1, 2, 8194


# %% [markdown]
# ## `mask_tokens`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# Nobody has to label a text before a model can learn from it: hide a few of its words, and the text itself knows the
# right answers. `mask_tokens(ids, rng)` makes such questions. It takes word numbers `ids` `(B, T)`, filled up with
# `PADDING`, and a NumPy `Generator`, and returns two new arrays of the same shape, `(shown, targets)`:
#
# - each place that holds a word is **chosen** with the probability 0.15, independently of all others;
# - `targets` has the word that stood there at each chosen place, and −100 everywhere else. PyTorch's cross-entropy leaves
#   out a place whose target is −100, so that the model is asked for nothing but the chosen words;
# - `shown` is what the model gets to see. Of the chosen places, 80 % show `MASK`, 10 % show a word that is drawn evenly
#   from `FIRST` to `VOCABULARY - 1`, and 10 % show the word that was there. All the other places show what was there.
#
# Padding is never chosen, and `ids` stays as it is.
#
# Why not `MASK` at every chosen place? When the model judges reviews later on, it will never meet a `MASK`. A model that
# had something to say at a `MASK` only would have little to say then. Since any word may be a wrong one or may be asked
# for, it has to know something at each place.
#
# By hand: of 1,000 words about 150 are chosen. About 120 of these show `MASK`, 15 another word, and 15 show themselves.
# Counted in fifteens that is 10, 8, 1 and 1, and so the test counts.
#
# Hint 1 (a nudge): One array of random numbers decides which places are chosen, and a second one what happens there.
#
# Hint 2 (the approach): `chosen` is true where the first number is below 0.15 and the place is no padding. A second
# number between 0 and 1 is below 0.8 for `MASK`, and from 0.8 to 0.9 for another word.
#
# Hint 3 (the tools): `rng.random(ids.shape)` gives the numbers, `rng.integers(FIRST, VOCABULARY, ids.shape)` the other
# words, and `np.where(condition, this, that)` picks place by place.


# %% nbgrader={"grade_id": "mask_tokens", "solution": true}
def mask_tokens(ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the model sees, and the words that it is asked for, -100 where it is asked for none. (B, T) each."""
    ### BEGIN SOLUTION
    chosen = (rng.random(ids.shape) < 0.15) & (ids != PADDING)  # (B, T)
    fate = rng.random(ids.shape)  # (B, T)
    other = rng.integers(FIRST, VOCABULARY, ids.shape)  # (B, T)
    shown = np.where(chosen & (fate < 0.8), MASK, ids)
    shown = np.where(chosen & (fate >= 0.8) & (fate < 0.9), other, shown)
    return shown, np.where(chosen, ids, -100)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_mask_tokens", "grade": true, "points": 3}
def asked(count, width, words, seed):
    """Reviews of `width` places, of which `words` are no padding, and what `mask_tokens` makes of them."""
    ids = np.random.default_rng(seed).integers(FIRST, VOCABULARY, (count, width))
    ids[:, words:] = PADDING
    shown, targets = mask_tokens(ids.copy(), np.random.default_rng([seed, 1]))
    return ids, np.asarray(shown), np.asarray(targets)


def shares(*sizes):
    """Of 1,000 words, how many fifteens are chosen, and then show a gap, another word and themselves."""
    ids, shown, targets = asked(*sizes)
    chosen, gap, same = targets != -100, shown == MASK, shown == ids
    counts = [here.sum() for here in (chosen, gap, chosen & ~gap & ~same, chosen & same)]
    return [round(1000 * count / (ids != PADDING).sum() / 15) for count in counts]


def broken(*sizes):
    """How many places break a rule."""
    ids, shown, targets = asked(*sizes)
    chosen, gap = targets != -100, shown == MASK
    return {
        "padding that is chosen": int((chosen & (ids == PADDING)).sum()),
        "targets that are not the word that stood there": int((targets[chosen] != ids[chosen]).sum()),
        "places changed that are not chosen": int((shown != ids)[~chosen].sum()),
        "numbers shown that are no word": int((((shown < FIRST) & ~gap) | (shown >= VOCABULARY))[chosen].sum()),
    }


def chance(count, width):
    """Whether one seed gives one answer and two calls give two; whether rows, columns and drawn words differ."""
    ids = np.full((count, width), FIRST)
    rng, same = np.random.default_rng(8), np.random.default_rng(8)
    (shown, first), (_, second), (_, again) = mask_tokens(ids, rng), mask_tokens(ids, rng), mask_tokens(ids, same)
    chosen, drawn = np.asarray(first) != -100, np.unique(np.asarray(shown)[np.asarray(shown) > FIRST])
    varied = [len(np.unique(chosen, axis=axis)) > 1 for axis in (0, 1)]
    return [np.array_equal(first, again), not np.array_equal(first, second), *varied, len(drawn) > 20]


def test_mask_tokens():
    """The shares are right, padding is left alone, and only what is chosen is changed or asked for."""
    check(shares, 300, 200, 200, 3, gives=[10, 8, 1, 1])
    check(shares, 600, 200, 100, 4)
    check(broken, 300, 200, 100, 5)
    check(chance, 40, 200)
    ### BEGIN HIDDEN TESTS
    check(shares, 2000, 40, 30, 6, about="short reviews")
    check(broken, 1, 5000, 4999, 7, about="one long review")
    check(broken, 50, 10, 0, 8, about="padding alone")
    check(mask_tokens, np.zeros((0, 7), dtype=int), np.random.default_rng(9), about="no review")

    def spread(count, width):
        """The share of each quarter of the vocabulary, and whether words drawn and fates differ within rows and columns."""
        shown, targets = mask_tokens(np.full((count, width), FIRST), np.random.default_rng(12))
        shown, chosen = np.asarray(shown), np.asarray(targets) != -100
        drawn = np.where(chosen & (shown > FIRST), shown, 0)  # 0 where none was drawn
        fate = np.where(chosen, 1 + (shown == MASK) + 2 * (shown > FIRST), 0)
        quarters = np.bincount(4 * (drawn[drawn > 0] - FIRST) // (VOCABULARY - FIRST), minlength=4)
        lines = (drawn, drawn.T, fate, fate.T)
        differ = [np.mean([len(np.unique(line[line > 0])) > 1 for line in each]) > 0.5 for each in lines]
        beside = [(line[1:] & line[:-1]).sum() / max(line[1:].sum(), 1) for line in (chosen, chosen.T)]
        return {
            "shares of the quarters": [round(4 * n / max(quarters.sum(), 1)) for n in quarters.tolist()],
            "words and fates differ": [bool(each) for each in differ],
            "chosen beside a chosen one, in fifteens of 100": [round(100 * share / 15) for share in beside],
        }

    check(spread, 300, 300, about="which words are drawn, and where")
    check(shares, 40_000, 1, 1, 13, about="reviews of one word")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `freeze`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# How much of a verdict comes from reading, and how much from the labels? Hold the encoder still and let only the
# classifier learn: what the model can do then, it owes to its reading. `freeze(model, what)` takes an `nn.Module` and the
# names of parts, such as `["embedding", "blocks.0"]`. After the call
#
# - every parameter (参数) of these parts is **frozen** (冻结): no optimiser moves it, not even one that holds it;
# - every other parameter learns, also one that an earlier call had frozen;
#
# and the call returns a list with the names of the parameters that learn, in the order of `model.named_parameters()`. A
# name stands for the parameter of this name, or for all those below it: `blocks.1` for `blocks.1.weight`, and not for
# `blocks.10.weight`. A name that fits no parameter is a `ValueError`.
#
# An optimiser passes over a parameter whose `grad` is `None`. Where `grad` is there, it takes its step, and a gradient
# of 0 is no protection: AdamW still makes the parameter smaller (权重衰减 weight decay). A gradient may also be left from
# a step before the call.
#
# By hand: of a model with the parameters `embedding.weight`, `classifier.weight` and `classifier.bias`,
# `freeze(model, ["embedding"])` returns `["classifier.weight", "classifier.bias"]`.
#
# Hint 1 (a nudge): PyTorch keeps the switch at each parameter, and not at the module: a module has no `requires_grad`
# that anyone reads.
#
# Hint 2 (the approach): Walk through the names and parameters once. Is the name one of `what`, or does it begin with
# one and a dot? Then switch the parameter off and take away the gradient that it may still have. Else switch it on, and
# note its name.
#
# Hint 3 (the tools): `parameter.requires_grad_(False)` is the switch, and `parameter.grad = None` takes a gradient
# away.


# %% nbgrader={"grade_id": "freeze", "solution": true}
def freeze(model: nn.Module, what: Collection[str]) -> list[str]:
    """Hold the parameters of these parts still, let all others learn, and return the names of those that learn."""
    ### BEGIN SOLUTION
    learning = []
    found = set()
    for name, parameter in model.named_parameters():
        fitting = {part for part in what if f"{name}.".startswith(f"{part}.")}
        found |= fitting
        parameter.requires_grad_(not fitting)
        if fitting:
            parameter.grad = None
        else:
            learning.append(name)
    if unknown := set(what) - found:
        raise ValueError(f"the model has no part of the name {min(unknown)!r}")
    return learning
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_freeze", "grade": true, "points": 2}
def moved(what, before=(), trained=False, parts=("embedding", "block1", "block10", "classifier")):
    """What `freeze` returns, and the parameters that a step of AdamW then moves, though it was given all of them."""
    model = nn.ModuleDict({part: nn.Linear(2, 1, bias=part == "classifier") for part in parts})
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1)
    for names in before:
        freeze(model, names)
    if trained:  # a step before the call, whose gradients are still there
        sum(parameter.square().sum() for parameter in model.parameters()).backward()
        optimiser.step()
    returned = freeze(model, what)
    old = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    sum([parameter.square().sum() for parameter in learning], torch.zeros((), requires_grad=True)).backward()
    optimiser.step()
    after = dict(model.named_parameters())
    return {"returned": list(returned), "moved": [name for name in old if not torch.equal(old[name], after[name])]}


def test_freeze():
    """What is frozen stays where it is, whatever the optimiser holds; all else learns."""
    rest = ["classifier.weight", "classifier.bias"]
    check(moved, ["embedding"], parts=("embedding", "classifier"), gives={"returned": rest, "moved": rest})
    check(moved, ["block1", "classifier.bias"])
    check(moved, ["embedding", "block10"], trained=True)
    check(moved, ["classifier"], before=[["embedding", "block1"]])
    check(moved, ["embedding", "block2"], gives=ValueError)
    ### BEGIN HIDDEN TESTS
    check(moved, [], before=[["block1"]], about="nothing frozen any more")
    check(moved, ["embedding", "block1", "block10", "classifier"], trained=True, about="all frozen")
    check(moved, ("block10.weight",), about="one parameter, by its own name")
    check(moved, ["block1", "block1.weight"], about="a part that is named twice")

    def learning(what):
        """What `freeze` returns, and what learns, of a model that has parts within parts."""
        blocks = nn.ModuleList([nn.Sequential(nn.Linear(1, 1, bias=False)) for _ in range(11)])
        model = nn.ModuleDict({"embedding": nn.Linear(1, 1, bias=False), "blocks": blocks, "drop": nn.Dropout()})
        model["blocks_1"] = nn.Linear(1, 1, bias=False)
        returned = freeze(model, what)
        return list(returned), [name for name, parameter in model.named_parameters() if parameter.requires_grad]

    for what in (["blocks.1"], ["blocks"], ["embedding", "blocks.1.0"], ["blocks.10.0.weight"], ["embedding", "block"], ["drop"]):
        check(learning, what, about="parts within parts")
    ### END HIDDEN TESTS
