package blocks.udf;

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
public final class Percentile extends OfTwoNumbers<DDSketch> {
  @Override
  public DDSketch createAccumulator() {
    return new DDSketch();
  }

  @Override
  void add(DDSketch state, double value, double quantile) {
    state.ask(quantile);
    state.add(value);
  }

  @Override
  protected Object result(DDSketch state) {
    return state.quantile();
  }
}
