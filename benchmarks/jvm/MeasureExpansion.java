package blocks.examples;

import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.options.PortablePipelineOptions;
import org.apache.beam.sdk.transforms.Create;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.Row;

/** Times discovery and expansion, as a pipeline in Java sees them: a line `name microseconds` each. */
public final class MeasureExpansion {
  private MeasureExpansion() {}

  /** Arguments: address of the service, policy file, how often. */
  public static void main(String[] arguments) {
    String address = arguments[0];
    int times = Integer.parseInt(arguments[2]);
    long start = System.nanoTime();
    Blocks blocks = Blocks.at(address);
    show("discovery, first", start);
    for (int number = 0; number < times; number++) {
      start = System.nanoTime();
      blocks = Blocks.at(address);
      show("discovery", start);
    }
    PipelineOptions options = PipelineOptionsFactory.create();
    // Java steps are never run here: only that they have an environment matters.
    options.as(PortablePipelineOptions.class).setDefaultEnvironmentType("EXTERNAL");
    options.as(PortablePipelineOptions.class).setDefaultEnvironmentConfig("localhost:1");
    for (int number = 0; number <= times; number++) {
      PCollection<Row> rows =
          Pipeline.create(options)
              .apply("Rows", Create.of(row(number)).withRowSchema(MaskPayments.PAYMENT));
      start = System.nanoTime();
      rows.apply(blocks.named("MaskColumns").with("policy", arguments[1]).with("destination", "warehouse"));
      show(number == 0 ? "expansion, first" : "expansion", start);
    }
    System.exit(0);
  }

  private static Row row(long id) {
    return Row.withSchema(MaskPayments.PAYMENT).addValues(id, "ada@example.com", 1.0).build();
  }

  private static void show(String name, long start) {
    System.out.println(name + "\t" + (System.nanoTime() - start) / 1000);
  }
}
