"""What operations are called elsewhere (SQL, pandas, feature stores), for the error of a name that is not one here."""

from collections.abc import Mapping

OTHER_NAMES: Mapping[str, str] = {
    other: name
    for name, others in {
        "count": ("size", "len", "count_all", "n"),
        "count_where": ("count_if", "countif"),
        "sum": ("total", "add"),
        "average": ("avg", "mean"),
        "min": ("minimum", "smallest"),
        "max": ("maximum", "largest"),
        "first": ("earliest", "oldest", "first_value"),
        "last": ("latest", "newest", "last_value"),
        "first_k": ("first_n",),
        "last_k": ("last_n", "collect_list", "array_agg"),
        "top_k": ("topk", "top_n", "nlargest", "max_n", "max_by"),
        "bottom_k": ("bottomk", "bottom_n", "nsmallest", "min_n"),
        "unique_count": ("count_distinct", "distinct_count", "distinct", "nunique", "count_unique", "n_unique"),
        "approx_unique_count": ("approx_count_distinct", "approx_distinct", "cardinality", "hll", "hyperloglog"),
        "approx_percentile": ("percentile", "percentiles", "quantile", "quantiles", "approx_quantile", "median"),
        "variance_samp": ("var", "variance", "var_samp"),
        "variance_pop": ("var_pop", "varp"),
        "stddev_samp": ("std", "stddev", "stdev"),
        "stddev_pop": ("stdevp",),
        "skew": ("skewness",),
        "kurtosis": ("kurt",),
        "histogram": ("value_counts", "counts", "frequencies"),
        "approx_histogram_k": ("mode", "most_frequent", "most_common", "heavy_hitters", "approx_top_k"),
        "rate": ("frequency", "velocity"),
        "time_since_last": ("recency", "time_since", "age", "since_last"),
        "ratio": ("share", "quotient", "divide"),
    }.items()
    for other in others
}
