package blocks.service;

import java.util.function.Function;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.FunctionParameter;

/** A parameter of a function. */
record Parameter(int ordinal, String name, Function<RelDataTypeFactory, RelDataType> type)
    implements FunctionParameter {
  @Override
  public int getOrdinal() {
    return ordinal;
  }

  @Override
  public String getName() {
    return name;
  }

  @Override
  public RelDataType getType(RelDataTypeFactory factory) {
    return type.apply(factory);
  }

  @Override
  public boolean isOptional() {
    return false;
  }
}
