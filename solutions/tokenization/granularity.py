# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Words, characters, or something between
#
# A model does not read text. It reads numbers, one for each token (词元 token). Before anything is learned, somebody
# has to decide what a token is: a word, a character, a byte, or something between. This notebook builds the tools
# that make the choice measurable.
#
# **When you are done you can** split English text by rules and put it together again without a loss, measure how many
# words of new text a vocabulary misses, weigh an embedding matrix, cut Chinese into words in two ways, and compare
# tokenizers by one number that is fair to both languages.
#
# **You need** Python strings, dictionaries and sets. No library but the standard one. Plan about 90 minutes.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import math
import random
import re

# %% [markdown]
# ## `word_tokenize`
# *difficulty ●●● · importance ●●○ · 30 min*
#
# Spaces do most of the work in English, but not all: `"Don't!" she said.` has three pieces between spaces, and none
# of the first and the last is a word. The libraries spaCy and Moses cut such pieces by rules. Here is a small set of
# rules in the same spirit, and a helper that splits at white space and loses none of it. Run the cell and look at
# what it prints.

# %%
INFIXES = ["--", "...", "/"]
PREFIXES = ['"', "'", "(", "[", "$", "£", "_"]
SUFFIXES = ['"', "'", ")", "]", ",", ".", ";", ":", "!", "?", "%", "_", "'s", "'m", "'d", "'re", "'ve", "'ll", "n't"]
EXCEPTIONS = {
    **{whole: [whole] for whole in ["U.S.", "U.K.", "Mr.", "Mrs.", "Dr.", "St.", "e.g.", "i.e.", "a.m.", "p.m."]},
    "cannot": ["can", "not"],
    "Cannot": ["Can", "not"],
    "gonna": ["gon", "na"],
}


def chunks(text: str) -> list[tuple[str, str]]:
    """Pairs of a piece and the white space after it: 'a  b' -> [('a', '  '), ('b', '')].

    A text that begins with white space gives an empty first piece.
    """
    return [pair for pair in re.findall(r"(\S*)(\s*)", text) if pair != ("", "")]


if __name__ == "__main__":
    print(chunks('"Don\'t!"  she said.\n'))

# %% [markdown]
# `word_tokenize(text)` returns a list of pairs `(token, space)`, where `space` is the white space that follows the
# token in the text. Most are `" "` or `""`. So **nothing is lost**:
# `"".join(token + space for token, space in pairs) == text`.
#
# Each piece from `chunks(text)` is cut like this:
#
# 1. Cut it at all the `INFIXES`, from left to right. Each infix is a token. Each part between them goes through the
#    steps 2 to 5; a part of no characters gives no token.
# 2. If what is left of the part is in `EXCEPTIONS`, take the tokens that stand there. The part is done.
# 3. Otherwise, if it starts with one of `PREFIXES`, cut that off as a token. Go back to 2 with what is left.
# 4. Otherwise, if it ends with one of `SUFFIXES`, cut that off as a token. Go back to 2 with what is left.
# 5. Otherwise, what is left is a token.
#
# The tokens keep the order that they have in the text. The space after a piece goes with its **last** token; the
# others get `""`. If the text begins with white space, the first pair is `("", that white space)`, as in `chunks`;
# there is no other empty token.
#
# By hand, for the piece `"Don't!"`: no infix, no exception; the prefix `"` goes, and `Don't!"` is left. No exception,
# no prefix; the suffix `"` goes, then `!`, then `n't`. `Do` is left: a token.
#
# | token | `"` | `Do` | `n't` | `!` | `"` | `she` | `said` | `.` |
# |---|---|---|---|---|---|---|---|---|
# | space | `""` | `""` | `""` | `""` | `" "` | `" "` | `""` | `""` |
#
# And `3.14` stays whole, since a full stop is a suffix and not an infix.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Suffixes are found from the outside to the inside, but they stand in the text from the inside to the outside.
#
# <details><summary>Hint 2: the approach</summary>
#
# For each part, keep two lists: `front`, to which prefixes are appended, and `back`, to which suffixes are appended
# and which is turned round at the end. A `while rest:` loop does one of the steps 2 to 5 and goes on.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `re.split("(" + "|".join(map(re.escape, INFIXES)) + ")", piece)` cuts at the infixes and keeps them.
# `next((p for p in PREFIXES if rest.startswith(p)), "")` is the prefix or `""`. After the loop, the part's tokens are
# `front + middle + back[::-1]`. Of all the tokens of a piece, the last gets the piece's space.
#
# </details></details></details>


