"""Stories from a small grammar, whose entropy is known: no model can do better, and we can say how near one comes.

    print(stories(3, seed=1))         three stories, a line each
    grammar = story_grammar()
    entropy(grammar)                  bits in one story, on average, exactly
    bits_per_byte(grammar)            the floor for the loss of any model
    log2_probability(grammar, text)   of one story, exactly; bits_by_word says where they are

A grammar is a dictionary: symbol -> alternatives, each with its weight. An alternative is a list of words and symbols;
what has an entry in the dictionary is a symbol. A story is what "<story>" becomes when every symbol is replaced by one of
its alternatives, each chosen with a probability in proportion to its weight, until only words are left.

Two rules keep the sums exact, and `check` holds them. No symbol may lead back to itself, so every sum is finite. And the
alternatives of a symbol never begin with the same word, so a text can have come about in one way only: the probability
of the text is then the product of the probabilities of the choices, and the entropies of the choices add up.

What it does not do: grammars that break one of the two rules.
"""

import math
from collections.abc import Callable, Iterator
from random import Random

Grammar = dict[str, list[tuple[int, list[str]]]]
START = "<story>"

HEROES = [("Lily", "she", "her", 3), ("Tom", "he", "his", 2), ("Mia", "she", "her", 2), ("Ben", "he", "his", 1)]
ANIMALS = [("frog", 2), ("hare", 1), ("mouse", 1), ("duck", 1)]
THINGS = ["ball", "hat", "key", "ring"]


def story_grammar() -> Grammar:
    """Somebody meets an animal that has lost something. The same name, animal and thing come back to the end."""
    rules: dict[str, list[tuple[int, str]]] = {
        START: [(3, "Once upon a time <hero>"), (1, "Early one morning <walker>")],
        "<home>": [(1, "by the sea."), (1, "in a <size> house."), (2, "near the forest.")],
        "<size>": [(2, "little"), (1, "big"), (1, "red")],
        "<place>": [(2, "pond"), (1, "river"), (1, "hill")],
        "<where>": [(2, "under a stone"), (1, "behind a tree"), (1, "in the grass")],
        "<glad>": [(2, "happy"), (1, "glad"), (1, "so happy")],
        "<play>": [(1, "sang"), (1, "danced"), (2, "played")],
        "<hero>": [(weight, f"{name} lived <home> One day <walk:{name}>") for name, _, _, weight in HEROES],
        "<walker>": [(weight, f"{name} got up. <goes:{name}>") for name, _, _, weight in HEROES],
    }
    for name, she, her, _ in HEROES:
        rules[f"<walk:{name}>"] = [(1, f"{she} went to the <place> and met a <meets:{name}>")]
        rules[f"<goes:{name}>"] = [
            (1, f"{name} ran to the <place> and met a <meets:{name}>"),
            (1, f"Then <walk:{name}>"),
        ]
        rules[f"<meets:{name}>"] = [
            (weight, f'{animal}. The {animal} was sad. "I have lost my <lost:{animal}:{name}>')
            for animal, weight in ANIMALS
        ]
        for animal, _ in ANIMALS:
            rules[f"<lost:{animal}:{name}>"] = [
                (1, f'{thing}," said the {animal}. <seeks:{thing}:{animal}:{name}>') for thing in THINGS
            ]
            for thing in THINGS:
                it = f"{thing}:{animal}:{name}"
                rules[f"<seeks:{it}>"] = [
                    (1, f"{name} looked <where> <looks:{it}>"),
                    (1, f'"I will help you," said {name} and looked <where> <looks:{it}>'),
                ]
                rules[f"<looks:{it}>"] = [
                    (3, f"and found the {thing}. <gives:{it}>"),
                    (1, f"but saw nothing. Then {she} looked <where> and there the {thing} was. <gives:{it}>"),
                ]
                rules[f"<gives:{it}>"] = [
                    (1, f"{name} gave the {thing} to the {animal}. <end:{animal}:{name}>"),
                    (1, f'"Here is your {thing}," said {name}. <end:{animal}:{name}>'),
                ]
            rules[f"<end:{animal}:{name}>"] = [
                (1, f"The {animal} was <glad> and they <play> until {name} had to go home to {her} mother."),
                (1, f"Now the {animal} was <glad> and <play> with {name} all day."),
            ]
    return {symbol: [(weight, text.split()) for weight, text in options] for symbol, options in rules.items()}


# --------------------------------------------------------------------------------------------------------------------
# Stories
# --------------------------------------------------------------------------------------------------------------------


def derive(grammar: Grammar, rng: Random, symbol: str = START) -> list[str]:
    """The words that the symbol becomes, drawn at random."""
    weights = [weight for weight, _ in grammar[symbol]]
    chosen = rng.choices([words for _, words in grammar[symbol]], weights)[0]
    return [word for item in chosen for word in (derive(grammar, rng, item) if item in grammar else [item])]


