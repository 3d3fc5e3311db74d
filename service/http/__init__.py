"""Trained models over HTTP: an API, the Open Inference Protocol, and a gallery for people."""

from service.http.app import create_app
from service.http.heads import LimitHeads
from service.http.limits import Limits

__all__ = ["LimitHeads", "Limits", "create_app"]
