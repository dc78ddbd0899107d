"""A plain TCP connection that speaks ZMTP 3 as far as it likes, unlike ZeroMQ itself."""

import socket
import struct

PATIENCE_SECONDS = 60


class RawLine:
    """Greets without keys as a socket of some kind; `send` is one frame of a message."""

    def __init__(self, address: str, kind: bytes) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self.line = socket.create_connection((host, int(port)), PATIENCE_SECONDS)
        ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        signature = b"\xff" + bytes(8) + b"\x7f"
        self.line.sendall(signature + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
        self._read(64)
        self.line.sendall(b"\x04" + bytes([len(ready)]) + ready)
        self._read(self._read(2)[1])

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.line.recv(size - len(data))
            if not more:
                raise ConnectionError("the other end has left")
            data += more
        return data

    def send(self, frame: bytes, more: bool = False) -> None:
        """Say a long frame, the last of its message or not."""
        self.line.sendall(bytes([2 | more]) + struct.pack(">Q", len(frame)) + frame)

    def is_cut(self) -> bool:
        """Whether the other end ends the connection."""
        try:
            while self.line.recv(4_096):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        self.line.close()
