"""From a sweep to its results on disk: jobs, executors, progress, store, kept weights, verification, provenance."""
