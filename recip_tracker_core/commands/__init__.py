"""The commands of ``recip-tracker``, one a module: what each can be asked for.

A module here imports what its command computes with only when that command runs: asking for help waits for no
library, and ``doctor`` answers where one of them is broken.
"""
