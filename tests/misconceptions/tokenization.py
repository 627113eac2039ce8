"""Wrong solutions of the tokenization chapter by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import math
import re

from autograder.course.bank import edit, right, wrong

# The notebook `granularity`


@wrong("word_tokenize")
def words_without_their_spaces(text):
    """What stood between the words is lost: a piece keeps the white space that follows it, as it is, be it two spaces
    or a line end."""
    return [(token, " ") for token in text.split()]


@wrong("word_tokenize")
def words_between_spaces(text):
    """The punctuation is still glued to the words: cut prefixes and suffixes off each piece."""
    return chunks(text)


@wrong("word_tokenize")
def words_by_one_pattern(text):
    """A full stop or an apostrophe was cut out of the middle of a word: 3.14 and U.S. stay whole, and n't comes off
    at the end only."""
    pairs = []
    for piece, space in chunks(text):
        tokens = re.findall(r"\w+|[^\w\s]", piece) or [""]
        pairs += [(t, "") for t in tokens[:-1]] + [(tokens[-1], space)]
    return pairs


@wrong("word_tokenize")
def words_without_punctuation(text):
    """Characters are lost: what is cut off becomes a token of its own."""
    marks = "".join(mark for mark in PREFIXES + SUFFIXES if len(mark) == 1)
    return [(piece.strip(marks), space) for piece, space in chunks(text)]


words_with_suffixes_from_outside = edit(
    "word_tokenize",
    "The suffixes stand in the order in which they were found, from the outside inwards: in the text the last "
    "one found comes first.",
    ("*reversed(back)]", "*back]"),
)

words_with_exceptions_first_only = edit(
    "word_tokenize",
    "An exception inside brackets or quotes was cut to pieces: look exceptions up again after each cut, not "
    "only for the whole piece.",
    ("if rest in EXCEPTIONS:", "if rest in EXCEPTIONS and not front + back:"),
)

words_without_exceptions = edit(
    "word_tokenize",
    "U.S., Mr. and cannot were cut by rules or left whole: they are exceptions, and exceptions are asked first.",
    ("if rest in EXCEPTIONS:", "if False:"),
)

words_with_one_affix = edit(
    "word_tokenize",
    "Only one prefix and one suffix came off: go back to step 2 until none fits.",
    ("if rest.startswith(p)", "if not front and rest.startswith(p)"),
    ("if rest.endswith(s)", "if not back and rest.endswith(s)"),
)

words_with_infixes_last = edit(
    "word_tokenize",
    "The parts between infixes were not cut any further: the infixes come first, and each part goes through the "
    "steps 2 to 5.",
    ("for rest in infix.split(piece):", "for rest in [piece]:"),
    ('middle, rest = [rest], ""', 'middle, rest = [t for t in infix.split(rest) if t], ""'),
)


@wrong("word_tokenize")
def words_in_lower_case(text):
    """Capital letters became small ones: then the text cannot be put together again."""
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


words_with_no_infix = edit(
    "word_tokenize",
    "The infixes were not cut: --, ... and / are tokens wherever they stand, in the middle of a piece, too.",
    ("for rest in infix.split(piece):", "for rest in [piece]:"),
)

words_with_dots_for_any_character = edit(
    "word_tokenize",
    "A full stop in a pattern stands for any character, so that `...` matched three letters: escape the infixes.",
    ("map(re.escape, INFIXES)", "INFIXES"),
)

words_with_suffixes_first = edit(
    "word_tokenize",
    "A suffix came off before a prefix was looked for: prefixes are asked first, as the steps say.",
    ("if rest.startswith(p)", "if rest.startswith(p) and not rest.endswith(tuple(SUFFIXES))"),
)

words_with_the_space_first = edit(
    "word_tokenize",
    "The white space of a piece went with its first token: it follows the last one.",
    ('pairs += [(token, "") for token in tokens[:-1]]', "pairs.append((tokens[0], space))"),
    ("pairs.append((tokens[-1], space))", 'pairs += [(token, "") for token in tokens[1:]]'),
)

words_without_leading_space = edit(
    "word_tokenize",
    "The white space at the start of the text is lost: it stands in a first pair, with an empty token.",
    ('tokens = tokens or [""]', "if not tokens:\n            continue"),
)

words_with_exceptions_in_any_case = edit(
    "word_tokenize",
    "Capital letters count: CANNOT is no exception, only what stands in the table is.",
    ("if rest in EXCEPTIONS:", "if rest.lower() in EXCEPTIONS:"),
    ("EXCEPTIONS[rest]", "EXCEPTIONS[rest.lower()]"),
    hidden=True,
)


@wrong("word_tokenize")
def words_with_the_space_after_each_token(text):
    """Every token of a piece got the piece's white space: it follows the last one only, the others get an empty
    string."""
    pairs = []
    infix = re.compile("(" + "|".join(map(re.escape, INFIXES)) + ")")
    for piece, space in chunks(text):
        tokens = []
        for rest in infix.split(piece):
            front, back = [], []
            while rest and rest not in EXCEPTIONS and rest not in INFIXES:
                if prefix := next((p for p in PREFIXES if rest.startswith(p)), ""):
                    front, rest = [*front, prefix], rest[len(prefix) :]
                elif suffix := next((s for s in SUFFIXES if rest.endswith(s)), ""):
                    back, rest = [suffix, *back], rest[: -len(suffix)]
                else:
                    break
            tokens += front + (EXCEPTIONS.get(rest, [rest]) if rest else []) + back
        pairs += [(token, space) for token in tokens or [""]]
    return pairs


words_with_one_space_each = edit(
    "word_tokenize",
    "Every piece got one space, whatever stood there: take the white space from `chunks`, be it none, two or a "
    "line end.",
    ("pairs.append((tokens[-1], space))", "pairs.append((tokens[-1], chr(32)))"),
)

words_with_one_infix = edit(
    "word_tokenize",
    "A piece was cut at one infix only: cut it at all of them.",
    ("infix.split(piece)", "infix.split(piece, maxsplit=1)"),
)

words_with_a_table_that_grows = edit(
    "word_tokenize",
    "An exception's list in the table was changed, and the next time it has more tokens: put new lists "
    "together, and leave the tables as they are.",
    ("tokens += [*front, *middle, *reversed(back)]", "middle.extend(back[::-1])\n            tokens += front + middle"),
)


@wrong("coverage")
def coverage_of_types(train_counts, test_counts, sizes):
    """Each different word counts once here. The question is how many occurrences are outside: add up the counts."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    return [sum(w not in set(ranked[:V]) for w in test_counts) / len(test_counts) for V in sizes]


@wrong("coverage")
def coverage_with_the_test_vocabulary(train_counts, test_counts, sizes):
    """The vocabulary was chosen from the test text. It may only see the training counts, or the measure flatters
    itself."""
    ranked = sorted(test_counts, key=lambda w: (-test_counts[w], w))
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if w not in set(ranked[:V])) / total for V in sizes]


@wrong("coverage")
def coverage_of_the_training_text(train_counts, test_counts, sizes):
    """That is the rate on the training text: choose the words there, and measure on `test_counts`."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    total = sum(train_counts.values())
    return [sum(train_counts[w] for w in ranked[V:]) / total for V in sizes]


@wrong("coverage")
def coverage_inside(train_counts, test_counts, sizes):
    """That is the share inside the vocabulary; the OOV rate is the share outside."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    return [sum(test_counts.get(w, 0) for w in ranked[:V]) / sum(test_counts.values()) for V in sizes]


@wrong("coverage")
def coverage_with_ties_by_first_seen(train_counts, test_counts, sizes):
    """Of words with the same count the one that was seen first won: take the one that sorts first."""
    from collections import Counter

    total = sum(test_counts.values())
    known = [{w for w, _ in Counter(train_counts).most_common(V)} for V in sizes]
    return [sum(n for w, n in test_counts.items() if w not in k) / total for k in known]


@wrong("coverage")
def coverage_of_the_rarest(train_counts, test_counts, sizes):
    """The rarest words were taken for the vocabulary, not the most frequent."""
    ranked = sorted(train_counts, key=lambda w: (train_counts[w], w))
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if w not in set(ranked[:V])) / total for V in sizes]


@wrong("coverage")
def coverage_with_key_errors(train_counts, test_counts, sizes):
    """A word may be in one dictionary and not in the other: a training word that the test text does not have counts 0
    there."""
    ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))
    total = sum(test_counts.values())
    return [1 - sum(test_counts[w] for w in ranked[:V]) / total for V in sizes]


@wrong("coverage")
def coverage_off_by_one(train_counts, test_counts, sizes):
    """The vocabulary has one word too few: V words, all of them real."""
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


coverage_in_the_order_of_sizes = edit(
    "coverage",
    "The sizes were sorted: the numbers come in the order in which the sizes were given.",
    ("for size in sizes]", "for size in sorted(sizes)]"),
)

coverage_in_per_cent = edit(
    "coverage",
    "Those are per cent: a rate is a share of 1.",
    ("1 - covered[min(size, len(ranked))] / total", "100 - 100 * covered[min(size, len(ranked))] / total"),
)

coverage_with_the_last_of_equals = edit(
    "coverage",
    "Of words with the same count the one that sorts last won: take the one that sorts first.",
    (
        "sorted(train_counts, key=lambda word: (-train_counts[word], word))",
        "sorted(train_counts, key=lambda word: (train_counts[word], word), reverse=True)",
    ),
)

coverage_with_one_word_more = edit(
    "coverage",
    "The vocabulary has one word too many: with V = 0 it is empty.",
    ("min(size, len(ranked))", "min(size + 1, len(ranked))"),
)

coverage_by_alphabet = edit(
    "coverage",
    "The words were taken in the order of the alphabet: the counts come first, the alphabet decides among equals.",
    ("key=lambda word: (-train_counts[word], word)", "key=None"),
)

coverage_in_the_order_of_the_dictionary = edit(
    "coverage",
    "The first V words of the dictionary were taken, as they stand there: sort them by their counts.",
    ("sorted(train_counts, key=lambda word: (-train_counts[word], word))", "list(train_counts)"),
)

coverage_beyond_the_end = edit(
    "coverage",
    "A size may be larger than the number of training words: then the vocabulary holds them all.",
    ("min(size, len(ranked))", "size"),
)

coverage_over_the_training_total = edit(
    "coverage",
    "The outside occurrences were divided by the training text's total: it is a share of the occurrences in "
    "`test_counts`.",
    ("total = sum(test_counts.values())", "total = sum(train_counts.values())"),
)

coverage_rounded = edit(
    "coverage",
    "The rates are rounded: return them as they are.",
    ("1 - covered[min(size, len(ranked))] / total", "round(1 - covered[min(size, len(ranked))] / total, 2)"),
    hidden=True,
)


@wrong("coverage", hidden=True)
def coverage_in_small_letters(train_counts, test_counts, sizes):
    """Capital letters were made small: words are compared as they are written."""
    counts = {}
    for word, count in train_counts.items():
        counts[word.lower()] = counts.get(word.lower(), 0) + count
    ranked = sorted(counts, key=lambda w: (-counts[w], w))
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if w.lower() not in ranked[:V]) / total for V in sizes]


@wrong("coverage")
def coverage_by_a_threshold(train_counts, test_counts, sizes):
    """A size was taken for the count that a word needs: V says how many words the vocabulary has."""
    total = sum(test_counts.values())
    return [sum(n for w, n in test_counts.items() if train_counts.get(w, 0) < V) / total for V in sizes]


@wrong("embedding_bytes")
def bytes_as_numbers(V, D, dtype="float32"):
    """That is how many numbers there are: each of them takes several bits."""
    return V * D


@wrong("embedding_bytes")
def bytes_as_bits(V, D, dtype="float32"):
    """Those are bits: a byte has 8 of them."""
    return V * D * BITS[dtype]


@wrong("embedding_bytes")
def bytes_always_four(V, D, dtype="float32"):
    """Four bytes a number is right for float32 only: look the type up in BITS."""
    return V * D * 4


@wrong("embedding_bytes")
def bytes_rounded_down(V, D, dtype="float32"):
    """The byte that is begun at the end was dropped: round up."""
    return V * D * BITS[dtype] // 8