# %% nbgrader={"grade_id": "word_tokenize", "solution": true}
def word_tokenize(text: str) -> list[tuple[str, str]]:
    """Pairs (token, white space after it), by the five steps. Joined together they are the text."""
    ### BEGIN SOLUTION
    infix = re.compile("(" + "|".join(map(re.escape, INFIXES)) + ")")
    pairs = []
    for piece, space in chunks(text):
        tokens = []
        for rest in infix.split(piece):  # the parts, and the infixes between them
            if rest in INFIXES:
                tokens.append(rest)
                continue
            front, middle, back = [], [], []
            while rest:
                if rest in EXCEPTIONS:
                    middle, rest = EXCEPTIONS[rest], ""
                elif prefix := next((p for p in PREFIXES if rest.startswith(p)), ""):
                    front.append(prefix)
                    rest = rest[len(prefix) :]
                elif suffix := next((s for s in SUFFIXES if rest.endswith(s)), ""):
                    back.append(suffix)
                    rest = rest[: -len(suffix)]
                else:
                    middle, rest = [rest], ""
            tokens += [*front, *middle, *reversed(back)]
        tokens = tokens or [""]  # white space at the start of the text
        pairs += [(token, "") for token in tokens[:-1]]
        pairs.append((tokens[-1], space))
    return pairs
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_word_tokenize", "grade": true, "points": 3}
def test_word_tokenize():
    """Punctuation comes off, exceptions stay, and every space can be found again."""

    def check(text, expected, mistakes=()):
        pairs = word_tokenize(text)
        assert isinstance(pairs, (list, tuple)), f"{text!r}: expected a list of pairs, got {type(pairs).__name__}"
        for pair in pairs:
            assert isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(s, str) for s in pair), (
                f"{text!r}: expected pairs (token, space), both strings, got {pair!r}"
            )
        tokens, spaces = [t for t, _ in pairs], [s for _, s in pairs]
        joined = "".join(t + s for t, s in pairs)
        if joined != text:
            assert "".join(tokens) != "".join(text.split()), (
                f"{text!r}: the spaces cannot be found again: joined, the pairs give {joined!r}: "
                "the white space of a piece goes with its last token, as it is"
            )
            assert "".join(tokens).lower() != "".join(text.split()).lower(), (
                f"{text!r}: upper and lower case were changed: {tokens}"
            )
            assert sorted("".join(tokens)) != sorted("".join(text.split())), (
                f"{text!r}: the tokens are out of order: {tokens}: suffixes are found from the outside inwards"
            )
            raise AssertionError(f"{text!r}: characters were lost or added: joined, the pairs give {joined!r}")
        for wrong, mistake in mistakes:
            assert tokens != wrong.split(), f"{text!r}: got {tokens}: {mistake}"
        assert tokens == expected.split() or (text[:1].isspace() and tokens == ["", *expected.split()]), (
            f"{text!r}: expected the tokens {expected.split()}, got {tokens}"
        )
        for token, space in pairs[1:]:
            assert token, f"{text!r}: an empty token before {space!r}: only leading white space has one"
        assert all(s == "" or s.isspace() for s in spaces), f"{text!r}: not white space: {spaces}"

    check("The rooms were clean", "The rooms were clean")
    check("Clean, quiet.", "Clean , quiet .", [("Clean, quiet.", "the punctuation is still glued to the words")])
    check(
        '("Yes!")',
        '( " Yes ! " )',
        [('( "Yes!" )', "only one prefix and one suffix came off: go back to step 2 until none fits")],
    )
    check(
        "I don't know.",
        "I do n't know .",
        [
            ("I don't know .", "n't is a suffix too"),
            ("I don ' t know .", "the apostrophe was cut out of the middle: it is no infix"),
            ("I don 't know .", "n't is the suffix, not 't"),
        ],
    )
    check(
        "It costs $3.14 in the U.S.",
        "It costs $ 3.14 in the U.S.",
        [
            ("It costs $ 3 . 14 in the U . S .", "a full stop was cut out of the middle: it is a suffix, not an infix"),
            ("It costs $ 3.14 in the U.S .", "U.S. is an exception, and exceptions come first"),
        ],
    )
    check(
        "(the U.S.), Mr. Smith",
        "( the U.S. ) , Mr. Smith",
        [
            ("( the U.S . ) , Mr. Smith", "look exceptions up again after each cut, not only for the whole piece"),
        ],
    )
    check(
        "Wait... she said--no, and/or yes",
        "Wait ... she said -- no , and / or yes",
        [
            ("Wait . . . she said -- no , and / or yes", "... is an infix, and the infixes are cut first"),
            ("Wait . . . she said--no , and/or yes", "the infixes were not cut"),
        ],
    )
    check(
        '"It is."--"No!"',
        '" It is . " -- " No ! "',
        [
            ('" It is."--"No ! "', "the infixes were not cut"),
            ('" It is." -- "No ! "', "the parts between infixes go through the steps 2 to 5 too: infixes first"),
        ],
    )
    check("two  spaces\nand a line\n", "two spaces and a line")
    check("  leading", "leading")
    check("", "")
    ### BEGIN HIDDEN TESTS
    check("You cannot; I'm sure you're right.", "You can not ; I 'm sure you 're right .")
    check("(cannot)", "( can not )", [("( cannot )", "look exceptions up again after each cut")])
    check("_Emma_, she'd say", "_ Emma _ , she 'd say")
    check("'Tis Mary's--and John's!--too", "' Tis Mary 's -- and John 's ! -- too")
    check('"Oh!--"', '" Oh ! -- "')
    check("a/b/c 1/2 --dash-- ...", "a / b / c 1 / 2 -- dash -- ...")
    check("$5--$6, 20%... (e.g., 9 a.m.)", "$ 5 -- $ 6 , 20 % ... ( e.g. , 9 a.m. )")
    check("酒店很干净, 服务好.", "酒店很干净 , 服务好 .")
    check("'' -- . n't 's", "' ' -- . n't ' s")
    rng = random.Random(4)
    pieces = ["word", "can't", "U.S.", "3.14", *PREFIXES, *SUFFIXES, "/", " ", " ", "  ", "\n", "\t", "🙂", "酒店", "　"]
    for _ in range(300):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 12)))
        pairs = word_tokenize(text)
        joined = "".join(t + s for t, s in pairs)
        assert joined == text, f"{text!r}: joined, the pairs give {joined!r}: spaces or characters were lost"
        assert not [t for t, _ in pairs if any(c.isspace() for c in t)], f"{text!r}: white space in a token: {pairs}"
        assert not [s for _, s in pairs if s.strip()], f"{text!r}: not white space: {pairs}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_word_tokenize()


