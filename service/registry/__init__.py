"""Trained models: named, versioned, immutable."""

from service.model_ref import ModelRef
from service.registry.draft import Draft
from service.registry.registry import Registry
from service.registry.version import ModelVersion

__all__ = ["Draft", "ModelRef", "ModelVersion", "Registry"]
