"""One-pass evaluation of trackers on benchmarks: run, score, report.

A front end like the command line: it reads what the core's :class:`~..tracker.Tracker` answers and never
reaches inside. Its libraries come with the ``evaluation`` extra, and no robot needs them.
"""
