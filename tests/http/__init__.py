# ruff: noqa: A005 - mirrors `ecs_admission.http`, and is imported as `tests.http` only
