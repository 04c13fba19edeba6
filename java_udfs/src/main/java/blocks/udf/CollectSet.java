package blocks.udf;

import java.util.List;
import java.util.stream.Stream;
import org.apache.beam.sdk.schemas.Schema.FieldType;

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
public final class CollectSet extends Aggregate<Smallest> {
  private final Kind kind;

  public CollectSet() {
    this(Kind.VARCHAR);
  }

  private CollectSet(Kind kind) {
    this.kind = kind;
  }

  @Override
  public List<CollectSet> overloads() {
    return Stream.of(Kind.values()).map(CollectSet::new).toList();
  }

  @Override
  public List<FieldType> argumentTypes() {
    return List.of(kind.type(), FieldType.INT32);
  }

  @Override
  public int optionalArguments() {
    return 1;
  }

  @Override
  public FieldType returnType() {
    return FieldType.array(kind.type());
  }

  @Override
  public Smallest createAccumulator() {
    return new Smallest(kind, true);
  }

  @Override
  protected void add(Smallest state, List<Object> arguments) {
    state.add(arguments);
  }

  @Override
  protected Object result(Smallest state) {
    return state.values();
  }
}
