"""Wrong solutions of the tokenization chapter by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import math
import re

from autograder.bank import right, wrong

# The notebook `granularity`


@wrong("word_tokenize", says="spaces cannot be found again")
def words_without_their_spaces(text):
    """Splits at white space and puts one space after each token, whatever was there."""
    return [(token, " ") for token in text.split()]


@wrong("word_tokenize", says="still glued")
def words_between_spaces(text):
    """The pieces between white space, as they are."""
    return chunks(text)


@wrong("word_tokenize", says="apostrophe was cut out")
def words_by_one_pattern(text):
    """Runs of letters, and every other sign alone: it cuts don't, 3.14 and U.S. apart."""
    pairs = []
    for piece, space in chunks(text):
        tokens = re.findall(r"\w+|[^\w\s]", piece) or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize", says="characters were lost")
def words_without_punctuation(text):
    """Keeps the words and drops the punctuation."""
    marks = "".join(mark for mark in PREFIXES + SUFFIXES if len(mark) == 1)
    return [(piece.strip(marks), space) for piece, space in chunks(text)]


@wrong("word_tokenize", says="out of order")
def words_with_suffixes_from_outside(text):
    """The suffixes stay in the order in which they were found, from the outside inwards."""
    pairs = []
    for piece, space in chunks(text):
        tokens = []
        for rest in re.split("(" + "|".join(map(re.escape, INFIXES)) + ")", piece):
            front, back = [], []
            while rest and rest not in EXCEPTIONS and rest not in INFIXES:
                if prefix := next((p for p in PREFIXES if rest.startswith(p)), ""):
                    front.append(prefix)
                    rest = rest[len(prefix) :]
                elif suffix := next((s for s in SUFFIXES if rest.endswith(s)), ""):
                    back.append(suffix)
                    rest = rest[: -len(suffix)]
                else:
                    break
            tokens += front + (EXCEPTIONS.get(rest, [rest]) if rest else []) + back
        tokens = tokens or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize", says="look exceptions up again")
def words_with_exceptions_first_only(text):
    """Looks up the whole piece once, and no more after a prefix or suffix has come off."""
    pairs = []
    for piece, space in chunks(text):
        tokens = []
        for part in re.split("(" + "|".join(map(re.escape, INFIXES)) + ")", piece):
            if part in EXCEPTIONS or part in INFIXES:
                tokens += EXCEPTIONS.get(part, [part])
                continue
            front, back = [], []
            while part:
                if prefix := next((p for p in PREFIXES if part.startswith(p)), ""):
                    front.append(prefix)
                    part = part[len(prefix) :]
                elif suffix := next((s for s in SUFFIXES if part.endswith(s)), ""):
                    back.append(suffix)
                    part = part[: -len(suffix)]
                else:
                    break
            tokens += front + [part] * bool(part) + back[::-1]
        tokens = tokens or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize", says="U.S. is an exception")
def words_without_exceptions(text):
    """Rules only: the full stop of U.S. and Mr. comes off like any other."""
    pairs = []
    for piece, space in chunks(text):
        tokens = []
        for part in re.split("(" + "|".join(map(re.escape, INFIXES)) + ")", piece):
            front, back = [], []
            while part and part not in INFIXES:
                if prefix := next((p for p in PREFIXES if part.startswith(p)), ""):
                    front.append(prefix)
                    part = part[len(prefix) :]
                elif suffix := next((s for s in SUFFIXES if part.endswith(s)), ""):
                    back.append(suffix)
                    part = part[: -len(suffix)]
                else:
                    break
            tokens += front + [part] * bool(part) + back[::-1]
        tokens = tokens or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize", says="only one prefix and one suffix")
def words_with_one_affix(text):
    """Takes one prefix and one suffix off each part, and no more."""
    pairs = []
    for piece, space in chunks(text):
        tokens = []
        for part in re.split("(" + "|".join(map(re.escape, INFIXES)) + ")", piece):
            if not part or part in INFIXES or part in EXCEPTIONS:
                tokens += EXCEPTIONS.get(part, [part] * bool(part))
                continue
            prefix = next((p for p in PREFIXES if part.startswith(p)), "")
            part = part[len(prefix) :]
            suffix = next((s for s in SUFFIXES if part.endswith(s)), "")
            part = part[: len(part) - len(suffix)]
            tokens += [t for t in (prefix, *EXCEPTIONS.get(part, [part]), suffix) if t]
        tokens = tokens or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize", says="infixes first")
def words_with_infixes_last(text):
    """Affixes first and infixes last, as spaCy does: what stands inside beside a dash stays glued."""
    pairs = []
    for part, space in chunks(text):
        front, middle, back = [], [], []
        while part:
            if part in EXCEPTIONS:
                middle, part = EXCEPTIONS[part], ""
            elif prefix := next((p for p in PREFIXES if part.startswith(p)), ""):
                front.append(prefix)
                part = part[len(prefix) :]
            elif not part.endswith("...") and (suffix := next((s for s in SUFFIXES if part.endswith(s)), "")):
                back.append(suffix)
                part = part[: -len(suffix)]
            else:
                middle = [t for t in re.split("(" + "|".join(map(re.escape, INFIXES)) + ")", part) if t]
                part = ""
        tokens = front + middle + back[::-1] or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize", says="upper and lower case")
def words_in_lower_case(text):
    """Puts everything in lower case, as many recipes do."""
    return chunks(text.lower())


@right("word_tokenize")
def words_by_recursion(text):
    """A part is its first cut and the rest, or the rest and its last cut."""

    def cut(part):
        if part in EXCEPTIONS:
            return list(EXCEPTIONS[part])
        for p in PREFIXES:
            if part.startswith(p):
                return [p] + cut(part[len(p) :])
        for s in SUFFIXES:
            if part.endswith(s):
                return cut(part[: -len(s)]) + [s]
        return [part] if part else []

    def at_infixes(piece):
        found = [(piece.index(x), -len(x), x) for x in INFIXES if x in piece]
        if not found:
            return cut(piece)
        where, _, x = min(found)
        return [*cut(piece[:where]), x, *at_infixes(piece[where + len(x) :])]

    pairs = []
    for piece, space in chunks(text):
        *first, last = at_infixes(piece) or [""]
        pairs.extend((t, "") for t in first)
        pairs.append((last, space))
    return pairs


@right("word_tokenize")
def words_located_in_the_text(text):
    """Finds the tokens first, then looks up in the text what follows each; yields its pairs as lists."""
    infix = re.compile("|".join(map(re.escape, INFIXES)))
    tokens = []
    for piece in text.split():
        pieces, start = [], 0
        for match in infix.finditer(piece):
            pieces += [(piece[start : match.start()], False), (match[0], True)]
            start = match.end()
        for part, is_infix in [*pieces, (piece[start:], False)]:
            left, right = [], []
            while part and not is_infix and part not in EXCEPTIONS:
                if part[0] in PREFIXES:
                    left, part = left + [part[0]], part[1:]
                    continue
                for s in SUFFIXES:
                    if part.endswith(s):
                        right, part = [s] + right, part[: -len(s)]
                        break
                else:
                    break
            tokens += left + (EXCEPTIONS.get(part, [part]) if part else []) + right
    at = len(text) - len(text.lstrip())
    pairs = [["", text[:at]]] if at else []
    for token in tokens:
        end = at + len(token)
        rest = text[end:]
        space = rest[: len(rest) - len(rest.lstrip())]
        pairs.append([token, space])
        at = end + len(space)
    return pairs