@wrong("embedding_bytes")
def bytes_divided_too_early(V, D, dtype="float32"):
    """A number may be smaller than a byte: stay with bits until the end, and divide by 8 once."""
    return V * D * (BITS[dtype] // 8)


@wrong("embedding_bytes")
def bytes_of_the_edges(V, D, dtype="float32"):
    """Rows plus columns were counted: a matrix has rows times columns numbers."""
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


@wrong("embedding_bytes")
def bytes_of_begun_numbers(V, D, dtype="float32"):
    """Each number was rounded up to whole bytes: numbers of 4 bits share a byte, so divide by 8 at the very end."""
    return V * D * -(-BITS[dtype] // 8)


@wrong("embedding_bytes")
def bytes_of_begun_rows(V, D, dtype="float32"):
    """Each row was rounded up to whole bytes: there is no gap between two rows, only the end of the matrix is
    rounded."""
    return V * -(-D * BITS[dtype] // 8)


@wrong("embedding_bytes")
def bytes_of_a_square(V, D, dtype="float32"):
    """A matrix of V rows and V columns was weighed: its rows have D numbers."""
    return (V * V * BITS[dtype] + 7) // 8


@wrong("embedding_bytes")
def bytes_twice(V, D, dtype="float32"):
    """Two matrices were weighed: one is asked for, whether the output shares it or not."""
    return (2 * V * D * BITS[dtype] + 7) // 8


@wrong("embedding_bytes")
def bytes_one_too_many(V, D, dtype="float32"):
    """One byte was added always: only a byte that is begun counts as one more."""
    return V * D * BITS[dtype] // 8 + 1


@wrong("embedding_bytes")
def bytes_rounded_to_even(V, D, dtype="float32"):
    """`round` goes to the nearest, and from a half to the even number: a byte that is begun always counts."""
    return round(V * D * BITS[dtype] / 8)


@wrong("embedding_bytes")
def bytes_as_megabytes(V, D, dtype="float32"):
    """Those are megabytes: the answer is a whole number of bytes."""
    return V * D * BITS[dtype] / 8 / 1e6


@wrong("embedding_bytes")
def bytes_with_a_fraction(V, D, dtype="float32"):
    """A division with `/` gives a number with a fraction: bytes are whole, and a byte that is begun counts as one."""
    return V * D * BITS[dtype] / 8


@wrong("max_match")
def match_backward(text, lexicon):
    """That is a better reading, and another algorithm: match forward, from the left end, not backward."""
    tokens, j = [], len(text)
    while j:
        i = next(i for i in range(j) if i == j - 1 or text[i:j] in lexicon)
        tokens, j = [text[i:j], *tokens], i
    return tokens


@wrong("max_match")
def match_loses_single_characters(text, lexicon):
    """Characters that start no word are lost: each of them becomes a token of its own."""
    tokens, i = [], 0
    while i < len(text):
        j = next((j for j in range(len(text), i, -1) if text[i:j] in lexicon), None)
        if j:
            tokens.append(text[i:j])
        i = j or i + 1
    return tokens


@wrong("max_match")
def match_the_shortest(text, lexicon):
    """The shortest word that fits was taken: of all words that start here, the longest wins."""
    tokens, i = [], 0
    while i < len(text):
        j = next((j for j in range(i + 1, len(text) + 1) if text[i:j] in lexicon), i + 1)
        tokens.append(text[i:j])
        i = j
    return tokens


@wrong("max_match")
def match_up_to_four(text, lexicon):
    """A word longer than any that was tried starts here: do not stop at a fixed length, ask the lexicon how long its
    longest word is."""
    tokens, i = [], 0
    while i < len(text):
        n = next(n for n in (4, 3, 2, 1) if n == 1 or text[i : i + n] in lexicon)
        tokens.append(text[i : i + n])
        i += n
    return tokens


@wrong("max_match")
def match_with_unknowns_together(text, lexicon):
    """Characters that start no word were put together: each of them is a token of its own."""
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


@wrong("max_match")
def match_gives_up(text, lexicon):
    """Where no word starts, the rest of the text became one token: only one character does, and the search goes on
    after it."""
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


no_match_in_an_empty_lexicon = edit(
    "max_match",
    "An empty lexicon has no longest word: every character becomes a token of its own.",
    ("max(map(len, lexicon), default=1)", "max(map(len, lexicon), default=0)"),
    ("range(min(longest, len(text) - i), 0, -1)", "range(min(longest, len(text) - i), 0, -1) or [len(text)]"),
)

match_without_the_longest = edit(
    "max_match",
    "The longest word of the lexicon was never tried: the end of a `range` is left out.",
    ("min(longest, len(text) - i)", "min(max(longest - 1, 1), len(text) - i)"),
)

match_without_spaces = edit(
    "max_match",
    "The spaces are lost: they are characters like all others.",
    ("tokens, i = [], 0", "text = text.replace(' ', '')\n    tokens, i = [], 0"),
)

match_up_to_sixteen = edit(
    "max_match",
    "Words beyond some length are never found: do not stop at a fixed length, ask the lexicon how long its "
    "longest word is.",
    ("max(map(len, lexicon), default=1)", "16"),
    hidden=True,
)

match_in_small_letters = edit(
    "max_match",
    "Capital letters were made small: words are compared as they are written.",
    ("text[i : i + n] in lexicon", "text[i : i + n].lower() in lexicon"),
    hidden=True,
)

match_that_needs_a_word = edit(
    "max_match",
    "An empty lexicon has no longest word: mind that `max` of nothing is an error, and take every character by itself.",
    ("max(map(len, lexicon), default=1)", "max(map(len, lexicon))"),
)

match_one_step_at_a_time = edit(
    "max_match",
    "After a word the search goes on at the next character, inside the word: go on behind it.",
    ("i += n", "i += 1"),
)


@wrong("max_match", hidden=True)
def match_by_an_unescaped_pattern(text, lexicon):
    """A full stop or a plus in a word was taken for a pattern, or a new line is lost: escape the words."""
    return re.findall("|".join([*sorted(lexicon, key=len, reverse=True), "."]), text)


@wrong("segment_dag")
def best_by_greed(text, freq):
    """That is the longest word from the left: compare whole cuts by their products, not first words by their length."""
    tokens, i = [], 0
    while i < len(text):
        j = next(j for j in range(len(text), i, -1) if j == i + 1 or text[i:j] in freq)
        tokens.append(text[i:j])
        i = j
    return tokens


best_without_the_total = edit(
    "segment_dag",
    "The counts were not divided by their total, so that each further word looks like a gain: the score of a word is "
    "log(count / total), which is never above 0.",
    ("- log_total + best", "+ best"),
)


@wrong("segment_dag")
def best_by_fewest_words(text, freq):
    """That is the cut with the fewest words: the most probable one is asked for, and two frequent words may beat one
    rare one."""
    n = len(text)
    best = [(0, [])] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(n, i, -1) if j == i + 1 or text[i:j] in freq]
        options = [(1 + best[j][0], -freq.get(text[i:j], 1), [text[i:j], *best[j][1]]) for j in ends]
        best[i] = min(options)[::2]
    return best[0][1]


best_by_products = edit(
    "segment_dag",
    "On a long text a product of probabilities becomes 0, and then all cuts are equal: add logarithms.",
    ("math.log(sum(freq.values()))", "sum(freq.values())"),
    ("[(0.0, n)]", "[(1.0, n)]"),
    ("math.log(freq.get(text[i:j], 1)) - log_total + best[j][0]", "freq.get(text[i:j], 1) / log_total * best[j][0]"),
)

best_with_log_of_zero = edit(
    "segment_dag",
    "A single character that the lexicon does not know counts as if it had occurred once; the count 0 has no "
    "logarithm.",
    ("freq.get(text[i:j], 1)", "freq.get(text[i:j], 0)"),
)

best_with_free_unknowns = edit(
    "segment_dag",
    "An unknown character costs nothing here, as if its probability were 1: it must cost log(1 / total).",
    ("math.log(freq.get(text[i:j], 1)) - log_total", "math.log(freq.get(text[i:j], math.exp(log_total))) - log_total"),
)

best_with_known_words_only = edit(
    "segment_dag",
    "Only words of the lexicon were tried, so that some places have no candidate: the next character alone "
    "always is one.",
    ("if j == i + 1 or text[i:j] in freq", "if text[i:j] in freq"),
)
best_with_a_larger_total = edit(
    "segment_dag",
    "The total was made larger, as if to make room for the unknown: it stays the sum of the counts.",
    ("math.log(sum(freq.values()))", "math.log(sum(freq.values()) + 1)"),
    hidden=True,
)
best_with_all_single_characters_once = edit(
    "segment_dag",
    "Every single character counted once. Only one that `freq` does not know does: the others have their own counts.",
    ("math.log(freq.get(text[i:j], 1))", "math.log(freq[text[i:j]] if j > i + 1 else 1)"),
)


@right("segment_dag")
def best_from_the_left(text, freq):
    """Dynamic programming over where a word ends, and a walk back from the end."""
    total = sum(freq.values())
    score, back = [0.0], [0]
    for j in range(1, len(text) + 1):
        options = [
            (score[i] + math.log(freq.get(text[i:j], 1) / total), i)
            for i in range(max(0, j - max(map(len, freq))), j)
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
        for j in range(i + 1, len(text) + 1):
            if j == i + 1 or text[i:j] in freq:
                heapq.heappush(queue, (length - math.log(freq.get(text[i:j], 1) / total), j, i))
    tokens, j = [], len(text)
    while j:
        tokens.insert(0, text[came[j] : j])
        j = came[j]
    return tokens


best_of_the_least = edit(
    "segment_dag",
    "That is the least probable cut: the largest score wins, not the smallest.",
    ("best[i] = max(", "best[i] = min("),
)

best_over_the_number_of_words = edit(
    "segment_dag",
    "The counts were divided by the number of different words: the total is the sum of all counts.",
    ("sum(freq.values())", "len(freq)"),
)

best_up_to_four = edit(
    "segment_dag",
    "Words of more than a few characters are never tried: a word of the lexicon may have any length.",
    ("longest = max(map(len, freq))", "longest = 4"),
)

best_with_any_piece = edit(
    "segment_dag",
    "A token is neither a word of `freq` nor a single character: unknown characters stand alone.",
    ("if j == i + 1 or text[i:j] in freq", "if True"),
)


@wrong("segment_dag")
def best_without_single_unknowns(text, freq):
    """An unknown character stands alone only where no word starts here: it may stand alone anywhere."""
    log_total, n = math.log(sum(freq.values())), len(text)
    best = [(0.0, [])] * (n + 1)
    for i in reversed(range(n)):
        ends = [j for j in range(i + 1, n + 1) if text[i:j] in freq] or [i + 1]
        best[i] = max(
            (math.log(freq.get(text[i:j], 1)) - log_total + best[j][0], [text[i:j], *best[j][1]]) for j in ends
        )
    return best[0][1]


@wrong("segment_dag")
def best_word_by_word(text, freq):
    """At each place the most frequent word that starts there was taken: compare whole cuts, not single words."""
    tokens, i = [], 0
    while i < len(text):
        j = max((j for j in range(i + 1, len(text) + 1) if j == i + 1 or text[i:j] in freq),
                key=lambda j: freq.get(text[i:j], 1))  # fmt: skip
        tokens.append(text[i:j])
        i = j
    return tokens


best_with_half_unknowns = edit(
    "segment_dag",
    "An unknown character counts as if it had occurred once: not less, and not more.",
    ("freq.get(text[i:j], 1)", "freq.get(text[i:j], 0.5)"),
)

best_with_double_unknowns = edit(
    "segment_dag",
    "An unknown character counts as if it had occurred once: not twice.",
    ("freq.get(text[i:j], 1)", "freq.get(text[i:j], 2)"),
    hidden=True,
)

best_with_one_more_for_all = edit(
    "segment_dag",
    "Every count was raised by one: only an unknown character gets a count of 1, the known ones keep theirs.",
    ("freq.get(text[i:j], 1)", "freq.get(text[i:j], 0) + 1"),
)

best_by_sums = edit(
    "segment_dag",
    "The probabilities themselves were added: what is multiplied becomes a sum only through logarithms.",
    ("math.log(freq.get(text[i:j], 1)) - log_total", "freq.get(text[i:j], 1) / math.exp(log_total)"),
)


@wrong("fertility")
def fertile_characters_for_bytes(tokenizer, text):
    """Characters were taken for bytes in the second number: encode the text as UTF-8 and count again."""
    n = len(tokenizer(text))
    return n / len(text), n / len(text)


@wrong("fertility")
def fertile_upside_down(tokenizer, text):
    """That is the inverse: tokens over characters and tokens over bytes, not characters and bytes for each token."""
    n = len(tokenizer(text))
    return len(text) / n, len(text.encode()) / n


@wrong("fertility")
def fertile_swapped(tokenizer, text):
    """The pair is swapped: tokens for each character come first."""
    n = len(tokenizer(text))
    return n / len(text.encode()), n / len(text)


@wrong("fertility")
def fertile_at_spaces(tokenizer, text):
    """The pieces between spaces were counted: call the tokenizer and count what it returns."""
    n = len(text.split())
    return n / len(text), n / len(text.encode())


@wrong("fertility")
def fertile_in_utf_16(tokenizer, text):
    """The bytes of UTF-16 were counted: encode the text as UTF-8, where an English letter has one byte and a Chinese
    character three."""
    n = len(tokenizer(text))
    return n / len(text), n / len(text.encode("utf-16-le"))


@wrong("fertility")
def fertile_character_by_character(tokenizer, text):
    """The tokenizer saw one character at a time, so that it never found a longer token: call it once, with the whole
    text."""
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


@wrong("fertility")
def fertile_per_byte_only(tokenizer, text):
    """Bytes were taken for characters in the first number: `len` of the text counts its characters."""
    n, size = len(tokenizer(text)), len(text.encode())
    return n / size, n / size


@wrong("fertility")
def fertile_undivided(tokenizer, text):
    """Those are counts: divide the number of tokens by the number of characters, and of bytes."""
    return len(tokenizer(text)), len(tokenizer(text))


@wrong("fertility")
def fertile_of_distinct_tokens(tokenizer, text):
    """Each different token counts once here: a token that occurs twice counts twice."""
    n = len(set(tokenizer(text)))
    return n / len(text), n / len(text.encode())


@wrong("fertility")
def fertile_without_spaces(tokenizer, text):
    """The spaces were left out of the count: they are characters and bytes like all others."""
    n, text = len(tokenizer(text)), "".join(text.split()) or " "
    return n / len(text), n / len(text.encode())


@wrong("fertility")
def fertile_in_whole_numbers(tokenizer, text):
    """The divisions dropped the fraction: use `/`, not `//`."""
    n = len(tokenizer(text))
    return n // len(text), n // len(text.encode())


@wrong("fertility")
def fertile_rounded(tokenizer, text):
    """The numbers are rounded: return them as they are."""
    n = len(tokenizer(text))
    return round(n / len(text), 2), round(n / len(text.encode()), 2)


@wrong("fertility", hidden=True)
def fertile_in_small_letters(tokenizer, text):
    """The text was changed before it was tokenized: the tokenizer takes it as it is, capital letters and all."""
    n = len(tokenizer(text.lower()))
    return n / len(text), n / len(text.encode())


@wrong("fertility")
def fertile_with_three_bytes(tokenizer, text):
    """Three bytes were counted for each character: an English letter has one in UTF-8, an emoji four."""
    n = len(tokenizer(text))
    return n / len(text), n / (3 * len(text))


# The notebook `bpe`


@wrong("pretokenize")
def parts_by_findall(text, pattern=PATTERN):
    """What the pattern skips is lost, or a group came in place of its match: `findall` gives matches only, and groups
    where there are some."""
    return regex.findall(pattern, text)


@wrong("pretokenize")
def parts_matches_only(text, pattern=PATTERN):
    """What lies between two matches is lost: whatever the pattern skips is a part, too."""
    return [match.group() for match in regex.finditer(pattern, text)]


@wrong("pretokenize")
def parts_stripped(text, pattern=PATTERN):
    """Spaces or line ends are lost: they belong to the text, and so to some part."""
    return [part.strip() for part in regex.split(f"({pattern})", text) if part and part.strip()]


@wrong("pretokenize")
def parts_by_one_pattern(text, pattern=PATTERN):
    """The pattern that was given is not used, but always GPT-2's."""
    return regex.findall(PATTERN, text)


parts_without_the_end = edit(
    "pretokenize", "The end is missing: something may follow the last match.", ("[*parts, text[end:]]", "parts")
)


parts_with_empty_ones = edit(
    "pretokenize", "There are empty parts: where two matches touch, nothing lies between them.", (" if part]", "]")
)


parts_glued_to_the_next = edit(
    "pretokenize",
    "What the pattern skips was glued to the match after it: each of the two is a part of its own.",
    ("[text[end : match.start()], match.group()]", "[text[end : match.end()]]"),
)


@wrong("pretokenize")
def parts_at_spaces(text, pattern=PATTERN):
    """The text was cut at white space, as for English words: the spaces are lost, and the pattern was not asked."""
    return text.split()


@wrong("pretokenize")
def parts_split_at_groups(text, pattern=PATTERN):
    """`split` gives the pattern's own groups, too, so that something comes twice or as None: ask each match for where
    it begins and ends."""
    return [part for part in regex.split(f"({pattern})", text) if part != ""]


@wrong("pretokenize")
def parts_with_the_groups_again(text, pattern=PATTERN):
    """What the pattern's own groups caught came once more, beside the match: `regex.split` gives every group."""
    return [part for part in regex.split(f"({pattern})", text) if part]


@right("pretokenize")
def parts_by_borders(text, pattern=PATTERN):
    """All places where a match begins or ends are cuts."""
    borders = {0, len(text)}
    for match in regex.finditer(pattern, text):
        borders |= {*match.span()}
    borders = sorted(borders)
    return [text[a:b] for a, b in zip(borders, borders[1:])]


@right("pretokenize")
def parts_one_by_one(text, pattern=PATTERN):
    """Searches on from where the last match ended, in the whole text, so that lookahead sees what follows."""
    compiled, parts, at = regex.compile(pattern), [], 0
    while at < len(text):
        match = compiled.search(text, at)
        if match is None:
            parts.append(text[at:])
            break
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append(match[0])
        at = match.end()
    return parts


parts_in_any_case = edit(
    "pretokenize",
    "Capital letters were not told apart: the pattern is used as it is.",
    ("regex.finditer(pattern, text)", "regex.finditer(pattern, text, regex.IGNORECASE)"),
    hidden=True,
)


@wrong("pretokenize", hidden=True)
def parts_one_line_at_a_time(text, pattern=PATTERN):
    """The pattern saw a piece of the text at a time, and what looks ahead or back finds nothing there: search the
    whole text."""
    parts = []
    while text:
        match = regex.search(pattern, text)
        if match is None:
            return [*parts, text]
        parts += [part for part in (text[: match.start()], match[0]) if part]
        text = text[match.end() :]
    return parts


@wrong("pretokenize")
def parts_in_words_only(text, pattern=PATTERN):
    """Parts of nothing but white space were left out: they belong to the text."""
    return [part for part in regex.split(f"({pattern})", text) if part and not part.isspace()]


parts_of_groups = edit(
    "pretokenize",
    "A group came in place of the whole match: `match.group()` without a number is the match.",
    ("match.group()]", "match.group(match.lastindex or 0)]"),
)


# --- utf8_decode ---


@wrong("utf8_decode")
def bytes_as_characters(ids):
    """Each byte was taken for the number of a character (that is Latin-1): a character of UTF-8 may have up to four
    bytes."""
    return "".join(map(chr, ids))


@wrong("utf8_decode")
def bytes_one_by_one(ids):
    """Each byte was decoded alone, so that nothing but ASCII survives: join them first."""
    return "".join(bytes([i]).decode("utf-8", errors="replace") for i in ids)


@wrong("utf8_decode")
def bytes_strictly(ids):
    """A cut or broken character must not raise: it becomes U+FFFD."""
    return bytes(ids).decode("utf-8")


@wrong("utf8_decode")
def bytes_ignoring_errors(ids):
    """What is no UTF-8 was dropped: it must show as U+FFFD."""
    return bytes(ids).decode("utf-8", errors="ignore")


@wrong("utf8_decode")
def bytes_with_backslashes(ids):
    """What is no UTF-8 was written with backslashes: it must show as U+FFFD."""
    return bytes(ids).decode("utf-8", errors="backslashreplace")


@wrong("utf8_decode")
def bytes_all_or_nothing(ids):
    """One broken character spoiled the whole text: only what is broken becomes U+FFFD."""
    try:
        return bytes(ids).decode("utf-8")
    except UnicodeDecodeError:
        return "\ufffd"


@wrong("utf8_decode")
def bytes_each_bad_one_a_sign(ids):
    """Each byte of a cut character became a sign of its own: the bytes that are there make one U+FFFD together."""
    data, text = bytes(ids), ""
    while data:
        for n in (1, 2, 3, 4):
            try:
                text += data[:n].decode("utf-8")
            except UnicodeDecodeError:
                continue
            data = data[n:]
            break
        else:
            text, data = text + "\ufffd", data[1:]
    return text


@right("utf8_decode")
def bytes_by_str(ids):
    """str of a bytearray."""
    return str(bytearray(ids), "utf8", "replace")


@right("utf8_decode")
def bytes_by_a_stream(ids):
    """An incremental decoder, byte by byte, and then its end."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return "".join(decoder.decode(bytes([i])) for i in ids) + decoder.decode(b"", final=True)


bytes_with_question_marks = edit(
    "utf8_decode",
    'A question mark is not U+FFFD: `errors="replace"` gives the right sign.',
    ('errors="replace")', 'errors="replace").replace("\\ufffd", "?")'),
)

bytes_stripped = edit(
    "utf8_decode",
    "White space or a byte order mark at the ends is lost: it belongs to the text.",
    ('errors="replace")', 'errors="replace").strip().lstrip("\\ufeff")'),
    hidden=True,
)

bytes_of_utf16 = edit(
    "utf8_decode", "The bytes were read as UTF-16, two for each character: they are UTF-8.", ('"utf-8"', '"utf-16-le"')
)

bytes_printed = edit(
    "utf8_decode",
    "The bytes were printed, not decoded.",
    ('bytes(ids).decode("utf-8", errors="replace")', "str(bytes(ids))"),
)


bytes_as_surrogates = edit(
    "utf8_decode",
    "What is no UTF-8 was kept as signs that no text may hold: it must show as U+FFFD.",
    ('"replace"', '"surrogateescape"'),
)

bytes_without_their_mark = edit(
    "utf8_decode",
    "A byte order mark at the front was dropped: it is a character like others, decode as plain UTF-8.",
    ('"utf-8"', '"utf-8-sig"'),
    hidden=True,
)


# --- byte_to_unicode ---


@wrong("byte_to_unicode")
def alphabet_is_latin_1(*_):
    """The bytes that cannot be printed kept their own characters, such as chr(10): they get new ones from chr(256)
    on."""
    return {byte: chr(byte) for byte in range(256)} | {32: "Ġ"}


@wrong("byte_to_unicode")
def alphabet_shifted(*_):
    """The others were numbered by 256 + byte, which leaves gaps: count them, one after another."""
    kept = {*range(33, 127), *range(161, 173), *range(174, 256)}
    return {byte: chr(byte if byte in kept else 256 + byte) for byte in range(256)}


@wrong("byte_to_unicode")
def alphabet_with_short_ranges(*_):
    """The last characters of the ranges, ~, ¬ and ÿ, are taken for unprintable: the end of a `range` is left out."""
    kept = [*range(ord("!"), ord("~")), *range(ord("¡"), ord("¬")), *range(ord("®"), ord("ÿ"))]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@wrong("byte_to_unicode")
def alphabet_with_the_soft_hyphen(*_):
    """Byte 173, the soft hyphen, stands for itself here: it cannot be seen, and is one of the others."""
    kept = [*range(33, 127), *range(161, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@wrong("byte_to_unicode")
def alphabet_of_isprintable(*_):
    """The space stands for itself here: it is one of the others, and gets Ġ."""
    kept = [byte for byte in range(256) if chr(byte).isprintable()]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@wrong("byte_to_unicode")
def alphabet_reversed(*_):
    """The table leads from characters to bytes: it should lead from each byte to its character."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {chr(byte): byte for byte in kept} | {chr(256 + i): byte for i, byte in enumerate(others)}


@wrong("byte_to_unicode")
def alphabet_of_the_printable(*_):
    """Only the printable bytes are in the table: all 256 have a character."""
    return {byte: chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]}


alphabet_from_257 = edit(
    "byte_to_unicode",
    "The first of the others got chr(257): the count begins at 0, so it gets chr(256).",
    ("chr(256 + i)", "chr(257 + i)"),
)


@right("byte_to_unicode")
def alphabet_in_one_pass(*_):
    """In the order of the bytes, by isprintable without the space."""
    new = iter(range(256, 512))
    return {b: chr(b) if chr(b).isprintable() and b != 32 else chr(next(new)) for b in range(256)}


@right("byte_to_unicode")
def alphabet_by_lists(*_):
    """Two lists side by side, as in GPT-2's own code."""
    keys = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    values = keys[:]
    for byte in range(2**8):
        if byte not in keys:
            keys.append(byte)
            values.append(2**8 + len(values) - 188)
    return dict(zip(keys, map(chr, values)))


alphabet_of_numbers = edit(
    "byte_to_unicode",
    "The table gives numbers: it should give characters.",
    ("chr(256 + i)", "256 + i"),
    ("{byte: chr(byte) for byte in kept}", "{byte: byte for byte in kept}"),
)


@wrong("byte_to_unicode")
def alphabet_of_ascii(*_):
    """Only the first range stands for itself here: the bytes from 161 to 172 and from 174 on are printable, too."""
    others = iter(range(256, 512))
    return {byte: chr(byte if 33 <= byte <= 126 else next(others)) for byte in range(256)}


# --- pair_counts ---


@wrong("pair_counts")
def counts_without_times(words):
    """Every word counted once: a word that occurs five times brings each of its pairs five times."""
    counts = {}
    for word in words:
        for pair in zip(word, word[1:]):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


@wrong("pair_counts")
def counts_once_a_word(words):
    """A pair that occurs twice in a word counted once: every position counts."""
    counts = Counter()
    for word, times in words.items():
        for pair in set(zip(word, word[1:])):
            counts[pair] += times
    return counts


@wrong("pair_counts")
def counts_without_overlap(words):
    """(7, 7, 7) holds (7, 7) at two positions, and only those that could be merged together were counted: every
    position counts."""
    counts = {}
    for word, times in words.items():
        last = None
        for i, pair in enumerate(zip(word, word[1:])):
            if pair == (last and last[1]) and last[0] == i - 1:
                last = None
                continue
            counts[pair] = counts.get(pair, 0) + times
            last = (i, pair)
    return counts


@wrong("pair_counts")
def counts_without_order(words):
    """The smaller id was put first: a pair has an order, (1, 2) is not (2, 1)."""
    counts = Counter()
    for word, times in words.items():
        for a, b in zip(word, word[1:]):
            counts[min(a, b), max(a, b)] += times
    return counts


@wrong("pair_counts")
def counts_by_twos(words):
    """The ids were taken two by two: the pairs overlap, after (1, 2) comes (2, 3)."""
    counts = Counter()
    for word, times in words.items():
        for pair in zip(word[::2], word[1::2]):
            counts[pair] += times
    return counts


@wrong("pair_counts")
def counts_across_words(words):
    """The end of a word met the beginning of the next: pairs do not cross from one word to another."""
    stream = [i for word, times in words.items() for i in word * times]
    return Counter(zip(stream, stream[1:]))


@wrong("pair_counts")
def counts_one_short(words):
    """The last pair of each word is missing: a word of n ids has n - 1 pairs."""
    counts = Counter()
    for word, times in words.items():
        for i in range(len(word) - 2):
            counts[word[i], word[i + 1]] += times
    return counts


@wrong("pair_counts")
def counts_one_too_far(words):
    """The last id of a word has no right neighbour: a word of n ids has n - 1 pairs."""
    counts = Counter()
    for word, times in words.items():
        for i in range(len(word)):
            counts[word[i], word[i + 1]] += times
    return counts


@right("pair_counts")
def counts_with_a_counter(words):
    """A Counter, fed with the pairs of every word as often as it occurs."""
    counts = Counter()
    for word, times in words.items():
        for i in range(1, len(word)):
            counts.update({(word[i - 1], word[i]): times})
    return dict(counts)


@right("pair_counts")
def counts_by_sorting(words):
    """All pairs in one list with their times, summed for each pair."""
    pairs = [((a, b), times) for word, times in words.items() for a, b in zip(word, word[1:])]
    return {pair: sum(times for other, times in pairs if other == pair) for pair, _ in pairs}


counts_with_text_keys = edit(
    "pair_counts",
    "The keys are no pairs of ids: each is a tuple (left, right).",
    ("in pairwise(word)", "in map(str, pairwise(word))"),
)

counts_of_the_ids = edit("pair_counts", "The ids were counted, not their pairs.", ("in pairwise(word)", "in word"))

counts_that_start_at_one = edit(
    "pair_counts",
    "A pair that is seen for the first time starts with one too many: it starts from 0.",
    ("counts.get(pair, 0)", "counts.get(pair, 1)"),
)


counts_of_the_last_word = edit(
    "pair_counts",
    "A later word overwrote what an earlier one had brought: add to the count.",
    ("counts[pair] = counts.get(pair, 0) + times", "counts[pair] = times"),
)

counts_multiplied = edit(
    "pair_counts",
    "The times were multiplied: add them.",
    ("counts.get(pair, 0) + times", "counts.get(pair, 1) * times"),
)


# --- merge ---


@wrong("merge")
def merge_with_overlap(ids, pair, new_id):
    """An id was used twice: after a match both of its ids are used up."""
    starts = {i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair}
    return [new_id if i in starts else x for i, x in enumerate(ids) if i in starts or i - 1 not in starts]


@wrong("merge")
def merge_moving_by_one(ids, pair, new_id):
    """The right id of the pair is still there: go on by two after a match."""
    return [new_id if tuple(ids[i : i + 2]) == pair else x for i, x in enumerate(ids)]


@wrong("merge")
def merge_from_the_right(ids, pair, new_id):
    """The occurrences were taken from right to left: the first one from the left wins."""
    merged = list(ids)
    for i in range(len(ids) - 2, -1, -1):
        if tuple(merged[i : i + 2]) == pair:
            merged[i : i + 2] = [new_id]
    return merged


@wrong("merge")
def merge_the_first_one(ids, pair, new_id):
    """Only the first occurrence was replaced: go on to the end."""
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new_id, *ids[i + 2 :]]
    return list(ids)


merge_losing_the_last = edit(
    "merge",
    "The last id is lost: it has no right neighbour, but it stays.",
    ("while i < len(ids):", "while i < len(ids) - 1:"),
)


merge_looking_too_far = edit(
    "merge",
    "The last id has no right neighbour: ask for it only where there is one.",
    ("if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:", "if ids[i] == pair[0] and ids[i + 1] == pair[1]:"),
)


merge_in_any_order = edit(
    "merge",
    "The reversed pair was replaced, too: a pair has an order.",
    ("(ids[i], ids[i + 1]) == pair", "sorted(ids[i : i + 2]) == sorted(pair)"),
)


@wrong("merge", hidden=True)
def merge_in_a_printed_list(ids, pair, new_id):
    """Something was replaced inside other ids: 1, 2 is not found in 21, 2. Compare numbers, not what is printed of
    them."""
    import ast

    return ast.literal_eval(str(list(ids)).replace(f"{pair[0]}, {pair[1]}", str(new_id)))


@right("merge")
def merge_in_characters(ids, pair, new_id):
    """Each id as one character, and str.replace."""
    text = "".join(map(chr, ids)).replace("".join(map(chr, pair)), chr(new_id))
    return list(map(ord, text))


@right("merge")
def merge_with_a_stack(ids, pair, new_id):
    """Each id is put on a list; where it ends a pair, the two are replaced."""
    merged = []
    for i in ids:
        if merged and (merged[-1], i) == tuple(pair):
            merged[-1] = new_id
        else:
            merged.append(i)
    return merged


@wrong("merge")
def merge_in_place(ids, pair, new_id):
    """The list that was given was changed: build a new one, and leave it as it is."""
    i = 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            ids[i : i + 2] = [new_id]
        i += 1
    return ids


@wrong("merge")
def merge_again_and_again(ids, pair, new_id):
    """Only the left id was compared: both must be those of the pair."""
    merged, i = [], 0
    while i < len(ids):
        hit = i + 1 < len(ids) and ids[i] == pair[0]
        merged.append(new_id if hit else ids[i])
        i += 2 if hit else 1
    return merged


merge_keeping_the_left = edit(
    "merge",
    "The left id of the pair is still there: the new id takes the place of both.",
    ("merged.append(new_id)", "merged += [pair[0], new_id]"),
)

merge_two_by_two = edit(
    "merge",
    "The ids were taken two by two, so that a pair which begins at an odd place is missed: go on by one where "
    "there is no match.",
    (
        "            merged.append(ids[i])\n            i += 1",
        "            merged += ids[i : i + 2]\n            i += 2",
    ),
)


@wrong("merge")
def merge_of_single_ids(ids, pair, new_id):
    """Each id of the pair was replaced by itself: only the two of them, side by side, become the new id."""
    return [new_id if i in pair else i for i in ids]


@wrong("merge", hidden=True)
def merge_without_the_id_0(ids, pair, new_id):
    """The id 0 was taken for no id at all: 0 is false in Python, so compare with None."""
    merged, last = [], None
    for i in ids:
        if last and (last, i) == pair:
            merged[-1], last = new_id, None
        else:
            merged.append(i)
            last = i
    return merged


# --- train_bpe ---


train_first_seen = edit(
    "train_bpe",
    "Among equal counts the pair seen first won: take the smallest pair of ids.",
    ("min(counts, key=lambda pair: (-counts[pair], pair))", "max(counts, key=counts.get)"),
)


train_largest_pair = edit(
    "train_bpe",
    "Among equal counts the largest pair won: take the smallest pair of ids.",
    ("min(counts, key=lambda pair: (-counts[pair], pair))", "max(counts, key=lambda pair: (counts[pair], pair))"),
)


train_ties_by_bytes = edit(
    "train_bpe",
    "Among equal counts the bytes of the tokens decided: compare their ids.",
    ("merges = []", "merges = []\n    names = [bytes([b]) for b in range(256)]"),
    ("(-counts[pair], pair)", "(-counts[pair], names[pair[0]], names[pair[1]])"),
    ("merges.append(best)", "merges.append(best)\n        names.append(names[best[0]] + names[best[1]])"),
)


train_without_a_split = edit(
    "train_bpe",
    "The text was not cut into parts: no pair reaches from one part into the next.",
    ("given_parts(text, pattern)", "[text]"),
)


train_one_short = edit(
    "train_bpe", "The last merge is missing: the ids go up to vocab_size - 1.", ("< vocab_size", "< vocab_size - 1")
)


train_that_many_merges = edit(
    "train_bpe",
    "That many merges were learnt, and not that many ids: vocab_size counts all ids, the 256 bytes included.",
    ("while 256 + len(merges)", "while len(merges)"),
)


train_on_distinct_words = edit(
    "train_bpe",
    "How often a part occurs was ignored: its pairs count as often as it occurs.",
    ("counts[pair] += times", "counts[pair] += 1"),
)


train_until_once = edit(
    "train_bpe",
    "It stopped at pairs that occur once: stop only when no pair is left.",
    ("if not counts:", "if max(counts.values(), default=0) < 2:"),
)


train_until_it_breaks = edit(
    "train_bpe",
    "The best of no pairs was looked for: when no pair is left, training ends early, without an error.",
    ("        if not counts:\n            break\n", ""),
)


train_on_characters = edit(
    "train_bpe",
    "The ids are the numbers of characters: start from UTF-8 bytes.",
    ("list(part.encode())", "list(map(ord, part))"),
)


@wrong("train_bpe")
def train_on_the_first_counts(text, vocab_size, pattern=PATTERN):
    """The counts were taken once: after each merge they must be taken anew, since pairs are gone and new ones are
    there."""
    counts = Counter(pair for part in given_parts(text, pattern) for pair in zip(part.encode(), part.encode()[1:]))
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[: max(0, vocab_size - 256)]


train_with_one_pattern = edit(
    "train_bpe",
    "The pattern that was given is not used, but always GPT-2's.",
    ("given_parts(text, pattern)", "given_parts(text, PATTERN)"),
)


train_once_a_word = edit(
    "train_bpe",
    "A pair that occurs twice in a part counted once: every position counts.",
    ("in pairwise(ids)", "in set(pairwise(ids))"),
)


@right("train_bpe")
def train_on_every_part(text, vocab_size, pattern=PATTERN):
    """Every part by itself, and the pairs sorted."""
    words, merges = [list(part.encode("utf-8")) for part in given_parts(text, pattern)], []
    for new_id in range(256, vocab_size):
        counts = {}
        for ids in words:
            for i in range(len(ids) - 1):
                counts[ids[i], ids[i + 1]] = counts.get((ids[i], ids[i + 1]), 0) + 1
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if not ranked:
            return merges
        merges.append(ranked[0][0])
        words = [given_merge(ids, ranked[0][0], new_id) for ids in words]
    return merges


@right("train_bpe")
def train_on_tokens(text, vocab_size, pattern=PATTERN):
    """Words of bytes in a dict that is built anew for each merge; the largest count first, then the smallest pair."""
    words = {}
    for part in given_parts(text, pattern):
        key = tuple(part.encode())
        words[key] = words.get(key, 0) + 1
    merges = []
    while len(merges) + 256 < vocab_size:
        counts = Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                counts[pair] += times
        most = max(counts.values(), default=0)
        if most == 0:
            break
        best = min(pair for pair, n in counts.items() if n == most)
        anew = {}
        for word, times in words.items():
            out = []
            for i in word:
                if out and (out[-1], i) == best:
                    out[-1] = 256 + len(merges)
                else:
                    out.append(i)
            anew[tuple(out)] = anew.get(tuple(out), 0) + times
        words = anew
        merges.append(best)
    return merges


train_from_257 = edit(
    "train_bpe",
    "The first merge made the id 257: merge number i makes 256 + i, and i begins at 0.",
    ("given_merge(ids, best, 256 +", "given_merge(ids, best, 257 +"),
)

train_one_too_many = edit(
    "train_bpe", "There is one merge too many: with vocab_size ids it ends.", ("< vocab_size", "<= vocab_size")
)

train_ties_by_the_right_id = edit(
    "train_bpe",
    "Among equal counts the right ids were compared first: compare (a, b) as Python compares tuples.",
    ("(-counts[pair], pair)", "(-counts[pair], pair[::-1])"),
)

train_on_matches_only = edit(
    "train_bpe",
    "What the pattern skips was left out: it is a part, too, and has pairs.",
    ("given_parts(text, pattern)", "regex.findall(pattern, text)"),
)

train_in_small_letters = edit(
    "train_bpe",
    "Capital letters were made small: the text stays as it is.",
    ("given_parts(text, pattern)", "given_parts(text.lower(), pattern)"),
    hidden=True,
)


train_ties_by_the_sum = edit(
    "train_bpe",
    "Among equal counts the pair with the smallest sum won: compare (a, b) as Python compares tuples.",
    ("(-counts[pair], pair)", "(-counts[pair], sum(pair))"),
)

train_ties_by_the_left_id = edit(
    "train_bpe",
    "Among equal counts with the same left id the largest right one won: compare (a, b) as Python compares tuples.",
    ("(-counts[pair], pair)", "(-counts[pair], pair[0], -pair[1])"),
)

train_stripped = edit(
    "train_bpe",
    "The spaces were stripped off the parts: they belong to the words that follow them.",
    ("part.encode()", "part.strip().encode()"),
)


# --- encode ---


@wrong("encode")
def encode_longest_match(text, merges, pattern=PATTERN):
    """The longest token was taken: it is the merge of the lowest rank that counts, even where a longer token exists."""
    names = [bytes([b]) for b in range(256)]
    for a, b in merges:
        names.append(names[a] + names[b])
    number = {name: i for i, name in enumerate(names)}
    ids = []
    for part in given_parts(text, pattern):
        data = part.encode()
        while data:
            n = next(n for n in range(len(data), 0, -1) if data[:n] in number)
            ids.append(number[data[:n]])
            data = data[n:]
    return ids


encode_leftmost = edit(
    "encode",
    "The leftmost pair was merged first, whatever its rank: the lowest rank goes first.",
    ("rank.get(pair, len(rank))", "pair not in rank"),
)


@wrong("encode")
def encode_in_one_pass(text, merges, pattern=PATTERN):
    """One pass from left to right is not enough: look for the lowest rank again after each merge."""
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = []
        for byte in part.encode():
            if ids and (ids[-1], byte) in rank:
                ids[-1] = 256 + rank[ids[-1], byte]
            else:
                ids.append(byte)
        encoded += ids
    return encoded


encode_highest_rank = edit(
    "encode",
    "The highest rank was taken first: the lowest goes first, what was learnt earliest.",
    (
        "min(pairwise(ids), key=lambda pair: rank.get(pair, len(rank)), default=None)",
        "max(pairwise(ids), key=lambda pair: rank.get(pair, -1), default=None)",
    ),
)


@wrong("encode")
def encode_backwards(text, merges, pattern=PATTERN):
    """The merges were replayed from the last to the first: the lowest rank goes first."""
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        for i, pair in reversed(list(enumerate(merges))):
            ids = given_merge(ids, pair, 256 + i)
        encoded += ids
    return encoded


encode_once = edit(
    "encode",
    "Only one merge was applied to each part: go on until no pair is a merge.",
    ("while True:", "for _ in range(1):"),
)


encode_without_a_split = edit(
    "encode", "The text was not cut into parts: no merge reaches across.", ("given_parts(text, pattern)", "[text]")
)


encode_with_ranks = edit(
    "encode",
    "The rank came in place of the id: merge number i makes the id 256 + i.",
    ("encoded += ids", "encoded += [i - 256 if i > 255 else i for i in ids]"),
)


encode_min_of_nothing = edit(
    "encode", "A part of one byte has no pairs, and `min` of nothing is an error.", (", default=None", "")
)


encode_in_lists = edit(
    "encode",
    "There is a list for each part: one flat list of ids is asked for.",
    ("encoded += ids", "encoded.append(ids)"),
)


encode_with_one_pattern = edit(
    "encode",
    "The pattern that was given is not used, but always GPT-2's.",
    ("given_parts(text, pattern)", "given_parts(text, PATTERN)"),
)


@right("encode")
def encode_by_replaying(text, merges, pattern=PATTERN):
    """Every merge in order, over all parts: a later merge never makes an earlier one possible again."""
    parts = ["".join(map(chr, part.encode())) for part in given_parts(text, pattern)]
    for i, (a, b) in enumerate(merges):
        parts = [part.replace(chr(a) + chr(b), chr(256 + i)) for part in parts]
    return [ord(c) for part in parts for c in part]


@right("encode")
def encode_one_place_at_a_time(text, merges, pattern=PATTERN):
    """Only the leftmost occurrence of the lowest rank at a time, with a memory for parts."""
    number, known, encoded = {pair: 256 + i for i, pair in enumerate(merges)}, {}, []
    for part in given_parts(text, pattern):
        if part not in known:
            ids = list(part.encode())
            while len(ids) > 1:
                best, i = min((number.get((ids[i], ids[i + 1]), 2**40), i) for i in range(len(ids) - 1))
                if best == 2**40:
                    break
                ids[i : i + 2] = [best]
            known[part] = ids
        encoded.extend(known[part])
    return encoded


encode_of_characters = edit(
    "encode",
    "The ids begin with those of characters: start from UTF-8 bytes.",
    ("list(part.encode())", "list(map(ord, part))"),
)

encode_without_merging = edit(
    "encode", "No merge was applied: the bytes are only the beginning.", ("if first not in rank:", "if True:")
)

encode_of_matches_only = edit(
    "encode",
    "What the pattern skips was left out: it is a part, too, and is encoded like the others.",
    ("given_parts(text, pattern)", "regex.findall(pattern, text)"),
)

encode_a_few_times = edit(
    "encode",
    "The part was called done after a few merges: go on until no pair of neighbours is a merge.",
    ("while True:", "for _ in range(2):"),
)

encode_from_257 = edit(
    "encode", "The first merge makes the id 256, not 257.", ("256 + rank[first]", "257 + rank[first]")
)

encode_without_rank_zero = edit(
    "encode",
    "The rank 0 was taken for no rank at all: 0 is false in Python, ask whether the pair is there.",
    ("rank.get(pair, len(rank))", "rank.get(pair) or len(rank)"),
)


@wrong("encode")
def encode_one_place_a_merge(text, merges, pattern=PATTERN):
    """Each merge was applied at one place of a part only: a pair may stand there several times."""
    encoded = []
    for part in given_parts(text, pattern):
        word = "".join(map(chr, part.encode()))
        for i, (a, b) in enumerate(merges):
            word = word.replace(chr(a) + chr(b), chr(256 + i), 1)
        encoded += map(ord, word)
    return encoded


encode_in_small_letters = edit(
    "encode",
    "Capital letters were made small: the text stays as it is.",
    ("given_parts(text, pattern)", "given_parts(text.lower(), pattern)"),
    hidden=True,
)


# --- decode ---


decode_token_by_token = edit(
    "decode",
    "Each token was decoded alone: a character may begin in one and end in the next, so join all bytes first.",
    (
        'b"".join(vocabulary[i] for i in ids).decode("utf-8", errors="replace")',
        '"".join(vocabulary[i].decode("utf-8", errors="replace") for i in ids)',
    ),
)


decode_strictly = edit("decode", "What is no UTF-8 must not raise: it becomes U+FFFD.", (', errors="replace"', ""))


decode_ignoring_errors = edit(
    "decode", "What is no UTF-8 was dropped: it must show as U+FFFD.", ('"replace"', '"ignore"')
)


decode_swapped = edit(
    "decode",
    "Left and right of a merge are swapped: the bytes of the left id come first.",
    ("vocabulary[left] + vocabulary[right]", "vocabulary[right] + vocabulary[left]"),
)


@wrong("decode")
def decode_one_level(ids, merges):
    """A merge may join ids that are merges themselves: they are no bytes, but have bytes."""
    names = [bytes([b]) for b in range(256)] + [bytes(pair) for pair in merges]
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace")


decode_as_characters = edit(
    "decode",
    "Bytes were taken for characters (that is Latin-1): decode them as UTF-8.",
    ('.decode("utf-8", errors="replace")', '.decode("latin-1")'),
)


@right("decode")
def decode_by_splitting(ids, merges):
    """Splits each id until only bytes are left, with a stack."""
    stack, data = list(ids)[::-1], bytearray()
    while stack:
        i = stack.pop()
        if i < 256:
            data.append(i)
        else:
            left, right_one = merges[i - 256]
            stack += [right_one, left]
    return data.decode("utf-8", "replace")


@right("decode")
def decode_by_unmerging(ids, merges):
    """Undoes the merges from the last to the first."""
    ids = list(ids)
    for i in range(len(merges) - 1, -1, -1):
        ids = [x for j in ids for x in (merges[i] if j == 256 + i else (j,))]
    return bytes(ids).decode(errors="replace")


decode_with_spaces = edit(
    "decode",
    "There are spaces between the tokens: they have their own where they need them.",
    (
        'b"".join(vocabulary[i] for i in ids).decode("utf-8", errors="replace")',
        'b" ".join(vocabulary[i] for i in ids).decode("utf-8", errors="replace")',
    ),
)

decode_stripped = edit(
    "decode",
    "White space at the ends is lost: it belongs to the text.",
    ('errors="replace")', 'errors="replace").strip()'),
    hidden=True,
)

decode_to_bytes = edit("decode", "Those are bytes: decode them to text.", ('.decode("utf-8", errors="replace")', ""))

decode_of_the_merge_alone = edit(
    "decode",
    "A merge's own bytes were never put together: the entry of a merge is the bytes of its left id and of its "
    "right one.",
    ("vocabulary[left] + vocabulary[right]", "vocabulary[left]"),
)


# --- encode_special ---


@wrong("encode_special")
def special_always(text, merges, special, allowed):
    """Injection: a token that is not allowed got its special id, so that who types it speaks in another's name."""
    names = sorted(special, key=len, reverse=True)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, names)) + ")", text):
        ids += [special[piece]] if piece in special else given_encode(piece, merges)
    return ids


