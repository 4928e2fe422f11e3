"""A target turns in the image plane, too: at which turn does the first frame's filter see it now?

The witness knows the first frame turned in equal steps, and a target has one turn at a time. Where the
witness hardly knows it any more, the two neighbouring turns are asked, and the upright one: a filter at a
wrong turn sees something of the target in much that is not it, so what the upright one sees more clearly,
anywhere in view, decides against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .appearance import Appearance
from .confidence import Signals
from .observing import NEAR_PX, Asking, Observer, Sight, View
from .stories import Steps, asked

PLAIN_LIKENESS = 0.6  # from which an upright target is not asked whether it has turned
REACH = 0.3  # how far around the target's place it is looked for at another turn, in boxes
GAIN = 0.05  # by which it must be more like the first frame there, in its peak
UPRIGHT_LIKENESS, UPRIGHT_GAIN = 0.25, 1.3  # of the upright target, wherever it is, for it to be upright


@dataclass(frozen=True, eq=False, slots=True)
class Turned:
    """Another turn that the target may have.

    Attributes:
        turn: in steps of the witness.
        view: as it is seen then.
        is_upright_elsewhere: because the upright target is seen so much more clearly somewhere in view.
    """

    turn: int
    view: View
    is_upright_elsewhere: bool

    def holds(self, before: Signals, after: Signals) -> bool:
        """Whether it has that turn, by what is seen of it at the one before and at this one."""
        return self.is_upright_elsewhere or after.likeness > before.likeness + GAIN


def reconsidered(observer: Observer, sight: Sight, known: Appearance, turn: int) -> Steps[Turned | None]:
    """The turn at which the witness sees the target more than at its present one, or None."""
    view, unit = sight.view, known.first_peak
    now = sight.signals.likeness * unit
    if known.turns == 1 or (turn == 0 and now > PLAIN_LIKENESS * unit):
        return None
    neighbors = (turn - 1) % known.turns, (turn + 1) % known.turns
    finder, upright, *seen = yield from asked(observer.answered, Asking(view, (0, *neighbors), known))
    highest = float(upright.values.max())
    if turn and highest > max(UPRIGHT_LIKENESS * unit, UPRIGHT_GAIN * now):
        return Turned(0, view.turned(0, finder, upright), is_upright_elsewhere=True)
    reach = max(NEAR_PX, REACH * float(np.sqrt(view.size_px.prod())))
    here = [witness.near(sight.place_px, reach) for witness in seen]
    best = int(np.argmax(here))
    least = now if turn or neighbors[best] == 0 else max(now, highest)
    if here[best] <= least + GAIN * unit:
        return None
    return Turned(
        neighbors[best], view.turned(neighbors[best], finder, seen[best]), is_upright_elsewhere=False
    )
