package blocks.service;

import java.util.ArrayList;
import java.util.List;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.coders.ByteArrayCoder;
import org.apache.beam.sdk.transforms.Create;
import org.apache.beam.sdk.transforms.Flatten;
import org.apache.beam.sdk.transforms.windowing.DefaultTrigger;
import org.apache.beam.sdk.transforms.windowing.GlobalWindows;
import org.apache.beam.sdk.transforms.windowing.Window;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionList;
import org.joda.time.Duration;

/** Gathers the rows that failed in the steps of a query, as {@link FailedRow} writes them. */
final class FailedRows {
  private final List<PCollection<byte[]>> found = new ArrayList<>();

  /** Takes those of one step. */
  void add(PCollection<byte[]> errors) {
    found.add(errors);
  }

  /** All of them, in the global window: they may come from several kinds of windows. */
  PCollection<byte[]> all(Pipeline pipeline) {
    if (found.isEmpty()) {
      return pipeline.apply("No errors", Create.empty(ByteArrayCoder.of()));
    }
    List<PCollection<byte[]>> global = new ArrayList<>();
    for (PCollection<byte[]> one : found) {
      global.add(
          one.apply(
              "Global errors " + global.size(),
              Window.<byte[]>into(new GlobalWindows())
                  .triggering(DefaultTrigger.of())
                  .withAllowedLateness(Duration.ZERO)
                  .discardingFiredPanes()));
    }
    return PCollectionList.of(global).apply("Errors", Flatten.pCollections());
  }
}