special_in_any_order = edit(
    "encode_special",
    "Where two allowed tokens begin at one place, the shorter one won: the longest counts.",
    ("sorted(allowed, key=len, reverse=True)", "[name for name in special if name in allowed]"),
)


special_unescaped = edit(
    "encode_special",
    'The | inside <|end|> was read as "or", or another sign as a pattern: use `regex.escape`.',
    ("map(regex.escape, longest_first)", "longest_first"),
    ("if piece in allowed", "if piece in special"),
)


@wrong("encode_special")
def special_split_at_nothing(text, merges, special, allowed):
    """With nothing allowed the pattern is empty, and matches between all characters: then there is nothing to split
    at."""
    names = sorted(allowed, key=len, reverse=True)
    pattern = regex.compile("(" + "|".join(map(regex.escape, names)) + ")")
    ids, end = [], 0
    for match in pattern.finditer(text):
        ids += given_encode(text[end : match.start()], merges)
        ids += [special[match[0]]] if match[0] else []
        end = match.end()
    return ids + given_encode(text[end:], merges)


@wrong("encode_special")
def special_dropping_the_others(text, merges, special, allowed):
    """A token that is not allowed was lost: it is ordinary text."""
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, sorted(special, key=len, reverse=True))) + ")", text):
        if piece in allowed:
            ids.append(special[piece])
        elif piece not in special:
            ids += given_encode(piece, merges)
    return ids


