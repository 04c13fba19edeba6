package blocks.service;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;
import java.math.BigDecimal;
import org.apache.beam.sdk.coders.ByteArrayCoder;
import org.apache.beam.sdk.coders.CannotProvideCoderException;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderRegistry;
import org.apache.beam.sdk.coders.CustomCoder;
import org.apache.beam.sdk.coders.SerializableCoder;
import org.apache.beam.sdk.transforms.Combine.CombineFn;
import org.apache.beam.sdk.util.SerializableUtils;

/**
 * Runs an aggregate by name: its class loader is found on every worker, a step of it that runs for ever is seen, and a
 * failure names it and shows no value.
 */
final class GuardedAggregate extends CombineFn<Object, Object, Object> {
  private final FunctionSpec spec;
  private transient CombineFn<Object, Object, Object> aggregate;
  private transient Class<?> input;

  GuardedAggregate(FunctionSpec spec) {
    this.spec = spec;
  }

  private CombineFn<Object, Object, Object> aggregate() {
    if (aggregate == null) {
      aggregate = Functions.aggregate(spec);
    }
    return aggregate;
  }

  private interface Step {
    Object take();
  }

  private interface IoStep<T> {
    T take() throws IOException;
  }

  private Object guarded(Step step) {
    Watch.Slot slot = Watch.slot();
    slot.enter(spec.name(), spec.deadlineMillis());
    try {
      return step.take();
    } catch (Throwable cause) {
      throw FunctionCalls.failure(spec, cause);
    } finally {
      slot.leave();
    }
  }

  @Override
  public Object createAccumulator() {
    return aggregate().createAccumulator();
  }

  @Override
  public Object addInput(Object accumulator, Object input) {
    return guarded(() -> aggregate().addInput(accumulator, plain() ? as(input, inputClass()) : input));
  }

  /** Whether it is any CombineFn, which takes what its type says and nothing narrower. */
  private boolean plain() {
    return spec.method().isEmpty();
  }

  private Class<?> inputClass() {
    if (input == null) {
      input = aggregate().getInputType().getRawType();
    }
    return input;
  }

  /** Calcite lets an INTEGER stand where an aggregate takes BIGINT, and gives it the value as it is. */
  private static Object as(Object value, Class<?> wanted) {
    if (!(value instanceof Number) || wanted.isInstance(value)) {
      return value;
    }
    Number number = (Number) value;
    if (wanted == Long.class) {
      return number.longValue();
    }
    if (wanted == Integer.class) {
      return number.intValue();
    }
    if (wanted == Short.class) {
      return number.shortValue();
    }
    if (wanted == Double.class) {
      return number.doubleValue();
    }
    if (wanted == Float.class) {
      return number.floatValue();
    }
    return wanted == BigDecimal.class ? new BigDecimal(number.toString()) : value;
  }

  @Override
  public Object mergeAccumulators(Iterable<Object> accumulators) {
    return guarded(() -> aggregate().mergeAccumulators(accumulators));
  }

  @Override
  public Object extractOutput(Object accumulator) {
    return guarded(() -> aggregate().extractOutput(accumulator));
  }

  @Override
  public Coder<Object> getAccumulatorCoder(CoderRegistry registry, Coder<Object> input)
      throws CannotProvideCoderException {
    Coder<Object> coder = aggregate().getAccumulatorCoder(registry, plain() ? ofInput(registry, input) : input);
    return spec.jars().isEmpty() ? coder : new LoadedCoder(spec, coder);
  }

  /** The coder of what a plain CombineFn takes; of a class that Beam does not know, that of the column. */
  private Coder<Object> ofInput(CoderRegistry registry, Coder<Object> input) {
    try {
      return registry.getCoder(aggregate().getInputType());
    } catch (CannotProvideCoderException unknown) {
      return input;
    }
  }

  /** The coder of an accumulator whose class only its own class loader knows. */
  private static final class LoadedCoder extends CustomCoder<Object> {
    private final FunctionSpec spec;
    private final byte[] written;
    private transient Coder<Object> coder;

    LoadedCoder(FunctionSpec spec, Coder<Object> coder) {
      this.spec = spec;
      this.coder = coder;
      this.written = SerializableUtils.serializeToByteArray(coder);
    }

    private Coder<Object> coder() {
      if (coder == null) {
        coder = read();
      }
      return coder;
    }

    @SuppressWarnings("unchecked")
    private Coder<Object> read() {
      return (Coder<Object>) SerializableUtils.deserializeFromByteArray(written, "the coder of " + spec.name());
    }

    /** Java's serialization asks the thread for the loader of classes that it reads. */
    private <T> T loaded(IoStep<T> step) throws IOException {
      Thread thread = Thread.currentThread();
      ClassLoader before = thread.getContextClassLoader();
      thread.setContextClassLoader(Jars.loader(spec.jars()));
      try {
        return step.take();
      } finally {
        thread.setContextClassLoader(before);
      }
    }

    @Override
    public void encode(Object value, OutputStream out) throws IOException {
      loaded(
          () -> {
            if (coder() instanceof SerializableCoder) {
              ByteArrayCoder.of().encode(SerializableUtils.serializeToByteArray((Serializable) value), out);
            } else {
              coder().encode(value, out);
            }
            return null;
          });
    }

    @Override
    public Object decode(InputStream in) throws IOException {
      return loaded(
          () ->
              // Beam's own coder reads with the class loader of Beam.
              coder() instanceof SerializableCoder
                  ? SerializableUtils.deserializeFromByteArray(ByteArrayCoder.of().decode(in), "a state")
                  : coder().decode(in));
    }

    @Override
    public void verifyDeterministic() throws NonDeterministicException {
      // A state is merged and never a key, so nobody needs to know.
      throw new NonDeterministicException(this, "it is not asked");
    }
  }
}
