"""Converts CQL2 text to CQL2 JSON with another implementation: one expression per line in, one document per line out,
blank if it cannot."""
import json
import sys

import cql2

for line in sys.stdin.read().split("\n"):
    try:
        print(json.dumps(cql2.parse_text(line).to_json(), ensure_ascii=False))
    except Exception:
        print()
