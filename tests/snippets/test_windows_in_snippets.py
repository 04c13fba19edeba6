"""Beam's windows and triggers in YAML: what they give, in batch and in streams, and how mistakes are told."""

import json
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import window as w
from apache_beam.yaml import yaml_provider, yaml_transform

import blocks
from blocks.core.window_elements import WindowElements
from blocks.engines.local import LocalRunner
from blocks.snippets import beam_yaml
from blocks.snippets.building import build, check_snippet
from blocks.snippets.cases.running import run_cases
from blocks.snippets.running import run

CLICK = """\
name: click
fields:
  - {name: user_id, type: string, label: public, key: true}
  - {name: at, type: timestamp, required: true, label: public, event_time: true}
  - {name: page, type: string, label: public}
"""
VISIT = """\
name: visit
fields:
  - {name: user_id, type: string, label: public, key: true}
  - {name: clicks, type: int64, label: public}
  - {name: started, type: timestamp, label: public}
"""
SNIPPET = """\
pipeline:
  type: chain
  transforms:
    - {type: ReadJson, config: {pattern: clicks.jsonl, schema: click.yaml}}
    - {type: AsRows}
    - type: WindowElements
      config:
        windows: {type: session, gap: 30m}
        trigger: {after_watermark: {late: {after_count: 1}}}
        accumulation: accumulating
        allowed_lateness: 1d
    - type: Combine
      config: {group_by: user_id, combine: {clicks: {value: page, fn: count}}}
    - {type: ExtractWindowingInfo, config: {fields: {started: window_start}}}
    - {type: AsBatches, config: {schema: visit.yaml}}
    - {type: WriteWarehouse, config: {table: visits, warehouse: out}}
"""
TRIGGER = "trigger: {after_watermark: {late: {after_count: 1}}}"
CLICKS = [("u1", "10:00"), ("u1", "10:20"), ("u1", "10:45"), ("u1", "12:00"), ("u2", "10:00")]
VISITS = [("u1", 1, "12:00"), ("u1", 3, "10:00"), ("u2", 1, "10:00")]


@pytest.fixture
def site(snippet: Any) -> Path:
    snippet(CLICK, "click.yaml")
    snippet(VISIT, "visit.yaml")
    lines = [{"user_id": user, "at": f"2026-01-31T{time}:00Z", "page": "/"} for user, time in CLICKS]
    snippet("".join(json.dumps(line) + "\n" for line in lines), "clicks.jsonl")
    return snippet(SNIPPET)


def visits() -> list[tuple[str, int, str]]:
    rows = blocks.read_table("visits", "out").to_pylist()
    return sorted((row["user_id"], row["clicks"], f"{row['started']:%H:%M}") for row in rows)


@pytest.mark.parametrize(
    "trigger",
    [
        TRIGGER,
        "trigger: {repeatedly: {after_any: [{after_count: 2}, {after_processing_time: 1m}]}}",
    ],
)
def test_sessions_in_batch_are_whole_whatever_the_trigger(site: Path, trigger: str) -> None:
    site.write_text(SNIPPET.replace(TRIGGER, trigger), encoding="utf-8")
    runner = LocalRunner()
    run(build(site, runner=runner), runner.counts)
    assert visits() == VISITS


def clicked(user: str, *times: str) -> str:
    rows = ", ".join(f'{{user_id: {user}, at: "2026-01-31T{time}:00Z", page: /}}' for time in times)
    return f'{{at: "2026-01-31 {times[0]}", rows: [{rows}]}}'


def seen(site: Path, trigger: str, accumulation: str, events: list[str], expected: list[tuple[str, int, str]]) -> Any:
    """What a test of the snippet has to say of the visits that a stream gives."""
    text = SNIPPET.replace(TRIGGER, f"trigger: {trigger}").replace("accumulating", accumulation)
    rows = "".join(
        f'        - {{user_id: {user}, clicks: {clicks}, started: "2026-01-31T{at}:00Z"}}\n'
        for user, clicks, at in expected
    )
    stream = "".join(f"        - {event}\n" for event in events)
    text += f"tests:\n  - name: visits\n    stream:\n      ReadJson:\n{stream}    expect:\n      AsBatches:\n{rows}"
    site.write_text(text, encoding="utf-8")
    ((case),) = list(run_cases(site))
    assert case.mode == "stream"
    return case.failures


LATER = '{watermark: "2026-01-31 12:30"}'


def test_a_late_click_gives_its_visit_again_as_a_whole(site: Path) -> None:
    events = [clicked("u1", "10:00", "10:20"), LATER, clicked("u1", "10:45")]
    trigger = "{after_watermark: {late: {after_count: 1}}}"
    assert seen(site, trigger, "accumulating", events, [("u1", 2, "10:00"), ("u1", 3, "10:00")]) == ()
    assert seen(site, trigger, "discarding", events, [("u1", 2, "10:00"), ("u1", 1, "10:00")]) == ()


