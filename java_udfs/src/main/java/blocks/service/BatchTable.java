package blocks.service;

import org.apache.beam.sdk.extensions.sql.meta.SchemaBaseBeamTable;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.transforms.windowing.DefaultTrigger;
import org.apache.beam.sdk.transforms.windowing.Window;
import org.apache.beam.sdk.values.PBegin;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollection.IsBounded;
import org.apache.beam.sdk.values.POutput;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.sdk.values.WindowingStrategy;
import org.apache.beam.sdk.values.WindowingStrategy.AccumulationMode;
import org.joda.time.Duration;

/** A table whose rows come as Arrow batches. */
final class BatchTable extends SchemaBaseBeamTable {
  private final transient PCollection<byte[]> batches;
  private final String name;
  private final byte[] arrowSchema;
  private final String eventTime;

  BatchTable(String name, PCollection<byte[]> batches, byte[] arrowSchema, Schema schema, String eventTime) {
    super(schema);
    this.name = name;
    this.batches = withoutEmptyPanes(name, batches);
    this.arrowSchema = arrowSchema;
    this.eventTime = eventTime;
  }

  /**
   * The batches of a stream in their windows, with the triggers that they have, but without panes that hold no row.
   *
   * <p>Windows that come from Python give a last pane in any case, of which an aggregate would make a group without
   * rows: a COUNT of 0, and NULL where no NULL can be. Nobody can ask for them in Python, so nobody misses them.
   */
  private static PCollection<byte[]> withoutEmptyPanes(String name, PCollection<byte[]> batches) {
    WindowingStrategy<?, ?> windows = batches.getWindowingStrategy();
    boolean once = windows.getTrigger() instanceof DefaultTrigger && windows.getAllowedLateness().equals(Duration.ZERO);
    if (batches.isBounded() == IsBounded.BOUNDED || once) {
      return batches;
    }
    Window<byte[]> filled =
        Window.<byte[]>configure()
            .withAllowedLateness(windows.getAllowedLateness(), Window.ClosingBehavior.FIRE_IF_NON_EMPTY);
    if (windows.getMode() == AccumulationMode.DISCARDING_FIRED_PANES) {
      filled = filled.withOnTimeBehavior(Window.OnTimeBehavior.FIRE_IF_NON_EMPTY);
    }
    return batches.apply("Panes of " + name, filled);
  }

  String name() {
    return name;
  }

  /** The IPC message of the schema, as the caller gave it. */
  byte[] arrowSchema() {
    return arrowSchema;
  }

  PCollection<byte[]> batches() {
    return batches;
  }

  /** A reader of its messages. */
  BatchReader reader() {
    return new BatchReader(arrowSchema, getSchema(), eventTime);
  }

  @Override
  public IsBounded isBounded() {
    return batches.isBounded();
  }

  @Override
  public PCollection<Row> buildIOReader(PBegin begin) {
    return batches.apply("Rows of " + name, ParDo.of(new ReadBatches(reader()))).setRowSchema(getSchema());
  }

  @Override
  public POutput buildIOWriter(PCollection<Row> rows) {
    throw new UnsupportedOperationException("a table is only read");
  }
}
