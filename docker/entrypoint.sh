#!/bin/bash
# ROS, this workspace and its Python environment, then the command.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
source /opt/tracker/bin/activate
exec "$@"
