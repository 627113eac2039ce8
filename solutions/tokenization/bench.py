"""The tokenizer bench of the pages: BPE, WordPiece and unigram learn from one text and cut another, side by side.

JSON in, JSON out (chapters/assets/solve/bench-worker.js calls it, and the pages, for the texts that they begin with). What
is shown is what the exercises' own functions give; here they are only called again and again, with 0, 1, 2 … pieces.

`bench(question)` takes {"training", "text", "methods"} and gives {"most", "rows": {method: row}}. A row holds

    cuts      [[n, ends…], …]: with n pieces, these places, in bytes of UTF-8, begin or cease to be ends of a token
    starts    where a word starts; WordPiece writes ## before a token that starts elsewhere
    gone      where a stretch starts that the method drops (WordPiece drops spaces)
    unknown   where a stretch starts that becomes [UNK]
    next      [[pieces, number], …]: for each n the piece that comes with n + 1, and what speaks for it

With {"pairs": true} the row of BPE has two more: "pairs", for each n the most frequent pairs and how many there are
besides, and "made", the new tokens.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import regex

from solutions.tokenization.beyond import unigram_viterbi, wordpiece_encode
from solutions.tokenization.bpe import encode, given_vocabulary, merge, pair_counts, pretokenize, train_bpe_fast
from solutions.tokenization.granularity import word_tokenize
from solutions.tokenization.training import BERT, bert_words, by_cost, count_again, join_pairs, parts, seed, units

MOST = 300  # pieces
LONGEST = 20_000, 400  # characters of a training text, and of a text that is cut
SHOWN = 7  # pairs

Cut = tuple[int, ...]  # the ends of the tokens, in bytes


# ---- what each method learns


@lru_cache(maxsize=8)
def learn_bpe(training: str, most: int = MOST) -> tuple[list[tuple[int, int]], list[int]]:
    """The merges, and how often each pair stood there when it was merged."""
    merges, counts = train_bpe_fast(training, 256 + most), []
    words = {tuple(part.encode()): n for part, n in Counter(pretokenize(training)).items()}
    for id, pair in enumerate(merges, 256):
        holding = {word: n for word, n in words.items() if pair[0] in word and pair[1] in word}
        counts.append(pair_counts(holding)[pair])
        words |= {tuple(merge(list(word), pair, id)): words.pop(word) for word in holding}
    return merges, counts


@lru_cache(maxsize=8)
def learn_wordpiece(training: str, most: int = MOST) -> tuple[set[str], list[tuple[str, str, float]]]:
    """The characters, and the pairs in the order in which they are joined, with their counts."""
    rows = {units(word): n for word, n in bert_words(training).items()}
    return {unit for row in rows for unit in row}, join_pairs(rows, most, pair_counts)


@lru_cache(maxsize=8)
def learn_unigram(training: str, most: int = MOST) -> list[tuple[dict[str, float], list[tuple[str, float]]]]:
    """Round by round the probabilities, and the pieces of several characters with what each saves, most first."""
    words = parts(training)
    logs = seed(words, sorted(set(training.replace(" ", "▁"))), 4 * most, least=2)
    rounds = []
    while logs:
        counts, logs = count_again(words, logs)
        ranked = by_cost(counts, logs)
        if len(ranked) <= most:
            rounds.append((logs, ranked))
        room = most if len(ranked) > most > len(ranked) // 2 else len(ranked) // 2
        kept = {piece for piece, _ in ranked[:room]}
        logs = {p: x for p, x in logs.items() if p in kept or len(p) == 1}
        if not ranked:
            break
    return rounds


# ---- how each cuts, with so many pieces


def changes(cuts: list[Cut]) -> list[list[int]]:
    """The cuts with 0, 1, 2 … pieces, as what changes: [n, the ends that come or go …]."""
    found, before = [], frozenset[int]()
    for n, cut in enumerate(cuts):
        if changed := before ^ set(cut):
            found.append([n, *sorted(changed)])
        before = frozenset(cut)
    return found


def ends(start: int, tokens: list[bytes]) -> list[int]:
    """Where the tokens end, the first of which begins at `start`."""
    found = []
    for token in tokens:
        start += len(token)
        found.append(start)
    return found


def bpe_row(training: str, text: str, most: int = MOST) -> dict[str, Any]:
    """Byte-pair encoding."""
    merges, counts = learn_bpe(training, most)
    vocabulary = given_vocabulary(merges)
    ids = list(text.encode())
    cuts = [tuple(range(1, len(ids) + 1))]
    for n, pair in enumerate(merges, 1):
        if pair in pairwise(ids):
            ids = encode(text, merges[:n])
        cuts.append(tuple(ends(0, [vocabulary[i] for i in ids])))
    following = [[[shown(vocabulary[a]), shown(vocabulary[b])], n] for (a, b), n in zip(merges, counts, strict=True)]
    return {"cuts": changes(cuts), "next": following}


def wordpiece_row(training: str, text: str, most: int = MOST) -> dict[str, Any]:
    """WordPiece, which joins the most frequent pair (as the libraries do) and then takes the longest piece that fits."""
    letters, joined = learn_wordpiece(training, most)
    words, at, whole = [], 0, len(text.encode())
    for word in regex.findall(BERT, text):
        at = text.index(word, at)
        words.append((len(text[:at].encode()), word))
        at += len(word)
    vocab, after = set(letters), {start: wordpiece_encode(word, letters) for start, word in words}
    unknown = [start for start, _ in words if after[start] == ["[UNK]"]]
    cuts = []
    for n in range(len(joined) + 1):
        if n:
            new = joined[n - 1][0] + joined[n - 1][1].removeprefix("##")
            vocab.add(new)
            after |= {start: wordpiece_encode(word, vocab) for start, word in words if new.removeprefix("##") in word}
        cut: list[int] = []
        for start, word in words:
            if start and start not in cut:
                cut.append(start)  # the end of what is dropped before it
            pieces = [word] if start in unknown else [piece.removeprefix("##") for piece in after[start]]
            cut += ends(start, [piece.encode() for piece in pieces])
        if text and (not cut or cut[-1] < whole):
            cut.append(whole)  # of what is dropped at the end
        cuts.append(tuple(cut))
    starts = [start for start, _ in words]
    ended = {0, *(start + len(word.encode()) for start, word in words)}
    gone = sorted(end for end in ended if end not in starts and end < whole)
    return {
        "cuts": changes(cuts), "starts": starts, "gone": gone, "unknown": unknown,
        "next": [[[a, b], n] for a, b, n in joined],
    }  # fmt: skip


def unigram_row(training: str, text: str, most: int = MOST) -> dict[str, Any]:
    """The unigram model: the fewer pieces, the more have been thrown away; a character in none is spelt in bytes."""
    rounds = learn_unigram(training, most)
    pieces, start = [], 0  # (place in the text, part)
    for part in pretokenize(text):
        pieces.append((start, part.replace(" ", "▁")))
        start += len(part)
    letters = {piece for piece in rounds[-1][0] if len(piece) == 1} if rounds else set()
    place = [0]  # of each character, in bytes
    for character in text:
        place.append(place[-1] + len(character.encode()))
    cuts: list[Cut] = []
    following: list[list[Any]] = []
    for number, (logs, ranked) in enumerate(rounds):  # from many pieces to few
        fewest = len(rounds[number + 1][1]) if number + 1 < len(rounds) else -1
        now = {p: x for p, x in logs.items() if p in letters} | {p: logs[p] for p, _ in ranked}
        ways = [unigram_viterbi(part, now)[0] for _, part in pieces]
        for n in range(len(ranked), fewest, -1):
            cut: list[int] = []
            for (start, _), way in zip(pieces, ways, strict=True):
                for piece in way:
                    if piece in now:
                        cut.append(place[start + len(piece)])
                    else:
                        cut += range(place[start] + 1, place[start + len(piece)] + 1)
                    start += len(piece)
            cuts.append(tuple(cut))
            if n:
                piece, saves = ranked[n - 1]
                following.append([[piece], saves])
                del now[piece]
                ways = [unigram_viterbi(part, now)[0] if piece in way else way
                        for (_, part), way in zip(pieces, ways, strict=True)]  # fmt: skip
    return {"cuts": changes(cuts[::-1]), "next": [[names, round(saves, 1)] for names, saves in following[::-1]]}


def words_row(training: str, text: str, most: int = MOST) -> dict[str, Any]:
    """The words of the rules for English, without what stands between them; nothing is learned."""
    cut, gone, at = [], [], 0
    for word, space in word_tokenize(text):
        cut += ends(at, [piece.encode() for piece in (word, space) if piece])
        at = cut[-1] if cut else at
        gone += [at - len(space.encode())] if space else []
    return {"cuts": changes([tuple(cut)]), "gone": gone, "next": []}


def characters_row(training: str, text: str, most: int = MOST) -> dict[str, Any]:
    """Characters: code points."""
    return {"cuts": changes([tuple(ends(0, [character.encode() for character in text]))]), "next": []}


def bytes_row(training: str, text: str, most: int = MOST) -> dict[str, Any]:
    """Bytes of UTF-8."""
    return {"cuts": changes([tuple(range(1, len(text.encode()) + 1))]), "next": []}


ROWS: dict[str, Callable[[str, str, int], dict[str, Any]]] = {
    "words": words_row,
    "characters": characters_row,
    "bytes": bytes_row,
    "bpe": bpe_row,
    "wordpiece": wordpiece_row,
    "unigram": unigram_row,
}


def pairs_by_count(training: str, most: int) -> list[dict[str, Any]]:
    """For each number of merges the most frequent pairs, in the order in which they would be taken, and how many more."""
    merges, _ = learn_bpe(training, most)
    words = {tuple(part.encode()): n for part, n in Counter(pretokenize(training)).items()}
    vocabulary, found = [shown(token) for token in given_vocabulary(merges)], []
    for n in range(len(merges) + 1):
        counts = pair_counts(words)
        ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
        found.append({
            "pairs": [[vocabulary[a], vocabulary[b], counts[a, b]] for a, b in ranked[:SHOWN]],
            "more": max(0, len(ranked) - SHOWN),
        })  # fmt: skip
        if n < len(merges):
            words = {tuple(merge(list(word), merges[n], 256 + n)): times for word, times in words.items()}
    return found


# ---- what the pages ask


def bench(question: str) -> str:
    """{"training", "text", "methods", "most", "pairs"} → what the bench shows, or {"refused": why}."""
    asked = json.loads(question)
    training, text, most = asked["training"], asked["text"], asked.get("most", MOST)
    for what, given, longest in zip(("training text", "text"), (training, text), LONGEST, strict=True):
        if len(given) > longest:
            return json.dumps(
                {"refused": f"The {what} has {len(given):,} characters; {longest:,} are as many as it may have."}
            )
    if not training.strip():
        return json.dumps({"refused": "The training text is empty: there is nothing to learn from."})
    rows = {method: ROWS[method](training, text, most) for method in asked["methods"]}
    if asked.get("pairs"):
        merges, _ = learn_bpe(training, most)
        rows["bpe"] |= {"pairs": pairs_by_count(training, most), "made": [*map(shown, given_vocabulary(merges)[256:])]}
    found = {"most": max(len(row["next"]) for row in rows.values()), "rows": rows}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def shown(token: bytes) -> str:
    """A token as text if it is text, else its bytes."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return token.hex(" ").upper()


def trainings() -> dict[str, str]:
    """The texts to learn from that come with the bench: English, Chinese, Python."""
    from solutions.texts import english, tang

    poems = [poem.split("\n") for poem in tang().split("\n\n")]
    verses = "\n".join(line for poem in poems if poem[1:2] == ["李白"] for line in poem[2:])
    novel = english()
    code = Path(__file__).with_name("fast.py").read_text(encoding="utf-8")
    return {"austen": novel[novel.index("The family of Dashwood"):][:12_000], "tang": verses[:12_000],
            "python": code[code.index("import re\n"):][:12_000]}  # fmt: skip
