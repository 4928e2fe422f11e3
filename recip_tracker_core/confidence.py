"""From signals to an answer: tracked, uncertain or lost, and confidence in [0, 1].

Each decision goes by the signal that serves it. *Does the box move?* From how the finder's peak stands
against the target's own history: blur and deformation pass, absence does not. *Is this frame learned?*
Only what the witness recognises. *Which state is it?* From that recognition, too: the witness has not
followed any drift. *How sure is that?* All of them together say how often such a box is right, and so does
what decides nothing: that something else in view is nearly as like the target, and that it was lost before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from . import config
from .types import TrackStatus

# The logistic of the witness's likeness and of what is more like the first frame elsewhere was fitted on 29
# clips: one half at a likeness of 0.25 where nothing is.
LIKENESS_SLOPE, STRANGENESS_SLOPE, OFFSET = 18.0, 3.0, -4.5
USUAL_FRAMES = 50  # tracked frames whose median likeness is the target's usual one
LEAST_USUAL_FRAMES = 10  # the first frames are too much like the first of all to say what is usual
# The logarithm of the odds that a box overlaps the target by one half at least, fitted on 20 clips as they
# are and with made events. What was lost once and was found again may be another.
LIKENESS_WEIGHT, STRENGTH_WEIGHT, RIVALRY_WEIGHT, EVIDENCE_OFFSET = 8.0, 3.0, 2.0, -1.6
LOST_WEIGHT, FOUND_AGAIN_WEIGHT = 1.5, 1.0
PLAIN_LIKENESS, PLAIN_STRENGTH = 0.6, 0.8  # from which more says no more
FIRST_EVIDENCE, UNSEEN = 5.0, -8.0  # of the frame in which a target was given, and of one not seen yet
FAINTEST = 1e-6  # that a history fades to: a target may be lost for hours, and nothing is divided by 0
SETTLED_FRAMES = 2  # good ones in a row after which a place is safe to return to
HOME_RIVALRY = 1.0  # below which the target is believed to be where it was before


def logistic(score: float) -> float:
    """1 / (1 + exp(-score)), for any finite score."""
    return 1 / (1 + math.exp(-min(max(score, -60.0), 60.0)))


@dataclass(frozen=True, slots=True)
class Signals:
    """What a place on the map says of itself.

    Attributes:
        peak: the finder's response there.
        sharpness: that over its sidelobes.
        strength: both against the target's own history, about 1 when all is well.
        likeness: the witness's response there, 1 in the first frame.
        rivalry: the witness's best response elsewhere over the one there, 0 to 3.
        strangeness: the same where no known rival is: what neither the target nor a rival explains.
        elsewhere: likeness of the best of those places.
        margin: the classifier's score there, NaN where there is none.
        ceiling: most that the recognition may be, whatever the rest says.
    """

    peak: float
    sharpness: float
    strength: float
    likeness: float
    rivalry: float
    strangeness: float
    elsewhere: float = 0.0
    margin: float = math.nan
    ceiling: float = 1.0

    @property
    def recognition(self) -> float:
        """How surely the witness knows the target here, 0 to 1, by this frame alone: what decisions go by."""
        score = (
            LIKENESS_SLOPE * self.likeness - STRANGENESS_SLOPE * math.log(max(self.strangeness, 1.0)) + OFFSET
        )
        return min(logistic(score), self.ceiling)

    @property
    def evidence(self) -> float:
        """That the box is on the target: logarithm of the odds, by this frame alone."""
        likeness, strength = min(self.likeness, PLAIN_LIKENESS), min(self.strength, PLAIN_STRENGTH)
        known = LIKENESS_WEIGHT * likeness + STRENGTH_WEIGHT * strength
        return known - RIVALRY_WEIGHT * self.rivalry + EVIDENCE_OFFSET


@dataclass(frozen=True, slots=True)
class History:
    """How the finder's peak usually is; what *strength* is measured against.

    Attributes:
        peak, sharpness: running means over frames that were learned.
        count: of those.
    """

    peak: float
    sharpness: float
    count: int = 1

    def strength(self, peak: float, sharpness: float) -> float:
        """1 for the usual peak, less for a lower or a blunter one."""
        return math.sqrt(max(sharpness, 0.0) / self.sharpness * max(peak, 0.0) / self.peak)

    def with_frame(self, seen: Signals, rate: float) -> History:
        """The same with one more learned frame: a mean at first, in which the first frame counts twice."""
        share = max(rate, 1 / (self.count + 2))
        return History(
            self.peak + share * (seen.peak - self.peak),
            self.sharpness + share * (seen.sharpness - self.sharpness),
            self.count + 1,
        )

    def faded(self, keep: float) -> History:
        """The same after a frame in which the box stayed: what is asked for falls slowly."""
        peak, sharpness = max(self.peak * keep, FAINTEST), max(self.sharpness * keep, FAINTEST)
        return replace(self, peak=peak, sharpness=sharpness)


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been concluded so far; replaced whole after every frame.

    Attributes:
        status: of the last frame.
        recognition, evidence: running means of the frames' own.
        good: frames in a row of which the witness was sure.
        bad: frames in a row that spoke for the target being lost.
        probation: frames since the target was found again, or leapt, while that is not confirmed; else 0.
        was_lost: it was lost once, and has been found again.
        is_doubted: a rival has been where the target is, and who it is now is not confirmed.
        usual: likeness of the last tracked frames.
        reason: for the status, in words; empty while tracked.
    """

    status: TrackStatus = TrackStatus.TRACKED
    recognition: float = 1.0
    evidence: float = FIRST_EVIDENCE
    good: int = 3
    bad: int = 0
    probation: int = 0
    was_lost: bool = False
    is_doubted: bool = False
    usual: tuple[float, ...] = ()
    reason: str = ""

    @property
    def confidence(self) -> float:
        """That the box is on the target, by an overlap of one half or more: a calibrated probability."""
        is_lost = self.status is TrackStatus.LOST
        return logistic(self.evidence - LOST_WEIGHT * is_lost - FOUND_AGAIN_WEIGHT * self.was_lost)

    @property
    def is_settled(self) -> bool:
        """Whether the present place is one to return to."""
        return self.status is TrackStatus.TRACKED and self.good >= SETTLED_FRAMES


