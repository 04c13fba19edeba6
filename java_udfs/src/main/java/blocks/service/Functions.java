package blocks.service;

import blocks.udf.Aggregate;
import blocks.udf.Function;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.beam.sdk.extensions.sql.impl.UdafImpl;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.transforms.Combine.CombineFn;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.FunctionParameter;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.SchemaPlus;

/** The functions that a query may call: those of the library, by its index, and those of users' archives. */
final class Functions {
  static final String INDEX = "META-INF/blocks/functions.json";
  private static final List<Class<?>> OWN = own();

  private Functions() {}

  private static List<Class<?>> own() {
    List<Class<?>> found = new ArrayList<>();
    try (InputStream index = Functions.class.getClassLoader().getResourceAsStream(INDEX)) {
      if (index != null) {
        for (JsonNode one : new ObjectMapper().readTree(index).get("functions")) {
          found.add(Class.forName(one.get("class").asText()));
        }
      }
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    } catch (ClassNotFoundException cause) {
      throw new IllegalStateException("the index of functions does not belong to this archive", cause);
    }
    return List.copyOf(found);
  }

  /** How many functions the library has. */
  static int count() {
    return OWN.size();
  }

  /**
   * Makes the functions known to a query.
   *
   * @throws Problem two archives, or an archive and the library, have a function of one name; a class that cannot be
   *     loaded, or whose types SQL does not have
   */
  static void register(SchemaPlus schema, List<String> jars, long deadlineMillis) {
    List<Found> all = new ArrayList<>();
    for (Class<?> type : OWN) {
      all.add(new Found(type, List.of(), "the library"));
    }
    ClassLoader loader = Jars.loader(jars);
    for (String jar : jars) {
      int before = all.size();
      for (Class<?> type : classes(jar, loader)) {
        all.add(new Found(type, jars, jar));
      }
      if (all.size() == before) {
        throw new Problem("jar", "the archive has no class with the annotation blocks.udf.Function: " + jar);
      }
    }
    Map<String, List<Found>> named = new LinkedHashMap<>();
    for (Found one : all) {
      List<Found> versions = named.computeIfAbsent(one.about().name(), name -> new ArrayList<>());
      for (Found other : versions) {
        if (!other.place.equals(one.place) || other.about().version() == one.about().version()) {
          String both = "`: in " + other.place + " and in " + one.place;
          throw new Problem("jar", "two functions are named `" + one.about().name() + both);
        }
      }
      versions.add(one);
    }
    for (List<Found> versions : named.values()) {
      for (Found one : versions) {
        String name = one.about().name();
        // Which of several versions is meant by the name alone is for the catalog to say, which Python reads.
        add(schema, one, versions.size() == 1 ? name : name + "_v" + one.about().version(), deadlineMillis);
      }
    }
  }

  /** A class with the annotation, the archives that it is loaded with, and where it was found, for messages. */
  private record Found(Class<?> type, List<String> jars, String place) {
    Function about() {
      return type.getAnnotation(Function.class);
    }
  }

  private static List<Class<?>> classes(String jar, ClassLoader loader) {
    List<Class<?>> found = new ArrayList<>();
    String at = "";
    try {
      for (String name : Jars.classes(jar)) {
        at = name;
        Class<?> type = Class.forName(name, false, loader);
        if (type.isAnnotationPresent(Function.class)) {
          found.add(type);
        }
      }
    } catch (IOException cause) {
      throw new Problem("jar", "not a Java archive that can be read: " + jar);
    } catch (UnsupportedClassVersionError cause) {
      int here = Runtime.version().feature();
      throw new Problem("jar", "the class " + at + " was compiled for a newer Java than " + here + ": " + jar);
    } catch (ClassNotFoundException | LinkageError cause) {
      // A class that needs what is not there is no function, or its function cannot be used.
      String why = cause.getClass().getSimpleName();
      throw new Problem("jar", "the class " + at + " cannot be loaded (" + why + "): " + jar);
    }
    return found;
  }

