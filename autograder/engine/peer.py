"""One end of the conversation between judge and student: requests, replies, and requests back while one is served."""

from __future__ import annotations

import io
import socket
from typing import Any, BinaryIO, cast

from autograder.engine.wire import Decoder, Encoder, Message, WireError, receive, send

MAX_NESTING = 30


class Peer:
    """Sends requests and serves those of the other end. Subclasses say what references mean and what can be asked."""

    def __init__(self, connection: socket.socket, limit: int) -> None:
        self.connection = connection
        self.stream = cast("BinaryIO", connection.makefile("rb", buffering=1 << 16))
        self.limit = limit
        self.nesting = 0

    # What a subclass provides.

    def refer(self, value: Any, encoder: Encoder, depth: int) -> list[Any]:
        raise WireError(f"a {type(value).__name__} does not cross")

    def resolve(self, item: list[Any], decoder: Decoder, depth: int) -> Any:
        raise WireError("a reference that nobody gave out")

    # What both ends do.

    def encoder(self) -> Encoder:
        return Encoder(self.refer, self.limit)

    def request(self, message: Message, encoder: Encoder) -> tuple[Message, Decoder]:
        """Send a request and wait for its reply, serving whatever the other end asks in between."""
        if self.nesting >= MAX_NESTING:
            raise WireError(f"calls nested more than {MAX_NESTING} deep")
        send(self.connection, message, encoder.buffers)
        self.nesting += 1
        try:
            while True:
                answer, decoder = self.next_message()
                if "op" not in answer:
                    return answer, decoder
                self.answer(answer, decoder)
        finally:
            self.nesting -= 1

    def next_message(self) -> tuple[Message, Decoder]:
        message, buffers = receive(self.stream, self.limit)
        if type(message) is not dict:
            raise WireError("bytes that are no message")
        return message, Decoder(buffers, self.resolve)

    def answer(self, request: Message, decoder: Decoder) -> None:
        encoder = self.encoder()
        try:
            send(self.connection, self.serve_into(request, decoder, encoder), encoder.buffers)
        except WireError as error:
            send(self.connection, {"wire": str(error)}, [])

    def serve_into(self, request: Message, decoder: Decoder, encoder: Encoder) -> Message:
        raise NotImplementedError


class Bounded(io.TextIOBase):
    """A text stream that keeps its first characters and counts the rest."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: list[str] = []
        self.kept = 0
        self.total = 0

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        self.total += len(text)
        room = self.limit - self.kept
        if room > 0:
            self.parts.append(text[:room])
            self.kept += min(len(text), room)
        return len(text)

    def text(self) -> str:
        cut = self.total - self.kept
        return "".join(self.parts) + (f"\n… and {cut} characters more" if cut else "")