@dataclass(frozen=True, slots=True)
class Judge:
    """Draws conclusions from frame to frame.

    Args:
        gate: when the box moves and what is learned.
        confidence: what is called tracked and lost.
        recovery: what it takes to come back.
        rivals: what a look-alike in the target's place is worth.
        recognised: score of the classifier, where there is one, that the identity test asks for.
    """

    gate: config.Gate
    settings: config.Confidence
    recovery: config.Recovery
    rivals: config.Rivals
    recognised: float

    def moves(self, seen: Signals) -> bool:
        """Whether the box follows the peak."""
        return not self.gate.enabled or seen.strength > self.gate.moves_from

    def trust(self, standing: Standing, seen: Signals) -> float:
        """How far a frame in which the box moved is learned, 0 to 1."""
        if standing.probation or standing.status is TrackStatus.LOST:
            return 0.0
        if not self.gate.enabled:
            return 1.0
        # A tenth at the least: blur is not absence.
        strength = _ramp(seen.strength, self.gate.moves_from, self.gate.full_strength)
        return self.belief(standing, seen) * max(strength, 0.1)

    def belief(self, standing: Standing, seen: Signals) -> float:
        """How far the witness recognises the target, in this frame and of late, 0 to 1."""
        if not self.gate.enabled:
            return 1.0
        surest = min(seen.recognition, standing.recognition)
        return _ramp(surest, self.gate.learns_from, self.gate.learns_fully_from)

    def resembles(self, standing: Standing, seen: Signals, *, is_home: bool = False) -> bool:
        """The identity test: as like the first frame as usual, nothing else nearly so, and recognised.

        Where the target was before, it is enough that nothing else is more like it.
        """
        is_recognised = math.isnan(seen.margin) or seen.margin > self.recognised
        return is_recognised and self._is_like(standing, seen, is_home=is_home)

    def _is_like(self, standing: Standing, seen: Signals, *, is_home: bool = False) -> bool:
        """The same for the witness alone, without the classifier."""
        recovery = self.recovery
        least = recovery.likeness
        if len(standing.usual) >= LEAST_USUAL_FRAMES:
            usual = recovery.usual_share * float(np.median(standing.usual))
            least = min(max(least, usual), recovery.plain_likeness)
        most = max(recovery.rivalry, HOME_RIVALRY) if is_home else recovery.rivalry
        return seen.likeness > least and seen.rivalry < most

    def doubting(self, standing: Standing, seen: Signals, *, is_merged: bool) -> tuple[Standing, Signals]:
        """Both with the doubt that a rival in the target's place brings, until the identity test passes."""
        if self.rivals.doubted >= 1:
            return standing, seen
        standing = replace(standing, is_doubted=standing.is_doubted or is_merged)
        if is_merged or (standing.is_doubted and not self.resembles(standing, seen)):
            seen = replace(seen, ceiling=self.rivals.doubted)
        return standing, seen

    def leapt(self, standing: Standing, seen: Signals, boxes: float) -> Standing:
        """What is concluded of a target that is suddenly elsewhere, so many boxes from where it was expected.

        With a peak lower than usual it is on probation, as if it had been lost.
        """
        is_doubtful = boxes > self.recovery.leap and seen.strength < self.gate.full_strength
        if standing.probation or not (is_doubtful and self.recovery.enabled):
            return standing
        return replace(standing, good=0, probation=1)

    def followed(self, standing: Standing, seen: Signals, *, has_moved: bool) -> Standing:
        """The conclusion from a frame in which the target was followed."""
        settings = self.settings
        recognition = self._smoothed(standing.recognition, seen.recognition)
        evidence = self._smoothed(standing.evidence, seen.evidence)
        # A target that is leaving is recognised to the end, but its peak is weak by then.
        # One that is back, or elsewhere, often looks different: there the identity test alone decides.
        is_sound = seen.strength >= settings.sound or standing.probation > 0
        is_sure = seen.recognition >= settings.tracked and is_sound
        is_to_prove = standing.probation > 0 or standing.is_doubted
        passes = is_sure and (not is_to_prove or self.resembles(standing, seen))
        good = standing.good + 1 if passes else 0
        doubt = self._doubt(recognition, seen, has_moved=has_moved)
        bad = standing.bad + 1 if doubt else 0
        probation = standing.probation + 1 if standing.probation else 0
        after = replace(
            standing, recognition=recognition, evidence=evidence, good=good, bad=bad, probation=probation
        )
        # While the witness alone still takes it for the target, it is not given up, nor believed.
        is_over = probation > self.recovery.probation and not (is_sure and self._is_like(standing, seen))
        if self.recovery.enabled and is_over:
            return replace(
                after, status=TrackStatus.LOST, probation=0, reason="not confirmed in its new place"
            )
        if self.recovery.enabled and bad >= settings.lost_after:
            return replace(after, status=TrackStatus.LOST, probation=0, reason=doubt)
        was_tracked = standing.status is TrackStatus.TRACKED and not is_to_prove
        is_still = was_tracked and is_sure and recognition >= settings.tracked
        if good < settings.tracked_after and not is_still:
            return replace(after, status=TrackStatus.UNCERTAIN, reason=doubt or self._weakness(after, seen))
        tracked = replace(after, status=TrackStatus.TRACKED, probation=0, is_doubted=False, reason="")
        if tracked.is_settled:
            tracked = replace(tracked, usual=(*standing.usual, seen.likeness)[-USUAL_FRAMES:])
        return tracked

    def is_elsewhere(self, standing: Standing, seen: Signals) -> bool:
        """Whether the witness, who hardly knows the target where the box is, points somewhere else.

        Weak everywhere is deformation; strong elsewhere is drift, unless that is a look-alike, which only a
        look there can tell.
        """
        settings = self.settings
        return (
            self.recovery.enabled
            and standing.status is not TrackStatus.LOST
            and standing.recognition < settings.lost
            and seen.elsewhere > max(settings.rival_likeness, settings.rivalry * seen.likeness)
        )

    def sought(self, standing: Standing, seen: Signals, *, is_candidate: bool) -> Standing:
        """The conclusion from a frame in which a lost target was looked for and is not yet back."""
        most = self.settings.lost if is_candidate else self.settings.hopeless
        recognition = self._smoothed(standing.recognition, min(seen.recognition, most))
        there = replace(seen, strength=0.0).evidence  # whatever peak there is, it is not where the box is
        return replace(standing, recognition=recognition, evidence=self._smoothed(standing.evidence, there))

    def returned(self, standing: Standing) -> Standing:
        """The conclusion from the frame in which the target was found: on probation."""
        return replace(
            standing,
            status=TrackStatus.UNCERTAIN,
            recognition=max(standing.recognition, self.settings.lost + 0.05),
            good=0,
            bad=0,
            probation=1,
            was_lost=standing.was_lost or standing.status is TrackStatus.LOST,
            is_doubted=False,
            reason="in a new place, on probation",
        )

    def _smoothed(self, mean: float, newest: float) -> float:
        return mean + self.settings.smoothing * (newest - mean)

    def _weakness(self, standing: Standing, seen: Signals) -> str:
        """Why a target that is not lost is not tracked."""
        if standing.probation:
            return "in a new place, on probation"
        if standing.is_doubted:
            return "a look-alike was in its place"
        is_like = seen.recognition >= self.settings.tracked
        return (
            "a weak peak"
            if is_like and seen.strength < self.settings.sound
            else "little like the first frame"
        )

    def _doubt(self, recognition: float, seen: Signals, *, has_moved: bool) -> str:
        """Why the target may be lost, or nothing: little like the first frame is deformation, too."""
        if recognition < self.settings.hopeless:
            return "nothing like the first frame in view"
        return "no peak to follow" if recognition < self.settings.lost and not has_moved else ""


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to ``low``, 1 from ``high``, linear between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
