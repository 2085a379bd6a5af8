"""manifests.py FILE.yaml…: all Kubernetes objects of the files, in the order given, as one JSON array."""
import json
import sys

import yaml

objects = []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for document in yaml.safe_load_all(file):
            if document is None:
                continue
            if not isinstance(document, dict) or not all(key in document for key in ("apiVersion", "kind", "metadata")):
                sys.exit(f"{path}: a document is no Kubernetes object")
            objects.append(document)
json.dump(objects, sys.stdout, separators=(",", ":"), sort_keys=True)
print()
