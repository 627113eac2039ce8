# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # Words, characters, or something between
#
# A model does not read text. It reads numbers, one for each token (词元 token). Before anything is learned, somebody
# has to decide what a token is: a word, a character, a byte, or something between. This notebook builds the tools
# that make the choice measurable.
#
# **When you are done you can** split English text by rules and put it together again without a loss, measure how many
# words of new text a vocabulary misses, weigh an embedding matrix, cut Chinese into words in two ways, and say how
# finely a tokenizer cuts, per character and per byte, which can tell opposite stories of two languages.
#
# **You need** Python strings, dictionaries and sets. No library but the standard one. Plan about 100 minutes.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import math
import re

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## `word_tokenize`
# *difficulty ●●● · importance ●●○ · 30 min*
#
# Spaces do most of the work in English, but not all: `"Don't!" she said.` has three pieces between spaces, and neither
# the first nor the last is a word. The libraries spaCy and Moses cut such pieces by rules. Here is a small set of
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
# there is no other empty token. Prefixes, suffixes and exceptions are compared as they are written, capital letters and
# all: `Mr.` is an exception, `MR.` is none. The tables stay as they are.
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
# Hint 1 (a nudge): Suffixes are found from the outside to the inside, but they stand in the text from the inside to the
# outside.
#
# Hint 2 (the approach): For each part, keep two lists: `front`, to which prefixes are appended, and `back`, to which
# suffixes are appended and which is turned round at the end. A `while rest:` loop does one of the steps 2 to 5 and goes
# on.
#
# Hint 3 (the steps): `re.split` with a pattern in brackets keeps what it cuts at; `re.escape` takes the full stops of
# `...` for what they are. The loop asks in this order: is `rest` an exception, does it start with a prefix, does it end
# with a suffix, and what else? After the loop the tokens of the part are the front ones, the middle ones, and the back
# ones turned round. Of all the tokens of a piece, the last gets the piece's space.


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
    cut = [('"', ""), ("Do", ""), ("n't", ""), ("!", ""), ('"', " "), ("she", " "), ("said", ""), (".", "")]
    check(word_tokenize, '"Don\'t!" she said.', gives=cut)
    check(word_tokenize, "('(the U.S.)'), Mr. Smith cannot.")
    check(word_tokenize, "It costs $3.14 in the U.S.")
    check(word_tokenize, "Wait... she said--no--no, and/or yes")
    check(word_tokenize, '"It is."--"No!" \'s')
    check(word_tokenize, "  two  spaces\nand a line\n")
    ### BEGIN HIDDEN TESTS
    check(word_tokenize, "", about="an empty text")
    check(word_tokenize, " \n", about="white space only")
    check(word_tokenize, "You cannot; I'm sure you're right.", about="exceptions and contractions")
    check(word_tokenize, "'Tis _Emma_, she'd say Mary's--and John's!--too", about="contractions beside dashes")
    check(word_tokenize, "a/b/c 1/2 --dash-- ... \"Oh!--\"", about="infixes at the ends of a piece")
    check(word_tokenize, "$5--$6, 20%... (e.g., 9 a.m.)", about="signs of money and per cent")
    check(word_tokenize, "'' -- . n't 's [n't]", about="pieces of nothing but signs")
    check(word_tokenize, "CANNOT DON'T mr. MR. Cannot", about="capital letters")
    check(word_tokenize, "a well-known a---b - c-", about="hyphens")
    check(word_tokenize, "so.... well..... no..", about="many dots")
    check(word_tokenize, "cannot, (cannot) gonna--cannot cannot", about="one exception again and again")
    check(word_tokenize, "🙂\t酒店很干净,\u3000服务好.\r\n", about="other letters and white space")
    check(word_tokenize, "((([''[deep]'']))).,;:!?...", about="many signs around a word")
    ### END HIDDEN TESTS


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
# - `test_counts` has at least one occurrence; `train_counts` may have none.
# - Words are compared as they are written: `Room` is not `room`.
#
# By hand: `train_counts = {"the": 5, "room": 3, "clean": 1}` and `test_counts = {"the": 6, "room": 1, "bed": 3}`.
# With V = 1 the vocabulary is {the}; 4 of 10 occurrences are outside: 0.4. With V = 2 it is {the, room}: 0.3. More
# does not help: *bed* was never seen. (By words and not by occurrences, it would be 2/3 and 1/3, which is another
# question.)
#
# Hint 1 (a nudge): The two dictionaries have different jobs: one chooses the words, the other is counted.
#
# Hint 2 (the approach): Sort the training words by count, downwards, and by the word itself, upwards. For each V, the
# first V are the vocabulary; add up the counts of the test words that are not in it and divide by the sum of all test
# counts.
#
# Hint 3 (the steps): The key of the sort is a pair: the count with a minus sign, and the word. For each V, the first V
# words become a set; the numerator adds up counts, not ones, and the denominator is the same for every V.


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
    train, test = {"the": 5, "room": 3, "clean": 1}, {"the": 6, "room": 1, "bed": 3}
    check(coverage, train, test, [1, 2, 3], gives=[0.4, 0.3, 0.3])
    check(coverage, train, test, [9, 0, 2])
    check(coverage, {"pear": 2, "apple": 2, "fig": 2}, {"apple": 7, "fig": 2, "pear": 1}, [1, 2])
    check(coverage, {"b": 1, "c": 9, "a": 4, "d": 2}, {"d": 1, "e": 4, "a": 3, "c": 5, "b": 7}, [3, 2, 1, 2])
    ### BEGIN HIDDEN TESTS
    check(coverage, {"a": 1}, {"b": 4}, [1, 1000], about="no word in common")
    check(coverage, {}, {"b": 4, "a": 1}, [0, 2], about="nothing to learn from")
    check(coverage, train, test, [], about="no sizes")
    words = {"Room": 4, "room": 3, "bed": 2}
    check(coverage, words, {"room": 2, "Room": 1, "Bed": 5}, [1, 2, 3], about="capital letters")
    check(coverage, {"a": 1, "B": 1}, {"a": 1, "B": 3}, [1], about="capital letters among equals")
    check(coverage, {"é": 1, "Ａ": 1}, {"e\u0301": 1, "A": 1}, [2], about="letters that look alike")
    letters = "qwertyuiopasdfghjklzxcvbnm"
    tied = {a + b: 2 + (a == "m") for a in letters for b in letters}
    check(coverage, tied, {w: i % 7 + 1 for i, w in enumerate(tied)}, [26, 27, 100, 400, 675, 676], about="many ties")
    check(coverage, {"a": 10, "b": 9, "c": 100}, {"a": 1, "b": 30, "c": 200}, [1, 2], about="counts of several digits")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `embedding_bytes`
