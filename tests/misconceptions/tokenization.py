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
    ("sorted(train_counts, key=lambda word: (-train_counts[word], word))",
     "sorted(train_counts, key=lambda word: (train_counts[word], word), reverse=True)"),
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
    """A character that `freq` does not know stands alone only where no word starts here: it may stand alone anywhere.
    """
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
    """The text was changed before it was tokenized: the tokenizer takes it as it is, capital letters, spaces and all.
    """
    n = len(tokenizer(text.lower()))
    return n / len(text), n / len(text.encode())


@wrong("fertility")
def fertile_with_three_bytes(tokenizer, text):
    """Three bytes were counted for each character: an English letter has one in UTF-8, an emoji four."""
    n = len(tokenizer(text))
    return n / len(text), n / (3 * len(text))


# The notebook `bpe`


@wrong("pretokenize", says="what the pattern skips is lost")
def parts_by_findall(text, pattern=PATTERN):
    """The matches only: what the pattern skips is lost, and a group comes in place of its match."""
    return regex.findall(pattern, text)


@wrong("pretokenize", says="what the pattern skips is lost")
def parts_matches_only(text, pattern=PATTERN):
    """finditer, which is right about groups, but what lies between the matches is lost."""
    return [match.group() for match in regex.finditer(pattern, text)]


@wrong("pretokenize", says="spaces or newlines are lost")
def parts_stripped(text, pattern=PATTERN):
    """The spaces are stripped off the parts."""
    return [part.strip() for part in regex.split(f"({pattern})", text) if part and part.strip()]


@wrong("pretokenize", says="the pattern that was given is not used")
def parts_by_one_pattern(text, pattern=PATTERN):
    """Always GPT-2's pattern."""
    return regex.findall(PATTERN, text)


@wrong("pretokenize", says="the end is missing")
def parts_without_the_end(text, pattern=PATTERN):
    """What follows the last match is forgotten."""
    parts, end = [], 0
    for match in regex.finditer(pattern, text):
        parts += [text[end : match.start()], match.group()]
        end = match.end()
    return [part for part in parts if part]


@wrong("pretokenize", says="no part may be empty")
def parts_with_empty_ones(text, pattern=PATTERN):
    """An empty string between two matches that touch."""
    parts, end = [], 0
    for match in regex.finditer(pattern, text):
        parts += [text[end : match.start()], match.group()]
        end = match.end()
    return [*parts, text[end:]]


@wrong("pretokenize", says="the cuts are elsewhere")
def parts_glued_to_the_next(text, pattern=PATTERN):
    """What is skipped is glued to the match after it."""
    parts, end = [], 0
    for match in regex.finditer(pattern, text):
        parts.append(text[end : match.end()])
        end = match.end()
    return [part for part in [*parts, text[end:]] if part]


@wrong("pretokenize", says="spaces or newlines are lost")
def parts_at_spaces(text, pattern=PATTERN):
    """Cuts at white space, as for English words."""
    return text.split()


@wrong("pretokenize", says="use finditer and match.group()")
def parts_split_at_groups(text, pattern=PATTERN):
    """split with the pattern in a group: right until the pattern has groups itself."""
    return [part for part in regex.split(f"({pattern})", text) if part != ""]


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


# --- utf8_decode ---


@wrong("utf8_decode", says="Latin-1")
def bytes_as_characters(ids):
    """chr of each byte."""
    return "".join(map(chr, ids))


@wrong("utf8_decode", says="each byte was decoded alone")
def bytes_one_by_one(ids):
    """Each byte is decoded alone: nothing but ASCII survives."""
    return "".join(bytes([i]).decode("utf-8", errors="replace") for i in ids)


@wrong("utf8_decode", says="must not raise")
def bytes_strictly(ids):
    """Raises on a cut character."""
    return bytes(ids).decode("utf-8")


@wrong("utf8_decode", says="was dropped")
def bytes_ignoring_errors(ids):
    """errors="ignore"."""
    return bytes(ids).decode("utf-8", errors="ignore")


@wrong("utf8_decode", says="was escaped")
def bytes_with_backslashes(ids):
    """errors="backslashreplace"."""
    return bytes(ids).decode("utf-8", errors="backslashreplace")


@wrong("utf8_decode", says="spoiled the whole text")
def bytes_all_or_nothing(ids):
    """One replacement character for the whole text if anything is wrong."""
    try:
        return bytes(ids).decode("utf-8")
    except UnicodeDecodeError:
        return "\ufffd"


@wrong("utf8_decode", says="expected 'Hi�'")
def bytes_each_bad_one_a_sign(ids):
    """Two signs for a character of which two bytes are there."""
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


# --- byte_to_unicode ---


