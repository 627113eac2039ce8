"""Record a short conversation with the chat model for the page of the capstone: `make chat-record`.

Needs the package that `make chat` installs; writes benchmarks/results/chat.json. The page holds its own conversation
where the package is there while it is made, and shows this one elsewhere.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np

from solutions.llama import chat

RESULTS = Path(__file__).parent / "results" / "chat.json"
QUESTIONS = ["What is the capital of France?", "And of Italy? Answer in one word."]


def conversation() -> list[dict[str, str]]:
    """Each question with the model's answer, the likeliest token each time, and what it took."""
    engine = chat.reference_engine(chat.chat_model())
    talk = chat.Conversation(engine, lambda logits: int(np.argmax(logits)), tokens=60)
    turns = []
    for question in QUESTIONS:
        answer = "".join(talk.ask(question))
        turns.append({"question": question, "answer": answer, "took": str(talk.turn)})
    return turns


def main() -> None:
    machine = {"processor": platform.processor() or platform.machine(), "numpy": np.__version__}
    results = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "turns": conversation()}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for turn in results["turns"]:
        print(turn)


if __name__ == "__main__":
    main()
