package blocks.udf;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.beam.sdk.schemas.Schema.FieldType;

@Function(
    name = "top_k",
    description =
        "The k most frequent values of a group, the most frequent first; of equally frequent ones the smaller. Exact:"
            + " it counts every different value, and fails where a group has more than 100,000 of them. k is a number"
            + " from 1 to 10,000.",
    arguments = {"value", "k"},
    nulls = Nulls.SKIP,
    examples =
        @Example(
            call = "top_k(x, 2)",
            from = "(VALUES ('b'), ('a'), ('c'), ('b'), ('c')) AS t (x)",
            result = "ARRAY['b', 'c']"))
public final class TopK extends OfAnyKind<Counts> {
  private static final int MOST = 10_000;

  public TopK() {
    this(Kind.VARCHAR);
  }

  private TopK(Kind kind) {
    super(kind);
  }

  @Override
  TopK over(Kind other) {
    return new TopK(other);
  }

  @Override
  public List<FieldType> argumentTypes() {
    return List.of(kind.type(), FieldType.INT32);
  }

  @Override
  public FieldType returnType() {
    return FieldType.array(kind.type());
  }

  @Override
  public Counts createAccumulator() {
    return new Counts(kind);
  }

  @Override
  protected void add(Counts state, List<Object> arguments) {
    state.set(arguments.get(1), "k", MOST);
    state.add(arguments.get(0));
  }

  @Override
  protected Object result(Counts state) {
    // The sort is stable and the entries come in the order of values.
    return state.sorted().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.reverseOrder()))
        .limit(Math.max(state.setting(), 0))
        .map(Map.Entry::getKey)
        .toList();
  }
}
