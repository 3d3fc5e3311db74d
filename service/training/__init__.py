"""A training from its start to a published model: start, resume, loop, evaluate, verify, report, publish."""
