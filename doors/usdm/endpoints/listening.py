"""Listen keys: opened, renewed and ended with the API key alone, without a signature."""

from typing import Any

from doors.usdm.call import Call
from doors.usdm.errors import VenueError


async def open_key(call: Call) -> Any:
    """The account's listen key."""
    return {"listenKey": call.door.listen_keys.open(call.account_id)}


async def renew_key(call: Call) -> Any:
    """Renew it."""
    key = call.door.listen_keys.renew(call.account_id)
    if key is None:
        raise VenueError(-1125, "This listenKey does not exist.")
    return {"listenKey": key}


async def close_key(call: Call) -> Any:
    """End it."""
    call.door.end_listening(call.account_id)
    return {}
