"""Publishers and subscriptions: their quality of service can be overridden, and what does not fit is said.

The parameters are ROS's own: ``qos_overrides./topic.publisher.reliability`` and so on, read-only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rclpy import qos
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.publisher import Publisher
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from .diagnostics import incompatible_qos

OVERRIDABLE = (
    qos.QoSPolicyKind.HISTORY,
    qos.QoSPolicyKind.DEPTH,
    qos.QoSPolicyKind.RELIABILITY,
    qos.QoSPolicyKind.DURABILITY,
)


# Functions, not constants: an override is written into the profile that it is for.


def reliable(depth: int) -> qos.QoSProfile:
    """Every message arrives, of the last ``depth``."""
    return qos.QoSProfile(depth=depth, reliability=qos.ReliabilityPolicy.RELIABLE)


def latched() -> qos.QoSProfile:
    """The last message is there for whoever comes later."""
    return qos.QoSProfile(
        depth=1, reliability=qos.ReliabilityPolicy.RELIABLE, durability=qos.DurabilityPolicy.TRANSIENT_LOCAL
    )


def newest(depth: int = 1) -> qos.QoSProfile:
    """Of a camera: what has been missed is not sent again, and the newest replaces what waits."""
    return qos.QoSProfile(depth=depth, reliability=qos.ReliabilityPolicy.BEST_EFFORT)


def advertised(
    node: LifecycleNode, kind: type, topic: str, profile: qos.QoSProfile, *, is_managed: bool = True
) -> Publisher:
    """A publisher.

    Args:
        node: whose it is.
        kind: of the messages.
        topic: its name.
        profile: that is overridable.
        is_managed: whether it is silent while the node is not active.
    """
    create = node.create_lifecycle_publisher if is_managed else node.create_publisher
    return create(
        kind,
        topic,
        profile,
        qos_overriding_options=QoSOverridingOptions(OVERRIDABLE),
        event_callbacks=PublisherEventCallbacks(incompatible_qos=_complaint(node, topic, "publisher")),
    )


def subscribed(
    node: LifecycleNode,
    kind: type,
    topic: str,
    profile: qos.QoSProfile,
    callback: Callable[[Any], None],
    told: Callable[[str], None] | None = None,
) -> Subscription:
    """A subscription; arguments as of :func:`advertised`.

    Args:
        told: gets the sentence, too, that is logged where a publisher does not fit.
    """
    return node.create_subscription(
        kind,
        topic,
        callback,
        profile,
        qos_overriding_options=QoSOverridingOptions(OVERRIDABLE),
        event_callbacks=SubscriptionEventCallbacks(
            incompatible_qos=_complaint(node, topic, "subscription", told)
        ),
    )


@contextlib.contextmanager
def undone_on_failure(node: LifecycleNode) -> Iterator[None]:
    """Publishers and subscriptions that are made inside are removed if that ends in an error."""
    before = {id(one) for one in (*node.publishers, *node.subscriptions)}
    try:
        yield
    except BaseException:
        for publisher in [one for one in node.publishers if id(one) not in before]:
            is_managed = isinstance(publisher, LifecyclePublisher)
            (node.destroy_lifecycle_publisher if is_managed else node.destroy_publisher)(publisher)
        for subscription in [one for one in node.subscriptions if id(one) not in before]:
            node.destroy_subscription(subscription)
        raise


def _complaint(
    node: LifecycleNode, topic: str, role: str, told: Callable[[str], None] | None = None
) -> Callable[[Any], None]:
    def complain(event: Any) -> None:
        policy = qos.qos_policy_name_from_kind(event.last_policy_kind)
        sentence = incompatible_qos(node.resolve_topic_name(topic), policy, role)
        node.get_logger().warning(sentence)
        if told is not None:
            told(sentence)

    return complain
