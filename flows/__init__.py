"""The service's jobs as Prefect flows. Prefect is known here and nowhere else."""
