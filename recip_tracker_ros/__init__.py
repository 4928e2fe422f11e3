"""The ROS 2 node: converts messages, calls the tracker, publishes. Thin on purpose."""