# *difficulty ●○○ · importance ●●○ · 5 min*
#
# The embedding matrix (嵌入矩阵 embedding matrix) has a row for each token of the vocabulary and a column for each of the
# D numbers that stand for it. How many bytes is that?
#
# `embedding_bytes(V, D, dtype)` returns a whole number. `dtype` is one of the names in the table `BITS`, which says
# how many bits a number takes. The numbers lie one after another, row after row, without a gap. A byte has 8 bits, and a
# byte that is begun at the end of the whole matrix counts as a whole one: 3 rows of 5 numbers of 4 bits are 60 bits,
# which is 8 bytes.
#
# By hand: GPT-2's smallest model has V = 50,257 and D = 768. That is 38,597,376 numbers; in `float32`, with 4 bytes
# each, 154389504 bytes.
#
# Hint 1 (a nudge): Rows times columns is the count of numbers. The table gives bits, the answer is in bytes.
#
# Hint 2 (the approach): Multiply first, divide by 8 at the very end, and round up, not down.
#
# Hint 3 (the steps): A whole division rounds down. What can you add to the bits before you divide, so that a byte that
# is begun, and only that, counts as one more?

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
    """Rows times columns times the size of a number, in whole bytes."""
    check(embedding_bytes, 50257, 768, "float32", gives=154389504)
    check(embedding_bytes, 50257, 768, "bfloat16")
    check(embedding_bytes, 100, 3, "int8")
    check(embedding_bytes, 3, 5, "int4", gives=8)
    check(embedding_bytes, 5, 1, "int4")
    check(embedding_bytes, 1, 2, "float64")
    ### BEGIN HIDDEN TESTS
    check(embedding_bytes, 267735, 1024, about="the type that is meant when none is said")
    check(embedding_bytes, 49152, 576, "float16", about="half precision")
    check(embedding_bytes, 4, 5, "int4", about="no byte that is begun")
    check(embedding_bytes, 128256, 4096, "float64", about="a large matrix")
    check(embedding_bytes, 0, 5, "int4", about="no row at all")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `max_match`
