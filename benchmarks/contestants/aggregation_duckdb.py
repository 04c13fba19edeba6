"""The features in DuckDB on one thread: `... aggregation_duckdb {events,days,spine,few} EVENTS SPINE OUT --keys 100`.

The limit: one process, vectors, no shuffle. Copies are taken out, as in the library; sums and deviations are those of
doubles, in an order that DuckDB chooses.
"""

import duckdb

from benchmarks.contestants import aggregation_work as work

_EVENTS = """
CREATE TEMP TABLE e AS SELECT DISTINCT ON (user_id, t, event_id) * FROM (
  SELECT user_id, event_id, epoch_us(occurred_at) AS t, amount, merchant_id, country, status FROM read_parquet('{path}')
)"""
_DAY, _HOUR, _MINUTES = work.DAY, work.HOUR, 300_000_000


def _frame(window: int, hop: int) -> str:
    begin = f"t + 1 - {window}"
    return (
        f"(PARTITION BY user_id ORDER BY t RANGE BETWEEN (t - ({begin} - ({begin}) % {hop})) PRECEDING AND CURRENT ROW)"
    )


ON_EVENTS = f"""
SELECT user_id, make_timestamp(t + 1) AS moment,
  sum(amount) OVER week AS spend_7d,
  sum(amount) OVER month AS spend_30d,
  count(*) OVER hour AS events_1h,
  count(*) FILTER (status = 'DECLINED') OVER week AS declined_7d,
  avg(amount) OVER week AS mean_7d,
  min(amount) OVER month AS smallest_30d,
  max(amount) OVER week AS largest_7d,
  list_reverse(list(country) OVER latest)[:least(5, count(*) OVER month)] AS countries,
  approx_count_distinct(merchant_id) OVER month AS merchants_30d,
  stddev_pop(amount) OVER month AS spread_30d
FROM e
WINDOW week AS {_frame(7 * _DAY, _HOUR)}, month AS {_frame(30 * _DAY, _DAY)}, hour AS {_frame(_HOUR, _MINUTES)},
  latest AS (PARTITION BY user_id ORDER BY t, event_id ROWS 4 PRECEDING)
"""


def _ranges(of: str, names: str, moment: str, month: str, week: str, hour: str) -> str:
    """Each (user, moment) with the events of 30 days before it, and what of them is in shorter windows."""
    return f"""
SELECT {names},
  sum(amount) FILTER (t >= {week}) AS spend_7d,
  sum(amount) AS spend_30d,
  count(*) FILTER (t >= {hour}) AS events_1h,
  count(*) FILTER (t >= {week} AND status = 'DECLINED') AS declined_7d,
  avg(amount) FILTER (t >= {week}) AS mean_7d,
  min(amount) AS smallest_30d,
  max(amount) FILTER (t >= {week}) AS largest_7d,
  arg_max(country, t, 5) AS countries,
  approx_count_distinct(merchant_id) AS merchants_30d,
  stddev_pop(amount) AS spread_30d
FROM {of} t >= {month} AND t < {moment} GROUP BY {names}"""


_MIDNIGHTS = f"(SELECT {work.FIRST_DAY} + {_DAY} * i AS q FROM range(1, 31) r(i))"
ON_DAYS = f"""
SELECT * EXCLUDE q, make_timestamp(q) AS moment FROM (
{_ranges(f"e JOIN {_MIDNIGHTS} d ON", "user_id, q", "q", f"q - {30 * _DAY}", f"q - {7 * _DAY}", f"q - {_HOUR}")}
)"""
_SPINE = """(SELECT number, user_id, epoch_us("at") AS q FROM read_parquet('{spine}'))"""


def _floor(window: int, hop: int) -> str:
    return f"(q - {window} - (q - {window}) % {hop})"


_WINDOWS = (_floor(30 * _DAY, _DAY), _floor(7 * _DAY, _HOUR), _floor(_HOUR, _MINUTES))
ON_SPINE = f"""
SELECT user_id, make_timestamp(q) AS moment, spend_7d, spend_30d, coalesce(events_1h, 0) AS events_1h,
  coalesce(declined_7d, 0) AS declined_7d, mean_7d, smallest_30d, largest_7d, coalesce(countries, []) AS countries,
  coalesce(merchants_30d, 0) AS merchants_30d, spread_30d
FROM {_SPINE} s LEFT JOIN (
{_ranges(f"e JOIN {_SPINE} s USING (user_id) WHERE", "number, q", "q", *_WINDOWS)}
) f USING (number, q)"""
# ASOF joins to running totals: at the moment, and at the beginning of each window.
FEW_ON_SPINE = f"""
WITH s AS MATERIALIZED (SELECT *, {_WINDOWS[0]} AS month, {_WINDOWS[1]} AS week FROM {_SPINE}),
r AS MATERIALIZED (
  SELECT user_id, t, country, sum(amount) OVER before AS total, count(*) OVER before AS many FROM e
  WINDOW before AS (PARTITION BY user_id ORDER BY t, event_id ROWS UNBOUNDED PRECEDING)
)
SELECT s.user_id, make_timestamp(s.q) AS moment,
  CASE WHEN n.many > coalesce(w.many, 0) THEN n.total - coalesce(w.total, 0) END AS spend_7d,
  coalesce(n.many, 0) - coalesce(m.many, 0) AS events_30d,
  CASE WHEN n.t >= s.month THEN n.country END AS country
FROM s
ASOF LEFT JOIN r n ON s.user_id = n.user_id AND s.q > n.t
ASOF LEFT JOIN r w ON s.user_id = w.user_id AND s.week > w.t
ASOF LEFT JOIN r m ON s.user_id = m.user_id AND s.month > m.t
"""
QUERIES = {"events": ON_EVENTS, "days": ON_DAYS, "spine": ON_SPINE, "few": FEW_ON_SPINE}


def main() -> None:
    given = work.options({"mode": "what is asked for", "events": "their file", "spine": "file of moments, or -"})
    names = [one["name"] for one in work.FEW] if given.mode == "few" else work.NAMES
    answers = work.Answers(given.out, given.keys)
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_EVENTS.format(path=given.events))
    result = connection.sql(QUERIES[given.mode].format(spine=given.spine)).to_arrow_reader(work.BATCH_ROWS)
    answers.write(answers.of_batch(batch, names, "moment") for batch in result)


if __name__ == "__main__":
    main()
