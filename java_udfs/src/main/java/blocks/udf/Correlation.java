package blocks.udf;

import java.math.BigInteger;

@Function(
    name = "correlation",
    description =
        "Pearson's correlation of two columns, from -1 to 1, over the rows where neither is null: exact sums, rounded"
            + " once. Null of fewer than two rows or where a column does not vary; NaN where one holds NaN or an"
            + " infinity.",
    arguments = {"x", "y"},
    nulls = Nulls.SKIP,
    examples =
        @Example(
            call = "correlation(x, y)",
            from = "(VALUES (1, 10), (2, 20), (3, 30)) AS t (x, y)",
            result = "1.0"))
public final class Correlation extends OfTwoNumbers<Moments> {
  private static final int X = 0;
  private static final int Y = 1;
  private static final int XX = 2;
  private static final int YY = 3;
  private static final int XY = 4;

  @Override
  public Moments createAccumulator() {
    return new Moments(5);
  }

  @Override
  void add(Moments state, double x, double y) {
    state.countRow();
    state.sum(X).add(x);
    state.sum(Y).add(y);
    state.sum(XX).addProduct(x, x);
    state.sum(YY).addProduct(y, y);
    state.sum(XY).addProduct(x, y);
  }

  @Override
  protected Object result(Moments state) {
    if (state.count() < 2) {
      return null;
    }
    if (!state.isFinite()) {
      return Double.NaN;
    }
    BigInteger x = scaledVariation(state, XX, X, X);
    BigInteger y = scaledVariation(state, YY, Y, Y);
    if (x.signum() == 0 || y.signum() == 0) {
      return null;
    }
    BigInteger both = scaledVariation(state, XY, X, Y);
    return both.signum() * ExactSum.rootOfQuotient(both.multiply(both), x.multiply(y));
  }

  /** n * (sum of products) - (sum) * (sum), in the square of the sums' unit. */
  private static BigInteger scaledVariation(Moments state, int products, int left, int right) {
    return state
        .sum(products)
        .units()
        .shiftLeft(-ExactSum.UNIT)
        .multiply(BigInteger.valueOf(state.count()))
        .subtract(state.sum(left).units().multiply(state.sum(right).units()));
  }
}