# %% [markdown]
# ## `coverage`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# A vocabulary (词表 vocabulary) is a list of the tokens that a model knows. A word outside it is *out of vocabulary*
# (未登录词, OOV). How many words of **new** text are outside? That must be measured on text from which the vocabulary was
# not made.
#
# `coverage(train_counts, test_counts, sizes)` takes two dictionaries, word → how often it occurs, and a list of
# vocabulary sizes. For each size V it makes the vocabulary of the V most frequent words of `train_counts`, and
# returns **the OOV rate: the share of all occurrences in `test_counts` whose word is not in the vocabulary**. The
# result is a list of floats between 0 and 1, in the order of `sizes`.
#
# - Of words with the same count, the one that sorts first (`"a" < "b"`) comes first.
# - If V is larger than the number of training words, the vocabulary holds them all.
# - `test_counts` has at least one occurrence.
#
# By hand: `train_counts = {"the": 5, "room": 3, "clean": 1}` and `test_counts = {"the": 6, "room": 1, "bed": 3}`.
# With V = 1 the vocabulary is {the}; 4 of 10 occurrences are outside: 0.4. With V = 2 it is {the, room}: 0.3. More
# does not help: *bed* was never seen. (By words and not by occurrences, it would be 2/3 and 1/3, which is another
# question.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# The two dictionaries have different jobs: one chooses the words, the other is counted.
#
# <details><summary>Hint 2: the approach</summary>
#
# Sort the training words by count, downwards, and by the word itself, upwards. For each V, the first V are the
# vocabulary; add up the counts of the test words that are not in it and divide by the sum of all test counts.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `ranked = sorted(train_counts, key=lambda w: (-train_counts[w], w))`; for each V, `known = set(ranked[:V])` and
# `sum(n for w, n in test_counts.items() if w not in known) / sum(test_counts.values())`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "coverage", "solution": true}
def coverage(train_counts: dict[str, int], test_counts: dict[str, int], sizes: list[int]) -> list[float]:
    """For each size V, the share of test occurrences outside the V most frequent training words."""
    ### BEGIN SOLUTION
    ranked = sorted(train_counts, key=lambda word: (-train_counts[word], word))
    total = sum(test_counts.values())
    covered = [0]  # covered[V]: occurrences in the test text of the first V words
    for word in ranked:
        covered.append(covered[-1] + test_counts.get(word, 0))
    return [1 - covered[min(size, len(ranked))] / total for size in sizes]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_coverage", "grade": true, "points": 2}
