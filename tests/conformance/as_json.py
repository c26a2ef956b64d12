"""CQL2 text as CQL2 JSON, by another implementation: one expression a line in, one document a line out; blank where
it cannot."""
import json
import sys

import cql2

for line in sys.stdin.read().split("\n"):
    try:
        print(json.dumps(cql2.parse_text(line).to_json(), ensure_ascii=False))
    except Exception:
        print()
