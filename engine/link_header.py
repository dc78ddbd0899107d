"""What stands before every frame on a link."""

import msgspec


class Header(msgspec.Struct, frozen=True, array_like=True):
    """First part of every message between services; the frame itself is the second part.

    ``seq`` is the frame's number (0: no frame), ``ack`` the last frame of the receiver that is safe
    with the sender. ``resend`` asks for everything after ``ack`` again.
    """

    sender: str
    seq: int
    ack: int
    resend: bool = False
