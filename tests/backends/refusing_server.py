"""A server that speaks just enough of PostgreSQL's protocol to refuse a client in any language."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCRYPTION_REQUESTS = (80877103, 80877104)  # SSL, GSSAPI


@dataclass(slots=True)
class RefusingServer:
    """Where it listens and how many clients it has refused."""

    port: int
    refused: int = 0

    @property
    def url(self) -> str:
        """A database there."""
        return f"postgresql://somebody:geheim@127.0.0.1:{self.port}/qa?gssencmode=disable"


@contextmanager
def refusing_server(
    severity: str, message: bytes, state: str = "28P01"
) -> Iterator[RefusingServer]:
    """Answer every client with one error, in the words and the encoding given."""
    fields = [b"S" + severity.encode(), b"VFATAL", b"C" + state.encode(), b"M" + message, b""]
    body = b"\0".join(fields) + b"\0"
    answer = b"E" + struct.pack("!i", len(body) + 4) + body
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = RefusingServer(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, server, answer))
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, server: RefusingServer, answer: bytes) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client:
                while _request_code(client) in ENCRYPTION_REQUESTS:
                    client.sendall(b"N")
                client.sendall(answer)
            server.refused += 1


def _request_code(client: socket.socket) -> int:
    length, code = struct.unpack("!ii", client.recv(8, socket.MSG_WAITALL))
    client.recv(length - 8, socket.MSG_WAITALL) if length > 8 else None
    return int(code)
