"""WordPiece and unigram tokenizers, trained: what the exercises of beyond.py are put together to.

The page on them measures with these, and the bench (bench.py) shows what they learn.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import regex

from solutions.tokenization.beyond import expected_counts, unigram_viterbi, wordpiece_score
from solutions.tokenization.bpe import merge, pair_counts, pretokenize

BERT = r"\p{Han}|[^\s\p{Han}\p{P}\p{S}]+|[\p{P}\p{S}]"  # a word; a mark or a Chinese character stands alone

Row = tuple[str, ...]
Rule = Callable[[dict[Row, int]], Mapping[tuple[str, str], float]]


# ---- WordPiece


def bert_words(text: str) -> Counter[str]:
    """Words, each punctuation mark and each Chinese character alone; how often each occurs."""
    return Counter(regex.findall(BERT, text))


def units(word: str) -> Row:
    """The characters of a word, ## before all but the first."""
    return tuple(("##" if i else "") + c for i, c in enumerate(word))


def gain(rows: dict[Row, int]) -> dict[tuple[str, str], float]:
    """About how much each pair raises the log-likelihood."""
    total = sum(times * len(row) for row, times in rows.items())
    counts, scores = pair_counts(rows), wordpiece_score(rows)
    return {pair: counts[pair] * math.log(total * scores[pair]) for pair in counts}


RULES: dict[str, Rule] = {"count": pair_counts, "score": wordpiece_score, "gain": gain}


def join_pairs(rows: dict[Row, int], most: int, rule: Rule) -> list[tuple[str, str, float]]:
    """Pairs in the order in which they are joined, each time the one with the largest value of the rule."""
    joined = []
    while len(joined) < most and (values := rule(rows)):
        a, b = max(values, key=lambda pair: (values[pair], pair))
        joined.append((a, b, values[a, b]))
        whole = a + b.removeprefix("##")
        rows = {tuple(merge(list(row), (a, b), whole)) if a in row and b in row else row: times
                for row, times in rows.items()}  # fmt: skip
    return joined


def train_wordpiece(words: Mapping[str, int], size: int, rule: Rule) -> tuple[list[str], list[str]]:
    """[UNK], the most frequent characters, then joined pairs; the pairs alone once more."""
    rows = {units(word): times for word, times in words.items()}
    letters: Counter[str] = Counter()
    for row, times in rows.items():
        for unit in row:
            letters[unit] += times
    vocab = ["[UNK]", *(unit for unit, _ in letters.most_common(size - 1))]
    new = [a + b.removeprefix("##") for a, b, _ in join_pairs(rows, size - len(vocab), rule)]
    return vocab + new, new


# ---- unigram


def parts(text: str) -> Counter[str]:
    """What GPT-2's pattern splits, with visible spaces; how often each part occurs."""
    return Counter(part.replace(" ", "▁") for part in pretokenize(text))


def count(words: Mapping[str, int], logs: dict[str, float]) -> Counter[str]:
    """How often each piece is expected in all words together."""
    total: Counter[str] = Counter()
    for word, times in words.items():
        for piece, c in expected_counts(word, logs).items():
            total[piece] += times * c
    return total


def divide(counts: Mapping[str, float], floor: float = 0.05) -> dict[str, float]:
    """Log-probabilities; the floor keeps what every path avoids."""
    total = sum(counts.values())
    return {p: math.log(max(c, floor) / total) for p, c in counts.items()}


def substrings(words: Mapping[str, int], longest: int) -> Counter[str]:
    """All short pieces of the words, and how often each stands in them."""
    found: Counter[str] = Counter()
    for word, times in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(len(word), start + longest) + 1):
                found[word[start:end]] += times
    return found


def seed(words: Mapping[str, int], letters: Iterable[str], most: int, least: int = 1) -> dict[str, float]:
    """What a training begins with: the letters, and the longer substrings, found `least` times, that save most."""
    found = substrings(words, 8)
    rated = sorted(found, key=lambda p: (-found[p] * len(p), p))
    chosen = [*letters, *[p for p in rated if len(p) > 1 and found[p] >= least][:most]]
    return divide({p: found[p] for p in chosen})


def costs(counts: Mapping[str, float], logs: dict[str, float]) -> dict[str, float]:
    """What the text would lose in log-probability without each piece of several characters."""
    found = {}
    for piece in [p for p in logs if len(p) > 1]:
        own = logs.pop(piece)  # spell it without itself
        found[piece] = counts[piece] * (own - unigram_viterbi(piece, logs)[1])
        logs[piece] = own
    return found


def count_again(words: Mapping[str, int], logs: dict[str, float]) -> tuple[Counter[str], dict[str, float]]:
    """Two rounds of counting and dividing: the last counts, and the probabilities."""
    for _ in range(2):
        counts = count(words, logs)
        logs = divide({piece: counts[piece] for piece in logs})
    return counts, logs


def by_cost(counts: Mapping[str, float], logs: dict[str, float]) -> list[tuple[str, float]]:
    """The pieces of several characters, the one that is missed most first."""
    return sorted(costs(counts, logs).items(), key=lambda item: (-item[1], item[0]))


def train_unigram(
    words: Mapping[str, int], logs: dict[str, float], size: int, report: Callable[[dict[str, float]], object] = id
) -> dict[str, float]:
    """Count, divide, throw away a quarter, until so many pieces are left; `report` sees the pieces of each round."""
    while True:
        counts, logs = count_again(words, logs)
        report(logs)
        if len(logs) <= size:
            return logs
        ranked = by_cost(counts, logs)
        room = max(size, int(0.75 * len(logs))) - (len(logs) - len(ranked))
        kept = {piece for piece, _ in ranked[:room]}
        logs = {p: x for p, x in logs.items() if len(p) == 1 or p in kept}