special_refusing = edit(
    "encode_special",
    "A token that is not allowed is ordinary text, and no error.",
    (
        "    if not allowed:",
        "    if any(name in text for name in special.keys() - allowed):\n        raise ValueError\n    if not allowed:",
    ),
)


special_split_at_all = edit(
    "encode_special",
    "A longer token that is not allowed hides an allowed one, or cuts the text: look for allowed tokens only.",
    ("sorted(allowed, key=len, reverse=True)", "sorted(special, key=len, reverse=True)"),
)


@wrong("encode_special")
def special_that_cuts(text, merges, special, allowed):
    """A token that is not allowed cut the text where it stands: encode the whole stretch as if it were not special at
    all."""

    def pieces(text, names):
        return regex.split("(" + "|".join(map(regex.escape, sorted(names, key=len, reverse=True))) + ")", text)

    ids = []
    for piece in pieces(text, allowed) if allowed else [text]:
        if piece in allowed:
            ids.append(special[piece])
        else:
            for ordinary in pieces(piece, special):
                ids += given_encode(ordinary, merges)
    return ids


@wrong("encode_special")
def special_once(text, merges, special, allowed):
    """Only one occurrence of an allowed token became its id: every one does."""
    for name in sorted(allowed, key=len, reverse=True):
        before, found, after = text.partition(name)
        if found:
            return [*given_encode(before, merges), special[name], *given_encode(after, merges)]
    return given_encode(text, merges)


