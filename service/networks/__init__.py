"""Networks as data: what a description says, how it becomes a network, and where people have it from.

A description is read once, where somebody hands it in (a TOML file, a text in a form, a function). From then on it
travels in the run's configuration and in the model's manifest, and nothing but itself is needed.
"""

from service.networks.description import Description

__all__ = ["Description"]
