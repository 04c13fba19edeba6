package blocks.udf;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.beam.sdk.coders.CannotProvideCoderException;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderRegistry;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.schemas.Schema.TypeName;
import org.apache.beam.sdk.transforms.Combine.CombineFn;

/** Holds what a class says of itself as a function against what it is. */
final class Inspection {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]*");
  private static final Pattern LIKE_A_VERSION = Pattern.compile(".*_v\\d+");

  private final Class<?> type;
  private final Function says;
  private final List<String> problems = new ArrayList<>();

  Inspection(Class<?> type, Function says) {
    this.type = type;
    this.says = says;
  }

  /** What is wrong, complete after {@link #overloads}. */
  List<String> problems() {
    return problems;
  }

  String kind() {
    return CombineFn.class.isAssignableFrom(type) ? "aggregate" : "scalar";
  }

  /** The ways to call it. */
  List<FunctionIndex.Overload> overloads() {
    checkAnnotation();
    if (!Modifier.isPublic(type.getModifiers()) || Modifier.isAbstract(type.getModifiers())) {
      problem("is not a public class that can be made", "write public, and not abstract");
      return List.of();
    }
    List<FunctionIndex.Overload> found =
        BeamSqlUdf.class.isAssignableFrom(type) ? scalar() : kind().equals("aggregate") ? aggregate() : neither();
    int longest = found.stream().mapToInt(one -> one.arguments().size()).max().orElse(0);
    if (!found.isEmpty() && longest != says.arguments().length) {
      problem(
          "names " + says.arguments().length + " arguments, and its longest overload has " + longest,
          "name the arguments of the longest");
    }
    return found;
  }

  private void checkAnnotation() {
    if (!NAME.matcher(says.name()).matches() || LIKE_A_VERSION.matcher(says.name()).matches()) {
      problem("has a name that is not in snake case, or ends like a version", "name it as in geo_spread");
    }
    if (says.version() < 1) {
      problem("has a version below 1", "count major versions from 1");
    }
    if (says.description().isBlank()) {
      problem("has no description", "say in one sentence what it does");
    }
    if (says.examples().length == 0) {
      problem("has no example", "give a call and its result");
    }
    for (Example example : says.examples()) {
      if (!example.call().contains(says.name() + "(")) {
        problem("has an example that does not call it", "call it by its name in SQL");
      }
    }
    if (Arrays.stream(says.arguments()).distinct().count() != says.arguments().length) {
      problem("names two arguments alike", "give each its own name");
    }
    if (says.nulls() == Nulls.SKIP != kind().equals("aggregate")) {
      problem("says the wrong thing of nulls", "an aggregate says SKIP, and no other function does");
    }
  }

  private List<FunctionIndex.Overload> neither() {
    problem("is neither a BeamSqlUdf nor a CombineFn", "implement BeamSqlUdf, or extend blocks.udf.Aggregate");
    return List.of();
  }

  private List<FunctionIndex.Overload> scalar() {
    List<Method> methods =
        Arrays.stream(type.getMethods())
            .filter(method -> method.getName().equals(BeamSqlUdf.UDF_METHOD) && !method.isBridge())
            .sorted(Comparator.comparing(Method::getParameterCount).thenComparing(Method::toGenericString))
            .toList();
    if (methods.isEmpty()) {
      problem("has no public method eval", "write what it does as eval");
    }
    List<FunctionIndex.Overload> found = new ArrayList<>();
    for (Method method : methods) {
      if (!Modifier.isStatic(method.getModifiers()) && !canBeMade()) {
        problem("has no public constructor without arguments", "add one, or make eval static");
      }
      if (method.isVarArgs()) {
        problem("has an eval with any number of arguments", "write an overload for each number");
      }
      if (method.getExceptionTypes().length > 0) {
        problem("has an eval that throws a checked exception", "throw IllegalArgumentException instead");
      }
      List<FunctionIndex.Argument> arguments = new ArrayList<>();
      Type[] types = method.getGenericParameterTypes();
      for (int place = 0; place < types.length; place++) {
        arguments.add(new FunctionIndex.Argument(name(place), sql(types[place]), false));
      }
      found.add(new FunctionIndex.Overload(arguments, sql(method.getGenericReturnType()), type.getName()));
    }
    return found;
  }

  private List<FunctionIndex.Overload> aggregate() {
    if (!canBeMade()) {
      problem("has no public constructor without arguments", "add one");
      return List.of();
    }
    Object made;
    try {
      made = type.getConstructor().newInstance();
    } catch (ReflectiveOperationException cause) {
      problem("cannot be made: its constructor throws", "make nothing in it that can fail");
      return List.of();
    }
    List<FunctionIndex.Overload> found = new ArrayList<>();
    if (made instanceof Aggregate<?>) {
      for (Aggregate<?> one : ((Aggregate<?>) made).overloads()) {
        found.add(overload(one));
        checkState(one);
      }
    } else {
      plain((CombineFn<?, ?, ?>) made).ifPresent(found::add);
    }
    return found;
  }

  private FunctionIndex.Overload overload(Aggregate<?> one) {
    List<FieldType> types = one.argumentTypes();
    if (types.size() == 1 && types.get(0).getTypeName() == TypeName.ROW) {
      problem("takes a ROW as its only argument", "take its fields as arguments");
    }
    List<FunctionIndex.Argument> arguments = new ArrayList<>();
    for (int place = 0; place < types.size(); place++) {
      boolean optional = place >= types.size() - one.optionalArguments();
      arguments.add(new FunctionIndex.Argument(name(place), sql(types.get(place)), optional));
    }
    return new FunctionIndex.Overload(arguments, sql(one.returnType()), type.getName());
  }

  /** A CombineFn of concrete types, read as Beam reads it. */
  private Optional<FunctionIndex.Overload> plain(CombineFn<?, ?, ?> made) {
    Type input = made.getInputType().getType();
    if (input instanceof ParameterizedType || !(input instanceof Class<?>)) {
      problem("is a CombineFn of a type that is no class", "extend blocks.udf.Aggregate");
      return Optional.empty();
    }
    try {
      CoderRegistry registry = CoderRegistry.createDefault();
      checkCoder(made, registry, registry.getCoder(made.getInputType()));
    } catch (CannotProvideCoderException cause) {
      problem("has an accumulator that Beam knows no coder for", "override getAccumulatorCoder");
    }
    List<FunctionIndex.Argument> arguments = List.of(new FunctionIndex.Argument(name(0), sql(input), false));
    return Optional.of(new FunctionIndex.Overload(arguments, sql(made.getOutputType().getType()), type.getName()));
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private void checkCoder(CombineFn made, CoderRegistry registry, Coder input) throws CannotProvideCoderException {
    checkRoundTrip(made.getAccumulatorCoder(registry, input), made.createAccumulator());
  }

  private <S extends State<S>> void checkState(Aggregate<S> one) {
    checkRoundTrip(one.getAccumulatorCoder(null, null), one.createAccumulator());
  }

  private <S> void checkRoundTrip(Coder<S> coder, S state) {
    try {
      ByteArrayOutputStream once = new ByteArrayOutputStream();
      coder.encode(state, once);
      ByteArrayInputStream in = new ByteArrayInputStream(once.toByteArray());
      S read = coder.decode(in);
      ByteArrayOutputStream again = new ByteArrayOutputStream();
      coder.encode(read, again);
      if (in.available() > 0 || !Arrays.equals(once.toByteArray(), again.toByteArray())) {
        problem("has an accumulator that is not what it was after it is written and read", "mend its write and read");
      }
    } catch (IOException | RuntimeException cause) {
      problem("has an accumulator that cannot be written and read", "mend its coder");
    }
  }

  private boolean canBeMade() {
    return Arrays.stream(type.getConstructors()).anyMatch(one -> one.getParameterCount() == 0);
  }

  private String name(int place) {
    return place < says.arguments().length ? says.arguments()[place] : "argument" + (place + 1);
  }

  private String sql(Type java) {
    return SqlTypes.of(java).orElseGet(() -> noType(java));
  }

  private String sql(FieldType beam) {
    return SqlTypes.of(beam).orElseGet(() -> noType(beam.getTypeName()));
  }

  private String noType(Object what) {
    boolean primitive = what instanceof Class<?> && ((Class<?>) what).isPrimitive();
    problem(
        "has an argument or result of type " + (what instanceof Type ? ((Type) what).getTypeName() : what),
        primitive ? "write the boxed type: NULL is null" : "see the types in the description of blocks.udf");
    return "?";
  }

  private void problem(String what, String fix) {
    String whole = type.getName() + ": `" + says.name() + "` " + what + ": " + fix;
    if (!problems.contains(whole)) {
      problems.add(whole);
    }
  }
}
