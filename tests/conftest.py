"""What holds for all tests: a busy machine makes none of them fail."""

from hypothesis import settings

# A slow example is not a wrong one.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