@wrong("coverage", says="tokens, not types")
def coverage_of_types(train_counts, test_counts, sizes):
    """Counts each different word once."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    return [sum(w not in set(ranked[:V]) for w in test_counts) / len(test_counts) for V in sizes]


@wrong("coverage", says="made from the test text")
def coverage_with_the_test_vocabulary(train_counts, test_counts, sizes):
    """Chooses the words from the text that it measures on."""
    ranked = sorted(test_counts, key=lambda w: (-test_counts[w], w))
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if w not in set(ranked[:V])) / total for V in sizes]


@wrong("coverage", says="rate on the training text")
def coverage_of_the_training_text(train_counts, test_counts, sizes):
    """Measures on the text that the vocabulary came from."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    total = sum(train_counts.values())
    return [sum(train_counts[w] for w in ranked[V:]) / total for V in sizes]


@wrong("coverage", says="INSIDE the vocabulary")
def coverage_inside(train_counts, test_counts, sizes):
    """The share that the vocabulary covers."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    return [sum(test_counts.get(w, 0) for w in ranked[:V]) / sum(test_counts.values()) for V in sizes]


@wrong("coverage", says="not the one seen first")
def coverage_with_ties_by_first_seen(train_counts, test_counts, sizes):
    """Counter.most_common breaks ties by which word came first."""
    from collections import Counter

    total = sum(test_counts.values())
    known = [{w for w, _ in Counter(train_counts).most_common(V)} for V in sizes]
    return [sum(n for w, n in test_counts.items() if w not in k) / total for k in known]


@wrong("coverage", says="rarest words")
def coverage_of_the_rarest(train_counts, test_counts, sizes):
    """Sorts upwards and takes the first V."""
    ranked = sorted(train_counts, key=lambda w: (train_counts[w], w))
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if w not in set(ranked[:V])) / total for V in sizes]


@wrong("coverage", says="may be in one dictionary and not in the other")
def coverage_with_key_errors(train_counts, test_counts, sizes):
    """Looks up every training word in the test counts."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    total = sum(test_counts.values())
    return [1 - sum(test_counts[w] for w in ranked[:V]) / total for V in sizes]


@wrong("coverage", says="one word too few")
def coverage_off_by_one(train_counts, test_counts, sizes):
    """Keeps a place for the unknown word."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if w not in set(ranked[: V - 1])) / total for V in sizes]


@right("coverage")
def coverage_as_written(train_counts, test_counts, sizes):
    """A set for each size."""
    ranked = sorted(train_counts.items(), key=lambda item: (-item[1], item[0]))
    rates = []
    for size in sizes:
        known = {word for word, _ in ranked[:size]}
        outside = sum(count for word, count in test_counts.items() if word not in known)
        rates.append(outside / sum(test_counts.values()))
    return rates


@right("coverage")
def coverage_by_rank(train_counts, test_counts, sizes):
    """The rank of each test word; it is outside if the rank is not below V."""
    by_word = sorted(train_counts)
    by_word.sort(key=train_counts.get, reverse=True)  # a stable sort keeps the order of the words
    rank = {word: i for i, word in enumerate(by_word)}
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if rank.get(w, math.inf) >= V) / total for V in sizes]


@wrong("embedding_bytes", says="count of numbers")
def bytes_as_numbers(V, D, dtype="float32"):
    """How many numbers there are."""
    return V * D


@wrong("embedding_bytes", says="those are bits")
def bytes_as_bits(V, D, dtype="float32"):
    """The table's bits, taken for bytes."""
    return V * D * BITS[dtype]


@wrong("embedding_bytes", says="right for float32 only")
def bytes_always_four(V, D, dtype="float32"):
    """Four bytes a number, whatever the type."""
    return V * D * 4


@wrong("embedding_bytes", says="round up")
def bytes_rounded_down(V, D, dtype="float32"):
    """Drops the byte that is begun."""
    return V * D * BITS[dtype] // 8


@wrong("embedding_bytes", says="divide by 8 at the end")
def bytes_divided_too_early(V, D, dtype="float32"):
    """A number of 4 bits becomes one of no bytes."""
    return V * D * (BITS[dtype] // 8)


@wrong("embedding_bytes", says="not rows plus columns")
def bytes_of_the_edges(V, D, dtype="float32"):
    """Rows plus columns."""
    return (V + D) * BITS[dtype] // 8


@right("embedding_bytes")
def bytes_by_ceil(V, D, dtype="float32"):
    """math.ceil of an exact fraction."""
    from fractions import Fraction

    return math.ceil(Fraction(BITS[dtype], 8) * V * D)


@right("embedding_bytes")
def bytes_by_divmod(V, D, dtype="float32"):
    """Whole bytes, and one more where bits are left over."""
    whole, left = divmod(V * D * BITS[dtype], 8)
    return whole + (left > 0)


@wrong("max_match", says="match forward")
def match_backward(text, lexicon):
    """From the right: the better reading here, and another algorithm."""
    tokens, j = [], len(text)
    while j:
        i = next(i for i in range(j) if i == j - 1 or text[i:j] in lexicon)
        tokens, j = [text[i:j], *tokens], i
    return tokens


@wrong("max_match", says="命 was lost")
def match_loses_single_characters(text, lexicon):
    """Skips what the lexicon does not know."""
    tokens, i = [], 0
    while i < len(text):
        j = next((j for j in range(len(text), i, -1) if text[i:j] in lexicon), None)
        if j:
            tokens.append(text[i:j])
        i = j or i + 1
    return tokens


@wrong("max_match", says="not the shortest")
def match_the_shortest(text, lexicon):
    """Takes the first word that fits, from the short ones up."""
    tokens, i = [], 0
    while i < len(text):
        j = next((j for j in range(i + 1, len(text) + 1) if text[i:j] in lexicon), i + 1)
        tokens.append(text[i:j])
        i = j
    return tokens


@wrong("max_match", says="do not stop at a fixed length")
def match_up_to_four(text, lexicon):
    """Words of more than four characters are never tried."""
    tokens, i = [], 0
    while i < len(text):
        n = next(n for n in (4, 3, 2, 1) if n == 1 or text[i : i + n] in lexicon)
        tokens.append(text[i : i + n])
        i += n
    return tokens


@wrong("max_match", says="put together")
def match_with_unknowns_together(text, lexicon):
    """Characters that start no word are collected until the next word."""
    tokens, i, unknown = [], 0, ""
    while i < len(text):
        j = next((j for j in range(len(text), i, -1) if text[i:j] in lexicon), None)
        if j is None:
            unknown += text[i]
            i += 1
            continue
        tokens += [unknown] * bool(unknown) + [text[i:j]]
        unknown, i = "", j
    return tokens + [unknown] * bool(unknown)


@wrong("max_match", says="rest was taken as one token")
def match_gives_up(text, lexicon):
    """Where no word starts, the rest of the text is one token."""
    tokens, i = [], 0
    while i < len(text):
        j = next((j for j in range(len(text), i, -1) if text[i:j] in lexicon), len(text))
        tokens.append(text[i:j])
        i = j
    return tokens


@right("max_match")
def match_by_startswith(text, lexicon):
    """The longest of the words that the rest starts with."""
    tokens = []
    while text:
        word = max((w for w in lexicon if text.startswith(w)), key=len, default=text[0])
        tokens.append(word)
        text = text[len(word) :]
    return tokens


@right("max_match")
def match_by_one_pattern(text, lexicon):
    """A regular expression whose alternatives are sorted by length."""
    words = sorted(lexicon, key=len, reverse=True)
    return re.findall("|".join([*map(re.escape, words), "."]), text, flags=re.DOTALL)


@wrong("segment_dag", says="forward maximum match")
def best_by_greed(text, freq):
    """The longest word from the left."""
    tokens, i = [], 0
    while i < len(text):
        j = next(j for j in range(len(text), i, -1) if j == i + 1 or text[i:j] in freq)
        tokens.append(text[i:j])
        i = j
    return tokens


@wrong("segment_dag", says="not divided by their total")
def best_without_the_total(text, freq):
    """log(count) is positive, so every further word is a gain."""
    n = len(text)
    best = [(0.0, [])] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(i + 1, n + 1) if j == i + 1 or text[i:j] in freq]
        best[i] = max((math.log(freq.get(text[i:j], 1)) + best[j][0], [text[i:j], *best[j][1]]) for j in ends)
    return best[0][1]


