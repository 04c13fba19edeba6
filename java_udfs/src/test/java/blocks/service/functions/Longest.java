package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import blocks.udf.Nulls;
import java.io.Serializable;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderRegistry;
import org.apache.beam.sdk.coders.SerializableCoder;
import org.apache.beam.sdk.transforms.Combine.CombineFn;

/** A CombineFn that knows nothing of the library but the annotation, with a class of its own as state. */
@Function(
    name = "test_longest",
    description = "The longest text.",
    arguments = {"text"},
    nulls = Nulls.SKIP,
    examples = @Example(call = "test_longest(x)", from = "(VALUES ('a'), ('bb')) AS t (x)", result = "'bb'"))
public final class Longest extends CombineFn<String, Longest.Held, String> {
  /** The state. */
  public static final class Held implements Serializable {
    private static final long serialVersionUID = 1L;
    private String text;
  }

  @Override
  public Held createAccumulator() {
    return new Held();
  }

  @Override
  public Held addInput(Held held, String text) {
    if (text != null && (held.text == null || text.length() > held.text.length())) {
      held.text = text;
    }
    return held;
  }

  @Override
  public Held mergeAccumulators(Iterable<Held> all) {
    Held merged = new Held();
    all.forEach(one -> addInput(merged, one.text));
    return merged;
  }

  @Override
  public String extractOutput(Held held) {
    return held.text;
  }

  @Override
  public Coder<Held> getAccumulatorCoder(CoderRegistry registry, Coder<String> input) {
    return SerializableCoder.of(Held.class);
  }
}
