"""What AWS publishes about ECS itself, read from botocore's data files without importing botocore."""

from __future__ import annotations

import gzip
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from ecs_admission.errors import SettingsError

_ECS_MODEL = Path("data", "ecs", "2014-11-13", "service-2.json.gz")


@lru_cache(maxsize=1)
def ecs_model() -> dict[str, Any]:
    """The ECS service model that the SDK validates and serialises requests with: `operations`, `shapes`, `metadata`.

    Importing botocore's loaders costs a command line more than everything else it does, so only the file is read.
    The answer is shared: callers must not change it. Raises SettingsError when botocore or its model is missing.
    """
    spec = importlib.util.find_spec("botocore")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder, _ECS_MODEL)
        if path.is_file():
            model: dict[str, Any] = orjson.loads(gzip.decompress(path.read_bytes()))
            return model
    raise SettingsError("botocore's ECS service model was not found: install the packages in requirements/runtime.txt.")
