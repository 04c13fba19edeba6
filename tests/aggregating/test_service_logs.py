"""The example of service logs: what users did is rebuilt from lines of several services."""

from pathlib import Path
from typing import Any

import pytest

from blocks.engines import engine
from blocks.snippets.building import build
from blocks.snippets.running import run
from blocks.writing.warehouse import read_table

EXAMPLE = Path(__file__).parents[2] / "examples" / "service_logs" / "journeys.yaml"


def test_the_visits_of_users_are_rebuilt_from_the_lines_of_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKS_MASK_KEY", "a key of the tests, at least 32 bytes long")
    monkeypatch.delenv("BLOCKS_WAREHOUSE", raising=False)
    runner = engine()
    report = run(build(EXAMPLE, {}, runner=runner), runner.counts)
    assert sum(report.rejects.values()) == 0
    table = read_table("shop.visits", warehouse="journeys-output/warehouse")
    visits = sorted(table.to_pylist(), key=lambda row: row["started_at"])
    assert [_told(one) for one in visits] == [
        ("09:00", "09:21", "condition", 1, 1, ["login", "", "search", "cart", "pay", "pay", "logout"]),
        ("09:03", "09:04", "gap", 0, 0, ["", "search", "search"]),
        ("12:00", "12:01", "gap", 0, 0, ["", "cart"]),
        ("20:00", "20:03", "gap", 0, 0, ["", "search"]),
    ]
    users = [one["user_id"] for one in visits]
    assert users[0] == users[3] != users[1] == users[2]
    assert all(one.startswith("main:") for one in users)


def _told(visit: dict[str, Any]) -> tuple[Any, ...]:
    moments = (f"{visit[name]:%H:%M}" for name in ("started_at", "ended_at"))
    actions = [one["action"].split("/")[1] for one in visit["events"]]
    assert visit["event_count"] == len(actions)
    return (*moments, visit["closed_by"], visit["failed"], visit["paid"], actions)
