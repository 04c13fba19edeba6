package blocks.service;

import java.util.Arrays;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Duration;
import org.joda.time.Instant;

/** The three ways in which a {@link CalcProgram} runs; a row that fails goes out as such, or stops the bundle. */
final class CalcFns {
  private CalcFns() {}

  private static SqlFailure stopped(RuntimeException cause) {
    if (cause instanceof SqlFailure) {
      return (SqlFailure) cause;
    }
    return new SqlFailure(FailedRow.message(cause));
  }

  /** From rows to rows. */
  static final class OverRows extends DoFn<Row, Row> {
    private final CalcProgram program;
    private final FailedRow failed;

    OverRows(CalcProgram program, FailedRow failed) {
      this.program = program;
      this.failed = failed;
    }

    @ProcessElement
    public void process(@Element Row row, MultiOutputReceiver out) {
      Object[] values;
      try {
        values = program.evaluate(row::<Object>getValue);
      } catch (RuntimeException cause) {
        if (failed == null) {
          throw stopped(cause);
        }
        out.get(GuardedCalc.ERRORS).output(failed.stream(row.getValues(), cause));
        return;
      }
      if (values != null) {
        out.get(GuardedCalc.ROWS).output(Row.withSchema(program.output()).attachValues(Arrays.asList(values)));
      }
    }
  }

  /** From batches to rows. */
  static final class OverBatches extends DoFn<byte[], Row> {
    private final CalcProgram program;
    private final BatchReader reader;
    private final FailedRow failed;

    OverBatches(CalcProgram program, BatchReader reader, FailedRow failed) {
      this.program = program;
      this.reader = reader;
      this.failed = failed;
    }

    @ProcessElement
    public void process(@Element byte[] message, @Timestamp Instant timestamp, MultiOutputReceiver out) {
      Schema schema = program.output();
      OutputReceiver<Row> rows = out.get(GuardedCalc.ROWS);
      evaluate(
          program,
          reader,
          failed,
          message,
          out,
          (place, values) ->
              rows.outputWithTimestamp(
                  Row.withSchema(schema).attachValues(Arrays.asList(values)), reader.timestamp(place, timestamp)));
    }

    @Teardown
    public void teardown() {
      reader.close();
    }
  }

  /** From batches to batches. */
  static final class ToBatches extends DoFn<byte[], byte[]> {
    private final CalcProgram program;
    private final BatchReader reader;
    private final BatchBuffers buffers;
    private final FailedRow failed;

    ToBatches(CalcProgram program, BatchReader reader, BatchBuffers buffers, FailedRow failed) {
      this.program = program;
      this.reader = reader;
      this.buffers = buffers;
      this.failed = failed;
    }

    @StartBundle
    public void start() {
      buffers.start();
    }

    @ProcessElement
    public void process(
        @Element byte[] message, @Timestamp Instant timestamp, BoundedWindow window, MultiOutputReceiver out) {
      OutputReceiver<byte[]> batches = out.get(GuardedCalc.BATCHES);
      evaluate(
          program,
          reader,
          failed,
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

  @FunctionalInterface
  private interface Taker {
    void take(int place, Object[] values);
  }

  private static void evaluate(
      CalcProgram program,
      BatchReader reader,
      FailedRow failed,
      byte[] message,
      DoFn.MultiOutputReceiver out,
      Taker taker) {
    int count = reader.load(message);
    for (int row = 0; row < count; row++) {
      int place = row;
      Object[] values;
      try {
        values = program.evaluate(column -> reader.get(column, place));
      } catch (RuntimeException cause) {
        if (failed == null) {
          throw stopped(cause);
        }
        out.get(GuardedCalc.ERRORS).output(failed.stream(reader.row(place).getValues(), cause));
        continue;
      }
      if (values != null) {
        taker.take(place, values);
      }
    }
    reader.clear();
  }
}
