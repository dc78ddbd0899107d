"""Who may make a call: the key, its rights, the time and the signature."""

from typing import Final

from doors.keys.keyring import Holder
from doors.usdm.door import Door
from doors.usdm.errors import BAD_SIGNATURE, NO_KEY, OUTSIDE_WINDOW, WRONG_KEY, VenueError, missing
from doors.usdm.parameters import Parameters

USUAL_WINDOW_MS: Final[int] = 5_000
WIDEST_WINDOW_MS: Final[int] = 60_000
AHEAD_MS: Final[int] = 1_000
"""How far a client's clock may be ahead."""

MAX_KEY: Final[int] = 200


def holder_of(door: Door, key: str, right: str) -> Holder:
    """The holder of an API key that has a right.

    Raises:
        VenueError: there is none.
    """
    if not key or len(key) > MAX_KEY:
        raise VenueError(*NO_KEY)
    holder = door.keyring.find(key)
    if holder is None or right not in holder.key.rights:
        raise VenueError(*WRONG_KEY)
    return holder


def check_time(door: Door, parameters: Parameters) -> None:
    """Refuse what was signed too long ago, or in the future.

    Raises:
        VenueError: it was.
    """
    parameters.required("timestamp")
    sent_ms = parameters.whole("timestamp", 0)
    window_ms = parameters.whole("recvWindow", USUAL_WINDOW_MS)
    if window_ms > WIDEST_WINDOW_MS:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    now_ms = door.clock() // 1_000_000
    if sent_ms > now_ms + AHEAD_MS:
        text = "Timestamp for this request was 1000ms ahead of the server's time."
        raise VenueError(OUTSIDE_WINDOW[0], text)
    if sent_ms < now_ms - window_ms:
        raise VenueError(*OUTSIDE_WINDOW)


def check_signature(holder: Holder, signed: bytes, signature: bytes) -> None:
    """Refuse what was not signed with the key's secret.

    Raises:
        VenueError: the signature is missing or wrong.
    """
    if not signature:
        raise missing("signature")
    if not holder.seal.fits(signed, signature):
        raise VenueError(*BAD_SIGNATURE)
