package blocks.examples;

import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.io.TextIO;
import org.apache.beam.sdk.options.Description;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.options.Validation.Required;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.Field;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.transforms.Create;
import org.apache.beam.sdk.transforms.ToJson;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.Row;

/** A Java pipeline that masks the e-mail addresses of payments with the block MaskColumns and writes JSON lines. */
public final class MaskPayments {

  /** What the pipeline is given on the command line, beside Beam's own options. */
  public interface Options extends PipelineOptions {
    @Description("Address of the expansion service, host:port.")
    @Required
    String getBlocks();

    void setBlocks(String value);

    @Description("The block to use.")
    @org.apache.beam.sdk.options.Default.String("MaskColumns")
    String getBlock();

    void setBlock(String value);

    @Description("Policy file, from where the service runs.")
    @Required
    String getPolicy();

    void setPolicy(String value);

    @Description("File to write.")
    @Required
    String getOutput();

    void setOutput(String value);
  }

  /** The labels are part of the schema: from the first one on, a column without a label passes nowhere. */
  static final Schema PAYMENT =
      Schema.of(
          Field.of("id", FieldType.INT64).withOptions(Blocks.label("public")),
          Field.nullable("email", FieldType.STRING).withOptions(Blocks.label("pii.email")),
          Field.of("amount", FieldType.DOUBLE).withOptions(Blocks.label("public")));

  private MaskPayments() {}

  /** Builds the pipeline and runs it. */
  public static void main(String[] arguments) throws Exception {
    Options options = PipelineOptionsFactory.fromArgs(arguments).withValidation().as(Options.class);
    try (LocalWorker worker = LocalWorker.unlessGiven(options)) {
      run(options);
    }
  }

  private static void run(Options options) {
    Blocks blocks = Blocks.at(options.getBlocks());
    Pipeline pipeline = Pipeline.create(options);
    PCollection<Row> payments =
        pipeline.apply(
            "Payments",
            Create.of(
                    payment(1, "ada@example.com", 12.5),
                    payment(2, "bob@example.com", 3.25),
                    payment(3, null, 100.0),
                    payment(4, "ada@example.com", 7.0))
                .withRowSchema(PAYMENT));
    payments
        .apply(
            blocks.named(options.getBlock()).with("policy", options.getPolicy()).with("destination", "warehouse"))
        .apply("AsJson", ToJson.of())
        .apply("Write", TextIO.write().to(options.getOutput()).withoutSharding());
    pipeline.run().waitUntilFinish();
  }

  private static Row payment(long id, String email, double amount) {
    return Row.withSchema(PAYMENT).addValues(id, email, amount).build();
  }
}