@wrong("segment_dag", says="fewest words")
def best_by_fewest_words(text, freq):
    """The cut with the fewest words, by dynamic programming."""
    n = len(text)
    best = [(0, [])] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(n, i, -1) if j == i + 1 or text[i:j] in freq]
        options = [(1 + best[j][0], -freq.get(text[i:j], 1), [text[i:j], *best[j][1]]) for j in ends]
        best[i] = min(options)[::2]
    return best[0][1]


@wrong("segment_dag", says="add logarithms")
def best_by_products(text, freq):
    """Multiplies probabilities: a long text has the product 0 whatever the cut."""
    total, n = sum(freq.values()), len(text)
    best = [(1.0, n)] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(i + 1, n + 1) if j == i + 1 or text[i:j] in freq]
        best[i] = max((freq.get(text[i:j], 1) / total * best[j][0], j) for j in ends)
    tokens, i = [], 0
    while i < n:
        tokens.append(text[i : best[i][1]])
        i = best[i][1]
    return tokens


@wrong("segment_dag", says="log(0)")
def best_with_log_of_zero(text, freq):
    """An unknown character has the count 0."""
    total, n = sum(freq.values()), len(text)
    best = [(0.0, n)] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(i + 1, n + 1) if j == i + 1 or text[i:j] in freq]
        best[i] = max((math.log(freq.get(text[i:j], 0) / total) + best[j][0], j) for j in ends)
    tokens, i = [], 0
    while i < n:
        tokens.append(text[i : best[i][1]])
        i = best[i][1]
    return tokens


@wrong("segment_dag", says="not nothing")
def best_with_free_unknowns(text, freq):
    """An unknown character has the score 0, which is the probability 1."""
    total, n = sum(freq.values()), len(text)
    best = [(0.0, n)] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(i + 1, n + 1) if j == i + 1 or text[i:j] in freq]
        scores = {j: math.log(freq[text[i:j]] / total) if text[i:j] in freq else 0.0 for j in ends}
        best[i] = max((scores[j] + best[j][0], j) for j in ends)
    tokens, i = [], 0
    while i < n:
        tokens.append(text[i : best[i][1]])
        i = best[i][1]
    return tokens


@wrong("segment_dag", says="log(0)")
def best_with_known_words_only(text, freq):
    """Offers words of the lexicon only: a place where none starts has no candidate."""
    total, n = sum(freq.values()), len(text)
    best = [(0.0, n)] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(i + 1, n + 1) if text[i:j] in freq]
        best[i] = max((math.log(freq[text[i:j]] / total) + best[j][0], j) for j in ends)
    tokens, i = [], 0
    while i < n:
        tokens.append(text[i : best[i][1]])
        i = best[i][1]
    return tokens


@right("segment_dag")
def best_from_the_left(text, freq):
    """Dynamic programming over where a word ends, and a walk back from the end."""
    total = sum(freq.values())
    score, back = [0.0], [0]
    for j in range(1, len(text) + 1):
        options = [
            (score[i] + math.log(freq.get(text[i:j], 1) / total), i)
            for i in range(max(0, j - 8), j)
            if j - i == 1 or text[i:j] in freq
        ]
        value, where = max(options)
        score.append(value)
        back.append(where)
    tokens, j = [], len(text)
    while j:
        tokens.append(text[back[j] : j])
        j = back[j]
    return tokens[::-1]


@right("segment_dag")
def best_as_a_shortest_way(text, freq):
    """The shortest way through a graph whose arrows are as long as minus the logarithm."""
    import heapq

    total = sum(freq.values())
    queue, came, done = [(0.0, 0, 0)], {}, set()
    while queue:
        length, i, before = heapq.heappop(queue)
        if i in done:
            continue
        done.add(i)
        came[i] = before
        for j in range(i + 1, min(i + 8, len(text)) + 1):
            if j == i + 1 or text[i:j] in freq:
                heapq.heappush(queue, (length - math.log(freq.get(text[i:j], 1) / total), j, i))
    tokens, j = [], len(text)
    while j:
        tokens.insert(0, text[came[j] : j])
        j = came[j]
    return tokens


@wrong("fertility", says="taken for bytes")
def fertile_characters_for_bytes(tokenizer, text):
    """Takes the number of characters for the number of bytes."""
    n = len(tokenizer(text))
    return n / len(text), n / len(text)


@wrong("fertility", says="inverse")
def fertile_upside_down(tokenizer, text):
    """Characters and bytes per token."""
    n = len(tokenizer(text))
    return len(text) / n, len(text.encode()) / n


@wrong("fertility", says="swapped")
def fertile_swapped(tokenizer, text):
    """Per byte first."""
    n = len(tokenizer(text))
    return n / len(text.encode()), n / len(text)


@wrong("fertility", says="count its tokens")
def fertile_at_spaces(tokenizer, text):
    """Counts the pieces between spaces and never asks the tokenizer."""
    n = len(text.split())
    return n / len(text), n / len(text.encode())


