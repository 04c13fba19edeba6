package blocks.udf;

import java.util.List;
import org.apache.beam.sdk.schemas.Schema.FieldType;

/**
 * An aggregate over two numbers of each row that gives a number.
 *
 * @param <S> what it holds of a group
 */
abstract class OfTwoNumbers<S extends State<S>> extends Aggregate<S> {
  @Override
  public final List<FieldType> argumentTypes() {
    return List.of(FieldType.DOUBLE, FieldType.DOUBLE);
  }

  @Override
  public final FieldType returnType() {
    return FieldType.DOUBLE.withNullable(true);
  }

  @Override
  protected final void add(S state, List<Object> arguments) {
    add(state, Numbers.toDouble(arguments.get(0)), Numbers.toDouble(arguments.get(1)));
  }

  /** Takes in one row. */
  abstract void add(S state, double first, double second);
}
