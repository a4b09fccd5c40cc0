"""Reads a dataset with datumaro and writes ``{image: [[class, x, y, w, h], ...]}`` as JSON.

usage: datumaro_client.py FORMAT FOLDER RESULT. Runs in an interpreter that has datumaro.
"""

import json
import sys
from pathlib import Path

from datumaro import AnnotationType, Dataset

format, folder, result = sys.argv[1:]
found = Dataset.import_from(folder, format)
names = found.categories()[AnnotationType.label]
seen = {}
for item in found:
    rows = seen.setdefault(item.id, [])
    for a in item.annotations:
        if a.type == AnnotationType.bbox:
            rows.append([names[a.label].name if a.label is not None else None, a.x, a.y, a.x + a.w, a.y + a.h])
Path(result).write_text(json.dumps(seen))
