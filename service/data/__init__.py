"""Data sets: where they come from, and the Zarr store that holds them."""

from service.data.dataset_info import DatasetInfo
from service.data.ingest import check_name, ingest
from service.data.store import Arrays, Group, describe, label_counts, read, verify

__all__ = ["Arrays", "DatasetInfo", "Group", "check_name", "describe", "ingest", "label_counts", "read", "verify"]
