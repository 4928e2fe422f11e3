"""``recip-tracker doctor``: what of this machine the tracker needs, whether it fits together, and what to do.

What could end a process, or fail in ways of its own, is asked of another one (:mod:`.questions`). The
answers and what else is looked at are one value (:mod:`.surroundings`); probes make findings of it. Nothing
here imports more than the standard library and rich: numpy, OpenCV, torch and ROS may be what is broken.
"""
