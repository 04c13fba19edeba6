package blocks.udf.faulty;

import blocks.udf.Aggregate;
import blocks.udf.Example;
import blocks.udf.Function;
import blocks.udf.Nulls;
import blocks.udf.State;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;
import org.apache.beam.sdk.schemas.Schema.FieldType;

/** Classes with a fault each, for the indexer to find. */
public final class Faulty {
  private Faulty() {}

  @Function(
      name = "BadName", description = "A.", arguments = "x",
      examples = @Example(call = "BadName('')", result = "''"))
  public static final class BadName implements BeamSqlUdf {
    public static String eval(String x) {
      return x;
    }
  }

  @Function(name = "no_words", version = 0, description = " ", arguments = {"x", "x"}, examples = {})
  public static final class NoWords implements BeamSqlUdf {
    public static String eval(String x, String y) {
      return x + y;
    }
  }

  @Function(
      name = "primitive", description = "A.", arguments = "x",
      examples = @Example(call = "primitive(1)", result = "1"))
  public static final class Primitive implements BeamSqlUdf {
    public static Long eval(long x) {
      return x;
    }
  }

  @Function(
      name = "strange", description = "A.", arguments = "x",
      examples = @Example(call = "strange(1)", result = "1"))
  public static final class Strange implements BeamSqlUdf {
    public static Optional<Long> eval(Long x) throws IOException {
      return Optional.of(x);
    }
  }

  @Function(
      name = "counted", description = "A.", arguments = "x",
      examples = @Example(call = "other(1)", result = "1"))
  public static final class Counted implements BeamSqlUdf {
    public static Long eval(Long x, Long y) {
      return x + y;
    }
  }

  @Function(name = "no_eval", description = "A.", arguments = {}, examples = @Example(call = "no_eval()", result = "1"))
  public static final class NoEval implements BeamSqlUdf {
    public static Long evaluate() {
      return 1L;
    }
  }

  @Function(
      name = "unmade", description = "A.", arguments = "x",
      examples = @Example(call = "unmade(1)", result = "1"))
  public static final class Unmade implements BeamSqlUdf {
    public Unmade(int why) {}

    public Long eval(Long x) {
      return x;
    }
  }

  @Function(
      name = "hidden", description = "A.", arguments = "x",
      examples = @Example(call = "hidden(1)", result = "1"))
  static final class Hidden implements BeamSqlUdf {
    public static Long eval(Long x) {
      return x;
    }
  }

  @Function(
      name = "neither", description = "A.", arguments = "x",
      examples = @Example(call = "neither(1)", result = "1"))
  public static final class Neither {}

  @Function(
      name = "forgetful",
      description = "A.",
      arguments = "x",
      nulls = Nulls.CALL,
      examples = @Example(call = "forgetful(x)", result = "1"))
  public static final class Forgetful extends Aggregate<Forgetful.Memory> {
    /** Reads less than it writes. */
    public static final class Memory implements State<Memory> {
      @Override
      public void merge(Memory other) {}

      @Override
      public void write(DataOutput out) throws IOException {
        out.writeLong(1);
      }

      @Override
      public void read(DataInput in) {}
    }

    @Override
    public List<FieldType> argumentTypes() {
      return List.of(FieldType.INT64);
    }

    @Override
    public FieldType returnType() {
      return FieldType.INT64;
    }

    @Override
    public Memory createAccumulator() {
      return new Memory();
    }

    @Override
    protected void add(Memory state, List<Object> arguments) {}

    @Override
    protected Object result(Memory state) {
      return 1L;
    }
  }

  @Function(
      name = "twice", description = "A.", arguments = "x",
      examples = @Example(call = "twice(1)", result = "1"))
  public static final class Twice implements BeamSqlUdf {
    public static Long eval(Long x) {
      return x;
    }
  }

  @Function(
      name = "twice", description = "A.", arguments = "x",
      examples = @Example(call = "twice(1)", result = "1"))
  public static final class TwiceAgain implements BeamSqlUdf {
    public static Long eval(Long x) {
      return x;
    }
  }
}