@wrong("fertility", says="UTF-16")
def fertile_in_utf_16(tokenizer, text):
    """Two bytes a character, as some languages store their strings."""
    n = len(tokenizer(text))
    return n / len(text), n / len(text.encode("utf-16-le"))


@wrong("fertility", says="call the tokenizer with the whole text")
def fertile_character_by_character(tokenizer, text):
    """Tokenizes each character by itself, where no longer token can be found."""
    n = sum(len(tokenizer(c)) for c in text)
    return n / len(text), n / len(text.encode())


@right("fertility")
def fertile_by_sums(tokenizer, text):
    """Counts the bytes from the code points; gives a list."""
    size = sum(1 + (c > 0x7F) + (c > 0x7FF) + (c > 0xFFFF) for c in map(ord, text))
    tokens = sum(1 for _ in tokenizer(text))
    return [tokens / sum(1 for _ in text), tokens / size]


@right("fertility")
def fertile_by_bytes(tokenizer, text):
    """The same with bytes()."""
    tokens = list(tokenizer(text))
    return tuple(len(tokens) / len(unit) for unit in (text, bytes(text, "utf-8")))


# The notebook `beyond`


@wrong("wordpiece_encode", says="without its ##")
def pieces_without_continuation_marks(word, vocab, unk="[UNK]"):
    """Pieces inside the word are looked up as if they started it."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and word[start:end] not in vocab:
            end -= 1
        if end == start:
            return [unk]
        pieces.append(word[start:end])
        start = end
    return pieces


@wrong("wordpiece_encode", says="only written before it afterwards")
def marks_written_but_not_looked_up(word, vocab, unk="[UNK]"):
    """The bare piece is looked up, and ## is put before it in the result."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and word[start:end] not in vocab:
            end -= 1
        if end == start:
            return [unk]
        pieces.append(("##" if start else "") + word[start:end])
        start = end
    return pieces


@wrong("wordpiece_encode", says="left off in the result")
def marks_looked_up_but_not_written(word, vocab, unk="[UNK]"):
    """## is there for the lookup, and missing in the result."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in vocab:
            end -= 1
        if end == start:
            return [unk]
        pieces.append(word[start:end])
        start = end
    return pieces


@wrong("wordpiece_encode", says="first piece was looked up with ## too")
def marks_before_the_first_piece(word, vocab, unk="[UNK]"):
    """Every piece has ##, the first one too."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and "##" + word[start:end] not in vocab:
            end -= 1
        if end == start:
            return [unk]
        pieces.append("##" + word[start:end])
        start = end
    return pieces


@wrong("wordpiece_encode", says="pieces before the stuck place were kept")
def unknown_for_the_rest_only(word, vocab, unk="[UNK]"):
    """What was found stays, and only the rest becomes unknown."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in vocab:
            end -= 1
        if end == start:
            return pieces + [unk]
        pieces.append(("##" if start else "") + word[start:end])
        start = end
    return pieces


@wrong("wordpiece_encode", says="what does not fit was left out")
def characters_left_out(word, vocab, unk="[UNK]"):
    """A character that no piece covers is skipped."""
    pieces, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in vocab:
            end -= 1
        if end == start:
            start += 1
            continue
        pieces.append(("##" if start else "") + word[start:end])
        start = end
    return pieces


@wrong("wordpiece_encode", says="one unknown token for each character")
def unknown_for_each_character(word, vocab, unk="[UNK]"):
    """A character that no piece covers becomes unknown by itself."""
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            piece, end = unk, start + 1
        pieces.append(piece)
        start = end
    return pieces


@wrong("wordpiece_encode", says="shortest piece was taken")
def shortest_piece_first(word, vocab, unk="[UNK]"):
    """The ends are tried from the front."""
    pieces, start = [], 0
    while start < len(word):
        for end in range(start + 1, len(word) + 1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        pieces.append(piece)
        start = end
    return pieces


@wrong("wordpiece_encode", says="went back to a shorter piece")
def goes_back_when_stuck(word, vocab, unk="[UNK]"):
    """A full search: it finds a way where WordPiece has none."""

    def search(start):
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab and (rest := search(end)) is not None:
                return [piece] + rest
        return None

    found = search(0)
    return [unk] if found is None else found


@wrong("wordpiece_encode", says="not the one that was asked for")
def unknown_token_fixed(word, vocab, unk="[UNK]"):
    """The argument unk is not used."""
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        start = end
    return pieces


@right("wordpiece_encode")
def wordpiece_by_recursion(word, vocab, unk="[UNK]"):
    """Takes the first piece, then asks itself for the rest."""

    def go(rest, mark):
        if not rest:
            return []
        fitting = [n for n in range(1, len(rest) + 1) if mark + rest[:n] in vocab]
        if not fitting:
            return [None]
        n = max(fitting)
        return [mark + rest[:n], *go(rest[n:], "##")]

    pieces = go(word, "")
    return [unk] if None in pieces else pieces


@right("wordpiece_encode")
def wordpiece_shrinking_a_marked_word(word, vocab, unk="[UNK]"):
    """The mark is put before what is left, and the end is cut off until it fits."""
    pieces, rest = [], word
    while rest:
        candidate = rest
        while candidate and candidate not in vocab:
            candidate = candidate[:-1]
            if pieces and len(candidate) < 3:
                candidate = ""
        if not candidate:
            return [unk]
        pieces.append(candidate)
        rest = rest[len(candidate) :]
        if rest:
            rest = "##" + rest
    return pieces


@wrong("wordpiece_score", says="which is what BPE looks at")
def score_is_the_count(words):
    """The most frequent pair, as in BPE."""
    pairs = {}
    for word, times in words.items():
        for pair in zip(word, word[1:]):
            pairs[pair] = pairs.get(pair, 0) + times
    return pairs


@wrong("wordpiece_score", says="every word was counted once")
def score_of_word_types(words):
    """How often a word occurs is ignored."""
    units, pairs = {}, {}
    for word in words:
        for unit in word:
            units[unit] = units.get(unit, 0) + 1
        for pair in zip(word, word[1:]):
            pairs[pair] = pairs.get(pair, 0) + 1
    return {(a, b): n / (units[a] * units[b]) for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="take their product")
def score_over_the_sum(words):
    """The counts of the units are added."""
    units, pairs = {}, {}
    for word, times in words.items():
        for unit in word:
            units[unit] = units.get(unit, 0) + times
        for pair in zip(word, word[1:]):
            pairs[pair] = pairs.get(pair, 0) + times
    return {(a, b): n / (units[a] + units[b]) for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="count of the first unit only")
def score_is_what_follows(words):
    """The share of a's occurrences that b follows: a bigram probability."""
    units, pairs = {}, {}
    for word, times in words.items():
        for unit in word:
            units[unit] = units.get(unit, 0) + times
        for pair in zip(word, word[1:]):
            pairs[pair] = pairs.get(pair, 0) + times
    return {(a, b): n / units[a] for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="words of one unit were left out")
