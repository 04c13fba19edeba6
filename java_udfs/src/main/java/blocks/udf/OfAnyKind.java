package blocks.udf;

import java.util.List;
import java.util.stream.Stream;
import org.apache.beam.sdk.schemas.Schema.FieldType;

/**
 * An aggregate over values of any type: an overload for each {@link Kind}.
 *
 * @param <S> what it holds of a group
 */
abstract class OfAnyKind<S extends State<S>> extends Aggregate<S> {
  final Kind kind;

  OfAnyKind(Kind kind) {
    this.kind = kind;
  }

  /** The same aggregate over values of another type. */
  abstract OfAnyKind<S> over(Kind other);

  @Override
  public final List<? extends Aggregate<S>> overloads() {
    return Stream.of(Kind.values()).map(this::over).toList();
  }

  @Override
  public List<FieldType> argumentTypes() {
    return List.of(kind.type());
  }
}
