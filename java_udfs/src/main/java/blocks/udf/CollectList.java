package blocks.udf;

@Function(
    name = "collect_list",
    description =
        "The values of a group as an array, in their own order, so that it does not depend on the order of rows: the"
            + " smallest ones up to a limit, 1,000 unless given (at most 1,000,000).",
    arguments = {"value", "limit"},
    nulls = Nulls.SKIP,
    examples = {
      @Example(call = "collect_list(x)", from = "(VALUES (3), (1), (3)) AS t (x)", result = "ARRAY[1, 3, 3]"),
      @Example(call = "collect_list(x, 2)", from = "(VALUES (3), (1), (1), (2)) AS t (x)", result = "ARRAY[1, 1]")
    })
public final class CollectList extends Collect {
  public CollectList() {
    this(Kind.VARCHAR);
  }

  private CollectList(Kind kind) {
    super(kind, false);
  }

  @Override
  CollectList over(Kind other) {
    return new CollectList(other);
  }
}
