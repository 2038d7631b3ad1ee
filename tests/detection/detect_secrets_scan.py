"""Read a JSON list of texts, answer a JSON list of booleans: does detect-secrets find anything? Offline.

Run by the interpreter that has detect-secrets, so it imports nothing of ours.
"""

import json
import sys
import tempfile
from pathlib import Path

from detect_secrets.core.scan import scan_file  # type: ignore[import-not-found, unused-ignore]
from detect_secrets.settings import default_settings, get_settings  # type: ignore[import-not-found, unused-ignore]


def main() -> None:
    """Each text is a file of its own, as in a repository."""
    flagged = []
    with tempfile.TemporaryDirectory() as folder, default_settings():
        settings = get_settings()
        if sys.argv[1:] == ["no-entropy"]:
            settings.disable_plugins("Base64HighEntropyString", "HexHighEntropyString")
        for number, text in enumerate(json.load(sys.stdin)):
            path = Path(folder) / f"task-definition-{number}.json"
            path.write_text(text, encoding="utf-8")
            flagged.append(any(True for _ in scan_file(str(path))))
    json.dump(flagged, sys.stdout)


if __name__ == "__main__":
    main()
