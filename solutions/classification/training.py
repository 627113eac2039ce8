"""Turning reviews into batches, and the training loop of the classification chapter with its history.

    vocabulary = Vocabulary.of(texts, words)         numbers for the words of the training part: 0 padding, 1 unknown
    rows = vocabulary.rows(reviews, words)           [(ids, label)]
    history, model = fit(model, train, val, ...)     trains, and says what happened in each epoch
    loss, accuracy, predictions = evaluate(model, rows)

One seed fixes a run: the weights at the start, the order of the batches and the dropout. The order comes from a
generator of its own, so that two models of one seed see the same batches.
"""

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

__all__ = [
    "BATCH",
    "EPOCHS",
    "HIDDEN",
    "Epoch",
    "History",
    "Vocabulary",
    "batches",
    "collate",
    "evaluate",
    "fit",
    "train_step",
]

BATCH, EPOCHS, HIDDEN, MAX_WORDS, RATE = 8, 10, 64, 128, 1e-3  # the first three are the notes'
Row = tuple[list[int], int]


@dataclass(frozen=True)
class Vocabulary:
    """A number for each word: 0 is padding, 1 any word that is not known, then the others, commonest first."""

    number: dict[str, int]

    @classmethod
    def of(cls, texts: Iterable[str], words: Callable[[str], list[str]], min_count: int = 2) -> "Vocabulary":
        counts = Counter(word for text in texts for word in words(text))
        known = sorted((word for word, n in counts.items() if n >= min_count), key=lambda word: (-counts[word], word))
        return cls({word: i for i, word in enumerate(known, start=2)})

    def __len__(self) -> int:
        return len(self.number) + 2

    def ids(self, found: Sequence[str]) -> list[int]:
        return [self.number.get(word, 1) for word in found[:MAX_WORDS]]

    def rows(self, reviews: Iterable[tuple[str, int]], words: Callable[[str], list[str]]) -> list[Row]:
        return [(self.ids(words(text)), label) for text, label in reviews]


def collate(rows: Sequence[Row], width: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """One batch: ids (B, T) filled up with 0, mask (B, T) with True = a real word, labels (B,).

    T is the length of the longest review of the batch, or `width` where that is more.
    """
    T = max(width, 1, *(len(ids) for ids, _ in rows))
    ids = torch.tensor([ids + [0] * (T - len(ids)) for ids, _ in rows])
    mask = torch.arange(T) < torch.tensor([[len(ids)] for ids, _ in rows])
    return ids, mask, torch.tensor([label for _, label in rows])


def batches(
    rows: Sequence[Row], size: int, order: random.Random | None = None
) -> Iterable[tuple[Tensor, Tensor, Tensor]]:
    """The rows in batches of `size`, the last one perhaps smaller; shuffled where an `order` is given."""
    rows = list(rows)
    if order is not None:
        order.shuffle(rows)
    for start in range(0, len(rows), size):
        yield collate(rows[start : start + size])


def train_step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    ids: Tensor,
    mask: Tensor,
    y: Tensor,
    loss_of: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
) -> tuple[float, int]:
    """One step on one batch: its loss before the step, and how many of its labels were right."""
    model.train()
    optimiser.zero_grad()
    _, logits = model(ids, mask)
    loss = loss_of(logits, y)
    loss.backward()
    optimiser.step()
    return loss.item(), int((logits.argmax(-1) == y).sum())


@torch.no_grad()
def evaluate(model: nn.Module, rows: Sequence[Row], size: int = BATCH) -> tuple[float, float, list[int]]:
    """Mean loss, accuracy and the predictions, in the order of the rows.

    The batches are drawn at random, always the same: a model without a mask is swayed by the length of a review's
    neighbours, and where the rows are sorted by label, that would give the label away.
    """
    model.eval()
    order = list(range(len(rows)))
    random.Random(0).shuffle(order)
    loss, predictions = 0.0, [0] * len(rows)
    for start in range(0, len(rows), size):
        places = order[start : start + size]
        ids, mask, y = collate([rows[place] for place in places])
        _, logits = model(ids, mask)
        loss += cross_entropy(logits, y, reduction="sum").item()
        for place, prediction in zip(places, logits.argmax(-1).tolist(), strict=True):
            predictions[place] = prediction
    right = sum(p == label for p, (_, label) in zip(predictions, rows, strict=True))
    return loss / len(rows), right / len(rows), predictions


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. train_* are running means over the epoch, while the weights were still changing."""

    train_loss: float
    train_accuracy: float
    last_batch_accuracy: float
    val_loss: float
    val_accuracy: float


@dataclass
class History:
    epochs: list[Epoch] = field(default_factory=list)
    best: int = -1  # the epoch with the least validation loss, counted from 0
    best_state: dict[str, Tensor] = field(default_factory=dict)


def fit(
    model: nn.Module,
    train: Sequence[Row],
    val: Sequence[Row],
    *,
    seed: int,
    epochs: int = EPOCHS,
    size: int = BATCH,
    rate: float = RATE,
    patience: int | None = None,
    loss_of: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
    after_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
) -> History:
    """Adam, `epochs` rounds through the training part.

    With a `patience`, stops after that many epochs in a row without a new least validation loss, and puts the best
    weights back. Without, the model keeps the weights of the last epoch; the best ones are in the history either way.
    """
    order = random.Random(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)  # all weights in one call
    history = History()
    for number in range(epochs):
        total, right, last = 0.0, 0, 0.0
        for ids, mask, y in batches(train, size, order):
            loss, hits = train_step(model, optimiser, ids, mask, y, loss_of)
            total, right, last = total + loss * len(y), right + hits, hits / len(y)
        val_loss, val_accuracy, _ = evaluate(model, val, size)
        epoch = Epoch(total / len(train), right / len(train), last, val_loss, val_accuracy)
        history.epochs.append(epoch)
        after_epoch(number, epoch)
        if history.best < 0 or val_loss < history.epochs[history.best].val_loss:
            history.best, history.best_state = number, copy.deepcopy(model.state_dict())
        if patience is not None and number - history.best >= patience:
            break
    if patience is not None:
        model.load_state_dict(history.best_state)
    return history
