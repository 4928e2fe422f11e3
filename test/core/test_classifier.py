"""The head, and the choice of the best candidates."""

import numpy as np
import pytest
import torch
from torch import Tensor

from recip_tracker_core.classifier import BACKGROUND, TARGET, FcClassifier, Head, Jury, Kept, Scored, margin
from recip_tracker_core.types import Boxes


class Widths:
    """A view in which the one feature of a box is its width."""

    def covers(self, boxes: Boxes) -> np.ndarray:
        return np.ones(len(boxes), bool)

    def sample(self, boxes: Boxes) -> Tensor:
        return torch.from_numpy(boxes[:, 2]).reshape(-1, 1, 1, 1)


def identity_head(threshold: float = 10.0) -> Head:
    """A head whose margin is its one (positive) feature less the threshold."""
    head = Head(channels=1, grid=1, hidden=1, dropout=0.0, seed=0)
    with torch.no_grad():
        head.fc4.weight.fill_(1)
        head.fc5.weight.fill_(1)
        head.fc6.weight.copy_(torch.tensor([[0.0], [1.0]]))
        head.fc6.bias.copy_(torch.tensor([threshold, 0.0]))
    return head.eval()


def test_the_margin_is_the_score_of_the_target_less_that_of_the_background() -> None:
    scores = torch.tensor([[1.0, 3.5], [2.0, -1.0]])
    assert (BACKGROUND, TARGET) == (0, 1)
    assert margin(scores).tolist() == [2.5, -3.0]


def classified(
    widths: list[float], best: int, witness_share: float = 0.0, witness: Head | None = None
) -> Scored:
    """What a classifier says of candidates of these widths, each in a column of its own."""
    candidates = np.array([[column, 0, width, 1] for column, width in enumerate(widths)], np.float32)
    head = identity_head()
    return FcClassifier(best, witness_share).classify(Widths(), candidates, head, witness or head)


def test_the_best_candidates_come_first_with_their_own_boxes() -> None:
    best = classified([3, 12, 7, 11], best=2)
    np.testing.assert_array_equal(best.boxes, [[1, 0, 12, 1], [3, 0, 11, 1]])
    np.testing.assert_allclose(best.scores, [2.0, 1.0])


def test_fewer_candidates_than_wanted_are_all_kept() -> None:
    assert len(classified([3, 4], best=5).boxes) == 2


@pytest.mark.parametrize(
    ("share", "score"), [(0.0, 2.0), (0.25, 4.0), (1.0, 10.0)], ids=["none", "a-quarter", "all"]
)
def test_the_witness_has_its_share_of_the_score(share: float, score: float) -> None:
    # a width of 12 is 2 above the threshold of the head, and 10 above that of the witness
    best = classified([12], best=1, witness_share=share, witness=identity_head(threshold=2.0))
    np.testing.assert_allclose(best.scores, [score])


def test_equal_seeds_give_equal_heads_and_other_seeds_others() -> None:
    first, again, other = (Head(4, 3, 16, 0.5, seed) for seed in (1, 1, 2))
    assert torch.equal(first.fc4.weight, again.fc4.weight)
    assert not torch.equal(first.fc4.weight, other.fc4.weight)


def test_first_weights_have_the_spread_of_he() -> None:
    head = Head(channels=32, grid=3, hidden=512, dropout=0.0, seed=0)
    assert head.fc4.weight.std().item() == pytest.approx((2 / 288) ** 0.5, rel=0.02)
    assert head.fc5.weight.std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.02)
    assert not head.fc5.bias.any()


def test_dropout_happens_in_training_alone_and_by_the_generator() -> None:
    head, features = Head(4, 3, 64, 0.5, seed=0), torch.ones(8, 4, 3, 3)

    def scored(seed: int) -> Tensor:
        return head(features, head.kept(len(features), torch.Generator().manual_seed(seed)))

    head.train()
    assert torch.equal(scored(1), scored(1))
    assert not torch.equal(scored(1), scored(2))
    head.eval()
    assert torch.equal(scored(1), scored(2))


