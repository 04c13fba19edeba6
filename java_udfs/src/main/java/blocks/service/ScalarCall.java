package blocks.service;

import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.List;
import org.apache.beam.sdk.extensions.sql.impl.planner.BeamJavaTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.CallImplementor;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.NullPolicy;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.RexImpTable;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.tree.Expression;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.tree.Expressions;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.FunctionParameter;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.ImplementableFunction;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.ScalarFunction;

/** One `eval` of a scalar function, as Calcite sees it: its calls go through {@link FunctionCalls}. */
final class ScalarCall implements ScalarFunction, ImplementableFunction {
  private final FunctionSpec spec;
  private final Method method;
  private final String[] names;

  ScalarCall(FunctionSpec spec, Method method, String[] names) {
    this.spec = spec;
    this.method = method;
    this.names = names;
    // A type that SQL does not have is told now, and not when the function is first called.
    for (Type type : method.getGenericParameterTypes()) {
      Values.argument(type);
    }
    Values.result(method.getGenericReturnType());
  }

  @Override
  public RelDataType getReturnType(RelDataTypeFactory factory) {
    return Values.resultType(factory, method.getGenericReturnType());
  }

  @Override
  public List<FunctionParameter> getParameters() {
    return Parameter.all(List.of(method.getGenericParameterTypes()), names, Values::parameterType);
  }

  @Override
  public CallImplementor getImplementor() {
    return RexImpTable.createImplementor(
        (translator, call, operands) -> {
          List<Expression> boxed = new ArrayList<>();
          operands.forEach(operand -> boxed.add(Expressions.box(operand)));
          Expression result =
              Expressions.call(
                  FunctionCalls.class,
                  "call",
                  Expressions.constant(spec.text()),
                  Expressions.newArrayInit(Object.class, boxed));
          RelDataType type = BeamJavaTypeFactory.INSTANCE.createTypeWithNullability(call.getType(), true);
          return Expressions.convert_(result, BeamJavaTypeFactory.INSTANCE.getJavaClass(type));
        },
        NullPolicy.NONE,
        false);
  }
}
