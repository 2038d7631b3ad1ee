"""Measures the service beside a bare OPA server, on one machine in one go; see `bench/run.py`."""
