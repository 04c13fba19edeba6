package blocks.service;

import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Instant;

/**
 * Arrow batches as rows, each in the window of its batch, at its own event time where the table has such a column.
 *
 * <p>Input: bare IPC messages of one schema. Output: their rows, in order.
 */
final class ReadBatches extends DoFn<byte[], Row> {
  private final BatchReader reader;

  ReadBatches(BatchReader reader) {
    this.reader = reader;
  }

  @ProcessElement
  public void process(@Element byte[] message, @Timestamp Instant timestamp, OutputReceiver<Row> out) {
    int count = reader.load(message);
    try {
      for (int place = 0; place < count; place++) {
        out.outputWithTimestamp(reader.row(place), reader.timestamp(place, timestamp));
      }
    } finally {
      reader.clear();
    }
  }

  @Teardown
  public void teardown() {
    reader.close();
  }
}
