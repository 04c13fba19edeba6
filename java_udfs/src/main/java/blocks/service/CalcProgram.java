package blocks.service;

import java.io.Serializable;
import java.lang.reflect.Type;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeSet;
import org.apache.beam.sdk.extensions.sql.impl.planner.BeamJavaTypeFactory;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.DataContext;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.JavaRowFormat;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.PhysType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.PhysTypeImpl;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.enumerable.RexToLixTranslator;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.adapter.java.JavaTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.QueryProvider;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.tree.BlockBuilder;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.tree.Expression;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.tree.Expressions;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.linq4j.tree.ParameterExpression;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.plan.RelOptPredicateList;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.core.Calc;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.metadata.RelMetadataQuery;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rex.RexBuilder;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rex.RexProgram;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rex.RexSimplify;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rex.RexUtil;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.SchemaPlus;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.sql.validate.SqlConformanceEnum;
import org.codehaus.commons.compiler.CompileException;
import org.codehaus.janino.ScriptEvaluator;

/**
 * The projection and the filter of a query as compiled Java, over values as Calcite holds them.
 *
 * <p>Calcite writes the code, as for Beam's own step; but values are read by column and not by name, a row may come
 * out of Arrow without ever being a Beam row, and the code is compiled once in a process.
 */
final class CalcProgram implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final int KEPT = 512;
  private static final Map<String, Compiled> COMPILED =
      new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Compiled> eldest) {
          return size() > KEPT;
        }
      };
  private static final ParameterExpression INPUT = Expressions.parameter(Object[].class, "in");
  private static final DataContext CONTEXT = new Context();

  private final String code;
  private final int[] columns;
  private final Schema input;
  private final Schema output;
  private transient Compiled compiled;
  private transient Values.Converter[] readers;
  private transient Values.Converter[] writers;
  // Of one row after the other: the code only reads it, and a step is run by one thread at a time.
  private transient Object[] in;

  /** Public for generated code. */
  public interface Compiled {
    /** The output row, null for one that the filter drops. */
    Object[] evaluate(Object[] in, DataContext root);
  }

  private CalcProgram(String code, int[] columns, Schema input, Schema output) {
    this.code = code;
    this.columns = columns;
    this.input = input;
    this.output = output;
    // What cannot be compiled is told when the pipeline is built.
    prepare();
  }

  /** The program of a step over rows of a schema. */
  static CalcProgram of(Calc calc, Schema input, Schema output) {
    JavaTypeFactory factory = BeamJavaTypeFactory.INSTANCE;
    BlockBuilder block = new BlockBuilder();
    PhysType physical = PhysTypeImpl.of(factory, calc.getRowType(), JavaRowFormat.ARRAY, false);
    RexBuilder rex = calc.getCluster().getRexBuilder();
    RelOptPredicateList predicates = RelMetadataQuery.instance().getPulledUpPredicates(calc.getInput());
    RexProgram program =
        calc.getProgram().normalize(rex, new RexSimplify(rex, predicates, RexUtil.EXECUTOR));
    Fields fields = new Fields(input);
    Expression condition =
        RexToLixTranslator.translateCondition(program, factory, block, fields, null, SqlConformanceEnum.MYSQL_5);
    List<Expression> values =
        RexToLixTranslator.translateProjects(
            program, factory, SqlConformanceEnum.MYSQL_5, block, physical, DataContext.ROOT, fields, null);
    block.add(
        Expressions.ifThenElse(
            condition,
            Expressions.return_(null, physical.record(values)),
            Expressions.return_(null, Expressions.constant(null))));
    int[] columns = fields.used.stream().mapToInt(Integer::intValue).toArray();
    return new CalcProgram(block.toBlock().toString(), columns, input, output);
  }

  private void prepare() {
    if (compiled != null) {
      return;
    }
    synchronized (COMPILED) {
      compiled = COMPILED.computeIfAbsent(code, CalcProgram::compile);
    }
    in = new Object[input.getFieldCount()];
    readers = new Values.Converter[columns.length];
    for (int place = 0; place < columns.length; place++) {
      readers[place] = Values.calcite(input.getField(columns[place]).getType());
    }
    writers = new Values.Converter[output.getFieldCount()];
    for (int place = 0; place < writers.length; place++) {
      writers[place] = Values.beam(output.getField(place).getType());
    }
  }

  private static Compiled compile(String code) {
    ScriptEvaluator evaluator = new ScriptEvaluator();
    evaluator.setParentClassLoader(CalcProgram.class.getClassLoader());
    try {
      return (Compiled)
          evaluator.createFastEvaluator(code, Compiled.class, new String[] {INPUT.name, DataContext.ROOT.name});
    } catch (CompileException cause) {
      throw new UnsupportedOperationException("the engine cannot compile an expression of this query", cause);
    }
  }

  Schema output() {
    return output;
  }

  /** Where a row is read from. */
  @FunctionalInterface
  interface Source {
    /** The value of a column as Beam's rows hold it. */
    Object get(int column);
  }

  /** The output row's values as Beam's rows hold them, null for one that the filter drops. */
  Object[] evaluate(Source source) {
    prepare();
    for (int place = 0; place < columns.length; place++) {
      Object value = source.get(columns[place]);
      in[columns[place]] = value == null ? null : readers[place].convert(value);
    }
    Object[] out = compiled.evaluate(in, CONTEXT);
    if (out != null) {
      for (int place = 0; place < writers.length; place++) {
        out[place] = out[place] == null ? null : writers[place].convert(out[place]);
      }
    }
    return out;
  }

  private static final class Fields implements RexToLixTranslator.InputGetter {
    private final Schema schema;
    private final TreeSet<Integer> used = new TreeSet<>();

    Fields(Schema schema) {
      this.schema = schema;
    }

    @Override
    public Expression field(BlockBuilder block, int index, Type storage) {
      used.add(index);
      Expression value = Expressions.arrayIndex(INPUT, Expressions.constant(index));
      return Expressions.convert_(value, Values.calciteClass(schema.getField(index).getType()));
    }
  }

  /** What code asks of the moment. */
  private static final class Context implements DataContext {
    @Override
    public SchemaPlus getRootSchema() {
      return null;
    }

    @Override
    public JavaTypeFactory getTypeFactory() {
      return null;
    }

    @Override
    public QueryProvider getQueryProvider() {
      return null;
    }

    @Override
    public Object get(String name) {
      if (name.equals(Variable.TIME_ZONE.camelName)) {
        return TimeZone.getTimeZone("UTC");
      }
      boolean now =
          name.equals(Variable.UTC_TIMESTAMP.camelName)
              || name.equals(Variable.CURRENT_TIMESTAMP.camelName)
              || name.equals(Variable.LOCAL_TIMESTAMP.camelName);
      return now ? (Object) System.currentTimeMillis() : null;
    }
  }
}
