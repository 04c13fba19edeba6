package blocks.udf.plain;

import blocks.udf.Example;
import blocks.udf.Function;
import blocks.udf.Nulls;
import org.apache.beam.sdk.transforms.Combine.CombineFn;

/** An aggregate that knows nothing of {@link blocks.udf.Aggregate}, as a user may have one already. */
@Function(
    name = "sum_of_squares",
    description = "The sum of squares.",
    arguments = "value",
    nulls = Nulls.SKIP,
    examples = @Example(call = "sum_of_squares(x)", from = "(VALUES (2), (3)) AS t (x)", result = "13"))
public final class SumOfSquares extends CombineFn<Long, Long, Long> {
  @Override
  public Long createAccumulator() {
    return 0L;
  }

  @Override
  public Long addInput(Long sum, Long value) {
    return value == null ? sum : Math.addExact(sum, Math.multiplyExact(value, value));
  }

  @Override
  public Long mergeAccumulators(Iterable<Long> sums) {
    long total = 0;
    for (long sum : sums) {
      total = Math.addExact(total, sum);
    }
    return total;
  }

  @Override
  public Long extractOutput(Long sum) {
    return sum;
  }
}