  private static void add(SchemaPlus schema, Found one, String name, long deadline) {
    Class<?> type = one.type;
    List<String> jars = one.jars;
    try {
      if (CombineFn.class.isAssignableFrom(type)) {
        addAggregate(schema, type, name, jars, deadline);
      } else {
        addScalar(schema, type, name, jars, deadline);
      }
    } catch (IllegalArgumentException cause) {
      String what = "the function `" + name + "` has a type that SQL does not have: ";
      throw new Problem("jar", what + cause.getMessage());
    } catch (ReflectiveOperationException | LinkageError cause) {
      String why = cause.getClass().getSimpleName();
      throw new Problem("jar", "the function `" + name + "` cannot be made: " + why);
    }
  }

  private static void addScalar(SchemaPlus schema, Class<?> type, String name, List<String> jars, long deadline)
      throws NoSuchMethodException {
    String[] arguments = type.getAnnotation(Function.class).arguments();
    boolean any = false;
    for (Method method : type.getMethods()) {
      if (method.getName().equals("eval") && !method.isBridge()) {
        any = true;
        if (!Modifier.isStatic(method.getModifiers())) {
          // Says that a constructor is missing before a row is met.
          type.getConstructor();
        }
        FunctionSpec spec = new FunctionSpec(name, type.getName(), FunctionCalls.descriptor(method), jars, deadline);
        schema.add(name, new ScalarCall(spec, method, arguments));
      }
    }
    if (!any) {
      throw new NoSuchMethodException("eval");
    }
  }

  private static void addAggregate(SchemaPlus schema, Class<?> type, String name, List<String> jars, long deadline)
      throws ReflectiveOperationException {
    String[] names = type.getAnnotation(Function.class).arguments();
    Object made = type.getConstructor().newInstance();
    if (!(made instanceof Aggregate<?>)) {
      FunctionSpec spec = new FunctionSpec(name, type.getName(), "", jars, deadline);
      schema.add(name, new PlainAggregate(spec, (CombineFn<?, ?, ?>) made));
      return;
    }
    List<? extends Aggregate<?>> overloads = ((Aggregate<?>) made).overloads();
    for (int place = 0; place < overloads.size(); place++) {
      Aggregate<?> one = overloads.get(place);
      List<FieldType> arguments = one.argumentTypes();
      FunctionSpec spec = new FunctionSpec(name, type.getName(), String.valueOf(place), jars, deadline);
      for (int count = arguments.size() - one.optionalArguments(); count <= arguments.size(); count++) {
        schema.add(name, new AggregateCall(spec, arguments.subList(0, count), one.returnType(), names));
      }
    }
  }

  /** A CombineFn of one argument that knows nothing of the library: Beam reads its types. */
  private static final class PlainAggregate extends UdafImpl<Object, Object, Object> {
    private final transient UdafImpl<?, ?, ?> types;

    PlainAggregate(FunctionSpec spec, CombineFn<?, ?, ?> aggregate) {
      super(new GuardedAggregate(spec));
      this.types = new UdafImpl<>(aggregate);
    }

    @Override
    public List<FunctionParameter> getParameters() {
      return types.getParameters();
    }

    @Override
    public RelDataType getReturnType(RelDataTypeFactory factory) {
      return types.getReturnType(factory);
    }
  }

  /** The aggregate that is meant. */
  @SuppressWarnings("unchecked")
  static CombineFn<Object, Object, Object> aggregate(FunctionSpec spec) {
    try {
      Object made = Class.forName(spec.type(), true, Jars.loader(spec.jars())).getConstructor().newInstance();
      if (made instanceof Aggregate<?> && !spec.method().isEmpty()) {
        made = ((Aggregate<?>) made).overloads().get(Integer.parseInt(spec.method()));
      }
      return (CombineFn<Object, Object, Object>) made;
    } catch (ReflectiveOperationException | LinkageError cause) {
      throw new SqlFailure("the function `" + spec.name() + "` cannot be loaded: " + cause.getClass().getSimpleName());
    }
  }
}
