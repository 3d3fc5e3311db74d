"""Trained models: named, versioned, immutable."""

from service.registry.draft import Draft
from service.registry.registry import ModelVersion, Registry

__all__ = ["Draft", "ModelVersion", "Registry"]