def test_dropout_keeps_the_mean_of_a_unit() -> None:
    head = identity_head()
    head.dropout = 0.5
    head.train()
    scores = head(torch.full((20000, 1, 1, 1), 3.0), head.kept(20000, torch.Generator().manual_seed(0)))
    assert scores[:, TARGET].mean().item() == pytest.approx(3.0, rel=0.05)
    assert set(scores[:, TARGET].detach().unique().tolist()) == {0.0, 12.0}  # kept twice: 3 * 2 * 2


def training_head(dropout: float) -> Head:
    """In float64, and learning, so that hidden units are dropped."""
    return Head(channels=3, grid=2, hidden=12, dropout=dropout, seed=3).double().train()


def drawn_features(*, requires_grad: bool) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn((5, 3, 2, 2), generator=generator, dtype=torch.float64)
    return features.requires_grad_(requires_grad)


def dropped(head: Head) -> Kept | None:
    """The same units each time, of the samples of :func:`drawn_features`."""
    return head.kept(5, torch.Generator().manual_seed(7))


def by_autograd(head: Head, features: Tensor) -> tuple[Tensor, Tensor]:
    """Scores, and their gradients by the features, both differentiable."""
    scores = head(features, dropped(head))
    gradients = [
        torch.autograd.grad(scores[:, kind].sum(), features, create_graph=True)[0]
        for kind in (BACKGROUND, TARGET)
    ]
    return scores, torch.stack(gradients)


with_and_without_dropout = pytest.mark.parametrize("dropout", [0.0, 0.5], ids=["no-dropout", "dropout"])


@with_and_without_dropout
def test_the_gradients_of_the_scores_are_those_of_automatic_differentiation(dropout: float) -> None:
    head = training_head(dropout)
    expected_scores, expected = by_autograd(head, drawn_features(requires_grad=True))
    scores, gradients = head.with_gradients(drawn_features(requires_grad=False), dropped(head))
    assert torch.equal(scores, expected_scores)
    assert gradients.shape == (2, 5, 3, 2, 2)
    torch.testing.assert_close(gradients, expected, rtol=1e-12, atol=1e-14)


@with_and_without_dropout
def test_a_loss_on_those_gradients_has_the_slope_by_the_weights_that_second_derivatives_give(
    dropout: float,
) -> None:
    head = training_head(dropout)
    parameters = [*head.parameters()]
    scores, gradients = head.with_gradients(drawn_features(requires_grad=False), dropped(head))
    expected_scores, expected = by_autograd(head, drawn_features(requires_grad=True))
    slopes, expected_slopes = (
        torch.autograd.grad(score.square().sum() + gradient.relu().var(), parameters)
        for score, gradient in ((scores, gradients), (expected_scores, expected))
    )
    for slope, other in zip(slopes, expected_slopes, strict=True):
        torch.testing.assert_close(slope, other, rtol=1e-10, atol=1e-12)


def test_how_features_lie_in_memory_changes_no_gradient() -> None:
    head, features = training_head(0.0), drawn_features(requires_grad=False)
    channels_last = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(head.with_gradients(channels_last)[1], head.with_gradients(features)[1])


def test_no_samples_have_no_gradients() -> None:
    scores, gradients = training_head(0.5).with_gradients(torch.zeros(0, 3, 2, 2, dtype=torch.float64))
    assert (scores.shape, gradients.shape) == ((0, 2), (2, 0, 3, 2, 2))


@pytest.mark.parametrize("weighs_features", [False, True], ids=["plain", "weighing"])
def test_a_jury_says_of_each_sample_what_each_of_its_heads_says(*, weighs_features: bool) -> None:
    heads = [Head(5, 3, 16, 0.5, seed, weighs_features=weighs_features).eval() for seed in (1, 2, 3)]
    features = torch.randn((7, 5, 3, 3), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = Jury(*heads).margins(features)
        torch.testing.assert_close(found, torch.stack([margin(head(features)) for head in heads]))
    assert found.shape == (3, 7)
