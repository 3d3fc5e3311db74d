"""Rounds as pure functions: plan, schedule, strategies, tasks, and the executor that needs no cluster."""
