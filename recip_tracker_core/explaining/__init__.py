"""What the attention term does to the classifier, in the paper's pictures: ``recip-tracker explain``.

A front end like the evaluation, whose extra has its libraries, too.
"""
