"""What is to be done at a time, as data: an action can be called, and written down."""

from typing import Any


class Action:
    """Something to be done once. `row` says what and about whom, in plain values, so that a
    simulation that was saved finds it again (`seawall.simulation.Simulation.restore`)."""

    def __call__(self) -> None:
        """Do it."""
        raise NotImplementedError

    def row(self) -> list[Any]:
        """What kind of action it is, and about whom or what."""
        raise NotImplementedError
