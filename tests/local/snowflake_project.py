"""Reads ``snowflake.yml`` as Snowflake's command line does: a script for the environment ``snow``.

It prints the name, main file, warehouse and grants of the app, and the files that a deployment
uploads, as JSON. If the file does not have the form that the command line knows, it fails.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from snowflake.cli.api.artifacts.bundle_map import BundleMap
from snowflake.cli.api.project.definition_manager import DefinitionManager


def main(folder: Path) -> None:
    """Print what ``snow streamlit deploy`` finds in this folder."""
    (entity,) = DefinitionManager(str(folder)).project_definition.entities.values()
    bundle = BundleMap(project_root=folder, deploy_root=folder / "output")
    for artifact in entity.artifacts:
        bundle.add(artifact)
    uploaded = bundle.all_mappings(absolute=False, expand_directories=True)
    found = {
        "name": str(entity.fqn),
        "main_file": entity.main_file,
        "query_warehouse": entity.query_warehouse,
        "grants": [[it.privilege, it.role] for it in entity.grants],
        "files": sorted(str(source) for source, _ in uploaded),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
