#!/usr/bin/env python3
"""Write policies/capabilities.json: the built-ins that OPA marks as native to WebAssembly, and no network.

Both engines run those as OPA's own code, so they agree by construction. Run it after a change of the pinned OPA
release: `.venv/bin/python tools/capabilities.py`. Source of the mark: `builtin_metadata.json` in OPA's Go module.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEATURES = ["keywords_in_refs", "rego_v1", "template_strings"]


def main() -> None:
    opa = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".tools" / "bin" / "opa")
    version = subprocess.run([opa, "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    module_cache = subprocess.run(
        ["go", "env", "GOMODCACHE"], check=True, capture_output=True, text=True
    ).stdout.strip()
    module = Path(module_cache) / "github.com" / "open-policy-agent" / f"opa@v{version}"
    metadata = json.loads((module / "builtin_metadata.json").read_text())
    native = {name for name, facts in metadata.items() if isinstance(facts, dict) and facts.get("wasm")}
    current = json.loads(subprocess.run([opa, "capabilities", "--current"], check=True, capture_output=True).stdout)
    capabilities = {
        "allow_net": [],
        "builtins": sorted((b for b in current["builtins"] if b["name"] in native), key=lambda b: b["name"]),
        "features": FEATURES,
    }
    lines = ",\n".join(f"    {json.dumps(builtin, sort_keys=True)}" for builtin in capabilities["builtins"])
    text = f'{{\n  "allow_net": [],\n  "builtins": [\n{lines}\n  ],\n  "features": {json.dumps(FEATURES)}\n}}\n'
    (ROOT / "policies" / "capabilities.json").write_text(text)


if __name__ == "__main__":
    main()
