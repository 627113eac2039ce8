"""Let a LLaMA write: python -m solutions.llama "It is a truth universally acknowledged"."""

import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interruption of the imports ends without a word, too

import contextlib
import os
import re
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from solutions.llama.chat import Engine

TRAINED = Path(__file__).parent / "trained"
CHINESE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
HELP = (
    "/new forgets what was said, /system TEXT says how to answer, /draft guesses ahead or no longer, "
    "/quit ends (or Ctrl-D); Ctrl-C stops an answer."
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Layout(StrEnum):
    """Those of layouts.py, which cannot be imported before the threads are set."""

    ROWS = "rows"
    ROWS_BLAS = "rows-blas"
    COLUMNS = "columns"


@dataclass(frozen=True)
class Speed:
    """What makes it faster, and changes no more than the last digits."""

    draft: bool
    layout: str | None
    verbose: bool
    threads: int | None


def use_threads(threads: int) -> None:
    """How many threads the products of matrices may use. NumPy reads this when it is imported: so, before."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = str(threads)


def plain_text(text: str) -> str:
    """What came from the command line or a terminal, without halves of characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@app.command(context_settings={"help_option_names": ["-h", "--help"]})
def main(
    words: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="The text to go on from.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A llama2.c .bin, a Hugging Face folder, or a GGUF file. (Default: one that comes with this.)"
        ),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Write so many at most. (Default: 256; in a chat 512.)")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0 takes the likeliest always. (Default: 0.8; in a chat 0.2.)")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Of the likeliest, those that sum to this. (Default: 0.95; in a chat 0.9.)"),
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Of the likeliest, so many.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed writes the same text.")] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="A tokenizer.json, .model or .bin, in place of the one that lies beside the weights."),
    ] = None,
    eight_bits: Annotated[
        bool,
        typer.Option("--eight-bits", help="Keep the weights in 8 bits: a quarter of the memory, slower, less exact."),
    ] = False,
    chat: Annotated[
        bool,
        typer.Option("--chat", help="A conversation, by the model's own template. (Default: SmolLM2-135M-Instruct.)"),
    ] = False,
    system: Annotated[str | None, typer.Option(help="In a chat: how it should answer.")] = None,
    notebooks: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="NOTEBOOK…",
            help="Run on the functions in your own notebooks. Their code is run as it is.",
        ),
    ] = None,
    in_the_model: Annotated[
        bool,
        typer.Option(
            "--in-the-model",
            help="With --from: say how often each of your functions ran, and where the text first differs.",
        ),
    ] = False,
    draft: Annotated[
        bool,
        typer.Option(
            "--draft",
            help="Guess the next tokens from what was written before, and check several at once: "
            "faster where a text repeats itself. May take twice the memory.",
        ),
    ] = False,
    layout: Annotated[
        Layout | None,
        typer.Option(help="How the weights lie in memory. (Default: the fastest here; with --seed: rows.)"),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say which layout was taken, and what it was held to.")] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="For reading long texts. (Default: 1; writing is bound by the memory.)")
    ] = None,
) -> None:
    """A LLaMA in NumPy goes on from a text, or holds a conversation."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout.reconfigure(errors="replace")  # where a terminal cannot show Chinese, it shows question marks
    try:
        sampling = (temperature, top_p, top_k, seed)
        texts = (words or [], notebooks or [])
        speed = Speed(draft, layout.value if layout else None, verbose, threads)
        run(*texts, checkpoint, tokenizer, eight_bits, tokens, sampling, chat, system, in_the_model, speed)
    except KeyboardInterrupt:
        print(flush=True)
        raise typer.Exit(130) from None
    except BrokenPipeError:  # whoever was reading has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def run(
    words: list[str],
    notebooks: list[Path],
    checkpoint: Path | None,
    tokenizer: Path | None,
    eight_bits: bool,
    tokens: int | None,
    sampling: tuple[float | None, float | None, int | None, int | None],
    chat: bool,
    system: str | None,
    in_the_model: bool,
    speed: "Speed",
) -> None:
    if notebooks:  # the shell makes several words of *.ipynb: the first belongs to --from, the others come as text
        notebooks += [Path(word) for word in words if word.endswith(".ipynb")]
        words = [word for word in words if not word.endswith(".ipynb")]
    text = plain_text(" ".join(words))
    if chat and text:
        raise typer.BadParameter(f"a chat begins without a text: what about {text!r}?")
    if not chat and not text:
        raise typer.BadParameter('give a text to go on from: python -m solutions.llama "It is a truth"; or --chat')
    if notebooks and eight_bits:
        raise typer.BadParameter("--eight-bits is for the course's own model, not for the functions of --from")
    if notebooks and (speed.draft or speed.layout):
        option = "--draft" if speed.draft else "--layout"
        raise typer.BadParameter(f"{option} is for the course's own model, not for the functions of --from")
    if eight_bits and speed.layout:
        raise typer.BadParameter("--layout is for weights in 32 bits, not for --eight-bits")
    if in_the_model and (chat or not notebooks):
        raise typer.BadParameter("--in-the-model goes with a text and --from NOTEBOOK, not with --chat")
    temperature, top_p, top_k, seed = sampling
    if speed.threads or "OMP_NUM_THREADS" not in os.environ:
        use_threads(speed.threads or 1)
    import numpy as np

    from solutions.llama.chat import ChatError, chat_model, own_engine, reference_engine
    from solutions.llama.vocabulary import CheckpointError

    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    say = partial(notes.print, style="dim", markup=False)
    try:
        if checkpoint is None:
            tang = not chat and bool(CHINESE.search(text)) and (TRAINED / "tang").is_dir()
            checkpoint = chat_model() if chat else TRAINED / ("tang" if tang else "austen")
        if notebooks:
            names = ", ".join(path.name for path in notebooks)
            say(f"The code in {names} is run as it is, with all your rights: do this with your own notebooks only.")
            if in_the_model:
                seed = int(np.random.default_rng().integers(1 << 31)) if seed is None else seed
                return hold_beside(checkpoint, tokenizer, notebooks, text, (temperature, top_p, top_k, seed), tokens, say)
            engine = own_engine(checkpoint, notebooks, say, tokenizer)
            tell_sources(engine, notes)
        else:
            layout = speed.layout or ("fastest" if seed is None else "rows")
            engine = reference_engine(checkpoint, tokenizer, eight_bits, layout)
            if speed.verbose and not eight_bits:
                say(f"[{engine.model.layout}]")
            if eight_bits:
                from solutions.llama.eight_bits import COST

                say(f"[the weights are kept in 8 bits; what that costs: {COST}]")
        if seed is None:
            seed = int(np.random.default_rng().integers(1 << 31))
        rng = np.random.default_rng(seed)
        settings = (0.2, 0.9, 512) if chat else (0.8, 0.95, 256)
        choose = partial(
            engine.functions["sample"],
            temperature=settings[0] if temperature is None else temperature,
            top_k=top_k,
            top_p=settings[1] if top_p is None else top_p or None,
            rng=rng,
        )
        if chat:
            converse(engine, choose, tokens or settings[2], system, speed.draft, say)
        else:
            go_on(engine, text, choose, tokens or settings[2], seed, speed.draft, say)
    except (ChatError, CheckpointError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def tell_sources(engine: "Engine", notes: Console) -> None:
    from solutions.llama.chat import WANTED

    for source in dict.fromkeys(engine.sources.values()):
        names = [name for name in WANTED if engine.sources.get(name) == source]
        notes.print(f"{source}: {', '.join(names)}", style="green", markup=False)
    rest = [name for name in WANTED if name not in engine.sources]
    notes.print(f"the reference: {', '.join(rest) or 'nothing'}", style="dim", markup=False)


def hold_beside(
    checkpoint: Path,
    tokenizer: Path | None,
    notebooks: list[Path],
    text: str,
    sampling: tuple[float | None, float | None, int | None, int],
    tokens: int | None,
    say: Any,
) -> None:
    """Write with the functions of the notebooks in the clear model, and say what they did."""
    from solutions.llama.chat import ChatError, known, printable
    from solutions.llama.checkpoints import load
    from solutions.llama.in_the_model import InTheModelError, Settings, compare, run_notebooks

    temperature, top_p, top_k, seed = sampling
    settings = Settings(
        0.8 if temperature is None else temperature, top_k, 0.95 if top_p is None else top_p or None, seed, tokens or 100
    )
    loaded = load(checkpoint, tokenizer=tokenizer)
    known(loaded.vocabulary, checkpoint)
    own = run_notebooks(notebooks, say)
    if not own.functions:
        raise ChatError(f"{', '.join(path.name for path in notebooks)}: no exercise of the model is answered there")
    show([printable(text)])
    course, event = "", {}
    try:
        for event in compare(loaded, own, text, settings):
            show([event.get("yours", "")])
            course += event.get("course", "")
    except InTheModelError as error:
        raise ChatError(str(error)) from error
    show(["\n"])
    if event["report"]["differs"] or event["report"]["broke"]:
        say(f"The course's text: {printable(text)}{course}")
    for line in event["words"]:
        say(line.replace("`", "").replace("*", ""))
    say(f"[{event['tokens']} tokens, {event['rate']:,.0f} a second; --seed {seed} writes this again]")


def show(pieces: Any) -> None:
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()


def go_on(engine: "Engine", text: str, choose: Any, tokens: int, seed: int, draft: bool, say: Any) -> None:
    from solutions.llama.chat import ChatError, printable, reader_of
    from solutions.llama.drafting import share_that_stood

    vocabulary = engine.vocabulary
    ids = [*vocabulary.begin, *vocabulary.encode(text)]
    if not ids:
        raise ChatError(f"the model's vocabulary has nothing of {text!r}")
    show([printable(text)])
    reader: Any = reader_of(engine.model, draft)
    began, written = time.perf_counter(), []
    show(engine.write(reader, ids, choose, tokens, written))
    seconds = time.perf_counter() - began
    show(["\n"])
    if draft:
        say(f"[{share_that_stood(reader.stood, reader.offered)}]")
    say(f"[{len(written)} tokens, {len(written) / seconds:,.0f} a second; --seed {seed} writes this again]")


def converse(engine: "Engine", choose: Any, tokens: int, system: str | None, draft: bool, say: Any) -> None:
    from solutions.llama.chat import ChatError, Conversation, in_one_line

    conversation = Conversation(engine, choose, tokens, None if system is None else plain_text(system), draft)
    interactive = sys.stdin.isatty()
    if interactive:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (the arrow keys work in input())
        say(HELP)
    while True:
        try:
            asked = plain_text(input("> " if interactive else ""))
        except EOFError:
            return show(["\n"] if interactive else [])
        command, _, rest = asked.strip().partition(" ")
        if not command:
            continue
        if command in ("/quit", "/exit", "/bye"):
            return None
        if command == "/new":
            conversation.new()
        elif command == "/system":
            conversation.system = rest or None
            conversation.new()
        elif command == "/draft":
            try:
                conversation.guess(not conversation.draft)
                say(f"[the next tokens are {'guessed ahead, and checked' if conversation.draft else 'no longer guessed'}]")
            except ChatError as error:
                say(str(error))
        elif command.startswith("/"):
            say(HELP)
        else:
            forgotten, answer = conversation.forgotten, conversation.ask(asked)
            try:
                show(answer)
            except ChatError as error:
                say(str(error))
                continue
            except KeyboardInterrupt:
                show([" …"])
            except BrokenPipeError:
                raise
            except Exception as error:
                if not engine.sources:
                    raise
                raise ChatError(in_one_line(error)) from error
            finally:
                answer.close()
            show(["\n"])
            if conversation.forgotten > forgotten:
                say("[the conversation is longer than the model can read: what was said first is forgotten]")
            say(f"[{conversation.turn}]")


if __name__ == "__main__":
    app(prog_name="python -m solutions.llama")