# *difficulty ●○○ · importance ●●○ · 15 min*
#
# Chinese is written without spaces. If you have a lexicon (词典 lexicon), the plainest way to find the words is *forward
# maximum match* (正向最大匹配): from the left, always take the longest word of the lexicon that starts here.
#
# `max_match(text, lexicon)` takes a string and a set of words and returns a list of tokens whose concatenation is the
# text. Where no word of the lexicon starts, **the single character becomes a token**, and the search goes on after
# it. Words in the lexicon have at least one character and may be of any length, and of any characters, spaces too.
#
# By hand, with the lexicon {研究, 研究生, 生命, 起源}: at the start of 研究生命起源 (research the origin of life), 研究 and 研究生
# (graduate student) both fit. The longer one wins. At 命 nothing starts, so it stands alone; then 起源. The result is
# 研究生 · 命 · 起源, which is *not* what the phrase means: 研究 · 生命 · 起源. Greed has its price.
#
# Hint 1 (a nudge): At each place you need to look at the longest candidate first. How long can it be?
#
# Hint 2 (the approach): Find the length of the longest word of the lexicon once. At position i, try the lengths from
# that one downwards; stop at the first that is in the lexicon, or at length 1.
#
# Hint 3 (the steps): The inner loop goes over lengths, from the longest possible down to 1, and never beyond the end of
# the text. It stops at the first candidate that is a word, or at length 1. Then the position moves on by that length.
# Mind the empty lexicon: `max` of nothing needs a `default`.


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
    check(max_match, "研究生命起源", {"研究", "研究生", "生命", "起源"}, gives=["研究生", "命", "起源"])
    check(max_match, "酒店X很Y干净了", {"酒店", "干净"})
    check(max_match, "中华人民共和国成立", {"中华", "中华人民共和国", "人民", "共和国", "成立"})
    check(max_match, "aaab aaab", {"aa", "ab", "b a", "aaaa"})
    check(max_match, "干净", set())
    check(max_match, "", set())
    ### BEGIN HIDDEN TESTS
    check(max_match, "abcabd", {"abcd", "ab", "abd"}, about="a longer word that only begins alike")
    check(max_match, "aaa", {"aa", "aaaa"}, about="a word longer than the text")
    check(max_match, "🙂干净🙂\n干净", {"干净"}, about="characters of other kinds, and a new line")
    check(max_match, "Room room ROOM", {"room", "Room"}, about="capital letters")
    check(max_match, "a.b+c", {".", "b+", "a.c"}, about="signs that mean something in a pattern")
    check(max_match, "a\nbe\u0301", {"a\nb", "é"}, about="a word with a new line, and an accent of its own")
    long = "无线电法国别研究所以为世人民主动员工作业务必需"
    check(max_match, long + "的" + long[:-1], {long, long[:2], "国别", "业务"}, about="a long word")
    many = {"ab", "abc", "cb", "ba", "bac", "cab", "bab"}
    check(max_match, "abcacbbacabcbabac", many, about="many words that overlap")
    ### END HIDDEN TESTS


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
# - The tokens of a cut are words of `freq`, of any length, or **single characters**. A single character that `freq` does not know
#   counts as if it had occurred **once**. The total stays the sum of the counts in `freq`.
# - Products of many small numbers become 0. So add logarithms: the score of a word is `log(count / total)`.
# - Where two cuts have the same score, either of them is right.
# - It must be quick on a text of a few hundred characters: trying every cut is not.
#
# By hand, with `freq = {研究: 40, 研究生: 10, 生命: 25, 命: 5, 起源: 20}`, total 100: the cut 研究 · 生命 · 起源 has 0.40 · 0.25 ·
# 0.20 = 0.02. The cut 研究生 · 命 · 起源 has 0.10 · 0.05 · 0.20 = 0.001. The first one wins.
#
# Hint 1 (a nudge): A text of n characters can be cut in 2ⁿ⁻¹ ways. But of all the cuts whose first word is 研究, the best is
# 研究 and then the best cut of the rest.
#
# Hint 2 (the approach): Go from the right to the left. For each position i, keep the best score of `text[i:]` and the
# length of its first word. The best score at i is the largest, over the words that start at i, of the word's score plus
# the best score where the word ends. Behind the end of the text it is 0. Then walk from the left along the stored
# lengths.
#
# Hint 3 (the steps): Keep one list with a place for each position and one more for the end, whose score is 0. Fill it
# from the end. The candidates at i are the next character alone, always, and every longer word of `freq` that starts
# there; a candidate's score is its own logarithm plus what is stored where it ends. Store the best score together with
# the end of its word.


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
    freq = {"研究": 40, "研究生": 10, "生命": 25, "命": 5, "起源": 20}
    check(segment_dag, "研究生命起源", freq, gives=["研究", "生命", "起源"])
    check(segment_dag, "酒店很好", {"酒店": 50, "酒": 20, "店": 20, "很": 5, "好": 5})
    check(segment_dag, "中国人民很好", {"中国": 30, "中国人": 40, "人民": 90, "民": 1, "很": 14, "好": 14, "国人": 1})
    check(segment_dag, "不可能", {"不可能": 2, "不": 50, "可能": 48})
    check(segment_dag, "酒店X很Y", {"酒店": 60, "很": 40})
    check(segment_dag, "干净吗", {"干净": 10, "净吗": 90, "吗": 900})
    check(segment_dag, "甲乙丙", {"甲乙": 5, "丙": 9, "乙丙": 50})
    check(segment_dag, "研究生命起源" * 30, freq | {"的": 10_000_000})
    check(segment_dag, "中华人民共和国", {"中华": 9, "人民": 80, "共和国": 70, "中华人民共和国": 60})
    ### BEGIN HIDDEN TESTS
    check(segment_dag, "", freq, about="an empty text")
    check(segment_dag, "abc", {"x": 1}, about="nothing but unknown characters")
    check(segment_dag, "甲乙丙", {"甲乙": 1, "乙丙": 50}, about="an unknown character at either end")
    check(segment_dag, "甲乙丙", {"甲乙": 7, "丙": 10, "乙丙": 50}, about="an unknown character that costs too much")
    check(segment_dag, "甲乙", {"甲乙": 1, "丙": 9}, about="a single word that occurred once")
    check(segment_dag, "甲乙", {"甲乙": 2, "甲": 5, "乙": 5}, about="two cuts that are nearly equal")
    whole = {"甲乙丙": 6, "甲": 15, "乙丙": 17, "丙": 2}
    check(segment_dag, "甲乙丙XYZ", whole, about="unknown characters, which are none of the total")
    check(segment_dag, "甲 乙  \n", {"甲": 1}, about="white space")
    check(segment_dag, "a b", {"a b": 5}, about="a word with a space")
    check(segment_dag, "Ａe\u0301", {"A": 5, "é": 7}, about="letters that look alike")
    check(segment_dag, "ABab", {"ab": 5, "AB": 1, "A": 9, "B": 9, "a": 2, "b": 2}, about="capital letters")
    words = {"a": 31, "ab": 17, "abc": 11, "bca": 37, "ca": 5, "b": 3, "cab": 13, "bcab": 7, "d": 2, "cad": 41}
    check(segment_dag, "abcabcadbcabdcab", words, about="many words that overlap")
    check(segment_dag, "dcadbcabcabcadab", words, about="many words that overlap")
    check(segment_dag, "abcadabcdbca" * 25, words, about="a text of 300 characters")
    long = "无线电法国别研究所以为世人民主动员工作业务必需"
    check(segment_dag, long, {long: 3, "法国": 50, "研究": 40, "所以": 60, "人民": 30, "工作": 20}, about="a long word")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `fertility`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# How finely does a tokenizer cut? Tokens per character, or tokens per byte: the two can say opposite things of two