special_stripped = edit(
    "encode_special",
    "The spaces beside a special token are lost: they are ordinary text.",
    ("given_encode(piece, merges)\n", 'given_encode(piece.strip(" "), merges)\n'),
)


@wrong("encode_special")
def special_never(text, merges, special, allowed):
    """Allowed tokens must become their ids: here everything was taken for ordinary text."""
    return given_encode(text, merges)


@right("encode_special")
def special_by_scanning(text, merges, special, allowed):
    """Goes through the text place by place, the longest allowed token first."""
    ids, start, i = [], 0, 0
    while i < len(text):
        found = max((name for name in allowed if text.startswith(name, i)), key=len, default=None)
        if found is None:
            i += 1
            continue
        ids += [*given_encode(text[start:i], merges), special[found]]
        i = start = i + len(found)
    return ids + given_encode(text[start:], merges)


@right("encode_special")
def special_by_first_place(text, merges, special, allowed):
    """Looks for the first place of any allowed token, and goes on behind it."""
    ids = []
    while True:
        places = [(text.find(name), -len(name), name) for name in allowed if name in text]
        if not places:
            return ids + given_encode(text, merges)
        at, _, name = min(places)
        ids += given_encode(text[:at], merges) + [special[name]]
        text = text[at + len(name) :]


special_in_any_case = edit(
    "encode_special",
    "Capital letters were not told apart: only what is written like the token is the token.",
    ('longest_first)) + ")", text)', 'longest_first)) + ")", text, flags=regex.IGNORECASE)'),
    ("[special[piece]] if piece in allowed", "[special[piece.lower()]] if piece.lower() in allowed"),
    hidden=True,
)


@wrong("encode_special")
def special_that_raises_on_nothing(text, merges, special, allowed):
    """With nothing allowed there is no pattern to split by: then the whole text is ordinary."""
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, sorted(allowed, key=len, reverse=True))) + ")", text):
        ids += [special[piece]] if piece in allowed or not piece else given_encode(piece, merges)
    return ids


special_by_place = edit(
    "encode_special",
    "A special token got another id: `special` says which one it has.",
    ("[special[piece]]", "[256 + len(merges) + list(special).index(piece)]"),
)


@wrong("encode_special", hidden=True)
def special_longest_anywhere(text, merges, special, allowed):
    """The longest token was looked for in the whole text: the search goes from left to right, what begins first
    counts."""
    for name in sorted(allowed, key=len, reverse=True):
        before, found, after = text.partition(name)
        if found:
            left, right = (encode_special(part, merges, special, allowed) for part in (before, after))
            return [*left, special[name], *right]
    return given_encode(text, merges)


# --- decode_special ---


@wrong("decode_special")
def undo_without_specials(ids, merges, special):
    """The special tokens were left out: they are written out in their places."""
    names = given_vocabulary(merges)
    return b"".join(names[i] for i in ids if i not in special.values()).decode("utf-8", errors="replace")


@wrong("decode_special")
def undo_by_vocabulary(ids, merges, special):
    """A special id is none of the vocabulary: write out its token."""
    names = given_vocabulary(merges)
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode_special")
def undo_by_place(ids, merges, special):
    """The special tokens were taken in the order of the dictionary: go by their ids."""
    names = given_vocabulary(merges)
    tokens = [token.encode() for token in special]
    table = {i: tokens[n % len(tokens)] for n, i in enumerate(sorted(special.values()))}
    return b"".join(table[i] if i in table else names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode_special")
def undo_one_by_one(ids, merges, special):
    """Each id was decoded alone: join the bytes first, since a token may end inside a character."""
    names, written = given_vocabulary(merges), {i: token for token, i in special.items()}
    return "".join(written[i] if i in written else names[i].decode("utf-8", errors="replace") for i in ids)


@wrong("decode_special")
def undo_ignoring_errors(ids, merges, special):
    """What is no UTF-8 was dropped: it must show as U+FFFD."""
    names, written = given_vocabulary(merges), {i: token.encode() for token, i in special.items()}
    return b"".join(written[i] if i in written else names[i] for i in ids).decode("utf-8", errors="ignore")


@right("decode_special")
def undo_by_stretches(ids, merges, special):
    """Ordinary ids are gathered and decoded whenever a special one comes."""
    names, token_of = given_vocabulary(merges), {i: token for token, i in special.items()}
    text, waiting = "", b""
    for i in ids:
        if i in token_of:
            text += waiting.decode("utf-8", "replace") + token_of[i]
            waiting = b""
        else:
            waiting += names[i]
    return text + waiting.decode("utf-8", "replace")


@right("decode_special")
def undo_in_one_table(ids, merges, special):
    """One table for all ids."""
    table = dict(enumerate(given_vocabulary(merges)))
    table.update((i, bytes(token, "utf-8")) for token, i in special.items())
    return bytes().join(map(table.__getitem__, ids)).decode(errors="replace")


@wrong("decode_special")
def undo_strictly(ids, merges, special):
    """What is no UTF-8 must not raise: it becomes U+FFFD."""
    names = dict(enumerate(given_vocabulary(merges))) | {i: token.encode() for token, i in special.items()}
    return b"".join(names[i] for i in ids).decode("utf-8")


@wrong("decode_special", hidden=True)
def undo_stripped(ids, merges, special):
    """White space at the ends is lost: it belongs to the text."""
    names = dict(enumerate(given_vocabulary(merges))) | {i: token.encode() for token, i in special.items()}
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace").strip()


@wrong("decode_special")
def undo_with_spaces(ids, merges, special):
    """There are spaces around the special tokens: they are written as they are."""
    names = dict(enumerate(given_vocabulary(merges))) | {i: f" {token} ".encode() for token, i in special.items()}
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode_special")
def undo_with_specials_last(ids, merges, special):
    """The special tokens stand at the end: each has its place among the others."""
    names, written = given_vocabulary(merges), {i: token for token, i in special.items()}
    text = b"".join(names[i] for i in ids if i not in written).decode("utf-8", errors="replace")
    return text + "".join(written[i] for i in ids if i in written)


# --- StreamDecoder ---


StreamOfTokens = edit(
    "StreamDecoder",
    "Each token was decoded alone, so that half a character is shown: hold back what may still be completed.",
    ("return self.decoder.decode(self.vocabulary[id])", 'return self.vocabulary[id].decode("utf-8", errors="replace")'),
)


StreamIgnoringErrors = edit(
    "StreamDecoder", "What is no UTF-8 was dropped: it must show as U+FFFD.", ('"replace"', '"ignore"')
)


StreamUntilItDecodes = edit(
    "StreamDecoder",
    "After one bad byte nothing comes any more: what is held back may never become a character, so wait only "
    "for the beginning of one.",
    ('self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")', 'self.held = b""'),
    (
        "return self.decoder.decode(self.vocabulary[id])",
        "self.held += self.vocabulary[id]\n        try:\n"
        '            text, self.held = self.held.decode("utf-8"), b""\n'
        "        except UnicodeDecodeError:\n"
        '            text = ""\n'
        "        return text",
    ),
    ('return self.decoder.decode(b"", final=True)', 'return self.held.decode("utf-8", errors="replace")'),
)


StreamUnlessReplaced = edit(
    "StreamDecoder",
    "A text that ends in U+FFFD was held back, though the sign may be certain, or be what was written: the "
    "bytes tell, not the text.",
    ('self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")', 'self.held = b""'),
    (
        "return self.decoder.decode(self.vocabulary[id])",
        "self.held += self.vocabulary[id]\n"
        '        text = self.held.decode("utf-8", errors="replace")\n'
        '        if text.endswith("\\ufffd"):\n'
        '            return ""\n'
        '        self.held = b""\n'
        "        return text",
    ),
    ('return self.decoder.decode(b"", final=True)', 'return self.held.decode("utf-8", errors="replace")'),
)


StreamWithoutAnEnd = edit(
    "StreamDecoder",
    "The end is missing: `finish` returns what was still held back.",
    ('return self.decoder.decode(b"", final=True)', 'return ""'),
)


StreamOfDifferences = edit(
    "StreamDecoder",
    "Everything so far was decoded, and what is longer than before was shown: a sign that was shown too early "
    "cannot be taken back.",
    ('self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")', 'self.data, self.shown = b"", 0'),
    (
        "return self.decoder.decode(self.vocabulary[id])",
        "self.data += self.vocabulary[id]\n"
        '        text = self.data.decode("utf-8", errors="replace")\n'
        "        new, self.shown = text[self.shown :], len(text)\n        return new",
    ),
    ('return self.decoder.decode(b"", final=True)', 'return ""'),
)


StreamWithNothingToSay = edit(
    "StreamDecoder",
    "None came while there was nothing to show: `feed` always returns a string, then an empty one.",
    ("return self.decoder.decode(self.vocabulary[id])", "return self.decoder.decode(self.vocabulary[id]) or None"),
)


@wrong("StreamDecoder")
class StreamWithOneBuffer:
    """The buffer is shared by all decoders: what belongs to one stream belongs to the object, not to the class."""

    waiting = []

    def __init__(self, merges):
        self.names = given_vocabulary(merges)
        self.waiting.clear()

    def feed(self, id):
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = decoder.decode(bytes(self.waiting) + self.names[id])
        self.waiting[:] = decoder.getstate()[0]
        return text

    def finish(self):
        text = bytes(self.waiting).decode("utf-8", errors="replace")
        self.waiting.clear()
        return text


StreamOfStrictBytes = edit(
    "StreamDecoder", "A cut or broken character is no error: it becomes U+FFFD.", ('(errors="replace")', "()")
)


StreamOneCharacterLate = edit(
    "StreamDecoder",
    "The last character was held back though it was certain: hold back only the beginning of a character.",
    (
        'self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")',
        'self.last = ""\n        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")',
    ),
    (
        "return self.decoder.decode(self.vocabulary[id])",
        "text = self.last + self.decoder.decode(self.vocabulary[id])\n        self.last = text[-1:]\n"
        "        return text[:-1]",
    ),
    ('return self.decoder.decode(b"", final=True)', 'return self.last + self.decoder.decode(b"", final=True)'),
)


@wrong("StreamDecoder")
class StreamByLeadByte:
    """As many bytes were waited for as the first one announces, even when others came: with a byte that cannot
    continue the character, its sign is certain."""

    def __init__(self, merges):
        self.names, self.held = given_vocabulary(merges), b""

    def feed(self, id):
        self.held += self.names[id]
        done = 0
        while done < len(self.held):
            lead = self.held[done]
            wants = 4 if 0xF0 <= lead < 0xF8 else 3 if 0xE0 <= lead < 0xF0 else 2 if 0xC0 <= lead < 0xE0 else 1
            if done + wants > len(self.held):
                break
            done += wants
        text, self.held = self.held[:done].decode("utf-8", errors="replace"), self.held[done:]
        return text

    def finish(self):
        text, self.held = self.held.decode("utf-8", errors="replace"), b""
        return text


@right("StreamDecoder")
class StreamByHand:
    """Looks for a lead byte among the last three bytes that wants more than follow it."""

    def __init__(self, merges):
        self.merges, self.held = list(merges), b""

    def bytes_of(self, id):
        if id < 256:
            return bytes([id])
        left, right_one = self.merges[id - 256]
        return self.bytes_of(left) + self.bytes_of(right_one)

    def feed(self, id):
        data = self.held + self.bytes_of(id)
        keep = 0
        for back in (1, 2, 3):
            byte = data[-back] if back <= len(data) else 0
            if 0xC2 <= byte <= 0xF4:
                wants = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                keep = back if back < wants else 0
                break
            if not 0x80 <= byte <= 0xBF:
                break
        cut = len(data) - keep
        self.held = data[cut:]
        return data[:cut].decode("utf-8", errors="replace")

    def finish(self):
        rest, self.held = self.held, b""
        return rest.decode("utf-8", errors="replace")


@right("StreamDecoder")
class StreamByErrors:
    """Lets a strict decoder say where it failed, and whether it only ran out of bytes."""

    def __init__(self, merges):
        self.names, self.rest = given_vocabulary(merges), b""

    def feed(self, id):
        data, text = self.rest + self.names[id], ""
        while data:
            try:
                return self.keep(b"", text + data.decode("utf-8"))
            except UnicodeDecodeError as error:
                text += data[: error.start].decode("utf-8")
                if error.reason == "unexpected end of data":
                    return self.keep(data[error.start :], text)
                text += "\ufffd"
                data = data[error.end :]
        return self.keep(b"", text)

    def keep(self, rest, text):
        self.rest = rest
        return text

    def finish(self):
        return self.rest.decode("utf-8", errors="replace")


StreamAllAtTheEnd = edit(
    "StreamDecoder",
    "Nothing is shown before the end: a character that is complete is returned at once.",
    ('self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")', 'self.data = b""'),
    ("return self.decoder.decode(self.vocabulary[id])", 'self.data += self.vocabulary[id]\n        return ""'),
    ('return self.decoder.decode(b"", final=True)', 'return self.data.decode("utf-8", errors="replace")'),
)

StreamOfBytesAlone = edit(
    "StreamDecoder",
    "Only the bytes 0 to 255 are known here: an id from 256 up has the bytes of its merge.",
    (
        "self.vocabulary = given_vocabulary(merges)",
        "self.vocabulary = [bytes([i % 256]) for i in range(256 + len(merges))]",
    ),
)

StreamOfLatin = edit(
    "StreamDecoder",
    "Bytes were taken for characters (that is Latin-1): a character of UTF-8 may have up to four bytes.",
    ('"utf-8"', '"latin-1"'),
)

StreamStripped = edit(
    "StreamDecoder",
    "White space is lost: it belongs to the text.",
    ("return self.decoder.decode(self.vocabulary[id])", "return self.decoder.decode(self.vocabulary[id]).strip()"),
    hidden=True,
)


StreamOfAllSoFar = edit(
    "StreamDecoder",
    "All the text so far came each time: return only what is new.",
    (
        "return self.decoder.decode(self.vocabulary[id])",
        'self.text = getattr(self, "text", "") + self.decoder.decode(self.vocabulary[id])\n        return self.text',
    ),
)

StreamUpToFourBytes = edit(
    "StreamDecoder",
    "What cannot be decoded was held back until there were four bytes: with a byte that cannot continue the "
    "character, its sign is certain.",
    ('self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")', 'self.held = b""'),
    (
        "return self.decoder.decode(self.vocabulary[id])",
        "self.held += self.vocabulary[id]\n"
        '        text = self.held.decode("utf-8", errors="replace")\n'
        '        if "\\ufffd" in text and len(self.held) < 4:\n'
        '            return ""\n'
        '        self.held = b""\n'
        "        return text",
    ),
    ('return self.decoder.decode(b"", final=True)', 'return self.held.decode("utf-8", errors="replace")'),
)


# --- count_changes ---


@wrong("count_changes")
def changes_by_neighbours(ids, pair, new_id):
    """The old neighbours of each occurrence were taken: where two occurrences touch, the neighbour is merged, too."""
    changes, i = Counter(), 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) != pair:
            i += 1
            continue
        changes[pair] -= 1
        if i > 0:
            changes[ids[i - 1], pair[0]] -= 1
            changes[ids[i - 1], new_id] += 1
        if i + 2 < len(ids):
            changes[pair[1], ids[i + 2]] -= 1
            changes[new_id, ids[i + 2]] += 1
        i += 2
    return {p: n for p, n in changes.items() if n}


