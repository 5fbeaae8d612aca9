"""Results that are kept as JSON lines and continued."""
import json
import os


def read(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]