def test_what_is_later_than_the_allowed_lateness_is_dropped(site: Path) -> None:
    events = [clicked("u1", "10:00"), '{watermark: "2026-02-01 11:00"}', clicked("u1", "10:20")]
    trigger = "{after_watermark: {late: {after_count: 1}}}"
    assert seen(site, trigger, "accumulating", events, [("u1", 1, "10:00")]) == ()


def test_processing_time_passes_when_a_test_says_so(site: Path) -> None:
    trigger = "{after_watermark: {early: {after_processing_time: 1m}, late: {after_count: 1}}}"
    events = [clicked("u1", "10:00"), "{wait: 59s}", clicked("u1", "10:10"), "{wait: 2s}", clicked("u1", "10:20")]
    assert seen(site, trigger, "accumulating", events, [("u1", 2, "10:00"), ("u1", 3, "10:00")]) == ()
    assert seen(site, trigger, "discarding", events, [("u1", 2, "10:00"), ("u1", 1, "10:00")]) == ()


def test_a_wait_is_a_time(site: Path) -> None:
    (line, *_), *_ = [seen_problems(site, "{wait: long}")]
    assert "expected a time, got 'long'" in line


def seen_problems(site: Path, event: str) -> list[str]:
    text = f"tests:\n  - name: visits\n    stream: {{ReadJson: [{event}]}}\n    expect: {{AsBatches: []}}\n"
    site.write_text(SNIPPET + text, encoding="utf-8")
    return [f"{one.what} {one.where}" for one in check_snippet(site).problems]


def test_the_same_options_make_the_same_windows_in_python_and_yaml(site: Path) -> None:
    (made,) = [one for one in build(site).blocks.values() if isinstance(one, WindowElements)]
    python = WindowElements(
        {"type": "session", "gap": "30m"},
        trigger={"after_watermark": {"late": {"after_count": 1}}},
        accumulation="accumulating",
        allowed_lateness="1d",
    )
    assert made._windowing == python._windowing
    assert made._windowing.allowed_lateness == 86_400


def test_every_mistake_is_told_at_its_line_and_column(site: Path) -> None:
    text = SNIPPET.replace("type: session", "type: sessions").replace("after_count: 1", "after_cuont: 1")
    site.write_text(text.replace("accumulating", "acumulating").replace("1d", "someday"), encoding="utf-8")
    found = [(one.where.split(",")[0], one.what) for one in check_snippet(site).problems]
    assert found == [
        (f"{site}:8:25", "no windows of type `sessions`"),
        (f"{site}:10:23", "no way of accumulating named `acumulating`"),
        (f"{site}:9:57", "no trigger `after_cuont`"),
        (f"{site}:11:27", "expected a time, got 'someday'"),
    ]


def test_days_of_beam_yaml_are_refused_for_they_have_twelve_hours(site: Path) -> None:
    assert yaml_provider.YamlProviders.WindowInto._parse_duration("1d", "size") == 43_200
    text = SNIPPET.replace(
        "    - type: Combine\n",
        "    - {type: WindowInto, config: {windowing: {type: fixed, size: 1d}}}\n"
        "    - type: Combine\n      windowing: {type: fixed, size: 1.5d}\n",
    )
    site.write_text(text, encoding="utf-8")
    found = [(one.where, one.what, one.fix) for one in check_snippet(site).problems]
    use = "use WindowElements (rows) or WindowRows (batches)"
    assert found == [
        (f"{site}:12:66", "Beam YAML takes `1d` for 12 hours", f"write 24h, or {use}"),
        (f"{site}:14:38", "Beam YAML takes `1.5d` for 18 hours", f"write 36h, or {use}"),
    ]


def test_in_plain_beam_yaml_rows_keep_their_own_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("click.yaml").write_text("name: click\nfields: [{name: n, type: int64, label: public}]\n", encoding="utf-8")
    text = """\
pipeline:
  type: chain
  transforms:
    - {type: Create, config: {elements: [{n: 1}, {n: 8}, {n: 12}]}}
    - {type: AssignTimestamps, config: {timestamp: n}}
    - {type: WindowElements, config: {windows: {type: tumbling, size: 10s}, input_schema: click.yaml}}
    - {type: Combine, config: {group_by: [], combine: {total: {value: n, fn: sum}}}}
    - {type: WriteToJson, config: {path: totals}}
"""
    with beam.Pipeline("FnApiRunner", options=PipelineOptions([], pickle_library="cloudpickle")) as pipeline:
        yaml_transform.expand_pipeline(pipeline, f"{text}providers: {json.dumps(beam_yaml.providers())}\n")
    lines = [line for path in tmp_path.glob("totals*") for line in path.read_text(encoding="utf-8").splitlines()]
    assert sorted(json.loads(line)["total"] for line in lines) == [9, 12]


def test_windows_of_rows_are_shown(site: Path) -> None:
    from blocks.snippets.edges import edges_of

    made = build(site)
    outputs = edges_of(made).outputs
    (step,) = [one for one in made.steps if one.type == "WindowElements"]
    assert outputs[step.number][""].windows == "Sessions(gap_size 30m)"
    assert isinstance(outputs[step.number][""].pcollection.windowing.windowfn, w.Sessions)
