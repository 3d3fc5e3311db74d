"""Ingests a folder into a new bucket: python -m tests.hosts.ingest DATASET FOLDER BUCKET"""

import os
import sys
from pathlib import Path

from service.data import ingest
from service.home import Home
from tests.object_storage import new_bucket

if __name__ == "__main__":
    dataset, folder, bucket = sys.argv[1:]
    new_bucket(os.environ["AWS_ENDPOINT_URL"], bucket)
    ingest(Home.from_environment(), dataset=dataset, source=Path(folder))