@wrong("byte_to_unicode", says="kept as chr(10)")
def alphabet_is_latin_1(*_):
    """chr of every byte."""
    return {byte: chr(byte) for byte in range(256)} | {32: "Ġ"}


@wrong("byte_to_unicode", says="without a gap")
def alphabet_shifted(*_):
    """256 + byte for the others: the same up to the space, and wrong from 127 on."""
    kept = {*range(33, 127), *range(161, 173), *range(174, 256)}
    return {byte: chr(byte if byte in kept else 256 + byte) for byte in range(256)}


@wrong("byte_to_unicode", says="does the range end one too early?")
def alphabet_with_short_ranges(*_):
    """range leaves out its end, so ~, ¬ and ÿ are taken for unprintable."""
    kept = [*range(ord("!"), ord("~")), *range(ord("¡"), ord("¬")), *range(ord("®"), ord("ÿ"))]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@wrong("byte_to_unicode", says="soft hyphen")
def alphabet_with_the_soft_hyphen(*_):
    """161 to 255 in one range: 173 cannot be seen."""
    kept = [*range(33, 127), *range(161, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@wrong("byte_to_unicode", says="got a space")
def alphabet_of_isprintable(*_):
    """str.isprintable, which says yes to the space."""
    kept = [byte for byte in range(256) if chr(byte).isprintable()]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@wrong("byte_to_unicode", says="the other way round")
def alphabet_reversed(*_):
    """From character to byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {chr(byte): byte for byte in kept} | {chr(256 + i): byte for i, byte in enumerate(others)}


@wrong("byte_to_unicode", says="expected all 256 bytes")
def alphabet_of_the_printable(*_):
    """The others are forgotten."""
    return {byte: chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]}


@wrong("byte_to_unicode", says="gets chr(256)")
def alphabet_from_257(*_):
    """The counter goes up before it is used."""
    table, n = {}, 0
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte:
            table[byte] = chr(byte)
        else:
            n += 1
            table[byte] = chr(256 + n)
    return table


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


# --- pair_counts ---


@wrong("pair_counts", says="how often a word occurs was ignored")
def counts_without_times(words):
    """Every word counts once."""
    counts = {}
    for word in words:
        for pair in zip(word, word[1:]):
            counts[pair] = counts.get(pair, 0) + 1
    return counts


@wrong("pair_counts", says="counts twice")
def counts_once_a_word(words):
    """A pair counts once for a word, though it occurs there twice."""
    counts = Counter()
    for word, times in words.items():
        for pair in set(zip(word, word[1:])):
            counts[pair] += times
    return counts


@wrong("pair_counts", says="every position counts")
def counts_without_overlap(words):
    """Only occurrences that could be merged together."""
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


@wrong("pair_counts", says="a pair has an order")
def counts_without_order(words):
    """The smaller id first."""
    counts = Counter()
    for word, times in words.items():
        for a, b in zip(word, word[1:]):
            counts[min(a, b), max(a, b)] += times
    return counts


@wrong("pair_counts", says="the pairs overlap")
def counts_by_twos(words):
    """Ids 0 and 1, ids 2 and 3, and so on."""
    counts = Counter()
    for word, times in words.items():
        for pair in zip(word[::2], word[1::2]):
            counts[pair] += times
    return counts


@wrong("pair_counts", says="do not cross")
def counts_across_words(words):
    """One stream of ids: the end of a word meets the beginning of the next."""
    stream = [i for word, times in words.items() for i in word * times]
    return Counter(zip(stream, stream[1:]))


@wrong("pair_counts", says="the last pair of each word is missing")
def counts_one_short(words):
    """range(len(word) - 2)."""
    counts = Counter()
    for word, times in words.items():
        for i in range(len(word) - 2):
            counts[word[i], word[i + 1]] += times
    return counts


@wrong("pair_counts", says="n - 1 pairs")
def counts_one_too_far(words):
    """range(len(word)): the last id has no right neighbour."""
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


# --- merge ---


@wrong("merge", says="an id was used twice")
def merge_with_overlap(ids, pair, new_id):
    """Every position at which the pair begins: in 7 7 7 the middle one is used twice."""
    starts = {i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair}
    return [new_id if i in starts else x for i, x in enumerate(ids) if i in starts or i - 1 not in starts]


@wrong("merge", says="the right id of the pair is still there")
def merge_moving_by_one(ids, pair, new_id):
    """Goes on by one after a match."""
    return [new_id if tuple(ids[i : i + 2]) == pair else x for i, x in enumerate(ids)]


@wrong("merge", says="right to left")
def merge_from_the_right(ids, pair, new_id):
    """From the end to the beginning: 7 7 7 becomes 7 9."""
    merged = list(ids)
    for i in range(len(ids) - 2, -1, -1):
        if tuple(merged[i : i + 2]) == pair:
            merged[i : i + 2] = [new_id]
    return merged


@wrong("merge", says="only the first occurrence")
def merge_the_first_one(ids, pair, new_id):
    """Returns after the first match."""
    for i in range(len(ids) - 1):
        if (ids[i], ids[i + 1]) == pair:
            return [*ids[:i], new_id, *ids[i + 2 :]]
    return list(ids)


@wrong("merge", says="the last id is lost")
def merge_losing_the_last(ids, pair, new_id):
    """The loop ends before the last id."""
    merged, i = [], 0
    while i < len(ids) - 1:
        if (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong("merge", says="no right neighbour")
def merge_looking_too_far(ids, pair, new_id):
    """Looks at the neighbour of the last id."""
    merged, i = [], 0
    while i < len(ids):
        if ids[i] == pair[0] and ids[i + 1] == pair[1]:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong("merge", says="the reversed pair was replaced too")
def merge_in_any_order(ids, pair, new_id):
    """The pair as a set."""
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and sorted(ids[i : i + 2]) == sorted(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


@wrong("merge", says="expected", hidden=True)
def merge_in_a_printed_list(ids, pair, new_id):
    """Replaces in the printed list, where "1, 2" also ends "21, 2" and begins "1, 21"."""
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


# --- train_bpe ---


@wrong("train_bpe", says="the pair seen first won")
def train_first_seen(text, vocab_size, pattern=PATTERN):
    """max keeps the first of equals, which is the pair seen first in the text."""
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter()
        for ids, times in words:
            for pair in zip(ids, ids[1:]):
                counts[pair] += times
        if not counts:
            break
        best = max(counts, key=counts.get)
        words = [(given_merge(ids, best, 256 + len(merges)), times) for ids, times in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="the largest pair won")
def train_largest_pair(text, vocab_size, pattern=PATTERN):
    """max over (count, pair): among equals the largest pair."""
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter()
        for ids, times in words:
            for pair in zip(ids, ids[1:]):
                counts[pair] += times
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        words = [(given_merge(ids, best, 256 + len(merges)), times) for ids, times in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="the bytes of the tokens decided")
def train_ties_by_bytes(text, vocab_size, pattern=PATTERN):
    """Among equals the pair whose tokens come first in the alphabet."""
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges, names = [], [bytes([b]) for b in range(256)]
    while 256 + len(merges) < vocab_size:
        counts = Counter()
        for ids, times in words:
            for pair in zip(ids, ids[1:]):
                counts[pair] += times
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], names[pair[0]], names[pair[1]]))
        words = [(given_merge(ids, best, 256 + len(merges)), times) for ids, times in words]
        merges.append(best)
        names.append(names[best[0]] + names[best[1]])
    return merges


@wrong("train_bpe", says="not cut into parts")
def train_without_a_split(text, vocab_size, pattern=PATTERN):
    """One list of bytes for the whole text."""
    ids, merges = list(text.encode()), []
    while 256 + len(merges) < vocab_size:
        counts = Counter(zip(ids, ids[1:]))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        ids = given_merge(ids, best, 256 + len(merges))
        merges.append(best)
    return merges


@wrong("train_bpe", says="the last merge is missing")
def train_one_short(text, vocab_size, pattern=PATTERN):
    """Stops one merge early."""
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges = []
    for new_id in range(256, vocab_size - 1):
        counts = Counter()
        for ids, times in words:
            for pair in zip(ids, ids[1:]):
                counts[pair] += times
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [(given_merge(ids, best, new_id), times) for ids, times in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="the 256 bytes included")
def train_that_many_merges(text, vocab_size, pattern=PATTERN):
    """vocab_size is taken for the number of merges."""
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges = []
    while len(merges) < vocab_size:
        counts = Counter()
        for ids, times in words:
            for pair in zip(ids, ids[1:]):
                counts[pair] += times
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [(given_merge(ids, best, 256 + len(merges)), times) for ids, times in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="how often a part occurs was ignored")
def train_on_distinct_words(text, vocab_size, pattern=PATTERN):
    """Each distinct word once."""
    words = [list(part.encode()) for part in dict.fromkeys(given_parts(text, pattern))]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:]))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [given_merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="it stopped at pairs that occur once")
def train_until_once(text, vocab_size, pattern=PATTERN):
    """Stops where no pair occurs twice."""
    words = [list(part.encode()) for part in given_parts(text, pattern)]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:]))
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if counts[best] < 2:
            break
        words = [given_merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="without an error")
def train_until_it_breaks(text, vocab_size, pattern=PATTERN):
    """Takes the best of no pairs."""
    words = [list(part.encode()) for part in given_parts(text, pattern)]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:]))
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [given_merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="start from UTF-8 bytes")
def train_on_characters(text, vocab_size, pattern=PATTERN):
    """The code points of the characters in place of bytes."""
    words = [list(map(ord, part)) for part in given_parts(text, pattern)]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:]))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [given_merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="must be taken anew")
def train_on_the_first_counts(text, vocab_size, pattern=PATTERN):
    """The most frequent pairs of bytes, counted once."""
    counts = Counter(pair for part in given_parts(text, pattern) for pair in zip(part.encode(), part.encode()[1:]))
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[: max(0, vocab_size - 256)]


@wrong("train_bpe", says="the pattern that was given is not used")
def train_with_one_pattern(text, vocab_size, pattern=PATTERN):
    """Always GPT-2's pattern."""
    words = [list(part.encode()) for part in given_parts(text, PATTERN)]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:]))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [given_merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges


@wrong("train_bpe", says="counts twice")
def train_once_a_word(text, vocab_size, pattern=PATTERN):
    """A pair counts once for a word, however often it occurs there."""
    words = [list(part.encode()) for part in given_parts(text, pattern)]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for ids in words for pair in set(zip(ids, ids[1:])))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [given_merge(ids, best, 256 + len(merges)) for ids in words]
        merges.append(best)
    return merges


