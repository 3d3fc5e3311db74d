"""Trained models over HTTP: an API, the Open Inference Protocol, and a gallery for people."""

from service.http.app import create_app
from service.http.limits import Limits
from service.http.middleware.request_limits import request_limit_protocol

__all__ = ["Limits", "create_app", "request_limit_protocol"]
