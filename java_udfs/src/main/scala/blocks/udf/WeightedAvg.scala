package blocks.udf

@Function(
  name = "weighted_avg",
  description = "The mean of values by weight: exact sums, rounded once. Rows where either is null are left out. Null"
    + " of no rows and of weights that add up to 0; NaN where a value or a weight is NaN or infinite.",
  arguments = Array("value", "weight"),
  nulls = Nulls.SKIP,
  examples = Array(
    new Example(call = "weighted_avg(x, y)", from = "(VALUES (1, 3), (5, 1)) AS t (x, y)", result = "2.0")))
final class WeightedAvg extends OfTwoNumbers[Moments] {
  override def createAccumulator(): Moments = new Moments(2)

  override private[udf] def add(state: Moments, value: Double, weight: Double): Unit = {
    state.countRow()
    state.sum(WeightedAvg.Products).addProduct(value, weight)
    state.sum(WeightedAvg.Weights).add(weight)
  }

  override protected def result(state: Moments): Object = {
    val total = state.sum(WeightedAvg.Weights).units()
    if (!state.isFinite) Double.box(Double.NaN)
    else if (total.signum == 0) null
    else Double.box(ExactSum.quotient(state.sum(WeightedAvg.Products).units(), total))
  }
}

private object WeightedAvg {
  final val Products = 0
  final val Weights = 1
}