def test_coverage():
    """Occurrences, not words; the vocabulary comes from the training counts alone."""

    def near(a, b):
        return len(a) == len(b) and all(abs(x - y) < 1e-9 for x, y in zip(a, b))

    def check(train, test, sizes, expected, known=()):
        call = f"coverage({train}, {test}, {sizes})"
        try:
            got = [float(rate) for rate in coverage(dict(train), dict(test), list(sizes))]
        except (KeyError, IndexError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__} {error}: a word may be in one dictionary and not in the other, "
                "and a size may be larger than the number of words"
            ) from None
        assert len(got) == len(sizes), f"{call}: expected {len(sizes)} numbers, one for each size, got {got}"
        for wrong, mistake in known:
            assert not near(got, wrong), f"{call}: got {got}: {mistake}"
        assert not near(got, [1 - r for r in expected]), f"{call}: got {got}: that is the share INSIDE the vocabulary"
        assert not near(got, [100 * r for r in expected]), f"{call}: got {got}: as a share of 1, not in per cent"
        assert near(got, expected), f"{call}: expected {expected}, got {got}"

    train, test = {"the": 5, "room": 3, "clean": 1}, {"the": 6, "room": 1, "bed": 3}
    check(
        train,
        test,
        [1, 2, 3],
        [0.4, 0.3, 0.3],
        [
            ([2 / 3, 1 / 3, 1 / 3], "that counts each different word once: count the occurrences (tokens, not types)"),
            ([0.4, 0.1, 0.0], "the vocabulary was made from the test text: it may only see the training counts"),
            ([4 / 9, 1 / 9, 0.0], "that is the rate on the training text: measure it on test_counts"),
            ([1.0, 0.4, 0.3], "the vocabulary has one word too few"),
            ([0.3, 0.3, 0.3], "the vocabulary has one word too many, or all words at any size"),
            ([1.0, 0.9, 0.3], "the rarest words were taken, not the most frequent"),
        ],
    )
    check(
        {"pear": 2, "apple": 2, "fig": 2},
        {"apple": 7, "fig": 2, "pear": 1},
        [1, 2],
        [0.3, 0.1],
        [
            ([0.9, 0.2], "of words with the same count, the one that sorts first comes first, not the one seen first"),
            ([0.9, 0.7], "of words with the same count, the one that sorts first comes first, not the last"),
        ],
    )
    check(
        train, test, [9, 0, 2], [0.3, 1.0, 0.3], [([0.3, 0.3, 1.0], "the order of `sizes` is kept: do not sort them")]
    )
    ### BEGIN HIDDEN TESTS
    rng = random.Random(8)
    words = [chr(97 + i) + chr(97 + j) for i in range(9) for j in range(9)]
    for _ in range(20):
        train = {w: rng.randint(1, 6) for w in rng.sample(words, 40)}
        test = {w: rng.randint(1, 6) for w in rng.sample(words, 40)}
        sizes = [rng.randint(0, 50) for _ in range(6)]
        ranked = [w for _, w in sorted((-n, w) for w, n in train.items())]
        expected = []
        for size in sizes:
            outside = [n for w, n in test.items() if w not in ranked[:size]]
            expected.append(sum(outside) / sum(test.values()))
        check(train, test, sizes, expected)
    check({"a": 1}, {"b": 4}, [1, 1000], [1.0, 1.0])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_coverage()


# %% [markdown]
# ## `embedding_bytes`
# *difficulty ●○○ · importance ●●○ · 5 min*
#
# The embedding matrix (嵌入矩阵 embedding matrix) has a row for each token of the vocabulary and a column for each of the
# D numbers that stand for it. How many bytes is that?
#
# `embedding_bytes(V, D, dtype)` returns a whole number. `dtype` is one of the names in the table `BITS`, which says
# how many bits a number takes. A byte has 8 bits, and a byte that is begun counts as a whole one: 3 numbers of 4 bits
# are 2 bytes.
#
# By hand: GPT-2's smallest model has V = 50,257 and D = 768. That is 38,597,376 numbers; in `float32`, with 4 bytes
# each,
# 154,389,504 bytes.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Rows times columns is the count of numbers. The table gives bits, the answer is in bytes.
#
# <details><summary>Hint 2: the approach</summary>
#
# Multiply first, divide by 8 at the very end, and round up, not down.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# Rounding up a division of whole numbers: `(n + 7) // 8`, or `-(-n // 8)`.
#
# </details></details></details>