@right("train_bpe")
def train_on_every_part(text, vocab_size, pattern=PATTERN):
    """Every part by itself, and the pairs sorted."""
    words, merges = [list(part.encode("utf-8")) for part in regex.findall(pattern, text)], []
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


# --- encode ---


@wrong("encode", says="the longest token was taken")
def encode_longest_match(text, merges, pattern=PATTERN):
    """Greedy: the longest token that fits, as WordPiece does."""
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


@wrong("encode", says="the leftmost pair was merged first")
def encode_leftmost(text, merges, pattern=PATTERN):
    """The first pair from the left that is a merge, again and again."""
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        i = 0
        while i < len(ids) - 1:
            if (ids[i], ids[i + 1]) in rank:
                ids[i : i + 2] = [256 + rank[ids[i], ids[i + 1]]]
                i = 0
            else:
                i += 1
        encoded += ids
    return encoded


@wrong("encode", says="one pass from left to right")
def encode_in_one_pass(text, merges, pattern=PATTERN):
    """Each byte is merged with what stands before it, if it can be."""
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


@wrong("encode", says="the highest rank")
def encode_highest_rank(text, merges, pattern=PATTERN):
    """max in place of min: the merge learnt last."""
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        while found := [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) in rank]:
            i = max(found, key=lambda i: rank[ids[i], ids[i + 1]])
            ids[i : i + 2] = [256 + rank[ids[i], ids[i + 1]]]
        encoded += ids
    return encoded


