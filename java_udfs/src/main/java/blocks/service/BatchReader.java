package blocks.service;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.VectorLoader;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.message.ArrowRecordBatch;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Instant;
import org.joda.time.ReadableInstant;

/** Reads bare Arrow IPC messages of one schema, one at a time. */
final class BatchReader implements Serializable {
  /** All of a process's batches; each lives for one element or bundle. */
  static final BufferAllocator ALLOCATOR = new RootAllocator(Long.MAX_VALUE);

  private static final long serialVersionUID = 1L;

  private final byte[] arrowSchema;
  private final Schema schema;
  private final int eventTime;
  private transient VectorSchemaRoot root;
  private transient ArrowGetters.Getter[] getters;

  BatchReader(byte[] arrowSchema, Schema schema, String eventTime) {
    this.arrowSchema = arrowSchema;
    this.schema = schema;
    this.eventTime = eventTime == null ? -1 : schema.indexOf(eventTime);
  }

  /** Loads a message in place of the one before, and gives its number of rows. */
  int load(byte[] message) {
    if (root == null) {
      root = VectorSchemaRoot.create(ArrowTypes.read(arrowSchema), ALLOCATOR);
    }
    ReadChannel channel = new ReadChannel(Channels.newChannel(new ByteArrayInputStream(message)));
    try (ArrowRecordBatch batch = MessageSerializer.deserializeRecordBatch(channel, ALLOCATOR)) {
      new VectorLoader(root).load(batch);
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
    // Whether a vector has nulls is decided once a batch.
    getters = ArrowGetters.all(root.getFieldVectors(), schema);
    return root.getRowCount();
  }

  /** The value of a column in a row, as Beam's rows hold it. */
  Object get(int column, int row) {
    return getters[column].get(row);
  }

  /** A whole row. */
  Row row(int row) {
    return ArrowGetters.row(getters, schema, row);
  }

  /** When a row happened; a batch of late rows may be later than the earliest of them. */
  Instant timestamp(int row, Instant batch) {
    ReadableInstant own = eventTime < 0 ? null : (ReadableInstant) get(eventTime, row);
    return own == null || own.isBefore(batch) ? batch : own.toInstant();
  }

  /** Gives the memory of the last message back. */
  void clear() {
    root.clear();
  }

  void close() {
    if (root != null) {
      root.close();
      root = null;
    }
  }
}
