package blocks.service;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Calls scalar functions for the code that Calcite generates.
 *
 * <p>Generated code could call a function itself. This way a user's class loader is used on every worker, a call that
 * runs for ever is seen, and a failure names its function and shows no value.
 */
public final class FunctionCalls {
  private static final Map<String, FunctionCalls> KNOWN = new ConcurrentHashMap<>();

  private final FunctionSpec spec;
  private final MethodHandle handle;
  private final Values.Converter[] arguments;
  private final boolean[] primitive;
  private final Values.Converter result;

  private FunctionCalls(FunctionSpec spec) {
    this.spec = spec;
    try {
      Class<?> type = Class.forName(spec.type(), true, Jars.loader(spec.jars()));
      Method method = find(type, spec.method());
      // A class of the user need not be public for its method to be called.
      method.setAccessible(true);
      MethodHandle found = MethodHandles.lookup().unreflect(method);
      if (!Modifier.isStatic(method.getModifiers())) {
        found = found.bindTo(type.getConstructor().newInstance());
      }
      Type[] types = method.getGenericParameterTypes();
      MethodType generic = MethodType.methodType(Object.class, Object[].class);
      handle = found.asSpreader(Object[].class, types.length).asType(generic);
      arguments = Arrays.stream(types).map(Values::argument).toArray(Values.Converter[]::new);
      primitive = new boolean[types.length];
      for (int place = 0; place < types.length; place++) {
        primitive[place] = types[place] instanceof Class<?> one && one.isPrimitive();
      }
      result = Values.result(method.getGenericReturnType());
    } catch (ReflectiveOperationException | LinkageError cause) {
      throw new SqlFailure("the function `" + spec.name() + "` cannot be loaded: " + cause.getClass().getSimpleName());
    }
  }

  static Method find(Class<?> type, String descriptor) throws NoSuchMethodException {
    for (Method method : type.getMethods()) {
      if (method.getName().equals("eval") && !method.isBridge() && descriptor(method).equals(descriptor)) {
        return method;
      }
    }
    throw new NoSuchMethodException(descriptor);
  }

  static String descriptor(Method method) {
    return MethodType.methodType(method.getReturnType(), method.getParameterTypes()).toMethodDescriptorString();
  }

  /** Calls a function; arguments and result are as Calcite holds them. */
  public static Object call(String spec, Object[] given) {
    FunctionCalls known = KNOWN.get(spec);
    if (known == null) {
      known = KNOWN.computeIfAbsent(spec, text -> new FunctionCalls(FunctionSpec.of(text)));
    }
    return known.apply(given);
  }

  private Object apply(Object[] given) {
    Object[] converted = new Object[arguments.length];
    for (int place = 0; place < converted.length; place++) {
      Object one = place < given.length ? given[place] : null;
      if (one == null && primitive[place]) {
        return null;
      }
      converted[place] = one == null ? null : arguments[place].convert(one);
    }
    Watch.Slot slot = Watch.slot();
    slot.enter(spec.name(), spec.deadlineMillis());
    try {
      Object found = handle.invokeExact(converted);
      return found == null ? null : result.convert(found);
    } catch (Throwable cause) {
      throw failure(spec, cause);
    } finally {
      slot.leave();
    }
  }

  /** The failure of a call, without what it may say of a row. */
  static SqlFailure failure(FunctionSpec spec, Throwable cause) {
    if (cause instanceof SqlFailure told) {
      return told;
    }
    String function = "the function `" + spec.name() + "` ";
    if (cause instanceof OutOfMemoryError) {
      return new SqlFailure(function + "needs more memory than the SQL service has");
    }
    if (cause instanceof StackOverflowError) {
      return new SqlFailure(function + "calls itself too deeply");
    }
    // The functions of the library promise that these messages hold no values.
    if (cause.getClass() == IllegalArgumentException.class && spec.type().startsWith("blocks.udf.")) {
      return new SqlFailure(function + "refuses its arguments: " + cause.getMessage());
    }
    return new SqlFailure(function + "failed with " + cause.getClass().getSimpleName());
  }
}
