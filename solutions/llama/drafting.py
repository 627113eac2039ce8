"""Faster than the memory: guess the next tokens, and check all guesses in one pass.

    next_logits = DraftingReader(model)               in place of fast.Reader
    generate(next_logits, prompt, choose, max_new, end)

To write one token a model reads all its weights; to read several tokens together costs hardly more (layouts.py). So where
the last tokens stood in the text before, what followed them there is a guess of what follows now. The model reads the
guesses together and gives the logits after each of them. The next token is chosen from these logits exactly as without a
guess. Where it is the one that was guessed, the logits after it are there already, and nothing is read; where it is not,
the rest of the guesses is forgotten.

So the text is chosen by the model alone, greedily or by chance: a guess that is drawn with probability p stands with
probability p, and the same seed draws the same tokens. Only the last digits of the logits may differ, since a product of
several rows adds in another order than a product of one; two tokens that are that close may change places.

How much to guess is learnt on the way: twice as much as stood the last time, up to MOST. A guess that is made and not
read costs nothing, and the next token tells whether it was right. So at the beginning, and after a reading in which no
guess stood, guesses have to prove right before the next one is read: one of them, then 3 in a row, and then 64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from solutions.llama.fast import Reader
from solutions.llama.layouts import SEVERAL

Array = np.ndarray
WIDTHS = (3, 2)  # so many last tokens are looked for in the text before, the more the better
FIRST, MOST = 3, SEVERAL - 1  # guesses at first, and at most: with the token before them they are read by `few`
PROOFS = (1, 3, 64)  # guesses in a row that have to prove right before one is read: after one, two, three in vain


def share_that_stood(stood: int, offered: int) -> str:
    return f"{stood} of {offered} guesses stood" if offered else "nothing was there to guess from"


class Lookup:
    """What followed the last ids of a text when they came before."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.after: dict[tuple[int, ...], int] = {}  # some ids in a row -> the place after them, where they came last

    def guess(self, ids: list[int], most: int) -> list[int]:
        """Up to `most` ids that may come next."""
        if ids[: len(self.ids)] != self.ids:
            self.ids, self.after = [], {}
        for place in range(len(self.ids), len(ids)):
            for width in WIDTHS:
                if width <= place:
                    self.after[tuple(ids[place - width : place])] = place
        self.ids = list(ids)
        for width in WIDTHS:
            place = self.after.get(tuple(ids[-width:]))
            if place is not None:
                again = ids[place:]  # where it ends, it begins anew: a text that goes in circles goes on
                return (again * -(-most // len(again)))[:most]
        return []


class DraftingReader(Reader):
    """A Reader that guesses. `on = False` makes it a plain one, at any time."""

    def __init__(self, model: Any, on: bool = True) -> None:
        super().__init__(model)
        self.on = on
        self.lookup = Lookup()
        self.offered = self.stood = 0  # guesses so far, and how many of them were chosen
        self.most = FIRST
        self.wanted, self.proved = PROOFS[0], 0  # guesses in a row that have to prove right before one is read; so far
        self.unread: tuple[int, int] | None = None  # a place of the text, and the id that was guessed for it
        if on:
            model.want(SEVERAL)
        self.forget()

    def forget(self) -> None:
        self.rows: Array | None = None  # the logits of the last look; row j is what comes after base + j ids
        self.base = self.good = 0

    def __call__(self, ids: Sequence[int]) -> Array:
        ids = self.seen(ids)
        row = len(ids) - self.base
        if self.rows is not None and 0 <= row < len(self.rows) and self.ids[: len(ids)] == ids:
            if row > self.good:
                self.good, self.stood = row, self.stood + 1
            return self.rows[row]
        self.settle(len(ids))
        self.prove(ids)
        draft = self.draft(ids)
        if not draft:
            return super().__call__(ids)
        rows = self.model.look([ids[-1], *draft], self.cache)  # (1 + guesses, V)
        self.ids = ids + draft
        self.rows, self.base, self.offered = rows, len(ids), self.offered + len(draft)
        return rows[0]

    def settle(self, length: int) -> None:
        """The last guesses are over: forget those that were not chosen, and learn how much to guess."""
        if self.rows is None:
            return
        if self.good:
            self.most, self.wanted = min(2 * self.good + 1, MOST), 0
        else:
            self.most, self.proved = FIRST, 0
            self.wanted = next((proofs for proofs in PROOFS if proofs > self.wanted), PROOFS[-1])
        self.ids = self.ids[: min(self.base + self.good, length - 1)]
        self.cache.truncate(len(self.ids))
        self.forget()

    def prove(self, ids: list[int]) -> None:
        """Whether the last guess that was not read would have stood."""
        if self.unread is not None and len(ids) == self.unread[0] + 1:
            self.proved = self.proved + 1 if ids[-1] == self.unread[1] else 0
        self.unread = None

    def draft(self, ids: list[int]) -> list[int]:
        """The guesses for what comes after the ids, of which all but the last have been read."""
        if not self.on or self.cache is None or ids[:-1] != self.ids:
            return []
        if self.cache.length > len(self.ids):
            self.cache.truncate(len(self.ids))  # it was interrupted in the middle
        room = self.model.config.max_len - len(ids)
        draft = self.guess(ids, min(self.most, room)) if room > 0 else []
        if draft and self.proved < self.wanted:
            self.unread, draft = (len(ids), draft[0]), []
        return draft

    def guess(self, ids: list[int], most: int) -> list[int]:
        return self.lookup.guess(ids, most)
