package blocks.service;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Duration;
import org.joda.time.Instant;

/** The three ways in which a {@link CalcProgram} runs; a row that fails goes out as such, or stops the bundle. */
final class CalcFns {
  private CalcFns() {}

  /**
   * A program, and how a row is told on which it fails.
   *
   * @param failed null where such a row stops the bundle
   */
  record Guarded(CalcProgram program, FailedRow failed) implements Serializable {
    /** The values of the output row; null for one that the filter drops, or that went out as failed. */
    Object[] evaluate(CalcProgram.Source source, Supplier<List<?>> row, DoFn.MultiOutputReceiver out) {
      try {
        return program.evaluate(source);
      } catch (RuntimeException cause) {
        if (failed == null) {
          throw cause instanceof SqlFailure ? cause : new SqlFailure(FailedRow.message(cause));
        }
        out.get(GuardedCalc.ERRORS).output(failed.stream(row.get(), cause));
        return null;
      }
    }

    /** Evaluates every row of a message. */
    void evaluateAll(BatchReader reader, byte[] message, DoFn.MultiOutputReceiver out, Taker taker) {
      int count = reader.load(message);
      try {
        for (int row = 0; row < count; row++) {
          int place = row;
          Object[] values = evaluate(column -> reader.get(column, place), () -> reader.row(place).getValues(), out);
          if (values != null) {
            taker.take(place, values);
          }
        }
      } finally {
        reader.clear();
      }
    }

    Row row(Object[] values) {
      return Row.withSchema(program.output()).attachValues(Arrays.asList(values));
    }
  }

  @FunctionalInterface
  private interface Taker {
    void take(int place, Object[] values);
  }

  /** From rows to rows. */
  static final class OverRows extends DoFn<Row, Row> {
    private final Guarded guarded;

    OverRows(Guarded guarded) {
      this.guarded = guarded;
    }

    @ProcessElement
    public void process(@Element Row row, MultiOutputReceiver out) {
      Object[] values = guarded.evaluate(row::<Object>getValue, row::getValues, out);
      if (values != null) {
        out.get(GuardedCalc.ROWS).output(guarded.row(values));
      }
    }
  }

  /** From batches to rows. */
  static final class OverBatches extends DoFn<byte[], Row> {
    private final Guarded guarded;
    private final BatchReader reader;

    OverBatches(Guarded guarded, BatchReader reader) {
      this.guarded = guarded;
      this.reader = reader;
    }

    @ProcessElement
    public void process(@Element byte[] message, @Timestamp Instant timestamp, MultiOutputReceiver out) {
      OutputReceiver<Row> rows = out.get(GuardedCalc.ROWS);
      guarded.evaluateAll(
          reader,
          message,
          out,
          (place, values) -> rows.outputWithTimestamp(guarded.row(values), reader.timestamp(place, timestamp)));
    }

    @Teardown
    public void teardown() {
      reader.close();
    }
  }

  /** From batches to batches. */
  static final class ToBatches extends DoFn<byte[], byte[]> {
    private final Guarded guarded;
    private final BatchReader reader;
    private final BatchBuffers buffers;

    ToBatches(Guarded guarded, BatchReader reader, BatchBuffers buffers) {
      this.guarded = guarded;
      this.reader = reader;
      this.buffers = buffers;
    }

    @StartBundle
    public void start() {
      buffers.start();
    }

    @ProcessElement
    public void process(
        @Element byte[] message, @Timestamp Instant timestamp, BoundedWindow window, MultiOutputReceiver out) {
      OutputReceiver<byte[]> batches = out.get(GuardedCalc.BATCHES);
      guarded.evaluateAll(
          reader,
          message,
          out,
          (place, values) ->
              buffers.add(Arrays.asList(values), reader.timestamp(place, timestamp), window, batches));
    }

    @FinishBundle
    public void finish(FinishBundleContext context) {
      buffers.finish(context);
    }

    @Teardown
    public void teardown() {
      reader.close();
      buffers.close();
    }

    /** An earlier row of the same batch holds the timestamp. */
    @Override
    @Deprecated
    public Duration getAllowedTimestampSkew() {
      return Duration.millis(Long.MAX_VALUE);
    }
  }
}
