"""Mutation tests: does a test fail when a line of the code is changed? `make mutants ARGS="MODULE …"`."""