@wrong("encode", says="from the last to the first")
def encode_backwards(text, merges, pattern=PATTERN):
    """The merges are replayed in the wrong order."""
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        for i, pair in reversed(list(enumerate(merges))):
            ids = given_merge(ids, pair, 256 + i)
        encoded += ids
    return encoded


@wrong("encode", says="only one merge was applied")
def encode_once(text, merges, pattern=PATTERN):
    """if in place of while."""
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        first = min(zip(ids, ids[1:]), key=lambda pair: rank.get(pair, len(rank)), default=None)
        if first in rank:
            ids = given_merge(ids, first, 256 + rank[first])
        encoded += ids
    return encoded


@wrong("encode", says="not cut into parts")
def encode_without_a_split(text, merges, pattern=PATTERN):
    """The whole text is one part."""
    ids = list(text.encode())
    for i, pair in enumerate(merges):
        ids = given_merge(ids, pair, 256 + i)
    return ids


@wrong("encode", says="makes the id 256 + i")
def encode_with_ranks(text, merges, pattern=PATTERN):
    """The rank in place of the id at the end."""
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        for i, pair in enumerate(merges):
            ids = given_merge(ids, pair, 256 + i)
        encoded += [i - 256 if i > 255 else i for i in ids]
    return encoded


@wrong("encode", says="a part may have one byte only")
def encode_min_of_nothing(text, merges, pattern=PATTERN):
    """The best of no pairs: fails on a part of one byte."""
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        while True:
            first = min(zip(ids, ids[1:]), key=lambda pair: rank.get(pair, len(rank)))
            if first not in rank:
                break
            ids = given_merge(ids, first, 256 + rank[first])
        encoded += ids
    return encoded


