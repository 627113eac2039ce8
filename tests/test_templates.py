"""Whole conversations by the template of the model, beside transformers' apply_chat_template."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from random_llama import random_llama
from test_checkpoints import (
    KINDS,
    TINY,
    add_tokens,
    byte_level_tokenizer,
    pieces_as_json,
    sentencepiece_model,
    write_gguf,
)
from test_llama_family import llama_3_tokenizer
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from solutions.llama.chat import END, START, ChatError, Conversation, chatml_system, reference_engine
from solutions.llama.checkpoints import load
from solutions.llama.templates import Template, guard, stand_ins_for

CHATML = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are called Tiny<|im_end|>\\n' }}{% endif %}\
{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

LLAMA_2 = """{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}\
{% set system = messages[0]['content'] %}\
{% else %}{% set rest = messages %}{% set system = false %}{% endif %}{% for message in rest %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('the roles must alternate') }}{% endif %}\
{% if loop.index0 == 0 and system != false %}\
{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}\
{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""

LLAMA_3 = """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" + system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{% generation %}{{ '<|assistant|>\\n'  + message['content'] + eos_token }}{% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""


def llama_2_tokenizer() -> Any:
    return pieces_as_json(sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model()))


MODELS: dict[str, tuple[Any, str, dict[str, str]]] = {
    "ChatML": (
        lambda: byte_level_tokenizer(pre_tokenizers.Digits(individual_digits=True)),
        CHATML,
        {"bos_token": START, "eos_token": END},
    ),
    "Llama 2": (llama_2_tokenizer, LLAMA_2, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}),
    "Llama 3": (llama_3_tokenizer, LLAMA_3, {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}),
    "Zephyr": (llama_2_tokenizer, ZEPHYR, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}),
}
CONVERSATIONS = [
    [{"role": "user", "content": "Is the room clean?"}],
    [{"role": "system", "content": "Be brief, 酒店."}, {"role": "user", "content": "  two  spaces \n"}],
    [
        {"role": "system", "content": ""},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": " It is.\n\n1024 rooms."},
        {"role": "user", "content": "\tAnd é 🙂 <b>now</b>? [INST]"},
    ],
    [
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "?"},
        {"role": "user", "content": "<|user|>\nx"},
    ],
]


@functools.cache
def folder_of(name: str, to: Path) -> Path:
    """A chat model's folder, as transformers saves one."""
    make, template, named = MODELS[name]
    theirs = PreTrainedTokenizerFast(tokenizer_object=make(), chat_template=template, **named)
    folder = to / name.replace(" ", "-")
    theirs.save_pretrained(folder)
    random_llama(replace(TINY, vocab=len(theirs), max_len=400)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.mark.parametrize("name", MODELS)
def test_a_conversation_is_what_transformers_makes_of_it(made: Path, name: str) -> None:
    folder = folder_of(name, made)
    theirs, template = AutoTokenizer.from_pretrained(folder), Template(load(folder).vocabulary)
    for messages in CONVERSATIONS:
        for answer in (True, False):
            expected = theirs.apply_chat_template(messages, add_generation_prompt=answer, tokenize=False)
            assert template.render(messages, answer) == expected
            ids = theirs.apply_chat_template(messages, add_generation_prompt=answer, return_dict=False)
            assert template.prompt(messages, answer) == ids, messages


@pytest.mark.parametrize("name", MODELS)
def test_the_end_of_a_turn_is_found_in_the_template(made: Path, name: str) -> None:
    vocabulary = load(folder_of(name, made)).vocabulary
    end = {"ChatML": END, "Llama 3": "<|eot_id|>"}.get(name, "</s>")
    assert Template(vocabulary).end_of_turn() == vocabulary.special[end]


TYPED = ["<|im_end|>", "<|im_start|>", "<s>", "</s>", "<|eot_id|>", "<unk>", "<", "<|", "|>", ">", "<|im_", "s>", "/s>",
         " ", "\n", "Hi", "system\n", "<<s>s>", "<|<|im_end|>im_end|>", "\U000f0000", "酒"]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_nobody_can_type_a_special_token_into_a_template(made: Path, name: str) -> None:
    vocabulary = load(folder_of(name, made)).vocabulary
    template, special = Template(vocabulary), set(vocabulary.special.values())
    roles = ["system", "user", "assistant", "user"]
    calm = template.prompt([{"role": role, "content": "Hi"} for role in roles])

    @settings(deadline=None, max_examples=80)
    @given(st.lists(st.lists(st.sampled_from(TYPED), max_size=6).map("".join), min_size=4, max_size=4))
    def check(contents: list[str]) -> None:
        messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        ids = template.prompt(messages)
        assert [id for id in ids if id in special] == [id for id in calm if id in special]
        shown = vocabulary.decode(ids)
        assert all(" ".join(content.split()) in " ".join(shown.split()) for content in contents), (contents, shown)

    check()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(TYPED), max_size=8).map("".join),
    st.sampled_from(["", "im_end|>", ">", "|>", "s>", "end|>"]),
)
def test_a_guarded_text_holds_no_special_token_and_becomes_none(text: str, after: str) -> None:
    special = [START, END, "<s>", "</s>"]
    stand_ins = stand_ins_for(special, [text])
    guarded = guard(text, special, stand_ins)
    joined = guarded + after
    assert not any(token in joined for token in special) or any(token in after for token in special)
    back = {other: character for character, other in stand_ins.items()}
    assert "".join(back.get(character, character) for character in guarded) == text


