"""The yardstick of `bench.services`: pyzmq and msgspec with nothing between them.

A DEALER sends the frame of one order, a ROUTER in another process decodes it and encodes an answer
of the same kind as the gateway's. Run as ``python -m bench.services_bare ADDRESS``.
"""

import argparse
import subprocess
import sys
from time import perf_counter_ns
from typing import Any

import zmq

from bench.services_exchange import PATIENCE_SECONDS, Environment
from engine.commands import BUY, SubmitOrder
from engine.events import OrderAccepted
from engine.native_message import message_of
from gateway.protocol import (
    Delivery,
    Replies,
    Submit,
    decode_from_client,
    decode_from_server,
    encode,
)

WARM_UP = 300


def echo(address: str) -> None:
    """Answer until an empty frame comes."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.bind(address)
    number = 0
    while True:
        sender, frame = router.recv_multipart()
        if not frame:
            break
        message = decode_from_client(frame)
        assert isinstance(message, Submit)
        request_id, command = message.requests[0]
        order = message_of(command)
        assert isinstance(order, SubmitOrder)
        number += 1
        accepted = OrderAccepted(
            number, order.account_id, number, 0, order.side, order.qty_lots, order.price_ticks
        )
        answer = Delivery(number, [Replies([request_id], [number], [[accepted]])], [])
        router.send_multipart((sender, encode(answer)))
    context.destroy(linger=0)


def round_trips_ns(socket: Any, samples: int) -> list[int]:
    """Times of single round trips, encoding and decoding included."""
    times = [0] * samples
    for number in range(-WARM_UP, samples):
        start = perf_counter_ns()
        order = SubmitOrder(0, 100, 0, 0, BUY, 5, 10_000)
        socket.send(encode(Submit(1, [(number + WARM_UP, order)])))
        answer = decode_from_server(socket.recv())
        if number >= 0:
            times[number] = perf_counter_ns() - start
        assert isinstance(answer, Delivery)
    return times


def measure_bare(address: str, samples: int, environment: Environment) -> list[int]:
    """Round trips to an echo process at an address, which is started and ended here."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.services_bare", address], env=environment
    )
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.RCVTIMEO, PATIENCE_SECONDS * 1000)
        dealer.setsockopt(zmq.RECONNECT_IVL, 20)
        dealer.connect(address)
        times = round_trips_ns(dealer, samples)
        dealer.send(b"")
        child.wait(PATIENCE_SECONDS)
        return times
    finally:
        context.destroy(linger=0)
        if child.poll() is None:
            child.kill()
            child.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    echo(parser.parse_args().address)
