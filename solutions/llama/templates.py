"""A conversation as one text, by the template that comes with a chat model.

    template = Template(vocabulary)
    ids = template.prompt([{"role": "user", "content": "Hi"}])

A template is a small program in the language of Jinja. It comes with the weights, from whoever made them, so it runs in
Jinja's sandbox: it can compute a text, and nothing else. What it may use is what the library transformers gives to it.

The template writes special tokens as text, such as <|im_end|>, and somebody in the conversation may type the same. So
before the template runs, each special token in a message gets another first character, one that is used for nothing;
when the special tokens of the template have been found, that character is changed back, and the message is text.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import regex

from solutions.llama.vocabulary import Vocabulary

Messages = Sequence[Mapping[str, str]]  # {"role": "system", "user" or "assistant", "content": …}
ROLES = ("system", "user", "assistant")
UNUSED_CHARACTERS = range(0xF0000, 0xFFFFE)  # for private use, Unicode says


class ChatError(ValueError):
    """One line on what stands in the way of a conversation."""


def one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= 400 else line[:399] + "…"


def environment() -> Any:
    """Jinja as transformers sets it up for templates."""
    try:
        import jinja2
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise ChatError("a chat template is written in Jinja: pip install jinja2") from error

    class Generation(Extension):
        """{% generation %} … {% endgeneration %}: marks what a model is trained on; the text is that within."""

        tags = frozenset({"generation"})

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            return jinja2.nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(
        value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        """Without the escapes of HTML that Jinja's own has."""
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return made


class Template:
    """The template of a vocabulary's model."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        assert vocabulary.chat_template is not None
        made = environment()
        import jinja2.meta

        self.vocabulary = vocabulary
        try:
            self.compiled = made.from_string(vocabulary.chat_template)
            asked = jinja2.meta.find_undeclared_variables(made.parse(vocabulary.chat_template))
        except (jinja2.TemplateError, RecursionError) as error:
            raise ChatError(f"the model's chat template cannot be read: {one_line(error)}") from error
        for name in sorted(asked & {"bos_token", "eos_token"}):
            if name not in vocabulary.named:
                raise ChatError(
                    f"the model's chat template asks for {name}, and no file of the tokenizer says what it is"
                )

    def render(self, messages: Messages, add_generation_prompt: bool = True) -> str:
        """The conversation as a text, open for an answer."""
        named = {name: token for name, token in self.vocabulary.named.items() if token}
        conversation = [dict(message) for message in messages]
        try:
            return self.compiled.render(
                messages=conversation,
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **named,
            )
        except Exception as error:  # a template is a program, and may fail in any way
            raise ChatError(f"the model's chat template refuses this conversation: {one_line(error)}") from error

    def prompt(self, messages: Messages, add_generation_prompt: bool = True) -> list[int]:
        """The ids of the conversation. Special tokens are those of the template; in messages they are text."""
        special = list(self.vocabulary.special)
        stand_ins = stand_ins_for(special, [message["content"] for message in messages])
        guarded = [{**message, "content": guard(message["content"], special, stand_ins)} for message in messages]
        text = self.render(guarded, add_generation_prompt)
        back = {ord(other): character for character, other in stand_ins.items()}
        return self.vocabulary.encode(text, special, back)

    def end_of_turn(self) -> int | None:
        """The special token that the template writes after an answer; None where it writes none, or takes no answer."""
        answer = "an answer, 7 words long, and no more"
        try:
            text = self.render([{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}], False)
        except ChatError:
            return None
        after = text.rpartition(answer)[2].lstrip()
        found = [token for token in self.vocabulary.special if after.startswith(token)]
        return self.vocabulary.special[max(found, key=len)] if found and answer in text else None


def stand_ins_for(special: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """For each first character of a special token one that is in no text."""
    used = set("".join([*texts, *special]))
    free = (chr(number) for number in UNUSED_CHARACTERS if chr(number) not in used)
    return {character: next(free) for character in sorted({token[0] for token in special})}


def guard(text: str, special: Sequence[str], stand_ins: Mapping[str, str]) -> str:
    """The text with another first character in each special token, and in what may become one beside other text."""
    if not special:
        return text
    longest_first = sorted(map(regex.escape, special), key=len, reverse=True)
    whole = regex.compile("|".join(longest_first))
    while whole.search(text):  # again, for one may begin within another
        text = whole.sub(lambda found: stand_ins[found[0][0]] + found[0][1:], text)
    ends = text.rstrip()
    for size in range(min(len(ends), max(map(len, special)) - 1), 0, -1):  # the beginning of one, at the end
        at = len(ends) - size
        if any(token.startswith(ends[at:]) for token in special):
            text = text[:at] + stand_ins[text[at]] + text[at + 1 :]
            ends = text.rstrip()
    return text