@wrong("encode", says="one flat list")
def encode_in_lists(text, merges, pattern=PATTERN):
    """A list for each part."""
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        for i, pair in enumerate(merges):
            ids = given_merge(ids, pair, 256 + i)
        encoded.append(ids)
    return encoded


@wrong("encode", says="the pattern that was given is not used")
def encode_with_one_pattern(text, merges, pattern=PATTERN):
    """Always GPT-2's pattern."""
    encoded = []
    for part in given_parts(text, PATTERN):
        ids = list(part.encode())
        for i, pair in enumerate(merges):
            ids = given_merge(ids, pair, 256 + i)
        encoded += ids
    return encoded


@right("encode")
def encode_by_replaying(text, merges, pattern=PATTERN):
    """Every merge in order, over all parts: a later merge never makes an earlier one possible again."""
    parts = ["".join(map(chr, part.encode())) for part in regex.findall(pattern, text)]
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


# --- decode ---


@wrong("decode", says="each token was decoded alone")
def decode_token_by_token(ids, merges):
    """A character cut by a token border becomes replacement characters."""
    names = [bytes([b]) for b in range(256)]
    for a, b in merges:
        names.append(names[a] + names[b])
    return "".join(names[i].decode("utf-8", errors="replace") for i in ids)


@wrong("decode", says="errors become U+FFFD")
def decode_strictly(ids, merges):
    """Raises where the ids end in the middle of a character."""
    names = [bytes([b]) for b in range(256)]
    for a, b in merges:
        names.append(names[a] + names[b])
    return b"".join(names[i] for i in ids).decode("utf-8")


@wrong("decode", says="was dropped")
def decode_ignoring_errors(ids, merges):
    """errors="ignore"."""
    names = [bytes([b]) for b in range(256)]
    for a, b in merges:
        names.append(names[a] + names[b])
    return b"".join(names[i] for i in ids).decode("utf-8", errors="ignore")


@wrong("decode", says="left and right of a merge are swapped")
def decode_swapped(ids, merges):
    """The right part first."""
    names = [bytes([b]) for b in range(256)]
    for a, b in merges:
        names.append(names[b] + names[a])
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode", says="are themselves merges")
def decode_one_level(ids, merges):
    """bytes of the pair: fails where a merge is built from merges."""
    names = [bytes([b]) for b in range(256)] + [bytes(pair) for pair in merges]
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode", says="Latin-1")
def decode_as_characters(ids, merges):
    """chr of each byte."""
    names = [chr(b) for b in range(256)]
    for a, b in merges:
        names.append(names[a] + names[b])
    return "".join(names[i] for i in ids)


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


# --- encode_special ---


@wrong("encode_special", says="injection")
def special_always(text, merges, special, allowed):
    """Every special token acts, whatever is allowed."""
    names = sorted(special, key=len, reverse=True)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, names)) + ")", text):
        ids += [special[piece]] if piece in special else given_encode(piece, merges)
    return ids


@wrong("encode_special", says="the longest counts")
def special_in_any_order(text, merges, special, allowed):
    """The tokens in the order of the dict: the shorter one may come first."""
    names = [name for name in special if name in allowed]
    if not names:
        return given_encode(text, merges)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, names)) + ")", text):
        ids += [special[piece]] if piece in allowed else given_encode(piece, merges)
    return ids


@wrong("encode_special", says="use regex.escape")
def special_unescaped(text, merges, special, allowed):
    """The | inside <|end|> is read as "or"."""
    if not allowed:
        return given_encode(text, merges)
    ids = []
    for i, piece in enumerate(regex.split("(" + "|".join(sorted(allowed, key=len, reverse=True)) + ")", text)):
        ids += [special[piece]] if i % 2 else given_encode(piece, merges)
    return ids


@wrong("encode_special", says="does an empty pattern match everywhere?")
def special_split_at_nothing(text, merges, special, allowed):
    """With nothing allowed the pattern is empty, and cuts the text into characters."""
    names = sorted(allowed, key=len, reverse=True)
    pattern = regex.compile("(" + "|".join(map(regex.escape, names)) + ")")
    ids, end = [], 0
    for match in pattern.finditer(text):
        ids += given_encode(text[end : match.start()], merges)
        ids += [special[match[0]]] if match[0] else []
        end = match.end()
    return ids + given_encode(text[end:], merges)


@wrong("encode_special", says="must not be lost")
def special_dropping_the_others(text, merges, special, allowed):
    """What is not allowed is taken out of the text."""
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, sorted(special, key=len, reverse=True))) + ")", text):
        if piece in allowed:
            ids.append(special[piece])
        elif piece not in special:
            ids += given_encode(piece, merges)
    return ids