# languages, since nearly every Chinese character has three bytes in UTF-8 and an English letter has one.
#
# `fertility(tokenizer, text)` returns the pair `(tokens per character, tokens per byte)`.
#
# - `tokenizer` is a function: call it with the whole text, as it is, and it returns a list of tokens. The list may be empty.
# - A character is what Python's `len` counts (a code point); bytes are those of UTF-8. The text has at least one.
#
# By hand: the text `酒店ok🙂` has 5 characters and 3 + 3 + 1 + 1 + 4 = 12 bytes. If the tokenizer returns three tokens,
# 酒店, ok and 🙂, the result is (3/5, 3/12) = (0.6, 0.25).
#
# Hint 1 (a nudge): Only one of the two lengths is `len(text)`.
#
# Hint 2 (the approach): Call the tokenizer once and count what it returns. `text.encode("utf-8")` is the bytes.
#
# Hint 3 (the steps): One number of tokens, and two divisions by two lengths: that of the text, and that of what
# `encode` makes of it.


# %% nbgrader={"grade_id": "fertility", "solution": true}
def fertility(tokenizer, text: str) -> tuple[float, float]:
    """Tokens per character (code point) and tokens per byte (UTF-8) of a text."""
    ### BEGIN SOLUTION
    count = len(tokenizer(text))
    return count / len(text), count / len(text.encode("utf-8"))
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_fertility", "grade": true, "points": 1}
def runs_of_letters(text):
    """Runs of Latin letters, runs of Chinese characters, and any other sign alone."""
    return re.findall(r"[a-z]+|[一-鿿]+|.", text)