def stories(count: int, seed: int) -> str:
    """Stories, each on a line of its own."""
    grammar, rng = story_grammar(), Random(seed)
    return "".join(" ".join(derive(grammar, rng)) + "\n" for _ in range(count))


def every(grammar: Grammar, symbol: str = START) -> Iterator[tuple[float, list[str]]]:
    """Each text that the symbol can become, with its probability. (For small grammars: there are soon too many.)"""

    def each(items: list[str]) -> Iterator[tuple[float, list[str]]]:
        if not items:
            yield 1.0, []
            return
        first, *rest = items
        for p, words in every(grammar, first) if first in grammar else [(1.0, [first])]:
            for q, more in each(rest):
                yield p * q, words + more

    total = sum(weight for weight, _ in grammar[symbol])
    for weight, items in grammar[symbol]:
        for p, words in each(items):
            yield weight / total * p, words


# --------------------------------------------------------------------------------------------------------------------
# What can be computed about them
# --------------------------------------------------------------------------------------------------------------------


def entropy(grammar: Grammar, symbol: str = START) -> float:
    """Bits in what the symbol becomes: those of its own choice, and on average those of the symbols it leads to."""
    return _expected(grammar, symbol, choice=_bits_of_choice, word=lambda word: 0.0)


def expected_bytes(grammar: Grammar, symbol: str = START) -> float:
    """The mean length in bytes, with a space after each word, or in its place the line end after the last one."""
    return _expected(grammar, symbol, choice=lambda weights: 0.0, word=lambda word: len(word.encode()) + 1.0)


def bits_per_byte(grammar: Grammar) -> float:
    """Bits of a story over bytes of a story: the lowest mean loss that any model of long texts can reach."""
    return entropy(grammar) / expected_bytes(grammar)


def count(grammar: Grammar, symbol: str = START) -> int:
    """How many different texts the symbol can become."""
    return sum(math.prod(count(grammar, item) for item in items if item in grammar) for _, items in grammar[symbol])


def bits_by_word(grammar: Grammar, text: str) -> list[float] | None:
    """Of one story: how many bits the grammar leaves open at each word, 0 where the word is certain.

    The story is read word by word, and the next word says which alternative was taken. None if it cannot be one.
    """
    words, bits = text.split(), []
    begins = {symbol: first_words(grammar, symbol) for symbol in grammar}
    ahead = [START]  # what is still to come, the next one last
    for word in words:
        chosen = 0.0
        while ahead and ahead[-1] in grammar:
            symbol = ahead.pop()
            if word not in begins[symbol]:
                return None
            weight, items = grammar[symbol][begins[symbol][word]]
            chosen -= math.log2(weight / sum(weight for weight, _ in grammar[symbol]))
            ahead += reversed(items)
        if not ahead or ahead.pop() != word:
            return None
        bits.append(chosen)
    return None if ahead else bits


def log2_probability(grammar: Grammar, text: str) -> float:
    """Of one story; minus infinity if the grammar cannot make it."""
    bits = bits_by_word(grammar, text)
    return -math.inf if bits is None else -sum(bits)


def first_words(grammar: Grammar, symbol: str) -> dict[str, int]:
    """With which words the symbol can begin, and which of its alternatives then was taken."""
    found: dict[str, int] = {}
    for number, (_, items) in enumerate(grammar[symbol]):
        for word in first_words(grammar, items[0]) if items[0] in grammar else [items[0]]:
            if word in found:
                raise ValueError(f"two alternatives of {symbol} begin with {word!r}")
            found[word] = number
    return found


def check(grammar: Grammar) -> None:
    """Raises ValueError where a sum would not be exact: see the top of this file."""

    def walk(symbol: str, above: tuple[str, ...]) -> None:
        if symbol in above:
            raise ValueError(f"{symbol} leads back to itself")
        if symbol in checked:
            return
        for weight, items in grammar[symbol]:
            if weight <= 0 or not items:
                raise ValueError(f"{symbol}: an alternative needs a weight above 0, and a word")
            for item in items:
                if item in grammar:
                    walk(item, (*above, symbol))
                elif item.startswith("<"):
                    raise ValueError(f"{symbol} leads to {item}, which has no alternatives")
        checked.add(symbol)

    checked: set[str] = set()
    for symbol in grammar:
        walk(symbol, ())
        first_words(grammar, symbol)


def _bits_of_choice(weights: list[int]) -> float:
    total = sum(weights)
    return -sum(weight / total * math.log2(weight / total) for weight in weights)


def _expected(grammar: Grammar, symbol: str, choice: Callable, word: Callable) -> float:
    """A sum over all that happens below a symbol, on average: a value for each choice and one for each word."""
    known: dict[str, float] = {}

    def at(symbol: str) -> float:
        if symbol not in known:
            weights = [weight for weight, _ in grammar[symbol]]
            below = [sum(at(item) if item in grammar else word(item) for item in items) for _, items in grammar[symbol]]
            known[symbol] = choice(weights) + sum(w * b for w, b in zip(weights, below)) / sum(weights)
        return known[symbol]

    return at(symbol)