@wrong("count_changes")
def changes_gained_only(ids, pair, new_id):
    """What is lost is missing: the difference of two Counters by `-` drops what is negative."""
    after = given_merge(ids, pair, new_id)
    return dict(Counter(zip(after, after[1:])) - Counter(zip(ids, ids[1:])))


@wrong("count_changes")
def changes_lost_only(ids, pair, new_id):
    """What is gained is missing: the new id has neighbours, too."""
    after = given_merge(ids, pair, new_id)
    lost = Counter(zip(ids, ids[1:])) - Counter(zip(after, after[1:]))
    return {p: -n for p, n in lost.items()}


@wrong("count_changes")
def changes_before_minus_after(ids, pair, new_id):
    """The sign is wrong: after minus before."""
    changes = Counter(zip(ids, ids[1:]))
    after = given_merge(ids, pair, new_id)
    changes.subtract(zip(after, after[1:]))
    return {p: n for p, n in changes.items() if n}


@wrong("count_changes")
def changes_with_zeros(ids, pair, new_id):
    """Leave out the pairs whose change is 0."""
    after = given_merge(ids, pair, new_id)
    changes = Counter(zip(after, after[1:]))
    changes.subtract(zip(ids, ids[1:]))
    return dict(changes)


@wrong("count_changes")
def changes_of_the_pair(ids, pair, new_id):
    """Only the pair itself was counted: its neighbours lose and gain, too."""
    n = given_merge(ids, pair, new_id).count(new_id)
    return {pair: -n} if n else {}


@wrong("count_changes")
def changes_are_counts(ids, pair, new_id):
    """Those are the counts after the merge, not the changes: take off what was there before."""
    after = given_merge(ids, pair, new_id)
    return dict(Counter(zip(after, after[1:])))


@wrong("count_changes")
def changes_of_sets(ids, pair, new_id):
    """The change goes by how often a pair occurs, not by whether it occurs."""
    after = given_merge(ids, pair, new_id)
    old, new = set(zip(ids, ids[1:])), set(zip(after, after[1:]))
    return {p: -1 for p in old - new} | {p: 1 for p in new - old}


@right("count_changes")
def changes_by_keys(ids, pair, new_id):
    """Counts twice, and subtracts for every pair that occurs at all."""
    after = given_merge(ids, pair, new_id)
    old, new = Counter(zip(ids, ids[1:])), Counter(zip(after, after[1:]))
    return {p: new[p] - old[p] for p in old.keys() | new.keys() if new[p] != old[p]}


@right("count_changes")
def changes_while_merging(ids, pair, new_id):
    """One pass: old pairs are taken off, and new ones put on as the merged list grows."""
    changes, merged, i = {}, [], 0
    for a, b in zip(ids, ids[1:]):
        changes[a, b] = changes.get((a, b), 0) - 1
    while i < len(ids):
        hit = i + 1 < len(ids) and (ids[i], ids[i + 1]) == tuple(pair)
        merged.append(new_id if hit else ids[i])
        i += 2 if hit else 1
        if len(merged) > 1:
            key = (merged[-2], merged[-1])
            changes[key] = changes.get(key, 0) + 1
    return {key: n for key, n in changes.items() if n != 0}


changes_of_sizes = edit(
    "count_changes",
    "The sizes of the changes came without their signs: what is lost is negative.",
    ("pair: change for", "pair: abs(change) for"),
)

changes_with_overlap = edit(
    "count_changes",
    "In 7 7 7 two occurrences were merged: the first one uses up its ids.",
    (
        "after = given_merge(ids, pair, new_id)",
        "starts = {i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair}\n"
        "    after = [new_id if i in starts else x for i, x in enumerate(ids) if i in starts or i - 1 not in starts]",
    ),
)


changes_turned_with_zeros = edit(
    "count_changes",
    "The sign is wrong, after minus before, and the pairs whose change is 0 are left out.",
    ("Counter(pairwise(after))", "Counter(pairwise(ids))"),
    ("subtract(pairwise(ids))", "subtract(pairwise(after))"),
    (" if change}", "}"),
)


# --- train_bpe_fast ---


fast_never_taking_off = edit(
    "train_bpe_fast",
    "A stale count won: what a merge takes from the old neighbours must be taken off.",
    ("for pair in pairwise(new):", "for pair in [p for p in pairwise(new) if 256 + len(merges) in p]:"),
    (
        "            for pair in pairwise(old):\n                counts[pair] -= times[w]\n"
        "                if counts[pair] == 0:\n                    del counts[pair]\n",
        "",
    ),
    ("merges.append(best)", "del counts[best]\n        merges.append(best)"),
)


fast_updating_by_one = edit(
    "train_bpe_fast",
    "The updates go by 1: what a merge takes and gives counts as often as the word occurs.",
    ("                counts[pair] += times[w]", "                counts[pair] += 1"),
    (
        "counts[pair] -= times[w]\n                if counts[pair] == 0:",
        "counts[pair] -= 1\n                if counts[pair] <= 0:",
    ),
    ("merges.append(best)", "counts.pop(best, None)\n        merges.append(best)"),
)


fast_on_distinct_words = edit(
    "train_bpe_fast",
    "Each distinct word counts once here: count each pair as often as its word occurs, from the start.",
    ("times = list(distinct.values())", "times = [1] * len(words)"),
)


fast_without_new_pairs = edit(
    "train_bpe_fast",
    "The pairs that a merge creates count, too: the new id has neighbours.",
    ("for pair in pairwise(new):", "for pair in [p for p in pairwise(new) if 256 + len(merges) not in p]:"),
)


fast_losing_the_words = edit(
    "train_bpe_fast",
    "The pairs that a merge creates are counted, but their words cannot be found again: enter the words in the "
    "sets of their new pairs.",
    ("                where[pair].add(w)", ""),
    ("where.pop(best)", "where.pop(best, ())"),
    ("merges.append(best)", "counts.pop(best, None)\n        merges.append(best)"),
)


fast_keeping_zeros = edit(
    "train_bpe_fast",
    "Pairs that are gone stay with the count 0, and are merged in the end: a pair that occurs no more must not win.",
    ("                if counts[pair] == 0:\n                    del counts[pair]\n", ""),
    ("where.pop(best)", "where.pop(best, ())"),
    ("merges.append(best)", "counts.pop(best, None)\n        merges.append(best)"),
)


fast_first_seen = edit(
    "train_bpe_fast",
    "Among equal counts the pair seen first won: take the smallest pair of ids.",
    ("min(counts, key=lambda pair: (-counts[pair], pair))", "counts.most_common(1)[0][0]"),
    ("where.pop(best)", "sorted(where.pop(best))"),
)


@wrong("train_bpe_fast")
def fast_heap_without_a_check(text, vocab_size, pattern=PATTERN):
    """An old entry of the heap was believed: a count may have changed since, so hold each entry against the counts
    when it comes up."""
    import heapq

    distinct = Counter(given_parts(text, pattern))
    words, times = [list(part.encode()) for part in distinct], list(distinct.values())
    counts, where = Counter(), defaultdict(set)
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            counts[pair] += times[w]
            where[pair].add(w)
    heap, merges = [(-n, pair) for pair, n in counts.items()], []
    heapq.heapify(heap)
    while heap and 256 + len(merges) < vocab_size:
        _, best = heapq.heappop(heap)
        if not counts[best]:
            continue
        for w in where.pop(best, ()):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            changed = Counter()
            for pair in zip(new, new[1:]):
                changed[pair] += times[w]
                where[pair].add(w)
            for pair in zip(old, old[1:]):
                changed[pair] -= times[w]
            for pair, n in changed.items():
                counts[pair] += n
                if n > 0:
                    heapq.heappush(heap, (-counts[pair], pair))
        merges.append(best)
    return merges


@wrong("train_bpe_fast")
def fast_by_old_neighbours(text, vocab_size, pattern=PATTERN):
    """The old neighbours of each occurrence were taken off and put on: in a b a b the middle pair goes once only, and
    the new pair is X X."""
    distinct = Counter(given_parts(text, pattern))
    words, times = [list(part.encode()) for part in distinct], list(distinct.values())
    counts, where = Counter(), defaultdict(set)
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            counts[pair] += times[w]
            where[pair].add(w)
    merges = []
    while counts and 256 + len(merges) < vocab_size:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        new_id = 256 + len(merges)
        for w in where.pop(best, ()):
            ids, i = words[w], 0
            while i < len(ids) - 1:
                if (ids[i], ids[i + 1]) != best:
                    i += 1
                    continue
                if i > 0:
                    counts[ids[i - 1], ids[i]] -= times[w]
                    counts[ids[i - 1], new_id] += times[w]
                if i + 2 < len(ids):
                    counts[ids[i + 1], ids[i + 2]] -= times[w]
                    counts[new_id, ids[i + 2]] += times[w]
                i += 2
            words[w] = given_merge(ids, best, new_id)
            for pair in zip(words[w], words[w][1:]):
                where[pair].add(w)
        del counts[best]
        counts = +counts
        merges.append(best)
    return merges


fast_one_short = edit(
    "train_bpe_fast",
    "The last merge is missing: the ids go up to vocab_size - 1.",
    ("< vocab_size", "< vocab_size - 1"),
)
fast_updating_all_by_one = edit(
    "train_bpe_fast",
    "The updates go by 1: what a merge takes and gives counts as often as the word occurs.",
    ("                counts[pair] += times[w]", "                counts[pair] += 1"),
    ("counts[pair] -= times[w]", "counts[pair] -= 1"),
    ("where.pop(best)", "list(where[best])"),
)


@right("train_bpe_fast")
def fast_with_a_heap(text, vocab_size, pattern=PATTERN):
    """A heap whose entries are checked against the counts when they come up."""
    import heapq

    distinct = Counter(given_parts(text, pattern))
    words, times = [list(part.encode()) for part in distinct], list(distinct.values())
    counts, where = Counter(), defaultdict(set)
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            counts[pair] += times[w]
            where[pair].add(w)
    heap, merges = [(-n, pair) for pair, n in counts.items()], []
    heapq.heapify(heap)
    while heap and 256 + len(merges) < vocab_size:
        n, best = heapq.heappop(heap)
        if counts[best] != -n:
            if counts[best] > 0:
                heapq.heappush(heap, (-counts[best], best))
            continue
        changed = Counter()
        for w in where.pop(best):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in zip(new, new[1:]):
                changed[pair] += times[w]
                where[pair].add(w)
            for pair in zip(old, old[1:]):
                changed[pair] -= times[w]
        for pair, difference in changed.items():
            counts[pair] += difference
            if difference > 0:
                heapq.heappush(heap, (-counts[pair], pair))
        merges.append(best)
    return merges


@right("train_bpe_fast")
def fast_by_changes(text, vocab_size, pattern=PATTERN):
    """The counts change by the difference of two Counters; the words that hold the winner are looked up in a list."""
    parts = Counter(given_parts(text, pattern))
    words = [[tuple(part.encode()), times] for part, times in parts.items()]
    counts = Counter()
    for ids, times in words:
        for pair, n in Counter(zip(ids, ids[1:])).items():
            counts[pair] += n * times
    merges = []
    for new_id in range(256, vocab_size):
        most = max(counts.values(), default=0)
        if most <= 0:
            break
        best = min(pair for pair, n in counts.items() if n == most)
        for word in words:
            ids, times = word
            if best in zip(ids, ids[1:]):
                word[0] = tuple(given_merge(list(ids), best, new_id))
                for pair in zip(word[0], word[0][1:]):
                    counts[pair] += times
                for pair in zip(ids, ids[1:]):
                    counts[pair] -= times
        merges.append(best)
    return merges


fast_largest_pair = edit(
    "train_bpe_fast",
    "Among equal counts the largest pair won: take the smallest pair of ids.",
    ("min(counts, key=lambda pair: (-counts[pair], pair))", "max(counts, key=lambda pair: (counts[pair], pair))"),
)

fast_on_matches_only = edit(
    "train_bpe_fast",
    "What the pattern skips was left out: it is a part, too, and has pairs.",
    ("given_parts(text, pattern)", "regex.findall(pattern, text)"),
)

fast_without_a_split = edit(
    "train_bpe_fast",
    "The text was not cut into parts: no pair reaches from one part into the next.",
    ("given_parts(text, pattern)", "[text]"),
)

fast_on_characters = edit(
    "train_bpe_fast",
    "The ids are the numbers of characters: start from UTF-8 bytes.",
    ("list(part.encode())", "list(map(ord, part))"),
)

fast_that_many_merges = edit(
    "train_bpe_fast",
    "That many merges were learnt, and not that many ids: vocab_size counts all ids, the 256 bytes included.",
    ("256 + len(merges) < vocab_size", "len(merges) < vocab_size"),
)


fast_ties_by_the_sum = edit(
    "train_bpe_fast",
    "Among equal counts the pair with the smallest sum won: compare (a, b) as Python compares tuples.",
    ("(-counts[pair], pair)", "(-counts[pair], sum(pair))"),
)

fast_ties_by_the_left_id = edit(
    "train_bpe_fast",
    "Among equal counts with the same left id the largest right one won: compare (a, b) as Python compares tuples.",
    ("(-counts[pair], pair)", "(-counts[pair], pair[0], -pair[1])"),
)

fast_stripped = edit(
    "train_bpe_fast",
    "The spaces were stripped off the parts: they belong to the words that follow them.",
    ("part.encode()", "part.strip().encode()"),
)


fast_until_once = edit(
    "train_bpe_fast",
    "It stopped at pairs that occur once: stop only when no pair is left.",
    ("while counts and", "while max(counts.values(), default=0) > 1 and"),
)


# The notebook `beyond`


pieces_without_continuation_marks = edit(
    "wordpiece_encode",
    "Inside the word a piece was looked up without its ##: `##able` and `able` are two different pieces.",
    ('("##" if start else "") + ', ""),
)


marks_written_but_not_looked_up = edit(
    "wordpiece_encode",
    "The ## was only written before the piece afterwards: it must be there when the piece is looked up.",
    ('("##" if start else "") + ', ""),
    ("pieces.append(piece)", 'pieces.append(("##" if start else "") + piece)'),
)