def score_without_single_units(words):
    """Words that cannot be merged any further are thrown away first."""
    units, pairs = {}, {}
    for word, times in words.items():
        if len(word) < 2:
            continue
        for unit in word:
            units[unit] = units.get(unit, 0) + times
        for pair in zip(word, word[1:]):
            pairs[pair] = pairs.get(pair, 0) + times
    return {(a, b): n / (units[a] * units[b]) for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="counts twice")
def score_with_units_counted_in_pairs(words):
    """Units are counted while the pairs are, so that an inner unit counts for both neighbours."""
    units, pairs = {}, {}
    for word, times in words.items():
        for a, b in zip(word, word[1:]):
            units[a] = units.get(a, 0) + times
            units[b] = units.get(b, 0) + times
            pairs[a, b] = pairs.get((a, b), 0) + times
    return {(a, b): n / (units[a] * units[b]) for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="turned into shares first")
def score_of_shares(words):
    """The ratio of probabilities: the same order, another number."""
    units, pairs = {}, {}
    for word, times in words.items():
        for unit in word:
            units[unit] = units.get(unit, 0) + times
        for pair in zip(word, word[1:]):
            pairs[pair] = pairs.get(pair, 0) + times
    all_units, all_pairs = sum(units.values()), sum(pairs.values())
    return {(a, b): n / all_pairs / (units[a] / all_units * units[b] / all_units) for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="the pair of neighbours as it stands in the word")
def score_with_sorted_pairs(words):
    """(a, b) and (b, a) are taken for the same pair."""
    units, pairs = {}, {}
    for word, times in words.items():
        for unit in word:
            units[unit] = units.get(unit, 0) + times
        for a, b in zip(word, word[1:]):
            pair = (min(a, b), max(a, b))
            pairs[pair] = pairs.get(pair, 0) + times
    return {(a, b): n / (units[a] * units[b]) for (a, b), n in pairs.items()}


@wrong("wordpiece_score", says="counted once in it")
def score_with_sets(words):
    """A set for each word: what occurs twice in a word counts once."""
    units, pairs = {}, {}
    for word, times in words.items():
        for unit in set(word):
            units[unit] = units.get(unit, 0) + times
        for pair in set(zip(word, word[1:])):
            pairs[pair] = pairs.get(pair, 0) + times
    return {(a, b): n / (units[a] * units[b]) for (a, b), n in pairs.items()}


@right("wordpiece_score")
def score_by_comprehensions(words):
    """Lists of all occurrences, counted afterwards."""
    units = [unit for word, times in words.items() for unit in word for _ in range(times)]
    pairs = [pair for word, times in words.items() for pair in zip(word, word[1:]) for _ in range(times)]
    return {(a, b): pairs.count((a, b)) / units.count(a) / units.count(b) for a, b in set(pairs)}


@right("wordpiece_score")
def score_with_defaultdicts(words):
    """Indices in place of zip."""
    from collections import defaultdict

    units, pairs = defaultdict(int), defaultdict(int)
    for word, times in words.items():
        for i in range(len(word)):
            units[word[i]] += times
            if i:
                pairs[word[i - 1], word[i]] += times
    return {pair: count * (1 / units[pair[0]]) * (1 / units[pair[1]]) for pair, count in pairs.items()}


@wrong("unigram_viterbi", says="longest match from the left")
def longest_match_for_viterbi(text, log_probs, unknown=-20.0):
    """Greedy, as in WordPiece."""
    pieces, start, total = [], 0, 0.0
    while start < len(text):
        ends = [end for end in range(start + 1, len(text) + 1) if text[start:end] in log_probs] or [start + 1]
        pieces.append(text[start : max(ends)])
        total += log_probs.get(pieces[-1], unknown)
        start = max(ends)
    return pieces, total


@wrong("unigram_viterbi", says="most probable next piece")
def likeliest_next_piece(text, log_probs, unknown=-20.0):
    """Greedy by probability."""
    pieces, start, total = [], 0, 0.0
    while start < len(text):
        ends = [end for end in range(start + 1, len(text) + 1) if text[start:end] in log_probs] or [start + 1]
        end = max(ends, key=lambda e: log_probs.get(text[start:e], unknown))
        pieces.append(text[start:end])
        total += log_probs.get(pieces[-1], unknown)
        start = end
    return pieces, total


@wrong("unigram_viterbi", says="multiplied")
def log_probabilities_multiplied(text, log_probs, unknown=-20.0):
    """The product of the logarithms: an even number of pieces looks like a large one."""
    best, came_from = [1.0] + [-math.inf] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            piece = text[start:end]
            if piece in log_probs or end - start == 1:
                value = best[start] * log_probs.get(piece, unknown)
                if value > best[end]:
                    best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@wrong("unigram_viterbi", says="became 0")
def viterbi_with_plain_probabilities(text, log_probs, unknown=-20.0):
    """The probabilities themselves are multiplied: a long text underflows."""
    best, came_from = [1.0] + [0.0] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            piece = text[start:end]
            if piece in log_probs or end - start == 1:
                value = best[start] * math.exp(log_probs.get(piece, unknown))
                if value > best[end]:
                    best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, math.log(best[-1])


