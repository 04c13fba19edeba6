package blocks.examples;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.io.TextIO;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.transforms.Create;
import org.apache.beam.sdk.transforms.MapElements;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.sdk.values.TypeDescriptors;
import org.joda.time.Instant;

/** Rows of every type through a block that keeps them, and what Java sees of them afterwards. */
public final class EveryType {
  private static final Schema PLACE = Schema.builder().addStringField("city").addNullableField("no", FieldType.INT32).build();
  private static final Schema ROWS =
      Schema.builder()
          .addInt64Field("id")
          .addNullableField("small", FieldType.INT16)
          .addNullableField("whole", FieldType.INT32)
          .addNullableField("single", FieldType.FLOAT)
          .addNullableField("number", FieldType.DOUBLE)
          .addNullableField("yes", FieldType.BOOLEAN)
          .addNullableField("word", FieldType.STRING)
          .addNullableField("raw", FieldType.BYTES)
          .addNullableField("at", FieldType.DATETIME)
          .addNullableField("price", FieldType.DECIMAL)
          .addNullableField("tags", FieldType.array(FieldType.STRING))
          .addNullableField("counts", FieldType.map(FieldType.STRING, FieldType.INT64))
          .addNullableField("place", FieldType.row(PLACE))
          .addNullableField("places", FieldType.array(FieldType.row(PLACE)))
          .build();

  private EveryType() {}

  public static void main(String[] arguments) throws Exception {
    MaskPayments.Options options =
        PipelineOptionsFactory.fromArgs(arguments).withValidation().as(MaskPayments.Options.class);
    try (LocalWorker worker = LocalWorker.unlessGiven(options)) {
      Row here = Row.withSchema(PLACE).addValues("Kraków", 7).build();
      Row there = Row.withSchema(PLACE).addValues("Oslo", null).build();
      Row full =
          Row.withSchema(ROWS)
              .addValues(1L, (short) -2, -3, 0.5f, -0.25, true, "słowo\u0000", "\u00ff".getBytes(StandardCharsets.ISO_8859_1))
              .addValues(Instant.parse("1969-12-31T23:59:59.001Z"), new BigDecimal("-12.50"))
              .addValues(List.of("a", ""), Collections.singletonMap("k", -9L), here, Arrays.asList(there, here))
              .build();
      Row empty = Row.withSchema(ROWS).addValues(2L).addValues(new Object[13]).build();
      Pipeline pipeline = Pipeline.create(options);
      pipeline
          .apply("Rows", Create.of(full, empty).withRowSchema(ROWS))
          .apply(
              Blocks.at(options.getBlocks())
                  .named("UnionBatches")
                  .with("rows_policy", options.getPolicy())
                  .with("input_schema", options.getBlock()))
          .apply("AsText", MapElements.into(TypeDescriptors.strings()).via(EveryType::shown))
          .apply("Write", TextIO.write().to(options.getOutput()).withoutSharding());
      pipeline.run().waitUntilFinish();
    }
  }

  private static String shown(Row row) {
    byte[] raw = row.getBytes("raw");
    return row.toString(false) + " raw=" + (raw == null ? "null" : Integer.toString(raw[0]));
  }
}
