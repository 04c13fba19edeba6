package blocks.service;

import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Duration;
import org.joda.time.Instant;

/** Rows as Arrow batches of the declared schema: see {@link BatchBuffers}. */
final class WriteBatches extends DoFn<Row, byte[]> {
  private final BatchBuffers buffers;

  WriteBatches(BatchBuffers buffers) {
    this.buffers = buffers;
  }

  @StartBundle
  public void start() {
    buffers.start();
  }

  @ProcessElement
  public void process(
      @Element Row row, @Timestamp Instant timestamp, BoundedWindow window, OutputReceiver<byte[]> out) {
    buffers.add(row.getValues(), timestamp, window, out);
  }

  @FinishBundle
  public void finish(FinishBundleContext context) {
    buffers.finish(context);
  }

  @Teardown
  public void teardown() {
    buffers.close();
  }

  /** An earlier row of the same batch holds the timestamp. */
  @Override
  @Deprecated
  public Duration getAllowedTimestampSkew() {
    return Duration.millis(Long.MAX_VALUE);
  }
}
