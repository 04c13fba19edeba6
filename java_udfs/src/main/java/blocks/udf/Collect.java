package blocks.udf;

import java.util.List;
import org.apache.beam.sdk.schemas.Schema.FieldType;

/** The smallest values of a group as an array, up to a limit. */
abstract class Collect extends OfAnyKind<Smallest> {
  private final boolean distinct;

  Collect(Kind kind, boolean distinct) {
    super(kind);
    this.distinct = distinct;
  }

  @Override
  public final List<FieldType> argumentTypes() {
    return List.of(kind.type(), FieldType.INT32);
  }

  @Override
  public final int optionalArguments() {
    return 1;
  }

  @Override
  public final FieldType returnType() {
    return FieldType.array(kind.type());
  }

  @Override
  public final Smallest createAccumulator() {
    return new Smallest(kind, distinct);
  }

  @Override
  protected final void add(Smallest state, List<Object> arguments) {
    state.add(arguments);
  }

  @Override
  protected final Object result(Smallest state) {
    return state.values();
  }
}
