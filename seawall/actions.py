"""Actions of a simulation as data: each can be called, and written down."""

from typing import Any


class Action:
    """Something to be done once. `row` says what and for which agent, in plain values, so that a
    simulation that was saved finds it again
    (`seawall.simulating.simulation.Simulation.restore`)."""

    def __call__(self) -> None:
        """Do it."""
        raise NotImplementedError

    def row(self) -> list[Any]:
        """What kind of action it is, and its subject."""
        raise NotImplementedError
