package blocks.udf;

@Function(
    name = "collect_set",
    description =
        "The different values of a group as an array, in their own order, so that it does not depend on the order of"
            + " rows: the smallest ones up to a limit, 1,000 unless given (at most 1,000,000).",
    arguments = {"value", "limit"},
    nulls = Nulls.SKIP,
    examples = {
      @Example(call = "collect_set(x)", from = "(VALUES (3), (1), (3)) AS t (x)", result = "ARRAY[1, 3]"),
      @Example(call = "collect_set(x, 2)", from = "(VALUES (3), (1), (1), (2)) AS t (x)", result = "ARRAY[1, 2]")
    })
public final class CollectSet extends Collect {
  public CollectSet() {
    this(Kind.VARCHAR);
  }

  private CollectSet(Kind kind) {
    super(kind, true);
  }

  @Override
  CollectSet over(Kind other) {
    return new CollectSet(other);
  }
}