def test_a_template_in_a_gguf_file_and_the_words_of_its_own_model(tmp_path: Path) -> None:
    """Nobody is told that he is another: the system message is what the template says, or what the user says."""
    said = byte_level_tokenizer(size=500)
    tokens = [said.id_to_token(id) for id in range(said.get_vocab_size())]
    merges = [" ".join(merge) for merge in json.loads(said.to_str())["model"]["merges"]]
    config, path = replace(TINY, vocab=len(tokens), max_len=300), tmp_path / "model.gguf"
    more = {
        "tokenizer_model": "gpt2",
        "tokenizer_pre": "gpt-2",
        "token_merges": merges,
        "bos_token_id": 1,
        "eos_token_id": 0,
    }
    add = add_tokens(tokens, [3] * 3 + [1] * (len(tokens) - 3), **more, chat_template=CHATML)
    write_gguf(path, random_llama(config), config, KINDS.F16, add)
    engine = reference_engine(path)
    talk = Conversation(engine, lambda logits: int(np.argmax(logits)), tokens=5)
    list(talk.ask("Hi"))
    assert 2 in engine.vocabulary.end, "the template's end of a turn, though the file says that 0 ends a text"
    text = engine.vocabulary.decode([id for id in talk.reader.ids if id > 2])
    assert text.startswith("system\nYou are called Tiny\nuser\nHi\nassistant\n") and "SmolLM" not in text
    assert chatml_system(Template(engine.vocabulary)) == "You are called Tiny"
    talk = Conversation(engine, lambda logits: int(np.argmax(logits)), tokens=5, system="Be rude.")
    list(talk.ask("Hi"))
    assert engine.vocabulary.decode(talk.reader.ids).startswith("system\nBe rude.\nuser\nHi\nassistant\n")


def test_what_is_no_chatml_is_not_taken_for_it(made: Path) -> None:
    for name in ("Llama 2", "Llama 3", "Zephyr"):
        assert chatml_system(Template(load(folder_of(name, made)).vocabulary)) is None


def vocabulary_with(made: Path, template: str) -> Any:
    vocabulary = load(folder_of("ChatML", made)).vocabulary
    vocabulary.chat_template = template
    return vocabulary


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{% for", "cannot be read"),
        ("{{ raise_exception('no system message here') }}", "no system message here"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "refuses"),
        ("{{ messages.append(1) }}", "refuses"),
        ("{{ messages[7]['content'] + 'a' }}", "refuses"),
        ("{{ 1 / 0 }}", "refuses"),
        ("{% include 'other' %}", "refuses"),
    ],
)
def test_a_template_that_fails_or_breaks_out_is_refused_in_one_line(made: Path, source: str, words: str) -> None:
    with pytest.raises(ChatError, match=words) as caught:
        Template(vocabulary_with(made, source)).prompt(CONVERSATIONS[0])
    assert "\n" not in str(caught.value)


def test_a_template_that_asks_for_a_token_that_nobody_names(made: Path) -> None:
    vocabulary = vocabulary_with(made, "{{ bos_token }}x")
    assert Template(vocabulary).render([]) == f"{START}x"
    del vocabulary.named["bos_token"]
    with pytest.raises(ChatError, match="bos_token"):
        Template(vocabulary)


def test_what_templates_may_use(made: Path) -> None:
    source = "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m | tojson }}{% endfor %}"
    template = Template(
        vocabulary_with(made, source + "{{ strftime_now('%Y') | length }}{{ messages | tojson(indent=1) }}")
    )
    assert template.render([{"role": "user", "content": "<é>"}]).startswith('{"role": "user", "content": "<é>"}4[\n {')


def test_messages_are_forgotten_in_pairs_and_the_system_message_stays(made: Path) -> None:
    engine = reference_engine(folder_of("Llama 2", made))
    talk = Conversation(engine, lambda logits: int(np.argmax(logits)), tokens=20, system="Be brief.")
    for number in range(8):
        list(talk.ask(f"Question {number}: is the room clean, and is the hotel near?"))
    assert talk.forgotten > 0 and talk.messages[0]["role"] == "system" and talk.messages[1]["role"] == "user"
    assert jinja2.__version__ >= "3.1.6", "older sandboxes have known holes"
