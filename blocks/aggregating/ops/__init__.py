"""The operations of aggregations; a family a file, in the order of the documents."""

from blocks.aggregating.ops.approx_percentile import ApproxPercentile
from blocks.aggregating.ops.approx_unique_count import ApproxUniqueCount
from blocks.aggregating.ops.average import Average
from blocks.aggregating.ops.count import Count, CountWhere
from blocks.aggregating.ops.first import First, FirstK, Last, LastK
from blocks.aggregating.ops.histogram import ApproxHistogramK, Histogram
from blocks.aggregating.ops.kurtosis import Kurtosis
from blocks.aggregating.ops.largest import BottomK, Max, Min, TopK
from blocks.aggregating.ops.operation import Operation
from blocks.aggregating.ops.rate import Rate
from blocks.aggregating.ops.skew import Skew
from blocks.aggregating.ops.sum import Sum
from blocks.aggregating.ops.time_since_last import TimeSinceLast
from blocks.aggregating.ops.unique_count import UniqueCount
from blocks.aggregating.ops.variance import StddevPop, StddevSamp, VariancePop, VarianceSamp

OPERATIONS: tuple[type[Operation], ...] = (
    Count,
    CountWhere,
    Sum,
    Average,
    Min,
    Max,
    First,
    Last,
    FirstK,
    LastK,
    TopK,
    BottomK,
    UniqueCount,
    ApproxUniqueCount,
    ApproxPercentile,
    VariancePop,
    VarianceSamp,
    StddevPop,
    StddevSamp,
    Skew,
    Kurtosis,
    Histogram,
    ApproxHistogramK,
    Rate,
    TimeSinceLast,
)
