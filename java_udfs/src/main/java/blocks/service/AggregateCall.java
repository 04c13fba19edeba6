package blocks.service;

import java.util.List;
import org.apache.beam.sdk.extensions.sql.impl.UdafImpl;
import org.apache.beam.sdk.extensions.sql.impl.utils.CalciteUtils;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.FunctionParameter;

/**
 * An aggregate with a number of arguments, as Calcite sees it.
 *
 * <p>Beam's own class knows one parameter and takes the types from Java's type arguments; its engine asks only for the
 * CombineFn, and hands it a Row where a call has several arguments.
 */
final class AggregateCall extends UdafImpl<Object, Object, Object> {
  private final List<FieldType> arguments;
  private final FieldType result;
  private final String[] names;

  AggregateCall(FunctionSpec spec, List<FieldType> arguments, FieldType result, String[] names) {
    super(new GuardedAggregate(spec));
    this.arguments = List.copyOf(arguments);
    this.result = result;
    this.names = names;
  }

  @Override
  public List<FunctionParameter> getParameters() {
    return Parameter.all(arguments, names, (factory, type) -> sqlType(factory, type, true));
  }

  @Override
  public RelDataType getReturnType(RelDataTypeFactory factory) {
    return sqlType(factory, result, Boolean.TRUE.equals(result.getNullable()));
  }

  private static RelDataType sqlType(RelDataTypeFactory factory, FieldType type, boolean nullable) {
    return factory.createTypeWithNullability(CalciteUtils.toRelDataType(factory, type), nullable);
  }
}