@wrong("unigram_viterbi", says="from right to left")
def viterbi_not_turned_round(text, log_probs, unknown=-20.0):
    """The pieces stay in the order in which they were followed back."""
    best, came_from = [0.0] + [-math.inf] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            piece = text[start:end]
            value = best[start] + log_probs.get(piece, unknown if end - start == 1 else -math.inf)
            if value > best[end]:
                best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.append(text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@wrong("unigram_viterbi", says="only a single character may be unknown")
def viterbi_with_long_unknowns(text, log_probs, unknown=-20.0):
    """Any piece may be unknown, whatever its length."""
    best, came_from = [0.0] + [-math.inf] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            value = best[start] + log_probs.get(text[start:end], unknown)
            if value > best[end]:
                best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@wrong("unigram_viterbi", says="given the log-probability `unknown`")
def viterbi_without_unknowns(text, log_probs, unknown=-20.0):
    """A character that no piece has cannot be passed."""
    best, came_from = [0.0] + [-math.inf] * len(text), [None] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs and best[start] + log_probs[text[start:end]] > best[end]:
                best[end], came_from[end] = best[start] + log_probs[text[start:end]], start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@wrong("unigram_viterbi", says="is not a piece")
def viterbi_from_zero_everywhere(text, log_probs, unknown=-20.0):
    """Every place starts with 0, the best log-probability there is, so nothing is ever better."""
    best, came_from = [0.0] * (len(text) + 1), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            value = best[start] + log_probs.get(text[start:end], unknown if end - start == 1 else -math.inf)
            if value > best[end]:
                best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@wrong("unigram_viterbi", says="least probable")
def viterbi_takes_the_smallest(text, log_probs, unknown=-20.0):
    """Log-probabilities taken for costs: the smallest sum wins."""
    best, came_from = [0.0] + [math.inf] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            piece = text[start:end]
            if piece in log_probs or end - start == 1:
                value = best[start] + log_probs.get(piece, unknown)
                if value < best[end]:
                    best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@wrong("unigram_viterbi", says="keeps its own log-probability")
def viterbi_with_a_floor_for_all(text, log_probs, unknown=-20.0):
    """No single character is ever rated below `unknown`, though its own log-probability may be."""
    best, came_from = [0.0] + [-math.inf] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            own = log_probs.get(text[start:end], -math.inf)
            value = best[start] + (max(own, unknown) if end - start == 1 else own)
            if value > best[end]:
                best[end], came_from[end] = value, start
    pieces, end = [], len(text)
    while end > 0:
        pieces.insert(0, text[came_from[end] : end])
        end = came_from[end]
    return pieces, best[-1]


@right("unigram_viterbi")
def viterbi_from_the_right(text, log_probs, unknown=-20.0):
    """The best way from each place to the end, kept with its first piece."""
    n = len(text)
    best, step = [-math.inf] * n + [0.0], [1] * n
    for start in range(n - 1, -1, -1):
        for end in range(start + 1, n + 1):
            piece = text[start:end]
            if piece in log_probs or len(piece) == 1:
                value = (log_probs[piece] if piece in log_probs else unknown) + best[end]
                if value >= best[start]:
                    best[start], step[start] = value, end - start
    pieces, place = [], 0
    while place < n:
        pieces.append(text[place : place + step[place]])
        place += step[place]
    return pieces, best[0]


@right("unigram_viterbi")
def viterbi_that_carries_the_pieces(text, log_probs, unknown=-20.0):
    """Each place keeps its sum and its whole list of pieces."""
    ways = [(0.0, ())]
    for end in range(1, len(text) + 1):
        choices = [(ways[end - 1][0] + log_probs.get(text[end - 1], unknown), (*ways[end - 1][1], text[end - 1]))]
        for piece, log_prob in log_probs.items():
            if text.endswith(piece, 0, end):
                before = ways[end - len(piece)]
                choices.append((before[0] + log_prob, (*before[1], piece)))
        single = text[end - 1]
        if single in log_probs:
            choices = choices[1:]
        ways.append(max(choices, key=lambda way: way[0]))
    return list(ways[-1][1]), ways[-1][0]


@wrong("unigram_log_likelihood", says="best segmentation alone")
def likelihood_of_the_best_path(text, log_probs):
    """The largest, as in Viterbi, where the sum belongs."""
    total = [0.0] + [-math.inf] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs:
                total[end] = max(total[end], total[start] + log_probs[text[start:end]])
    return total[-1]


@wrong("unigram_log_likelihood", says="that multiplies them")
def likelihood_with_logs_summed(text, log_probs):
    """The logarithms of all segmentations added up: the product of their probabilities."""
    ways, sums = [1] + [0] * len(text), [0.0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs:
                ways[end] += ways[start]
                sums[end] += sums[start] + ways[start] * log_probs[text[start:end]]
    return sums[-1] if ways[-1] else -math.inf


@wrong("unigram_log_likelihood", says="underflow")
def likelihood_in_plain_numbers(text, log_probs):
    """Probabilities are added as they are: a long text becomes 0."""
    chance = [1.0] + [0.0] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs:
                chance[end] += chance[start] * math.exp(log_probs[text[start:end]])
    return math.log(chance[-1]) if chance[-1] else -math.inf


@wrong("unigram_log_likelihood", says="got NaN")
def likelihood_with_nan(text, log_probs):
    """The largest way is taken out even where it is -inf."""
    total = [0.0] + [-math.inf] * len(text)
    for end in range(1, len(text) + 1):
        ways = [total[s] + log_probs[text[s:end]] for s in range(end) if text[s:end] in log_probs]
        if ways:
            top = max(ways)
            total[end] = top + math.log(sum(math.exp(way - top) for way in ways))
    return total[-1]


@wrong("unigram_log_likelihood", says="where no piece ends")
def likelihood_breaks_without_a_way(text, log_probs):
    """max() of nothing, where no piece ends."""
    total = [0.0]
    for end in range(1, len(text) + 1):
        ways = [total[s] + log_probs[text[s:end]] for s in range(end) if text[s:end] in log_probs]
        top = max(ways)
        total.append(top + math.log(sum(math.exp(way - top) for way in ways)))
    return total[-1]


@wrong("unigram_log_likelihood", says="return its logarithm")
def likelihood_not_its_logarithm(text, log_probs):
    """The probability itself comes back."""
    chance = [1.0] + [0.0] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs:
                chance[end] += chance[start] * math.exp(log_probs[text[start:end]])
    return chance[-1]


@wrong("unigram_log_likelihood", says="no segmentation exists")
def likelihood_with_a_floor(text, log_probs):
    """An unknown character costs something, as in Viterbi, where here it makes the text impossible."""
    total = [0.0] + [-math.inf] * len(text)
    for end in range(1, len(text) + 1):
        ways = [
            total[s] + log_probs.get(text[s:end], -20.0)
            for s in range(end)
            if text[s:end] in log_probs or (end - s == 1 and text[s] not in "".join(log_probs))
        ]
        top = max(ways, default=-math.inf)
        if top > -math.inf:
            total[end] = top + math.log(sum(math.exp(way - top) for way in ways))
    return total[-1]


@wrong("unigram_log_likelihood", says="base 10")
def likelihood_to_base_ten(text, log_probs):
    """log10 at the end."""
    total = [0.0] + [-math.inf] * len(text)
    for end in range(1, len(text) + 1):
        ways = [total[s] + log_probs[text[s:end]] for s in range(end) if text[s:end] in log_probs]
        top = max(ways, default=-math.inf)
        if top > -math.inf:
            total[end] = top + math.log(sum(math.exp(way - top) for way in ways))
    return total[-1] / math.log(10)


@right("unigram_log_likelihood")
def likelihood_two_at_a_time(text, log_probs):
    """One way after the other, with log1p."""
    total = [0.0] + [-math.inf] * len(text)
    for start in range(len(text)):
        if total[start] == -math.inf:
            continue
        for end in range(start + 1, len(text) + 1):
            log_prob = log_probs.get(text[start:end])
            if log_prob is not None:
                a, b = sorted((total[end], total[start] + log_prob))
                total[end] = b + math.log1p(math.exp(a - b))
    return total[-1]


@right("unigram_log_likelihood")
def likelihood_with_exact_fractions(text, log_probs):
    """Scaled as it goes: a number between 0 and 1 and a logarithm kept apart."""
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec, context.Emin = 40, -999999999
        chance = [Decimal(1)] + [Decimal(0)] * len(text)
        table = {piece: Decimal(log_prob).exp() for piece, log_prob in log_probs.items()}
        longest = max(map(len, table), default=0)
        for end in range(1, len(text) + 1):
            for start in range(max(0, end - longest), end):
                if text[start:end] in table:
                    chance[end] += chance[start] * table[text[start:end]]
        return float(chance[-1].ln()) if chance[-1] else -math.inf


@wrong("expected_counts", says="best segmentation alone")
def counts_of_the_best_path(text, log_probs):
    """Viterbi's pieces, counted: hard EM."""
    best = [(0.0, ())] + [(-math.inf, ())] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - 8), end):
            piece = text[start:end]
            if piece in log_probs and best[start][0] + log_probs[piece] > best[end][0]:
                best[end] = (best[start][0] + log_probs[piece], (*best[start][1], piece))
    return {piece: float(best[-1][1].count(piece)) for piece in best[-1][1]}