# %%
BITS = {"float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "int4": 4}


# %% nbgrader={"grade_id": "embedding_bytes", "solution": true}
def embedding_bytes(V: int, D: int, dtype: str = "float32") -> int:
    """Bytes of a matrix of V rows and D columns whose numbers take BITS[dtype] bits each."""
    ### BEGIN SOLUTION
    return (V * D * BITS[dtype] + 7) // 8
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_embedding_bytes", "grade": true, "points": 1}
def test_embedding_bytes():
    """Rows times columns times the size of a number, in bytes."""

    def check(V, D, dtype, expected):
        call = f"embedding_bytes({V}, {D}, {dtype!r})"
        got = embedding_bytes(V, D, dtype)
        size = expected / (V * D)
        for wrong, mistake in [
            (V * D, "that is the count of numbers: each takes several bits"),
            (V * D * BITS[dtype], "those are bits: a byte has 8"),
            (V * D * BITS[dtype] // 8, "the byte that is begun counts as a whole one: round up"),
            (V * D * (BITS[dtype] // 8), "a number may be less than a byte: multiply first, divide by 8 at the end"),
            (V * D * -(-BITS[dtype] // 8), "a number may be less than a byte: multiply first, divide by 8 at the end"),
            (V * D * 4, "that is right for float32 only: look dtype up in BITS"),
            ((V + D) * size, "rows times columns, not rows plus columns"),
            (V * V * size, "V rows of D numbers, not of V"),
            (expected / 1e6, "in bytes, not in megabytes"),
            (expected / 2**20, "in bytes, not in megabytes"),
            (2 * expected, "one matrix only: whether the output shares it is another question"),
        ]:
            assert wrong == expected or got != wrong, f"{call}: expected {expected}, got {got}: {mistake}"
        assert got == expected, f"{call}: expected {expected}, got {got}"

    check(50257, 768, "float32", 154389504)
    check(50257, 768, "bfloat16", 77194752)
    check(100, 3, "int8", 300)
    check(1, 3, "int4", 2)
    check(1, 1, "float64", 8)
    ### BEGIN HIDDEN TESTS
    check(267735, 1024, "float32", 1096642560)
    check(49152, 576, "float16", 56623104)
    check(3, 5, "int4", 8)
    check(4, 5, "int4", 10)
    check(128256, 4096, "float64", 4202692608)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_embedding_bytes()


# %% [markdown]
# ## `max_match`
# *difficulty ●○○ · importance ●●○ · 15 min*
#
# Chinese is written without spaces. If you have a lexicon (词典 lexicon), the plainest way to find the words is *forward
# maximum match* (正向最大匹配): from the left, always take the longest word of the lexicon that starts here.
#
# `max_match(text, lexicon)` takes a string and a set of words and returns a list of tokens whose concatenation is the
# text. Where no word of the lexicon starts, **the single character becomes a token**, and the search goes on after
# it. Words in the lexicon have at least one character and may be of any length.
#
# By hand, with the lexicon {研究, 研究生, 生命, 起源}: at the start of 研究生命起源 (research the origin of life), 研究 and 研究生
# (graduate student) both fit. The longer one wins. At 命 nothing starts, so it stands alone; then 起源. The result is
# 研究生 · 命 · 起源, which is *not* what the phrase means: 研究 · 生命 · 起源. Greed has its price.
#
# <details><summary>Hint 1: a nudge</summary>
#
# At each place you need to look at the longest candidate first. How long can it be?
#
# <details><summary>Hint 2: the approach</summary>
#
# Find the length of the longest word of the lexicon once. At position i, try the lengths from that one downwards;
# stop at the first that is in the lexicon, or at length 1.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `for n in range(min(longest, len(text) - i), 0, -1):` with `if n == 1 or text[i : i + n] in lexicon:` append, `i +=
# n`, and `break`. With an empty lexicon, `max(..., default=1)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "max_match", "solution": true}
def max_match(text: str, lexicon: set[str]) -> list[str]:
    """From the left, the longest word of the lexicon each time; a single character where none starts."""
    ### BEGIN SOLUTION
    longest = max(map(len, lexicon), default=1)
    tokens, i = [], 0
    while i < len(text):
        for n in range(min(longest, len(text) - i), 0, -1):
            if n == 1 or text[i : i + n] in lexicon:
                break
        tokens.append(text[i : i + n])
        i += n
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_max_match", "grade": true, "points": 2}
def test_max_match():
    """From the left, the longest word each time, and no character is lost."""

    def check(text, lexicon, expected, mistakes=()):
        call = f"max_match({text!r}, {sorted(lexicon)})"
        tokens = list(max_match(text, set(lexicon)))
        for wrong, mistake in mistakes:
            assert tokens != wrong.split(), f"{call}: got {tokens}: {mistake}"
        assert "".join(tokens) == text, (
            f"{call}: the tokens {tokens} do not make up the text again: "
            "a character that starts no word becomes a token of its own"
        )
        assert tokens == expected.split(), f"{call}: expected {expected.split()}, got {tokens}"

    check(
        "研究生命起源",
        ["研究", "研究生", "生命", "起源"],
        "研究生 命 起源",
        [
            (
                "研究 生命 起源",
                "that is the better reading, but not this algorithm's: match forward, not backward, "
                "and take the longest word, not the shortest",
            ),
            ("研究生 起源", "命 was lost: a character that starts no word becomes a token of its own"),
            ("研究 生 命 起源", "the shortest word was taken: the longest that fits wins"),
            ("研究生 命起源", "the rest was taken as one token: after one unknown character, search again"),
        ],
    )
    check(
        "酒店X很Y干净",
        ["酒店", "干净"],
        "酒店 X 很 Y 干净",
        [
            ("酒店 X很Y 干净", "unknown characters were put together: each is a token of its own"),
            ("酒店 干净", "unknown characters were lost"),
        ],
    )
    check(
        "中华人民共和国成立",
        ["中华", "中华人民共和国", "人民", "共和国", "成立"],
        "中华人民共和国 成立",
        [
            ("中华 人民 共和国 成立", "a lexicon word of 7 characters starts here: do not stop at a fixed length"),
            ("中华 人 民 共和国 成立", "the shortest word was taken: the longest that fits wins"),
        ],
    )
    check("干净", [], "干 净")
    check("", ["干净"], "")
    ### BEGIN HIDDEN TESTS
    check("aaab", ["aa", "ab"], "aa ab")
    check("aaa", ["aa", "aaaa"], "aa a")
    check("abcabd", ["abcd", "ab", "abd"], "ab c abd")
    check("🙂干净🙂", ["干净"], "🙂 干净 🙂")
    rng = random.Random(2)
    for _ in range(200):
        text = "".join(rng.choice("abc") for _ in range(rng.randint(1, 12)))
        lexicon = {"".join(rng.choice("abc") for _ in range(rng.randint(1, 5))) for _ in range(rng.randint(1, 9))}
        expected, rest = [], text
        while rest:
            fits = [w for w in lexicon if rest.startswith(w)]
            expected.append(max(fits, key=len) if fits else rest[0])
            rest = rest[len(expected[-1]) :]
        check(text, lexicon, " ".join(expected))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_max_match()


# %% [markdown]
# ## `segment_dag`
# *difficulty ●●● · importance ●●● · 25 min*
#
# Greed took 研究生 because it is long. Better: give every way to cut the text a probability, and take the best one.
# Count how often each word of the lexicon occurs; the probability of a word is its count over the sum of all counts;
# the probability of a cut is the product over its words. This is what the library jieba does when its model for new
# words is switched off (`HMM=False`). All cuts together form a directed graph without loops (有向无环图, DAG): a node for
# each place between two characters, an arrow for each word.
#
# `segment_dag(text, freq)` takes a string and a dictionary, word → count (at least 1), and returns the tokens of the
# cut with the largest product. The dictionary has at least one word.
#
# - The tokens of a cut are words of `freq`, or **single characters**. A single character that `freq` does not know
#   counts as if it had occurred **once**. The total stays the sum of the counts in `freq`.
# - Products of many small numbers become 0. So add logarithms: the score of a word is `log(count / total)`.
# - Where two cuts have the same score, either of them is right.
# - It must be quick on a text of a few hundred characters: trying every cut is not.
#
# By hand, with `freq = {研究: 40, 研究生: 10, 生命: 25, 命: 5, 起源: 20}`, total 100: the cut 研究 · 生命 · 起源 has 0.40 · 0.25 ·
# 0.20 = 0.02. The cut 研究生 · 命 · 起源 has 0.10 · 0.05 · 0.20 = 0.001. The first one wins.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A text of n characters can be cut in 2ⁿ⁻¹ ways. But the best cut of a text that starts with 研究 is 研究 and then the
# best cut of the rest.
#
# <details><summary>Hint 2: the approach</summary>
#
# Go from the right to the left. For each position i, keep the best score of `text[i:]` and the length of its first
# word. The best score at i is the largest, over the words that start at i, of the word's score plus the best score
# where the word ends. Behind the end of the text it is 0. Then walk from the left along the stored lengths.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `best = [(0.0, 0)] * (len(text) + 1)`, then `for i in reversed(range(len(text)))`: `best[i] =
# max((math.log(freq.get(text[i:j], 1) / total) + best[j][0], j) for j in ... )`, over the j where `j == i + 1` or
# `text[i:j] in freq`. No j beyond `i + longest` is needed.
#
# </details></details></details>


# %% nbgrader={"grade_id": "segment_dag", "solution": true}
def segment_dag(text: str, freq: dict[str, int]) -> list[str]:
    """The cut of the text into lexicon words and single characters whose product of count / total is largest."""
    ### BEGIN SOLUTION
    log_total = math.log(sum(freq.values()))
    longest = max(map(len, freq))
    n = len(text)
    best = [(0.0, n)] * (n + 1)  # best[i]: the score of the best cut of text[i:], and where its first word ends
    for i in reversed(range(n)):
        ends = (j for j in range(i + 1, min(i + longest, n) + 1) if j == i + 1 or text[i:j] in freq)
        best[i] = max((math.log(freq.get(text[i:j], 1)) - log_total + best[j][0], j) for j in ends)
    tokens, i = [], 0
    while i < n:
        tokens.append(text[i : best[i][1]])
        i = best[i][1]
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_segment_dag", "grade": true, "points": 3}
def test_segment_dag():
    """The most probable cut, with unknown characters counted once, on long texts too."""

    def run(text, freq):
        shown = text if len(text) < 40 else text[:12] + f"… ({len(text)} characters)"
        call = f"segment_dag({shown!r}, {freq})"
        try:
            tokens = list(segment_dag(text, dict(freq)))
        except (KeyError, ValueError, ZeroDivisionError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: a single character that the lexicon does not know counts "
                "once (never log(0)), so every position has a candidate"
            ) from None
        assert "".join(tokens) == text, (
            f"{call}: the tokens {tokens} do not make up the text again: unknown characters stand alone, not lost"
        )
        return call, tokens

    def check(text, freq, expected, mistakes=()):
        call, tokens = run(text, freq)
        for wrong, mistake in mistakes:
            assert tokens != wrong.split(), f"{call}: got {tokens}: {mistake}"
        assert tokens == expected.split(), f"{call}: expected {expected.split()}, got {tokens}"

    freq = {"研究": 40, "研究生": 10, "生命": 25, "命": 5, "起源": 20}
    check(
        "研究生命起源",
        freq,
        "研究 生命 起源",
        [
            ("研究生 命 起源", "that is forward maximum match: compare whole cuts, not first words"),
            ("研 究 生 命 起 源", "that is the least probable cut: max, not min"),
            ("研 究 生命 起 源", "an unknown character must cost log(1 / total), as if it had occurred once, not nothing"),
        ],
    )
    check(
        "酒店很好",
        {"酒店": 50, "酒": 20, "店": 20, "很": 5, "好": 5},
        "酒店 很 好",
        [
            ("酒 店 很 好", "the counts were not divided by their total: then more words always seem better"),
        ],
    )
    check(
        "中国人民很好",
        {"中国": 30, "中国人": 10, "人民": 30, "民": 1, "很": 14, "好": 14, "国人": 1},
        "中国 人民 很 好",
        [("中国人 民 很 好", "that is forward maximum match: compare whole cuts, not first words")],
    )
    check(
        "不可能",
        {"不可能": 2, "不": 50, "可能": 48},
        "不 可能",
        [("不可能", "that is the cut with the fewest words: the most probable one is asked for")],
    )
    check(
        "酒店X很Y",
        {"酒店": 60, "很": 40},
        "酒店 X 很 Y",
        [("酒店 X很Y", "unknown characters were put together: each stands alone")],
    )
    check(
        "干净吗",
        {"干净": 10, "净吗": 90, "吗": 900},
        "干净 吗",
        [
            (
                "干 净吗",
                "an unknown character must cost log(1 / total), as if it had occurred once, not nothing",
            )
        ],
    )
    call, tokens = run("研究生命起源" * 30, freq | {"的": 10_000_000})
    assert tokens == ["研究", "生命", "起源"] * 30, (
        f"{call}: expected 研究 生命 起源 again and again, got {tokens[:4]} …: "
        "on a long text a product of probabilities becomes 0, and all cuts are equal: add logarithms"
    )
    check("", freq, "")
    ### BEGIN HIDDEN TESTS

    def score(tokens, freq):
        total = sum(freq.values())
        return sum(math.log(freq.get(t, 1) / total) for t in tokens)

    def cuts(text, freq):
        if not text:
            yield []
        for j in range(1, len(text) + 1):
            if j == 1 or text[:j] in freq:
                for rest in cuts(text[j:], freq):
                    yield [text[:j], *rest]

    rng = random.Random(6)
    for _ in range(250):
        text = "".join(rng.choice("abcd") for _ in range(rng.randint(1, 9)))
        words = {"".join(rng.choice("abcd") for _ in range(rng.randint(1, 4))) for _ in range(rng.randint(1, 15))}
        freq = {w: rng.choice([1, 2, 5, 20, 300]) for w in sorted(words)}
        call, tokens = run(text, freq)
        foreign = [t for t in tokens if len(t) != 1 and t not in freq]
        assert not foreign, f"{call}: got {tokens}: {foreign} are neither single characters nor in the lexicon"
        best = max(cuts(text, freq), key=lambda c: score(c, freq))
        assert score(tokens, freq) >= score(best, freq) - 1e-9, (
            f"{call}: got {tokens} with the score {score(tokens, freq):.4f}, "
            f"but {best} has {score(best, freq):.4f}: every cut was tried"
        )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_segment_dag()


# %% [markdown]
# ## `fertility`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# How finely does a tokenizer cut? Tokens per character, or tokens per byte: the two can say opposite things of two
# languages, since nearly every Chinese character has three bytes in UTF-8 and an English letter has one.
#
# `fertility(tokenizer, text)` returns the pair `(tokens per character, tokens per byte)`.
#
# - `tokenizer` is a function: call it with the whole text, and it returns a list of tokens.
# - A character is what Python's `len` counts (a code point); bytes are those of UTF-8. The text has at least one.
#
# By hand: the text `酒店ok🙂` has 5 characters and 3 + 3 + 1 + 1 + 4 = 12 bytes. If the tokenizer returns three tokens,
# 酒店, ok and 🙂, the result is (3/5, 3/12) = (0.6, 0.25).
#
# <details><summary>Hint 1: a nudge</summary>
#
# Only one of the two lengths is `len(text)`.
#
# <details><summary>Hint 2: the approach</summary>
#
# Call the tokenizer once and count what it returns. `text.encode("utf-8")` is the bytes.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `n = len(tokenizer(text))`, then divide it by `len(text)` and by `len(text.encode("utf-8"))`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "fertility", "solution": true}
def fertility(tokenizer, text: str) -> tuple[float, float]:
    """Tokens per character (code point) and tokens per byte (UTF-8) of a text."""
    ### BEGIN SOLUTION
    count = len(tokenizer(text))
    return count / len(text), count / len(text.encode("utf-8"))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_fertility", "grade": true, "points": 1}
def test_fertility():
    """Tokens over characters, tokens over bytes, in this order."""

    def check(tokenizer, name, text, tokens, characters, bytes_):
        call = f"fertility({name}, {text!r})"
        got = fertility(tokenizer, text)
        assert isinstance(got, (tuple, list)) and len(got) == 2, f"{call}: expected a pair of numbers, got {got!r}"
        got = tuple(float(x) for x in got)
        expected = (tokens / characters, tokens / bytes_)

        def near(a, b):
            return all(abs(x - y) < 1e-9 for x, y in zip(a, b))

        if near(got, expected):
            return
        wide = len(text.encode("utf-16-le"))
        for wrong, mistake in [
            (expected[::-1], "the pair is swapped: per character first"),
            ((characters / tokens, bytes_ / tokens), "that is the inverse: tokens over characters, tokens over bytes"),
            ((tokens / characters, tokens / characters), "characters were taken for bytes: encode the text as UTF-8"),
            ((tokens / bytes_, tokens / bytes_), "bytes were taken for characters: len(text) counts characters"),
            ((tokens / characters, tokens / wide), "UTF-16 was counted: encode the text as UTF-8"),
            ((tokens, tokens), "the counts were not divided"),
        ]:
            assert not near(got, wrong), f"{call}: expected {expected}, got {got}: {mistake}"
        for unit in (text.split(), list(text)):
            if len(unit) != tokens:
                assert not near(got, (len(unit) / characters, len(unit) / bytes_)), (
                    f"{call}: expected {expected}, got {got}: call the tokenizer with the whole text, count its tokens"
                )
        raise AssertionError(f"{call}: expected {expected}, got {got}")

    check(lambda text: re.findall(r"[a-z]+|[一-鿿]+|.", text), "runs of letters", "酒店ok🙂", 3, 5, 12)
    check(lambda text: text.split(), "split at spaces", "the room was clean", 4, 18, 18)
    check(lambda text: list(text), "characters", "很干净", 3, 3, 9)
    ### BEGIN HIDDEN TESTS
    check(lambda text: list(text.encode("utf-8")), "bytes", "很干净!", 10, 4, 10)
    check(lambda text: [text], "one token", "🙂", 1, 1, 4)
    check(lambda text: [text[i : i + 2] for i in range(0, len(text), 2)], "pairs of characters", "café 酒店", 4, 7, 12)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_fertility()