@wrong("encode_special", says="what is not allowed is ordinary text, no error")
def special_refusing(text, merges, special, allowed):
    """Raises where the text holds a token that is not allowed, as some libraries do by default."""
    for name in special:
        if name not in allowed and name in text:
            raise ValueError(f"disallowed special token {name!r}")
    if not allowed:
        return given_encode(text, merges)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, sorted(allowed, key=len, reverse=True))) + ")", text):
        ids += [special[piece]] if piece in allowed else given_encode(piece, merges)
    return ids


@wrong("encode_special", says="hides an allowed one")
def special_split_at_all(text, merges, special, allowed):
    """Splits at all special tokens, and then looks which are allowed."""
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, sorted(special, key=len, reverse=True))) + ")", text):
        ids += [special[piece]] if piece in allowed else given_encode(piece, merges)
    return ids


@wrong("encode_special", says="must not cut the text")
def special_that_cuts(text, merges, special, allowed):
    """A token that is not allowed becomes ordinary ids, but cuts the text where it stands."""

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


@wrong("encode_special", says="every occurrence")
def special_once(text, merges, special, allowed):
    """Only the first occurrence of a token."""
    for name in sorted(allowed, key=len, reverse=True):
        before, found, after = text.partition(name)
        if found:
            return [*given_encode(before, merges), special[name], *given_encode(after, merges)]
    return given_encode(text, merges)


@wrong("encode_special", says="ordinary text")
def special_stripped(text, merges, special, allowed):
    """The spaces beside a special token are stripped."""
    if not allowed:
        return given_encode(text, merges)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, sorted(allowed, key=len, reverse=True))) + ")", text):
        ids += [special[piece]] if piece in allowed else given_encode(piece.strip(" "), merges)
    return ids


@wrong("encode_special", says="allowed tokens must become their ids")
def special_never(text, merges, special, allowed):
    """Everything is ordinary text."""
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


# --- decode_special ---


@wrong("decode_special", says="were forgotten")
def undo_without_specials(ids, merges, special):
    """Special ids are left out, as with skip_special_tokens."""
    names = given_vocabulary(merges)
    return b"".join(names[i] for i in ids if i not in special.values()).decode("utf-8", errors="replace")


@wrong("decode_special", says="none of the vocabulary")
def undo_by_vocabulary(ids, merges, special):
    """Looks special ids up among the merges."""
    names = given_vocabulary(merges)
    return b"".join(names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode_special", says="order of the dict")
def undo_by_place(ids, merges, special):
    """The special tokens are appended to the vocabulary in the order of the dict."""
    names = given_vocabulary(merges)
    tokens = [token.encode() for token in special]
    table = {i: tokens[n % len(tokens)] for n, i in enumerate(sorted(special.values()))}
    return b"".join(table[i] if i in table else names[i] for i in ids).decode("utf-8", errors="replace")


@wrong("decode_special", says="each id was decoded alone")
def undo_one_by_one(ids, merges, special):
    """Each id is decoded alone."""
    names, written = given_vocabulary(merges), {i: token for token, i in special.items()}
    return "".join(written[i] if i in written else names[i].decode("utf-8", errors="replace") for i in ids)


@wrong("decode_special", says="was dropped")
def undo_ignoring_errors(ids, merges, special):
    """errors="ignore"."""
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


# --- StreamDecoder ---


@wrong("StreamDecoder", says="each token was decoded alone")
class StreamOfTokens:
    """Each token is decoded alone: half a character is shown."""

    def __init__(self, merges):
        self.names = given_vocabulary(merges)

    def feed(self, id):
        return self.names[id].decode("utf-8", errors="replace")

    def finish(self):
        return ""


@wrong("StreamDecoder", says="was dropped")
class StreamIgnoringErrors:
    """errors="ignore": cut characters disappear."""

    def __init__(self, merges):
        self.names = given_vocabulary(merges)
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")

    def feed(self, id):
        return self.decoder.decode(self.names[id])

    def finish(self):
        return self.decoder.decode(b"", final=True)


@wrong("StreamDecoder", says="was held back though it was certain")
class StreamUntilItDecodes:
    """Waits until all that is held back decodes: after one bad byte, for ever."""

    def __init__(self, merges):
        self.names, self.held = given_vocabulary(merges), b""

    def feed(self, id):
        self.held += self.names[id]
        try:
            text = self.held.decode("utf-8")
        except UnicodeDecodeError:
            return ""
        self.held = b""
        return text

    def finish(self):
        text, self.held = self.held.decode("utf-8", errors="replace"), b""
        return text


@wrong("StreamDecoder", says="was held back though it was certain")
class StreamUnlessReplaced:
    """Shows nothing while the text ends in U+FFFD, which may be what was written."""

    def __init__(self, merges):
        self.names, self.held = given_vocabulary(merges), b""

    def feed(self, id):
        self.held += self.names[id]
        text = self.held.decode("utf-8", errors="replace")
        if text.endswith("\ufffd"):
            return ""
        self.held = b""
        return text

    def finish(self):
        text, self.held = self.held.decode("utf-8", errors="replace"), b""
        return text


@wrong("StreamDecoder", says="the end is missing")
class StreamWithoutAnEnd:
    """finish forgets what is held back."""

    def __init__(self, merges):
        self.names = given_vocabulary(merges)
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, id):
        return self.decoder.decode(self.names[id])

    def finish(self):
        return ""