@wrong("expected_counts", says="not divided by the probability of the whole text")
def counts_not_divided(text, log_probs):
    """The probability of each use, not its share."""
    n = len(text)
    before, behind = [1.0] + [0.0] * n, [0.0] * n + [1.0]
    for end in range(1, n + 1):
        before[end] = sum(before[s] * math.exp(log_probs[text[s:end]]) for s in range(end) if text[s:end] in log_probs)
    for s in reversed(range(n)):
        ends = [end for end in range(s + 1, n + 1) if text[s:end] in log_probs]
        behind[s] = sum(math.exp(log_probs[text[s:end]]) * behind[end] for end in ends)
    counts = {}
    for s in range(n):
        for end in range(s + 1, n + 1):
            if text[s:end] in log_probs:
                use = before[s] * math.exp(log_probs[text[s:end]]) * behind[end]
                counts[text[s:end]] = counts.get(text[s:end], 0) + use
    return counts


@wrong("expected_counts", says="every segmentation was counted alike")
def counts_of_equal_segmentations(text, log_probs):
    """The mean over all segmentations."""
    ways = list(given_segmentations(text[:60], log_probs)) if len(text) < 60 else []
    counts = {}
    for way in ways:
        for piece in way:
            counts[piece] = counts.get(piece, 0) + 1 / len(ways)
    return counts


@wrong("expected_counts", says="overwrote its earlier count")
def counts_overwritten(text, log_probs):
    """`=` in place of `+=`: the last place of a piece wins."""
    n = len(text)
    before, behind = [0.0] + [-math.inf] * n, [-math.inf] * n + [0.0]
    for end in range(1, n + 1):
        ways = [before[s] + log_probs[text[s:end]] for s in range(end) if text[s:end] in log_probs]
        before[end] = given_log_sum(ways)
    for s in reversed(range(n)):
        ways = [log_probs[text[s:end]] + behind[end] for end in range(s + 1, n + 1) if text[s:end] in log_probs]
        behind[s] = given_log_sum(ways)
    return {
        text[s:end]: math.exp(before[s] + log_probs[text[s:end]] + behind[end] - before[n])
        for s in range(n)
        for end in range(s + 1, n + 1)
        if text[s:end] in log_probs
    }


@wrong("expected_counts", says="backward sums are missing")
def counts_without_backward(text, log_probs):
    """Only the ways to the piece are counted, not those from it on."""
    n = len(text)
    before = [0.0] + [-math.inf] * n
    for end in range(1, n + 1):
        ways = [before[s] + log_probs[text[s:end]] for s in range(end) if text[s:end] in log_probs]
        before[end] = given_log_sum(ways)
    counts = {}
    for s in range(n):
        for end in range(s + 1, n + 1):
            if text[s:end] in log_probs:
                share = math.exp(min(700, before[s] + log_probs[text[s:end]] - before[n]))
                counts[text[s:end]] = counts.get(text[s:end], 0) + share
    return counts


@wrong("expected_counts", says="not from its start")
def counts_behind_from_the_start(text, log_probs):
    """behind[start] where behind[end] belongs: off by the piece's length."""
    n = len(text)
    before, behind = [0.0] + [-math.inf] * n, [-math.inf] * n + [0.0]
    for end in range(1, n + 1):
        ways = [before[s] + log_probs[text[s:end]] for s in range(end) if text[s:end] in log_probs]
        before[end] = given_log_sum(ways)
    for s in reversed(range(n)):
        ways = [log_probs[text[s:end]] + behind[end] for end in range(s + 1, n + 1) if text[s:end] in log_probs]
        behind[s] = given_log_sum(ways)
    counts = {}
    for s in range(n):
        for end in range(s + 1, n + 1):
            if text[s:end] in log_probs:
                share = math.exp(before[s] + log_probs[text[s:end]] + behind[s] - before[n])
                counts[text[s:end]] = counts.get(text[s:end], 0) + share
    return counts


@wrong("expected_counts", says="Stay with logarithms until the end")
def counts_in_plain_numbers(text, log_probs):
    """Right for short texts; the probability of a long one is 0, and is divided by."""
    n = len(text)
    before, behind = [1.0] + [0.0] * n, [0.0] * n + [1.0]
    for end in range(1, n + 1):
        before[end] = sum(before[s] * math.exp(log_probs[text[s:end]]) for s in range(end) if text[s:end] in log_probs)
    for s in reversed(range(n)):
        ends = [end for end in range(s + 1, n + 1) if text[s:end] in log_probs]
        behind[s] = sum(math.exp(log_probs[text[s:end]]) * behind[end] for end in ends)
    counts = {}
    for s in range(n):
        for end in range(s + 1, n + 1):
            if text[s:end] in log_probs:
                use = before[s] * math.exp(log_probs[text[s:end]]) * behind[end]
                counts[text[s:end]] = counts.get(text[s:end], 0) + use / before[n]
    return counts


@right("expected_counts")
def counts_by_one_pass_of_averages(text, log_probs):
    """Each place carries its probability and the counts so far, mixed by the shares of the ways that meet there."""
    longest = max(map(len, log_probs))
    places = [(0.0, {})]
    for end in range(1, len(text) + 1):
        ways = []
        for start in range(max(0, end - longest), end):
            if text[start:end] in log_probs and places[start][0] > -math.inf:
                ways.append((places[start][0] + log_probs[text[start:end]], start))
        total = given_log_sum([way for way, _ in ways])
        mixed = {}
        for way, start in ways:
            share = math.exp(way - total)
            for piece, count in places[start][1].items():
                mixed[piece] = mixed.get(piece, 0.0) + share * count
            mixed[text[start:end]] = mixed.get(text[start:end], 0.0) + share
        places.append((total, mixed))
    return places[-1][1]


@right("expected_counts")
def counts_as_a_slope(text, log_probs):
    """The expected count is the slope of log P(text) in the piece's log-probability, carried backwards by hand."""
    n, longest = len(text), max(map(len, log_probs))
    total = [0.0] + [-math.inf] * n
    for end in range(1, n + 1):
        starts = [s for s in range(max(0, end - longest), end) if text[s:end] in log_probs]
        total[end] = given_log_sum([total[s] + log_probs[text[s:end]] for s in starts])
    slope, counts = [0.0] * n + [1.0], dict.fromkeys(log_probs, 0.0)
    for end in range(n, 0, -1):
        for s in range(max(0, end - longest), end):
            if text[s:end] in log_probs and total[s] > -math.inf and slope[end]:
                share = slope[end] * math.exp(total[s] + log_probs[text[s:end]] - total[end])
                counts[text[s:end]] += share
                slope[s] += share
    return counts


