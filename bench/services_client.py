"""A client of `bench.services` as a process: one order at a time, or batches as fast as they go.

Prints its figures as JSON. The flow: two of three new orders rest near the touch, one crosses it at
once, and every third message cancels the client's oldest resting order as long as it has more than
`KEPT`; so the book stays at some hundred orders however long it runs.
"""

import argparse
import gc
import json
import random
import time
from collections import Counter, OrderedDict, deque
from time import perf_counter_ns

from bench.services_exchange import accounts_of
from bench.worlds import START_TICKS
from engine.commands import BUY, GTC, IOC, LIMIT, SELL, CancelOrder, Command, SubmitOrder
from engine.events import CommandRejected, OrderAccepted, OrderClosed
from engine.reasons import Reason
from gateway.client import Address, Client
from gateway.serve import GC_THRESHOLDS

WARM_UP = 200
PREPARED = 20_000
BATCHES_UNDER_WAY = 8
DEPTH_TICKS = 20
KEPT = 500


def one_at_a_time(client: Client, accounts: list[int], samples: int) -> dict[str, object]:
    """Times from an order to its acknowledgement; every second order trades with the one before."""
    times = [0] * samples
    maker, taker = accounts[0], accounts[1]
    for number in range(-WARM_UP, samples):
        if number % 2:
            order = SubmitOrder(0, taker, 0, 0, SELL, 1, START_TICKS)
        else:
            order = SubmitOrder(0, maker, 0, 0, BUY, 1, START_TICKS)
        start = perf_counter_ns()
        reply = client.call(order)
        if number >= 0:
            times[number] = perf_counter_ns() - start
        assert isinstance(reply.events[0], OrderAccepted), reply
        client.poll(0)
    return {"times_ns": times}


class Flow:
    """Batches of messages; what rests is known from the answers."""

    def __init__(self, client: Client, accounts: list[int], batch: int) -> None:
        self._client = client
        self._batch = batch
        self._rng = random.Random(f"flow {accounts[0]}")
        self._prepared = deque(self._order(accounts) for _ in range(PREPARED))
        # By order id; a plain dict would be searched from its emptied front every time.
        self._resting: OrderedDict[int, int] = OrderedDict()
        self._under_way: dict[int, Command] = {}
        self.rejected: Counter[str] = Counter()
        self.orders = 0

    def _order(self, accounts: list[int]) -> SubmitOrder:
        rng = self._rng
        side = rng.choice((BUY, SELL))
        crossing = rng.random() < 1 / 3
        ticks = rng.randint(1, DEPTH_TICKS)
        price = START_TICKS + side * ticks if crossing else START_TICKS - side * ticks
        tif = IOC if crossing else GTC
        return SubmitOrder(
            0,
            rng.choice(accounts),
            self._instrument_id(),
            0,
            side,
            rng.randint(1, 5),
            price,
            LIMIT,
            tif,
        )

    def _instrument_id(self) -> int:
        return 0

    def send(self) -> None:
        """One batch; every third message cancels the order that rests longest."""
        commands: list[Command] = []
        prepared, resting = self._prepared, self._resting
        for number in range(self._batch):
            if number % 3 == 2 and len(resting) > KEPT:
                order_id, account_id = resting.popitem(last=False)
                commands.append(CancelOrder(0, account_id, order_id))
            else:
                commands.append(prepared[0])
                prepared.rotate(-1)
        self._under_way.update(zip(self._client.send(commands), commands, strict=True))

    def take(self) -> int:
        """Wait for answers and note what rests; returns how many came."""
        replies = self._client.take_replies(1.0)
        for reply in replies:
            command = self._under_way.pop(reply.request_id)
            if type(command) is SubmitOrder:
                self.orders += 1
                first = reply.events[0]
                if type(first) is CommandRejected:
                    self.rejected[Reason(first.reason).name] += 1
                elif command.tif == GTC:
                    self._resting[reply.order_id] = command.account_id
        for event in self._client.poll(0):
            if type(event) is OrderClosed:
                self._resting.pop(event.order_id, None)
        return len(replies)

    @property
    def waiting(self) -> int:
        """Messages without an answer."""
        return len(self._under_way)


def as_fast_as_it_goes(
    client: Client, accounts: list[int], batch: int, begin_ns: int, end_ns: int
) -> dict[str, object]:
    """Answers counted between two moments of the monotonic clock, with batches under way
    before the first one and until the second."""
    flow = Flow(client, accounts, batch)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    counted = orders = 0
    own_cpu_s = 0.0
    started_ns = 0
    while (now_ns := time.monotonic_ns()) < end_ns:
        if not started_ns and now_ns >= begin_ns:
            started_ns = now_ns
            counted = flow.orders = 0
            own_cpu_s = time.process_time()
        while flow.waiting <= batch * (BATCHES_UNDER_WAY - 1):
            flow.send()
        counted += flow.take()
    own_cpu_s = time.process_time() - own_cpu_s
    orders = flow.orders
    seconds = (now_ns - started_ns) / 1e9
    while flow.waiting:
        flow.take()
    return {
        "answers": counted,
        "orders": orders,
        "seconds": seconds,
        "cpu_s": own_cpu_s,
        "rejected": flow.rejected,
        "lost": client.connection.lost_deliveries,
    }


def main() -> None:
    """Run one client and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands")
    parser.add_argument("market_data")
    parser.add_argument("--client", type=int, default=0, help="which accounts")
    parser.add_argument("--samples", type=int, default=0, help="orders one at a time")
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--begin-ns", type=int, default=0)
    parser.add_argument("--end-ns", type=int, default=0)
    parser.add_argument(
        "--keys", nargs=3, default=(), help="the server's public, own public, secret"
    )
    args = parser.parse_args()
    accounts = accounts_of(args.client)
    address = Address(args.commands, args.market_data, *args.keys)
    with Client(address, accounts=accounts) as client:
        if args.samples:
            figures = one_at_a_time(client, accounts, args.samples)
        else:
            figures = as_fast_as_it_goes(client, accounts, args.batch, args.begin_ns, args.end_ns)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