marks_looked_up_but_not_written = edit(
    "wordpiece_encode",
    "The ## was looked up, but left off in the result.",
    ("pieces.append(piece)", "pieces.append(word[start:end])"),
)


marks_before_the_first_piece = edit(
    "wordpiece_encode",
    "The first piece was looked up with ##, too: only pieces inside the word have it.",
    ('("##" if start else "")', '"##"'),
)


unknown_for_the_rest_only = edit(
    "wordpiece_encode",
    "The pieces before the stuck place were kept: the whole word becomes one unknown token.",
    ("return [unk]", "return [*pieces, unk]"),
)


characters_left_out = edit(
    "wordpiece_encode",
    "What does not fit was left out: the whole word becomes one unknown token.",
    ("return [unk]", "start += 1\n            continue"),
)


unknown_for_each_character = edit(
    "wordpiece_encode",
    "There is one unknown token for each character that does not fit: the whole word becomes one.",
    ("return [unk]", "piece, end = unk, start + 1"),
)


shortest_piece_first = edit(
    "wordpiece_encode",
    "The shortest piece was taken, not the longest.",
    ("range(len(word), start, -1)", "range(start + 1, len(word) + 1)"),
)


@wrong("wordpiece_encode")
def goes_back_when_stuck(word, vocab, unk="[UNK]"):
    """It went back to a shorter piece after it got stuck: WordPiece never looks back."""

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


unknown_token_fixed = edit(
    "wordpiece_encode", "The unknown token is not the one that was asked for.", ("return [unk]", 'return ["[UNK]"]')
)


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


stops_when_stuck = edit(
    "wordpiece_encode",
    "It stopped at the place where nothing fits: the whole word becomes one unknown token.",
    ("return [unk]", "return pieces"),
)

unknown_beyond_a_hundred = edit(
    "wordpiece_encode",
    "A long word was given up, as BERT's own code does: here a word may be of any length.",
    ("    pieces, start = [], 0", "    if len(word) > 100:\n        return [unk]\n    pieces, start = [], 0"),
    hidden=True,
)

pieces_up_to_sixteen = edit(
    "wordpiece_encode",
    "Long pieces were never tried: a piece may be as long as the word.",
    ("range(len(word), start, -1)", "range(min(len(word), start + 16), start, -1)"),
    hidden=True,
)

pieces_in_small_letters = edit(
    "wordpiece_encode",
    "Capital letters were made small: the word is looked up as it is written.",
    ("word[start:end]", "word[start:end].lower()"),
    hidden=True,
)

unknown_as_text = edit(
    "wordpiece_encode",
    "A bare string came back for the unknown word: a list of one token is asked for.",
    ("return [unk]", "return unk"),
)

one_unknown_a_character = edit(
    "wordpiece_encode",
    "A word that gets stuck became one unknown token for each of its characters: it becomes one.",
    ("return [unk]", "return [unk] * len(word)"),
)


never_the_whole_word = edit(
    "wordpiece_encode",
    "The whole rest of the word was never tried: the end of a piece may be the end of the word.",
    ("range(len(word), start, -1)", "range(len(word) - (start == 0), start, -1)"),
)

one_mark_only = edit("wordpiece_encode", "The mark has two signs: ##.", ('"##" if', '"#" if'))


score_divides_by_the_first_alone = edit(
    "wordpiece_score",
    "`count / a * b` divides by a and then multiplies by b. Both belong below: put a · b in brackets.",
    ("count / (units[a] * units[b])", "count / units[a] * units[b]"),
)
score_is_the_count = edit(
    "wordpiece_score",
    "That is the pair's count, which is what BPE looks at: divide it by the counts of both units.",
    ("count / (units[a] * units[b])", "count"),
)


score_of_word_types = edit(
    "wordpiece_score",
    "Every word was counted once, however often it occurs.",
    ("in words.items()", "in dict.fromkeys(words, 1).items()"),
)


score_over_the_sum = edit(
    "wordpiece_score",
    "Divided by the sum of the units' counts: take their product.",
    ("units[a] * units[b]", "units[a] + units[b]"),
)


score_is_what_follows = edit(
    "wordpiece_score",
    "Divided by the count of the first unit only: that is how often it is followed by the second.",
    ("count / (units[a] * units[b])", "count / units[a]"),
)


score_without_single_units = edit(
    "wordpiece_score",
    "Words of one unit were left out of the counts: they have no pair, but their unit counts.",
    ("for unit in word:", "for unit in word if len(word) > 1 else ():"),
)


score_with_units_counted_in_pairs = edit(
    "wordpiece_score",
    "The units were counted within pairs, so that a unit between two others counts twice: count them by themselves.",
    ("for unit in word:", "for unit in [unit for pair in pairwise(word) for unit in pair]:"),
)


score_of_shares = edit(
    "wordpiece_score",
    "The counts were turned into shares first: the score is made of the counts.",
    ("count / (units[a] * units[b])", "count / sum(pairs.values()) * sum(units.values()) ** 2 / (units[a] * units[b])"),
)


score_with_sorted_pairs = edit(
    "wordpiece_score",
    "(a, b) and (b, a) were taken for one pair: a key is the pair as it stands in the word, left unit first.",
    ("in pairwise(word)", "in map(tuple, map(sorted, pairwise(word)))"),
)


score_with_sets = edit(
    "wordpiece_score",
    "What a word has twice was counted once in it: every occurrence counts.",
    ("for unit in word:", "for unit in set(word):"),
    ("in pairwise(word)", "in set(pairwise(word))"),
)
score_with_units_once_a_word = edit(
    "wordpiece_score",
    "A unit that stands three times in a word was counted once there: every occurrence counts, of units as of pairs.",
    ("for unit in word:", "for unit in set(word):"),
)


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


score_is_what_precedes = edit(
    "wordpiece_score",
    "Divided by the count of the second unit only: the first one's belongs there, too.",
    ("count / (units[a] * units[b])", "count / units[b]"),
)

score_with_a_root = edit(
    "wordpiece_score",
    "Divided by the root of the product: this score takes the product itself.",
    ("(units[a] * units[b])", "math.sqrt(units[a] * units[b])"),
)

score_as_a_logarithm = edit(
    "wordpiece_score",
    "That is the logarithm of the score.",
    ("count / (units[a] * units[b])", "math.log(count / (units[a] * units[b]))"),
)

score_in_whole_numbers = edit(
    "wordpiece_score", "The division dropped the fraction: use `/`, not `//`.", ("count / (", "count // (")
)

score_rounded = edit(
    "wordpiece_score",
    "The scores are rounded: return them as they are.",
    ("count / (units[a] * units[b])", "round(count / (units[a] * units[b]), 3)"),
)

score_of_joined_pairs = edit(
    "wordpiece_score", "The keys are joined texts: a key is the pair (a, b).", ("{(a, b): count", "{a + b: count")
)


score_without_marks = edit(
    "wordpiece_score",
    "A unit with ## and the same without it were counted together: they are two different units.",
    ("for unit in word:", 'for unit in [unit.removeprefix("##") for unit in word]:'),
    ("count / (units[a] * units[b])", 'count / (units[a.removeprefix("##")] * units[b.removeprefix("##")])'),
    hidden=True,
)

score_over_the_larger = edit(
    "wordpiece_score",
    "Divided by the larger of the two counts: take their product.",
    ("(units[a] * units[b])", "max(units[a], units[b])"),
)

score_is_the_share = edit(
    "wordpiece_score",
    "That is the pair's share of all pairs: divide its count by the counts of its two units.",
    ("count / (units[a] * units[b])", "count / sum(pairs.values())"),
)


@wrong("unigram_viterbi")
def longest_match_for_viterbi(text, log_probs, unknown=-20.0):
    """That is the longest match from the left, step by step: compare whole segmentations by their sums."""
    pieces, start, total = [], 0, 0.0
    while start < len(text):
        ends = [end for end in range(start + 1, len(text) + 1) if text[start:end] in log_probs] or [start + 1]
        pieces.append(text[start : max(ends)])
        total += log_probs.get(pieces[-1], unknown)
        start = max(ends)
    return pieces, total


@wrong("unigram_viterbi")
def likeliest_next_piece(text, log_probs, unknown=-20.0):
    """The most probable next piece was taken, step by step, which cannot see what it leaves over: compare whole
    segmentations."""
    pieces, start, total = [], 0, 0.0
    while start < len(text):
        ends = [end for end in range(start + 1, len(text) + 1) if text[start:end] in log_probs] or [start + 1]
        end = max(ends, key=lambda e: log_probs.get(text[start:e], unknown))
        pieces.append(text[start:end])
        total += log_probs.get(pieces[-1], unknown)
        start = end
    return pieces, total


log_probabilities_multiplied = edit(
    "unigram_viterbi",
    "Log-probabilities were multiplied: products of probabilities are sums of logarithms.",
    ("[0.0] + [-math.inf]", "[1.0] + [-math.inf]"),
    (
        "best[start] + log_prob > best[end]",
        "(text[start:end] in log_probs or end - start == 1) and best[start] * log_prob > best[end]",
    ),
    ("best[end] = best[start] + log_prob", "best[end] = best[start] * log_prob"),
)


viterbi_with_plain_probabilities = edit(
    "unigram_viterbi",
    "Probabilities were multiplied: those of a long text become 0. Add log-probabilities.",
    ("[0.0] + [-math.inf]", "[1.0] + [0.0]"),
    ("best[start] + log_prob > best[end]", "best[start] * math.exp(log_prob) > best[end]"),
    ("best[end] = best[start] + log_prob", "best[end] = best[start] * math.exp(log_prob)"),
    ("best[-1]", "math.log(best[-1])"),
)


viterbi_not_turned_round = edit(
    "unigram_viterbi", "The pieces come out from right to left: turn the list round.", ("pieces[::-1]", "pieces")
)


viterbi_with_long_unknowns = edit(
    "unigram_viterbi",
    "A longer piece that the model does not have was allowed: only a single character may be unknown.",
    ("unknown if end - start == 1 else -math.inf", "unknown"),
)


viterbi_without_unknowns = edit(
    "unigram_viterbi",
    "A character that no piece has cannot be passed: it may stand alone, with the log-probability `unknown`.",
    ("unknown if end - start == 1 else -math.inf", "-math.inf"),
)


viterbi_from_zero_everywhere = edit(
    "unigram_viterbi",
    "Every place starts with 0, the best log-probability there is, so that nothing is ever better: only the "
    "start is 0, all others are −∞ at first.",
    ("[0.0] + [-math.inf] * len(text)", "[0.0] * (len(text) + 1)"),
)


viterbi_takes_the_smallest = edit(
    "unigram_viterbi",
    "That is the least probable segmentation: larger log-probabilities are better.",
    ("[-math.inf] * len(text)", "[math.inf] * len(text)"),
    ("else -math.inf)", "else math.inf)"),
    ("+ log_prob > best", "+ log_prob < best"),
)


viterbi_with_a_floor_for_all = edit(
    "unigram_viterbi",
    "A character that is a piece keeps its own log-probability, even one below `unknown`.",
    (
        "log_probs.get(text[start:end], unknown if end - start == 1 else -math.inf)",
        "log_probs.get(text[start:end], -math.inf)\n"
        "            log_prob = max(log_prob, unknown if end - start == 1 else -math.inf)",
    ),
)


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


viterbi_without_zero = edit(
    "unigram_viterbi",
    "A log-probability of 0, which is the probability 1, was taken for none: 0 is false in Python, ask whether "
    "the piece is there.",
    (
        "log_probs.get(text[start:end], unknown if end - start == 1 else -math.inf)",
        "log_probs.get(text[start:end]) or (unknown if end - start == 1 else -math.inf)",
    ),
)

viterbi_with_one_unknown = edit(
    "unigram_viterbi", "The argument `unknown` is not used.", ("unknown if end", "-20.0 if end")
)

viterbi_gives_the_probability = edit(
    "unigram_viterbi", "That is the probability: return its logarithm.", ("best[-1]", "math.exp(best[-1])")
)

viterbi_gives_the_mean = edit(
    "unigram_viterbi",
    "That is the mean for each piece: return the sum.",
    ("best[-1]", "best[-1] / max(1, len(pieces))"),
)

viterbi_turns_the_sign = edit(
    "unigram_viterbi", "The sign of the log-probability is turned round.", ("best[-1]", "-best[-1]")
)

viterbi_gives_pieces_only = edit(
    "unigram_viterbi",
    "Only one of the two came back: return the pieces and their log-probability.",
    ("pieces[::-1], best[-1]", "pieces[::-1]"),
)

viterbi_up_to_sixteen = edit(
    "unigram_viterbi",
    "Long pieces were never tried: a piece may be of any length.",
    ("range(end)", "range(max(0, end - 16), end)"),
    hidden=True,
)


@wrong("unigram_viterbi")
def fewest_pieces_for_viterbi(text, log_probs, unknown=-20.0):
    """That is the best of those with the fewest pieces: the sum of the log-probabilities counts, however many they
    are."""
    best = [(0, 0.0, [])]
    for end in range(1, len(text) + 1):
        starts = [s for s in range(end) if text[s:end] in log_probs or end - s == 1]
        ways = [(best[s], text[s:end], log_probs.get(text[s:end], unknown)) for s in starts]
        best.append(min((n + 1, cost - log_prob, [*row, piece]) for (n, cost, row), piece, log_prob in ways))
    return best[-1][2], -best[-1][1]


viterbi_rounded = edit(
    "unigram_viterbi", "The log-probability is rounded: return it as it is.", ("best[-1]", "round(best[-1], 2)")
)


likelihood_without_the_top_again = edit(
    "unigram_log_likelihood",
    "The largest way was taken out of the sum, and not put back: log Σ exp(w) = top + log Σ exp(w − top).",
    ("total[end] = top + math.log", "total[end] = math.log"),
)
likelihood_of_the_best_path = edit(
    "unigram_log_likelihood",
    "That is the best segmentation alone: all of them count, so add the ways to each place.",
    ("total[end] = top + math.log(sum(math.exp(way - top) for way in ways))", "total[end] = top"),
)