@wrong("byte_fallback", says="not its UTF-8 bytes")
def fallback_to_code_points(pieces, vocab):
    """The character's number in Unicode, in one token."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{ord(c):02X}>" for c in p])]


@wrong("byte_fallback", says="capital letters")
def fallback_in_small_letters(pieces, vocab):
    """hex() writes small letters."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{b:02x}>" for b in p.encode()])]


@wrong("byte_fallback", says="leading zero")
def fallback_without_leading_zero(pieces, vocab):
    """<0xA> for a line end."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{b:X}>" for b in p.encode()])]


@wrong("byte_fallback", says="falls back as a whole")
def fallback_by_characters(pieces, vocab):
    """The characters of an unknown piece are looked up once more."""
    tokens = []
    for piece in pieces:
        for part in [piece] if piece in vocab else piece:
            tokens += [part] if part in vocab else [f"<0x{b:02X}>" for b in part.encode()]
    return tokens


@wrong("byte_fallback", says="because one was unknown")
def fallback_of_everything(pieces, vocab):
    """One unknown piece, and the whole text is spelt in bytes."""
    if all(p in vocab for p in pieces):
        return list(pieces)
    return [f"<0x{b:02X}>" for p in pieces for b in p.encode()]


@wrong("byte_fallback", says="one token each")
def fallback_glued(pieces, vocab):
    """The bytes of a piece are joined into one string."""
    return [p if p in vocab else "".join(f"<0x{b:02X}>" for b in p.encode()) for p in pieces]


@wrong("byte_fallback", says="UTF-16")
def fallback_to_utf16(pieces, vocab):
    """Another encoding."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{b:02X}>" for b in p.encode("utf-16-be")])]


@wrong("byte_fallback", says="left out")
def fallback_drops(pieces, vocab):
    """What is unknown is not there any more."""
    return [p for p in pieces if p in vocab]


@right("byte_fallback")
def fallback_with_hex_strings(pieces, vocab):
    """bytes.hex, two digits at a time."""
    tokens = []
    for piece in pieces:
        if piece in vocab:
            tokens += [piece]
            continue
        digits = piece.encode("utf-8").hex().upper()
        tokens += ["<0x" + digits[i : i + 2] + ">" for i in range(0, len(digits), 2)]
    return tokens


@right("byte_fallback")
def fallback_with_a_table(pieces, vocab):
    """A table of all 256 names, and a generator."""
    names = ["<0x%02X>" % byte for byte in range(256)]

    def tokens():
        for piece in pieces:
            yield from [piece] if piece in vocab else map(names.__getitem__, bytearray(piece, "utf8"))

    return list(tokens())


@wrong("decode_with_bytes", says="decoded alone")
def bytes_decoded_alone(pieces):
    """Each byte token is decoded by itself."""
    import re

    parts = []
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            parts.append(bytes([int(piece[3:5], 16)]).decode("utf-8", errors="replace"))
        else:
            parts.append(piece.replace("▁", " "))
    return "".join(parts).removeprefix(" ")


@wrong("decode_with_bytes", says="only one was added")
def decoded_and_stripped(pieces):
    """strip() takes the text's own spaces too."""
    import re

    data = b""
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += piece.replace("▁", " ").encode()
    return data.decode("utf-8", errors="replace").strip()


@wrong("decode_with_bytes", says="all spaces in front were taken away")
def decoded_and_left_stripped(pieces):
    """lstrip takes all the spaces in front."""
    import re

    data = b""
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += piece.replace("▁", " ").encode()
    return data.decode("utf-8", errors="replace").lstrip(" ")


@wrong("decode_with_bytes", says="is still there")
def decoded_with_the_dummy_space(pieces):
    """Nothing is taken away in front."""
    import re

    data = b""
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += piece.replace("▁", " ").encode()
    return data.decode("utf-8", errors="replace")


@wrong("decode_with_bytes", says="though it was no ▁")
def decoded_without_the_first_character(pieces):
    """The first character is cut off, whatever it is."""
    import re

    data = b""
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += piece.replace("▁", " ").encode()
    return data.decode("utf-8", errors="replace")[1:]


@wrong("decode_with_bytes", says="broken bytes were dropped")
def decoded_ignoring_errors(pieces):
    """errors="ignore" hides what is broken."""
    import re

    data = b""
    for i, piece in enumerate(pieces):
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += (piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ").encode()
    return data.decode("utf-8", errors="ignore")


@wrong("decode_with_bytes", says="U+FFFD")
def decoded_strictly(pieces):
    """Broken bytes raise."""
    import re

    data = b""
    for i, piece in enumerate(pieces):
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += (piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ").encode()
    return data.decode("utf-8")


@wrong("decode_with_bytes", says="not the underscore")
def decoded_with_underscores(pieces):
    """The underscore is taken for ▁."""
    import re

    data = b""
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += piece.replace("_", " ").encode()
    return data.decode("utf-8", errors="replace").removeprefix(" ")


@wrong("decode_with_bytes", says="chr")
def decoded_by_chr(pieces):
    """A byte is taken for a character's number: Latin-1."""
    import re

    parts = []
    for piece in pieces:
        byte = re.fullmatch("<0x[0-9A-F]{2}>", piece)
        parts.append(chr(int(piece[3:5], 16)) if byte else piece.replace("▁", " "))
    return "".join(parts).removeprefix(" ")


@wrong("decode_with_bytes", says="space of every piece")
def decoded_losing_every_word_space(pieces):
    """The ▁ is stripped from each piece, and the words run together."""
    import re

    data = b""
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            data += bytes([int(piece[3:5], 16)])
        else:
            data += piece.removeprefix("▁").replace("▁", " ").encode()
    return data.decode("utf-8", errors="replace")


@right("decode_with_bytes")
def decoded_by_substitution(pieces):
    """Runs of byte tokens are collected with groupby."""
    import re
    from itertools import groupby

    if pieces and pieces[0].startswith("▁"):
        pieces = [pieces[0][1:], *pieces[1:]]
    text = ""
    for is_byte, run in groupby(pieces, key=lambda p: bool(re.fullmatch(r"<0x[0-9A-F]{2}>", p))):
        if is_byte:
            text += bytes(int(p[3:5], 16) for p in run).decode("utf-8", errors="replace")
        else:
            text += "".join(run).replace("▁", " ")
    return text


@right("decode_with_bytes")
def decoded_with_a_pending_buffer(pieces):
    """Bytes wait until an ordinary piece comes."""
    names, text, waiting = {"<0x%02X>" % b: b for b in range(256)}, [], bytearray()
    for piece in [*pieces, ""]:
        if piece in names:
            waiting.append(names[piece])
            continue
        text.append(waiting.decode("utf-8", "replace"))
        waiting.clear()
        text.append(" ".join(piece.split("▁")))
    joined = "".join(text)
    return joined[1:] if pieces and pieces[0][:1] == "▁" else joined
