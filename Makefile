# make demo, make test: each alone does everything on a fresh machine with Python 3.11 to 3.13, g++ and make.
# PIP_* variables (an index, a cache, a CUDA build of torch) reach pip as they are.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A sourced ROS 2 has an rclpy of its own; the environment then builds on it, on its vision_msgs and on its numpy
# instead of on the wheels.
HAS_ROS := $(shell $(PYTHON) -c "import rclpy" 2>/dev/null && echo yes)
ifeq ($(HAS_ROS),yes)
VENV_FLAGS := --system-site-packages
EXTRAS := onnx,cli,weights,evaluation,demo,test
CONSTRAINTS := "numpy==$(shell $(PYTHON) -c 'import numpy; print(numpy.__version__)')"
MESSAGES := @$(PYTHON) -c "import vision_msgs" || { \
	echo "ROS 2 is sourced, but has no vision_msgs: apt install ros-$$ROS_DISTRO-vision-msgs"; exit 1; }
else
VENV_FLAGS :=
EXTRAS := onnx,cli,weights,evaluation,trax,ros,demo,test
CONSTRAINTS := -c constraints.txt
MESSAGES := @command -v g++ >/dev/null || { \
	echo "no g++ found: it compiles vision_msgs; install it (Debian, Ubuntu: apt install g++)"; exit 1; }; \
	$(RUN) -m pip install $(CONSTRAINTS) ./vision_msgs_wheel
endif

find = $(shell find $(1) -type f -not -path '*/__pycache__/*' -not -path '*/build/*' -not -path '*.egg-info/*')

.PHONY: help setup demo test lint clean

help:
	@echo "make demo    follow one target in a video over ROS 2; look at demo/out/index.html"
	@echo "             CLIP=bunny, carphone or occlusion, or VIDEO=file INIT=x,y,w,h; RATE=hz; SEED=n"
	@echo "make test    lint, types, tests of the installed package"
	@echo "make setup   only the environment in $(VENV)"
	@echo "make clean   remove what the others made"

setup: $(VENV)/ready

# Three steps, each with a stamp, so that a second run does only what has changed and needs no network.
$(VENV)/made:
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	@touch $@

$(VENV)/messages: $(VENV)/made $(call find,vision_msgs_wheel)
	$(MESSAGES)
	@touch $@

$(VENV)/ready: $(VENV)/messages $(call find,recip_tracker_core recip_tracker_ros launch config resource) \
		setup.py setup.cfg package.xml constraints.txt
	rm -rf build
	$(RUN) -m pip install $(CONSTRAINTS) ".[$(EXTRAS)]"
	@touch $@

demo: setup
	@$(RUN) demo $(if $(CLIP),--clip "$(CLIP)") $(if $(VIDEO),--video "$(VIDEO)") $(if $(INIT),--init "$(INIT)") \
		$(if $(RATE),--rate "$(RATE)") $(if $(SEED),--seed "$(SEED)")

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

# PYTHONSAFEPATH: what is tested, in every process, is the installed package and not the folder it came from.
# Two workers, a file each: tests across processes wait more than they compute.
test: setup lint
	PYTHONSAFEPATH=1 $(RUN) -m pytest -n 2 --dist loadfile

clean:
	rm -rf $(VENV) build install log *.egg-info vision_msgs_wheel/build vision_msgs_wheel/*.egg-info demo/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
