"""Searching settings: sweeps and the study of averaging."""
