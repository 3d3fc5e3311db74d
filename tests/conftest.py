"""What all tests share: how hypothesis draws."""

from hypothesis import settings

# The same cases every time, so that a red run is red for everyone; a slow machine is no failure.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")