@wrong("unigram_log_likelihood")
def likelihood_with_logs_summed(text, log_probs):
    """The logarithms of different segmentations were added, which multiplies their probabilities: the probabilities
    add up."""
    ways, sums = [1] + [0] * len(text), [0.0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs:
                ways[end] += ways[start]
                sums[end] += sums[start] + ways[start] * log_probs[text[start:end]]
    return sums[-1] if ways[-1] else -math.inf


@wrong("unigram_log_likelihood")
def likelihood_in_plain_numbers(text, log_probs):
    """The probability was computed as a number, and became 0 for a long text: stay with logarithms, and take the
    largest way out before the exponentials."""
    chance = [1.0] + [0.0] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(end):
            if text[start:end] in log_probs:
                chance[end] += chance[start] * math.exp(log_probs[text[start:end]])
    return math.log(chance[-1]) if chance[-1] else -math.inf


likelihood_with_nan = edit(
    "unigram_log_likelihood",
    "−∞ was taken from −∞, which is NaN, at a place that no piece reaches: such a place keeps its −∞.",
    ("if top > -math.inf:", "if ways:"),
)


likelihood_breaks_without_a_way = edit(
    "unigram_log_likelihood",
    "Where no piece ends there is nothing to take the largest of: the logarithm of no probability is −∞.",
    ("max(ways, default=-math.inf)", "max(ways)"),
)


likelihood_not_its_logarithm = edit(
    "unigram_log_likelihood",
    "That is the probability itself: return its logarithm.",
    ("return total[-1]", "return math.exp(total[-1])"),
)


likelihood_with_a_floor = edit(
    "unigram_log_likelihood",
    "An unknown character got a price, as in Viterbi: here a text that cannot be segmented has probability 0, "
    "and −∞ comes back.",
    (
        "if text[start:end] in log_probs]",
        "if text[start:end] in log_probs]\n"
        '        ways += [total[end - 1] - 20.0] * (text[end - 1] not in "".join(log_probs))',
    ),
)


likelihood_to_base_ten = edit(
    "unigram_log_likelihood",
    "That is the logarithm to base 10: the natural one is asked for.",
    ("return total[-1]", "return total[-1] / math.log(10)"),
)


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


likelihood_to_base_two = edit(
    "unigram_log_likelihood",
    "That is the logarithm to base 2: the natural one is asked for.",
    ("return total[-1]", "return total[-1] / math.log(2)"),
)

likelihood_of_the_mean = edit(
    "unigram_log_likelihood",
    "That is the mean over the ways to each place: they add up.",
    ("for way in ways))", "for way in ways) / len(ways))"),
)

likelihood_turned = edit(
    "unigram_log_likelihood",
    "The sign is turned round: the logarithm of a probability is never above 0.",
    ("return total[-1]", "return -total[-1]"),
)

likelihood_without_zero = edit(
    "unigram_log_likelihood",
    "A log-probability of 0, which is the probability 1, was taken for none: 0 is false in Python, ask whether "
    "the piece is there.",
    ("if text[start:end] in log_probs]", "if log_probs.get(text[start:end])]"),
    hidden=True,
)

likelihood_without_shift = edit(
    "unigram_log_likelihood",
    "The exponential of a very small log-probability is 0, and has no logarithm: take the largest way out first.",
    (
        "total[end] = top + math.log(sum(math.exp(way - top) for way in ways))",
        "total[end] = math.log(sum(math.exp(way) for way in ways))",
    ),
)

likelihood_up_to_sixteen = edit(
    "unigram_log_likelihood",
    "Long pieces were never tried: a piece may be of any length.",
    ("for start in range(end) if", "for start in range(max(0, end - 16), end) if"),
    hidden=True,
)


likelihood_zero_for_none = edit(
    "unigram_log_likelihood",
    "For a text that cannot be segmented 0 came back, which is the probability 1: the logarithm of 0 is −∞.",
    ("return total[-1]", "return total[-1] if total[-1] > -math.inf else 0.0"),
)

likelihood_nearly_minus_infinity = edit(
    "unigram_log_likelihood",
    "A large negative number stands for −∞: return `-math.inf` itself.",
    ("[-math.inf] * len(text)", "[-1e9] * len(text)"),
)


@wrong("expected_counts")
def counts_of_the_best_path(text, log_probs):
    """Those are the counts of the best segmentation alone: each one counts for its share."""
    best = [(0.0, ())] + [(-math.inf, ())] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - 8), end):
            piece = text[start:end]
            if piece in log_probs and best[start][0] + log_probs[piece] > best[end][0]:
                best[end] = (best[start][0] + log_probs[piece], (*best[start][1], piece))
    return {piece: float(best[-1][1].count(piece)) for piece in best[-1][1]}


counts_not_divided = edit(
    "expected_counts",
    "The shares were not divided by the probability of the whole text.",
    ("+ behind[end] - before[n])", "+ behind[end])"),
)


@wrong("expected_counts")
def counts_of_equal_segmentations(text, log_probs):
    """Every segmentation was counted alike: weigh each by its probability."""
    ways = list(given_segmentations(text[:60], log_probs)) if len(text) < 60 else []
    counts = {}
    for way in ways:
        for piece in way:
            counts[piece] = counts.get(piece, 0) + 1 / len(ways)
    return counts


counts_overwritten = edit(
    "expected_counts",
    "A piece at a later place overwrote its earlier count: add them.",
    ("counts.get(text[start:end], 0.0) + share", "share"),
)


counts_without_backward = edit(
    "expected_counts",
    "What comes behind the piece is left out: the backward sums are missing.",
    (
        "math.exp(before[start] + log_prob + behind[end] - before[n])",
        "math.exp(min(700, before[start] + log_prob - before[n]))",
    ),
)


counts_behind_from_the_start = edit(
    "expected_counts",
    "Behind the piece, go on from its end, not from its start.",
    ("behind[end] - before[n]", "behind[start] - before[n]"),
)


@wrong("expected_counts")
def counts_in_plain_numbers(text, log_probs):
    """The probability of a long text became 0, and was divided by: stay with logarithms until the end."""
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


counts_without_forward = edit(
    "expected_counts",
    "What comes before the piece is left out: the forward sums are missing.",
    (
        "math.exp(before[start] + log_prob + behind[end] - before[n])",
        "math.exp(min(700, log_prob + behind[end] - before[n]))",
    ),
)

counts_without_the_piece = edit(
    "expected_counts",
    "The piece's own probability is left out: before it, the piece, behind it.",
    ("before[start] + log_prob + behind[end]", "before[start] + behind[end]"),
)

counts_as_logarithms = edit(
    "expected_counts",
    "Those are the logarithms of the shares: take the exponential before you add.",
    (
        "math.exp(before[start] + log_prob + behind[end] - before[n])",
        "before[start] + log_prob + behind[end] - before[n]",
    ),
)


counts_that_sum_to_one = edit(
    "expected_counts",
    "The counts were divided by their sum: they are counts, not shares.",
    ("return counts", "return {piece: count / sum(counts.values()) for piece, count in counts.items()}"),
)


@wrong("expected_counts")
def counts_of_the_beginning(text, log_probs):
    """All segmentations were written down, and the text was cut off for it: they are too many for a long text."""
    ways = list(given_segmentations(text[:15], log_probs))
    chances = [math.exp(sum(log_probs[piece] for piece in way)) for way in ways]
    counts = {}
    for way, chance in zip(ways, chances):
        for piece in way:
            counts[piece] = counts.get(piece, 0) + chance / sum(chances)
    return counts


@wrong("byte_fallback")
def fallback_to_code_points(pieces, vocab):
    """That is the character's number in Unicode (`ord`), not its UTF-8 bytes."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{ord(c):02X}>" for c in p])]


@wrong("byte_fallback")
def fallback_in_small_letters(pieces, vocab):
    """The digits are capital letters: <0xE9>, not <0xe9>."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{b:02x}>" for b in p.encode()])]


@wrong("byte_fallback")
def fallback_without_leading_zero(pieces, vocab):
    """A byte below 16 needs a leading zero: <0x0A>, not <0xA>."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{b:X}>" for b in p.encode()])]


@wrong("byte_fallback")
def fallback_by_characters(pieces, vocab):
    """The characters of an unknown piece were looked up once more: it falls back as a whole, even where the
    vocabulary has one of them."""
    tokens = []
    for piece in pieces:
        for part in [piece] if piece in vocab else piece:
            tokens += [part] if part in vocab else [f"<0x{b:02X}>" for b in part.encode()]
    return tokens


@wrong("byte_fallback")
def fallback_of_everything(pieces, vocab):
    """Every piece became bytes because one was unknown: only the unknown one does."""
    if all(p in vocab for p in pieces):
        return list(pieces)
    return [f"<0x{b:02X}>" for p in pieces for b in p.encode()]


@wrong("byte_fallback")
def fallback_glued(pieces, vocab):
    """The bytes of a piece were joined into one long token: they are one token each."""
    return [p if p in vocab else "".join(f"<0x{b:02X}>" for b in p.encode()) for p in pieces]


@wrong("byte_fallback")
def fallback_to_utf16(pieces, vocab):
    """Those are bytes of UTF-16, not of UTF-8."""
    return [t for p in pieces for t in ([p] if p in vocab else [f"<0x{b:02X}>" for b in p.encode("utf-16-be")])]


@wrong("byte_fallback")
def fallback_drops(pieces, vocab):
    """The unknown pieces are left out: they are spelt in bytes."""
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


fallback_in_decimals = edit("byte_fallback", "The numbers are decimal: write them in hexadecimal.", ("02X", "02d"))

fallback_to_unk = edit(
    "byte_fallback",
    "The unknown token is for models without byte fallback: spell the piece in bytes.",
    ('tokens.extend(f"<0x{byte:02X}>" for byte in piece.encode("utf-8"))', 'tokens.append("<unk>")'),
)

fallback_to_the_first_byte = edit(
    "byte_fallback",
    "Only the first byte of a piece was written: each byte is a token.",
    ('piece.encode("utf-8")', 'piece.encode("utf-8")[:1]'),
)

fallback_never = edit(
    "byte_fallback",
    "Nothing was replaced: a piece that the vocabulary lacks is spelt in bytes.",
    ("if piece in vocab:", "if True:"),
)

fallback_always = edit(
    "byte_fallback", "Known pieces became bytes, too: they stay as they are.", ("if piece in vocab:", "if False:")
)

fallback_with_a_capital_x = edit(
    "byte_fallback", "The name is <0xE9>: a small x after the 0.", ("<0x{byte", "<0X{byte")
)

fallback_but_for_byte_tokens = edit(
    "byte_fallback",
    "A piece that looks like a byte token was kept, though the vocabulary lacks it: it is a piece like any other.",
    ("if piece in vocab:", 'if piece in vocab or piece.startswith("<0x"):'),
    hidden=True,
)

fallback_in_any_case = edit(
    "byte_fallback",
    "Capital letters were not told apart: a piece is looked up as it is written.",
    ("if piece in vocab:", "if piece.lower() in vocab:"),
    hidden=True,
)


fallback_without_brackets = edit(
    "byte_fallback", "The name of a byte token has brackets: <0xE9>.", ('f"<0x{byte:02X}>"', 'f"0x{byte:02X}"')
)

fallback_backwards = edit(
    "byte_fallback",
    "The bytes of a piece stand in the wrong order: write them as they come.",
    ('piece.encode("utf-8")', 'piece.encode("utf-8")[::-1]'),
)


@wrong("decode_with_bytes")
def bytes_decoded_alone(pieces):
    """Every byte was decoded alone: neighbouring byte tokens belong together."""
    import re

    parts = []
    for piece in pieces:
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            parts.append(bytes([int(piece[3:5], 16)]).decode("utf-8", errors="replace"))
        else:
            parts.append(piece.replace("▁", " "))
    return "".join(parts).removeprefix(" ")


decoded_and_stripped = edit(
    "decode_with_bytes",
    "White space at both ends was taken away: only one space was added, in front.",
    ('(piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ")', 'piece.replace("▁", " ")'),
    ('data.decode("utf-8", errors="replace")', 'data.decode("utf-8", errors="replace").strip()'),
)


decoded_and_left_stripped = edit(
    "decode_with_bytes",
    "All spaces in front were taken away: only one was added.",
    ('(piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ")', 'piece.replace("▁", " ")'),
    ('data.decode("utf-8", errors="replace")', 'data.decode("utf-8", errors="replace").lstrip(" ")'),
)


decoded_with_the_dummy_space = edit(
    "decode_with_bytes",
    "The space that metaspace added is still there.",
    ('(piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ")', 'piece.replace("▁", " ")'),
)


decoded_without_the_first_character = edit(
    "decode_with_bytes",
    "The first character was taken away though it was no ▁.",
    ('(piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ")', 'piece.replace("▁", " ")'),
    ('data.decode("utf-8", errors="replace")', 'data.decode("utf-8", errors="replace")[1:]'),
)


decoded_ignoring_errors = edit(
    "decode_with_bytes", "Broken bytes were dropped: they become U+FFFD.", ('"replace")', '"ignore")')
)


decoded_strictly = edit(
    "decode_with_bytes", "Bytes that are not UTF-8 become U+FFFD: that is no error.", (', errors="replace"', "")
)


decoded_with_underscores = edit(
    "decode_with_bytes",
    "▁ is U+2581, not the underscore.",
    (
        '(piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ")',
        '(piece.removeprefix("_") if i == 0 else piece).replace("_", " ")',
    ),
)


@wrong("decode_with_bytes")
def decoded_by_chr(pieces):
    """Each byte became the character of that number (`chr`): decode them as UTF-8."""
    import re

    parts = []
    for piece in pieces:
        byte = re.fullmatch("<0x[0-9A-F]{2}>", piece)
        parts.append(chr(int(piece[3:5], 16)) if byte else piece.replace("▁", " "))
    return "".join(parts).removeprefix(" ")


decoded_losing_every_word_space = edit(
    "decode_with_bytes",
    "The space of every piece that starts with ▁ was lost: only the first one was added.",
    (" if i == 0 else piece", ""),
)


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


decoded_with_the_result_trimmed = edit(
    "decode_with_bytes",
    "A space in front was taken away though the first piece does not start with ▁: ask the piece, not the text "
    "at the end.",
    ('(piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ")', 'piece.replace("▁", " ")'),
    ('data.decode("utf-8", errors="replace")', 'data.decode("utf-8", errors="replace").removeprefix(" ")'),
)

decoded_with_marks_replaced_at_the_end = edit(
    "decode_with_bytes",
    "A ▁ that the bytes spell became a space: replace ▁ in the ordinary pieces only, before the bytes are decoded.",
    ('.replace("▁", " ").encode', ".encode"),
    ('data.decode("utf-8", errors="replace")', 'data.decode("utf-8", errors="replace").replace("▁", " ")'),
)

decoded_with_the_bytes_left_out = edit(
    "decode_with_bytes",
    "The byte tokens were left out: they spell what no piece has.",
    ("data += byte_tokens[piece]", 'data += b""'),
)

decoded_with_the_bytes_as_text = edit(
    "decode_with_bytes", "The byte tokens are still there, as text.", ("if piece in byte_tokens:", "if False:")
)

decoded_without_any_space = edit(
    "decode_with_bytes", "Every ▁ was taken away: it is a space.", ('.replace("▁", " ")', '.replace("▁", "")')
)

decoded_with_marks = edit("decode_with_bytes", "▁ is still there: it is a space.", ('.replace("▁", " ")', ""))

decoded_with_small_digits = edit(
    "decode_with_bytes",
    "A piece with small digits, such as <0xe9>, was taken for a byte token: the digits are capital.",
    ("if piece in byte_tokens:", "if piece[:3] + piece[3:].upper() in byte_tokens:"),
    ("data += byte_tokens[piece]", "data += byte_tokens[piece[:3] + piece[3:].upper()]"),
    hidden=True,
)

decoded_with_line_ends_lost = edit(
    "decode_with_bytes",
    "A piece with something behind the token, such as a line end, was taken for a byte token: it must be the "
    "whole piece.",
    ("if piece in byte_tokens:", "if piece[:6] in byte_tokens and not piece[6:].strip():"),
    ("data += byte_tokens[piece]", "data += byte_tokens[piece[:6]]"),
    hidden=True,
)


decoded_with_spaces_between = edit(
    "decode_with_bytes",
    "There are spaces between the pieces: they have their own where they need them.",
    ('.replace("▁", " ").encode', '.replace("▁", " ").join([" " * (i > 0), ""]).encode'),
)

decoded_with_any_digits = edit(
    "decode_with_bytes",
    "What only looks like a byte token was taken for one: it has exactly two digits, in capital letters.",
    (
        "if piece in byte_tokens:",
        'if piece.startswith("<0x") and piece.endswith(">") and piece[3:-1].isalnum() and "Z" not in piece:',
    ),
    ("data += byte_tokens[piece]", "data += bytes([int(piece[3:-1], 16)])"),
    hidden=True,
)