def pieces_between_spaces(text):
    return text.split()


def pairs_of_characters(text):
    return [text[i : i + 2] for i in range(0, len(text), 2)]


def characters(text):
    return list(text)


def code_units(text):
    """The bytes of the text in UTF-8, as numbers."""
    return list(text.encode())


def test_fertility():
    """Tokens over characters, tokens over bytes, in this order."""
    check(fertility, runs_of_letters, "酒店ok🙂", gives=(0.6, 0.25))
    check(fertility, pieces_between_spaces, "the room and the bed")
    check(fertility, pairs_of_characters, "很干净")
    check(fertility, characters, "café 酒店")
    ### BEGIN HIDDEN TESTS
    check(fertility, code_units, "很干净!", about="the bytes are the tokens")
    check(fertility, pieces_between_spaces, " \n", about="no token at all")
    check(fertility, pieces_between_spaces, " Hotel  酒店 \n", about="white space at the ends")
    check(fertility, runs_of_letters, "🙂", about="one character")
    check(fertility, characters, " a\n", about="white space at the ends")
    check(fertility, characters, "a\nb", about="two lines")
    check(fertility, characters, "\ufeffa", about="U+FEFF in front")

    def whole(text):
        return [text]

    check(fertility, whole, "a\nb\n", about="the whole text is one token")
    check(fertility, code_units, "a\0", about="a token that is 0")
    check(fertility, runs_of_letters, "OK ok ok", about="capital letters, and a token twice")
    check(fertility, pairs_of_characters, "e\u0301a\u0300", about="accents that are characters of their own")
    ### END HIDDEN TESTS
