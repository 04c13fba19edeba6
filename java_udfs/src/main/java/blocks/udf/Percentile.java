package blocks.udf;

import java.util.List;
import org.apache.beam.sdk.schemas.Schema.FieldType;

@Function(
    name = "percentile",
    description =
        "The value below which a share of a group's values lies (0.5 the median, 0.95 the 95th percentile), within 1 %:"
            + " DDSketch, the lower of two values between which it falls. A NaN in the group gives NaN. The same in any"
            + " order of rows and merges.",
    arguments = {"value", "quantile"},
    nulls = Nulls.SKIP,
    examples = {
      @Example(
          call = "percentile(x, 0)",
          from = "(VALUES (CAST(2.5 AS DOUBLE)), (CAST(1.5 AS DOUBLE))) AS t (x)",
          result = "1.5"),
      @Example(
          call = "percentile(x, 1)",
          from = "(VALUES (CAST(2.5 AS DOUBLE)), (CAST(1.5 AS DOUBLE))) AS t (x)",
          result = "2.5")
    })
public final class Percentile extends Aggregate<DDSketch> {
  @Override
  public List<FieldType> argumentTypes() {
    return List.of(FieldType.DOUBLE, FieldType.DOUBLE);
  }

  @Override
  public FieldType returnType() {
    return FieldType.DOUBLE.withNullable(true);
  }

  @Override
  public DDSketch createAccumulator() {
    return new DDSketch();
  }

  @Override
  protected void add(DDSketch state, List<Object> arguments) {
    state.ask(Numbers.toDouble(arguments.get(1)));
    state.add(Numbers.toDouble(arguments.get(0)));
  }

  @Override
  protected Object result(DDSketch state) {
    return state.quantile();
  }
}
