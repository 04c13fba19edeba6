"""Three features of a spine by pandas' merge_asof: `... aggregation_pandas EVENTS SPINE OUT --keys 100000`.

Running totals of a user, joined as of the moment and as of the beginning of each window: what has an inverse, and the
latest value. Minima, distinct counts, latest lists and deviations cannot be had so.
"""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.contestants import aggregation_work as work

_NAMES = [one["name"] for one in work.FEW]


def main() -> None:
    given = work.options({"events": "their file", "spine": "file of moments"})
    columns = ["user_id", "occurred_at", "event_id", "amount", "country"]
    events = pq.read_table(given.events, columns=columns).to_pandas()
    events = events.drop_duplicates(["user_id", "occurred_at", "event_id"]).sort_values(["occurred_at", "event_id"])
    of_user = events.groupby("user_id", sort=False)
    events["total"], events["many"] = of_user["amount"].cumsum(), of_user.cumcount() + 1
    right = events[["user_id", "occurred_at", "total", "many", "country"]]
    spine = pq.read_table(given.spine).to_pandas().sort_values("at")
    spine["week"] = (spine["at"] - pd.Timedelta("7d")).dt.floor("h").astype(right["occurred_at"].dtype)
    spine["month"] = (spine["at"] - pd.Timedelta("30d")).dt.floor("D").astype(right["occurred_at"].dtype)
    for moment in ("at", "week", "month"):
        left = spine[["number", "user_id", moment]].sort_values(moment)
        found = pd.merge_asof(
            left, right, left_on=moment, right_on="occurred_at", by="user_id", allow_exact_matches=False
        )
        spine = spine.merge(
            found.drop(columns=["user_id", moment]).add_suffix(f"_{moment}"), "left", None, "number", f"number_{moment}"
        )
    some = spine.fillna({f"{name}_{moment}": 0 for name in ("total", "many") for moment in ("at", "week", "month")})
    spend = (some["total_at"] - some["total_week"]).where(some["many_at"] > some["many_week"])
    count = (some["many_at"] - some["many_month"]).astype("int64")
    country = some["country_at"].where(some["occurred_at_at"] >= some["month"])
    answers = [some["user_id"], some["at"], spend, count, country]
    batch = pa.RecordBatch.from_arrays(
        [pa.Array.from_pandas(one) for one in answers], names=["user_id", "moment", *_NAMES]
    )
    work.Answers(given.out, given.keys).write([_answers(work.Answers(given.out, given.keys), batch)])


def _answers(answers: work.Answers, batch: pa.RecordBatch) -> work.Counted:
    return answers.of_batch(batch, _NAMES, "moment")


if __name__ == "__main__":
    main()