@wrong("StreamDecoder", says="cannot be taken back")
class StreamOfDifferences:
    """Decodes everything so far and shows what is longer than before: a sign shown too early stays."""

    def __init__(self, merges):
        self.names, self.data, self.shown = given_vocabulary(merges), b"", 0

    def feed(self, id):
        self.data += self.names[id]
        text = self.data.decode("utf-8", errors="replace")
        new, self.shown = text[self.shown :], len(text)
        return new

    def finish(self):
        return ""


@wrong("StreamDecoder", says="always return a string")
class StreamWithNothingToSay:
    """Returns None while it waits."""

    def __init__(self, merges):
        self.names = given_vocabulary(merges)
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, id):
        return self.decoder.decode(self.names[id]) or None

    def finish(self):
        return self.decoder.decode(b"", final=True)


@wrong("StreamDecoder", says="shared by all of them")
class StreamWithOneBuffer:
    """The buffer belongs to the class, and so to all decoders."""

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


@wrong("StreamDecoder", says="is no error")
class StreamOfStrictBytes:
    """An incremental decoder that raises."""

    def __init__(self, merges):
        self.names = given_vocabulary(merges)
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, id):
        return self.decoder.decode(self.names[id])

    def finish(self):
        return self.decoder.decode(b"", final=True)


@wrong("StreamDecoder", says="was held back though it was certain")
class StreamOneCharacterLate:
    """Keeps the last character until the next one comes."""

    def __init__(self, merges):
        self.names, self.last = given_vocabulary(merges), ""
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, id):
        text = self.last + self.decoder.decode(self.names[id])
        self.last = text[-1:]
        return text[:-1]

    def finish(self):
        return self.last + self.decoder.decode(b"", final=True)


@wrong("StreamDecoder", says="was held back though it was certain")
class StreamByLeadByte:
    """Waits for as many bytes as the lead byte announces, even if other ones come."""

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


# --- count_changes ---


@wrong("count_changes", says="the neighbour is merged too")
def changes_by_neighbours(ids, pair, new_id):
    """Goes by the old neighbours of each occurrence, which may be merged themselves."""
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


@wrong("count_changes", says="what is lost is missing")
def changes_gained_only(ids, pair, new_id):
    """Counter minus Counter drops what is negative."""
    after = given_merge(ids, pair, new_id)
    return dict(Counter(zip(after, after[1:])) - Counter(zip(ids, ids[1:])))


@wrong("count_changes", says="what is gained is missing")
def changes_lost_only(ids, pair, new_id):
    """Only what the old neighbours lose."""
    after = given_merge(ids, pair, new_id)
    lost = Counter(zip(ids, ids[1:])) - Counter(zip(after, after[1:]))
    return {p: -n for p, n in lost.items()}


@wrong("count_changes", says="the sign is wrong")
def changes_before_minus_after(ids, pair, new_id):
    """Before minus after."""
    changes = Counter(zip(ids, ids[1:]))
    after = given_merge(ids, pair, new_id)
    changes.subtract(zip(after, after[1:]))
    return {p: n for p, n in changes.items() if n}


@wrong("count_changes", says="leave out the pairs")
def changes_with_zeros(ids, pair, new_id):
    """The zeros are kept."""
    after = given_merge(ids, pair, new_id)
    changes = Counter(zip(after, after[1:]))
    changes.subtract(zip(ids, ids[1:]))
    return dict(changes)


@wrong("count_changes", says="only the pair itself")
def changes_of_the_pair(ids, pair, new_id):
    """As if only the merged pair itself changed."""
    n = given_merge(ids, pair, new_id).count(new_id)
    return {pair: -n} if n else {}


@wrong("count_changes", says="not the change")
def changes_are_counts(ids, pair, new_id):
    """The counts after the merge."""
    after = given_merge(ids, pair, new_id)
    return dict(Counter(zip(after, after[1:])))


@wrong("count_changes", says="not by whether it occurs")
def changes_of_sets(ids, pair, new_id):
    """Sets of pairs, which forget how often one occurs."""
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


