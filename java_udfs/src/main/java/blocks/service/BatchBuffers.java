package blocks.service;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.VectorUnloader;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.joda.time.Instant;

/**
 * The batches that a bundle is filling: rows of one window each, given out when one is full or the bundle ends.
 *
 * <p>A batch never outlives its bundle, so no row becomes late by waiting.
 */
final class BatchBuffers implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final int SIZE_CHECK_ROWS = 256;
  private static final long MAX_BYTES = 8L << 20;
  // A bundle of many windows has a batch for each: beyond these a row is a batch of its own.
  private static final int MAX_OPEN = 256;

  private final byte[] arrowSchema;
  private final int maxRows;
  private transient org.apache.arrow.vector.types.pojo.Schema schema;
  private transient Map<BoundedWindow, Batch> open;

  BatchBuffers(byte[] arrowSchema, int maxRows) {
    this.arrowSchema = arrowSchema;
    this.maxRows = maxRows;
  }

  /** A bundle begins. */
  void start() {
    close();
    schema = schema == null ? ArrowTypes.read(arrowSchema) : schema;
    open = new LinkedHashMap<>();
  }

  /** Takes a row of the element that is being processed, and gives its batch out if it is full. */
  void add(List<?> values, Instant timestamp, BoundedWindow window, DoFn.OutputReceiver<byte[]> out) {
    Batch batch = open.get(window);
    if (batch == null) {
      batch = new Batch(schema);
      open.put(window, batch);
    }
    batch.add(values);
    batch.earliest = timestamp.isBefore(batch.earliest) ? timestamp : batch.earliest;
    if (batch.rows >= maxRows || batch.bytes >= MAX_BYTES || open.size() > MAX_OPEN) {
      open.remove(window);
      out.outputWithTimestamp(batch.message(), batch.earliest);
    }
  }

  /** The bundle ends. */
  void finish(DoFn<?, byte[]>.FinishBundleContext context) {
    open.forEach((window, batch) -> context.output(batch.message(), batch.earliest, window));
    open = null;
  }

  /** Gives up what a failed bundle has left. */
  void close() {
    if (open != null) {
      open.values().forEach(Batch::close);
      open = null;
    }
  }

  private static final class Batch {
    private final VectorSchemaRoot root;
    private final ArrowSetters.Setter[] setters;
    private int rows;
    private long bytes;
    private Instant earliest = BoundedWindow.TIMESTAMP_MAX_VALUE;

    Batch(org.apache.arrow.vector.types.pojo.Schema schema) {
      root = VectorSchemaRoot.create(schema, BatchReader.ALLOCATOR);
      for (FieldVector vector : root.getFieldVectors()) {
        vector.setInitialCapacity(SIZE_CHECK_ROWS);
        vector.allocateNew();
      }
      setters = ArrowSetters.all(root.getFieldVectors(), "");
    }

    void add(List<?> values) {
      for (int column = 0; column < setters.length; column++) {
        setters[column].set(rows, values.get(column));
      }
      rows++;
      if (rows % SIZE_CHECK_ROWS == 0) {
        bytes = 0;
        for (FieldVector vector : root.getFieldVectors()) {
          bytes += vector.getBufferSizeFor(rows);
        }
      }
    }

    byte[] message() {
      root.setRowCount(rows);
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      try (ArrowRecordBatch batch = new VectorUnloader(root).getRecordBatch()) {
        MessageSerializer.serialize(new WriteChannel(Channels.newChannel(out)), batch);
      } catch (IOException cause) {
        throw new UncheckedIOException(cause);
      } finally {
        close();
      }
      return out.toByteArray();
    }

    void close() {
      root.close();
    }
  }
}
