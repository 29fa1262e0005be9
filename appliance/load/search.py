"""How many calls a box sustains: tried, until that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.load.host import Host
from appliance.load.live import Load, Recording, is_disturbed, largest, sustained, trial
from appliance.load.probe import Figures

TRIALS = 3  # of those in which the clients themselves were late
SEARCH_S = 20.0  # a trial of the search, at least
SEARCH_CALLS_S = 80.0  # of all its calls together: few calls need longer to say enough


@dataclass(frozen=True, slots=True)
class Player:
    """Plays calls to one who is measured."""

    play: Callable[[int, float], Figures]  # calls, seconds of each
    drop: Callable[[], None]  # what overloaded it must not burden what comes next


@dataclass(frozen=True, slots=True)
class Search:
    most: int
    within_s: float
    seconds: float | None = None  # of a trial's calls; else as long as tells enough

    def run(self, player: Player, say: Callable[[str], None]) -> tuple[int, Figures]:
        """The most calls that are sustained, and the figures of that trial."""
        tried: dict[int, Figures] = {}

        def holds(calls: int) -> bool:
            say(f"{calls} at once")
            length_s = self.seconds or max(SEARCH_S, SEARCH_CALLS_S / calls)
            for _ in range(TRIALS):
                tried[calls] = player.play(calls, length_s)
                if not is_disturbed(tried[calls]):
                    break
                say("again: this machine was busy with something else")
            good = sustained(tried[calls], self.within_s)
            if not good:
                player.drop()
            return good

        best = largest(holds, self.most)
        return best, tried[max(best, 1)]


def player_of(host: Host, audio: Recording, load: Load) -> Player:
    """Plays calls like those of `load` to a box."""

    def play(calls: int, seconds: float) -> Figures:
        return trial(host, audio, replace(load, calls=calls, seconds=seconds))

    return Player(play, host.drop)
