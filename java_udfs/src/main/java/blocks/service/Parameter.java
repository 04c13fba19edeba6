package blocks.service;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.FunctionParameter;

/** A parameter of a function. */
record Parameter(int ordinal, String name, Function<RelDataTypeFactory, RelDataType> type)
    implements FunctionParameter {
  /** The parameters of some types, with the names that there are. */
  static <T> List<FunctionParameter> all(
      List<T> types, String[] names, BiFunction<RelDataTypeFactory, T, RelDataType> sqlType) {
    List<FunctionParameter> parameters = new ArrayList<>();
    for (T type : types) {
      int place = parameters.size();
      String name = place < names.length ? names[place] : "argument" + place;
      parameters.add(new Parameter(place, name, factory -> sqlType.apply(factory, type)));
    }
    return parameters;
  }

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
