"""All of Dask: connection, workers, submission, rounds in flight, failures."""
