package blocks.udf;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderRegistry;
import org.apache.beam.sdk.coders.CustomCoder;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.transforms.Combine.CombineFn;
import org.apache.beam.sdk.values.Row;

/**
 * An aggregate function over one or several arguments, with as many overloads as it needs.
 *
 * <p>Beam SQL gives a CombineFn the value itself where the call has one argument and a {@link Row} of the arguments
 * where it has several, and null where one of them is null. A subclass sees none of this: {@link #add} gets the
 * arguments of the rows where none is null.
 *
 * @param <S> what it holds of a group
 */
public abstract class Aggregate<S extends State<S>> extends CombineFn<Object, S, Object> {
  /** Of how many arguments at least a call is; 0 where nobody has asked yet. */
  private transient int required;

  /** The types of the arguments, in order; no ROW where there is only one. */
  public abstract List<FieldType> argumentTypes();

  /** How many of the last arguments a call may leave out. */
  public int optionalArguments() {
    return 0;
  }

  /** The type of the result, nullable where a group can have none. */
  public abstract FieldType returnType();

  /** The functions that share the name, told apart by the types of their arguments. */
  public List<? extends Aggregate<S>> overloads() {
    return List.of(this);
  }

  @Override
  public abstract S createAccumulator();

  /** Takes in one row; as many arguments as the call has, none of them null. */
  protected abstract void add(S state, List<Object> arguments);

  /** The result of a group. */
  protected abstract Object result(S state);

  @Override
  public final S addInput(S state, Object input) {
    if (input instanceof Row row) {
      List<Object> arguments = row.getValues();
      if (!arguments.contains(null)) {
        add(state, arguments);
      }
    } else if (input != null) {
      if (required == 0) {
        required = argumentTypes().size() - optionalArguments();
      }
      if (required > 1) {
        throw new IllegalArgumentException(
            "Beam gives an aggregate in an OVER clause only its first argument: use GROUP BY instead");
      }
      add(state, List.of(input));
    }
    return state;
  }

  @Override
  public final S mergeAccumulators(Iterable<S> states) {
    S merged = createAccumulator();
    for (S state : states) {
      merged.merge(state);
    }
    return merged;
  }

  @Override
  public final Object extractOutput(S state) {
    return result(state);
  }

  @Override
  public final Coder<S> getAccumulatorCoder(CoderRegistry registry, Coder<Object> input) {
    return new StateCoder<>(this);
  }

  /** Writes states in their own form, so that equal states have equal bytes. */
  private static final class StateCoder<S extends State<S>> extends CustomCoder<S> {
    private final Aggregate<S> aggregate;

    StateCoder(Aggregate<S> aggregate) {
      this.aggregate = aggregate;
    }

    @Override
    public void encode(S state, OutputStream out) throws IOException {
      state.write(new DataOutputStream(out));
    }

    @Override
    public S decode(InputStream in) throws IOException {
      S state = aggregate.createAccumulator();
      state.read(new DataInputStream(in));
      return state;
    }

    @Override
    public void verifyDeterministic() {}

    @Override
    public boolean equals(Object other) {
      return other instanceof StateCoder<?> coder
          && coder.aggregate.getClass() == aggregate.getClass()
          && coder.aggregate.argumentTypes().equals(aggregate.argumentTypes());
    }

    @Override
    public int hashCode() {
      return aggregate.getClass().hashCode();
    }
  }
}
