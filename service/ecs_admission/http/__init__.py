"""The HTTP side: blueprints, the one shape of errors, and nothing that decides."""

from ecs_admission.http.factory import create_flask

__all__ = ["create_flask"]
