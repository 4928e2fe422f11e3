"""The node's services, and one topic: what an operator does to the targets that are followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from recip_tracker_core.errors import ConfigError, NotInitialisedError

from .connections import reliable, subscribed
from .following import Following


class Services:
    """Each is there, and is answered, in every lifecycle state.

    Args:
        node: that has them.
        following: gives what they are about; None while the node is not active.
        done: told what has been done.
        refused: told what has not, and why.
    """

    def __init__(
        self,
        node: LifecycleNode,
        following: Callable[[], Following | None],
        done: Callable[[str], None],
        refused: Callable[[str, Exception], None],
    ) -> None:
        self._node, self._following, self._done, self._refused = node, following, done, refused
        for name, act in (
            ("reset", Following.reset),
            ("undo_init", Following.undo),
            ("save_target", lambda one: one.save(self._file())),
            ("load_target", lambda one: one.load(self._file())),
        ):
            node.create_service(Trigger, f"~/{name}", self._trigger(name, act))
        for name, switch in (("pause", Following.pause), ("freeze", Following.freeze)):
            node.create_service(SetBool, f"~/{name}", self._switch(name, switch))
        subscribed(node, String, "~/remove", reliable(10), self._on_remove)

    def _on_remove(self, msg: String) -> None:
        """No service: none of those that every ROS 2 has takes a string."""
        self._answered("remove", Trigger.Response(), lambda one: one.remove(msg.data))

    def _trigger(
        self, name: str, act: Callable[[Following], str]
    ) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        return lambda _, response: self._answered(name, response, act)

    def _switch(
        self, name: str, switch: Callable[[Following, bool], str]
    ) -> Callable[[SetBool.Request, SetBool.Response], SetBool.Response]:
        return lambda request, response: self._answered(name, response, lambda one: switch(one, request.data))

    def _answered(
        self, name: str, response: Trigger.Response, act: Callable[[Following], str]
    ) -> Trigger.Response:
        try:
            response.message, response.success = act(self._present()), True
        except Exception as error:  # whatever it is, it is the answer, and the node lives on
            response.message, response.success = f"{name} refused: {error}", False
            self._refused(response.message, error)
            return response
        self._done(f"{name}: {response.message}")
        return response

    def _present(self) -> Following:
        following = self._following()
        if following is None:
            raise NotInitialisedError("the node is not active")
        return following

    def _file(self) -> Path:
        name = str(self._node.get_parameter("target_file").value)
        if not name:
            raise ConfigError("the parameter 'target_file' is empty: it names the file")
        return Path(name).expanduser()