# --- train_bpe_fast ---


@wrong("train_bpe_fast", says="stale count")
def fast_never_taking_off(text, vocab_size, pattern=PATTERN):
    """The old neighbours keep their counts."""
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
        del counts[best]
        for w in where.pop(best):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            kept = Counter(zip(old, old[1:]))
            for pair in zip(new, new[1:]):
                if kept[pair] > 0:
                    kept[pair] -= 1
                else:
                    counts[pair] += times[w]
                where[pair].add(w)
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="as often as")
def fast_updating_by_one(text, vocab_size, pattern=PATTERN):
    """The first counts are right, the updates go by 1, not by how often the word occurs."""
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
        del counts[best]
        for w in where.pop(best):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in zip(new, new[1:]):
                counts[pair] += 1
                where[pair].add(w)
            for pair in zip(old, old[1:]):
                if pair != best:
                    counts[pair] -= 1
                    if counts[pair] <= 0:
                        counts.pop(pair)
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="as often as its word occurs, from the start")
def fast_on_distinct_words(text, vocab_size, pattern=PATTERN):
    """Each distinct word counts once from the start."""
    words = [list(part.encode()) for part in dict.fromkeys(given_parts(text, pattern))]
    counts, where = Counter(), defaultdict(set)
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            counts[pair] += 1
            where[pair].add(w)
    merges = []
    while counts and 256 + len(merges) < vocab_size:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for w in where.pop(best):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in zip(new, new[1:]):
                counts[pair] += 1
                where[pair].add(w)
            for pair in zip(old, old[1:]):
                counts[pair] -= 1
                if counts[pair] == 0:
                    del counts[pair]
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="the pairs that a merge creates count too")
def fast_without_new_pairs(text, vocab_size, pattern=PATTERN):
    """What a merge creates is not counted."""
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
        for w in where.pop(best, ()):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            still = Counter(zip(new, new[1:]))
            for pair in zip(old, old[1:]):
                if still[pair]:
                    still[pair] -= 1
                else:
                    counts[pair] -= times[w]
                    if counts[pair] == 0:
                        del counts[pair]
        counts.pop(best, None)
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="stale count")
def fast_losing_the_words(text, vocab_size, pattern=PATTERN):
    """The new pairs are counted, but their words are not entered, so they are never merged."""
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
        for w in where.pop(best, ()):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in zip(new, new[1:]):
                counts[pair] += times[w]
            for pair in zip(old, old[1:]):
                counts[pair] -= times[w]
        counts.pop(best)
        counts = +counts
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="no pair left")
def fast_keeping_zeros(text, vocab_size, pattern=PATTERN):
    """Pairs that are gone stay with the count 0 and are merged in the end."""
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
        for w in where.pop(best, ()):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in zip(new, new[1:]):
                counts[pair] += times[w]
                where[pair].add(w)
            for pair in zip(old, old[1:]):
                counts[pair] -= times[w]
        del counts[best]
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="among equals the smallest pair wins")
def fast_first_seen(text, vocab_size, pattern=PATTERN):
    """most_common takes the first of equals."""
    distinct = Counter(given_parts(text, pattern))
    words, times = [list(part.encode()) for part in distinct], list(distinct.values())
    counts, where = Counter(), defaultdict(set)
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            counts[pair] += times[w]
            where[pair].add(w)
    merges = []
    while counts and 256 + len(merges) < vocab_size:
        best = counts.most_common(1)[0][0]
        for w in sorted(where.pop(best)):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in zip(new, new[1:]):
                counts[pair] += times[w]
                where[pair].add(w)
            for pair in zip(old, old[1:]):
                counts[pair] -= times[w]
                if counts[pair] == 0:
                    del counts[pair]
        merges.append(best)
    return merges


@wrong("train_bpe_fast", says="stale count")
def fast_heap_without_a_check(text, vocab_size, pattern=PATTERN):
    """A heap whose old entries are believed."""
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


@wrong("train_bpe_fast", says="once only")
def fast_by_old_neighbours(text, vocab_size, pattern=PATTERN):
    """Goes by the old neighbours, which may be merged themselves: in abab, ba is taken off twice."""
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


@wrong("train_bpe_fast", says="is missing")
def fast_one_short(text, vocab_size, pattern=PATTERN):
    """Stops one merge early."""
    words = [list(part.encode()) for part in given_parts(text, pattern)]
    merges = []
    for new_id in range(256, vocab_size - 1):
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:]))
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        words = [given_merge(ids, merges[-1], new_id) for ids in words]
    return merges


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
    parts = Counter(regex.findall(pattern, text))
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
