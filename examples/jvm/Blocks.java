package blocks.examples;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.beam.model.expansion.v1.ExpansionApi.DiscoverSchemaTransformRequest;
import org.apache.beam.model.expansion.v1.ExpansionApi.SchemaTransformConfig;
import org.apache.beam.model.expansion.v1.ExpansionServiceGrpc;
import org.apache.beam.model.pipeline.v1.ExternalTransforms.SchemaTransformPayload;
import org.apache.beam.sdk.coders.RowCoder;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.schemas.SchemaTranslation;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.util.construction.External;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.vendor.grpc.v1p60p1.com.google.protobuf.ByteString;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ManagedChannel;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ManagedChannelBuilder;

/**
 * The blocks of an expansion service, by name.
 *
 * <pre>{@code
 * Blocks blocks = Blocks.at("localhost:8097");
 * PCollection<Row> masked =
 *     rows.apply(blocks.named("MaskColumns").with("policy", "privacy.yaml").with("destination", "warehouse"));
 * }</pre>
 *
 * <p>Copy this file: it is all that a pipeline in Java or Scala needs beside Beam.
 */
public final class Blocks {
  private static final String EXPAND = "beam:expansion:payload:schematransform:v1";
  private static final String PREFIX = "beam:schematransform:blocks:";
  private static final int DEADLINE_SECONDS = 120;

  private final String address;
  private final Map<String, SchemaTransformConfig> found;

  private Blocks(String address, Map<String, SchemaTransformConfig> found) {
    this.address = address;
    this.found = found;
  }

  /** Asks the service at `host:port` what blocks it has. */
  public static Blocks at(String address) {
    ManagedChannel channel = ManagedChannelBuilder.forTarget(address).usePlaintext().build();
    try {
      Map<String, SchemaTransformConfig> found =
          ExpansionServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
              .discoverSchemaTransform(DiscoverSchemaTransformRequest.getDefaultInstance())
              .getSchemaTransformConfigsMap();
      return new Blocks(address, new TreeMap<>(found));
    } catch (RuntimeException cause) {
      throw new IllegalStateException(
          "no expansion service answers at " + address + "; start it: blocks expansion-service --port PORT", cause);
    } finally {
      channel.shutdownNow();
    }
  }

  /** What there is: identifier to config schema, inputs, outputs and a description. */
  public Map<String, SchemaTransformConfig> all() {
    return found;
  }

  /** The newest version of a block that is not experimental. */
  public Block named(String name) {
    int newest =
        found.keySet().stream()
            .filter(urn -> urn.startsWith(PREFIX + name + ":v") && !isExperimental(found.get(urn)))
            .mapToInt(urn -> Integer.parseInt(urn.substring(urn.lastIndexOf('v') + 1)))
            .max()
            // Not there: the service knows the nearest name, and says it when the pipeline is built.
            .orElse(1);
    return named(name, newest);
  }

  private static boolean isExperimental(SchemaTransformConfig config) {
    return config.getConfigSchema().getOptionsList().stream()
        .filter(option -> option.getName().equals("blocks.status"))
        .anyMatch(option -> option.getValue().getAtomicValue().getString().equals("experimental"));
  }

  /** A certain major version of a block, which keeps its meaning whatever else comes. */
  public Block named(String name, int version) {
    return new Block(name, PREFIX + name + ":v" + version, new LinkedHashMap<>());
  }

  /** The option of a field that labels it, as in {@code Field.of(...).withOptions(Blocks.label("pii.email"))}. */
  public static Schema.Options label(String label) {
    return Schema.Options.setOption("blocks.label", FieldType.STRING, label).build();
  }

  /** A block with its config: rows in, rows out. */
  public final class Block extends PTransform<PCollection<Row>, PCollection<Row>> {
    private final String identifier;
    // Not serialized: a pipeline is built where the block was made.
    private final transient Map<String, Object> options;

    private Block(String name, String identifier, Map<String, Object> options) {
      super(name);
      this.identifier = identifier;
      this.options = options;
    }

    /** The same block with one more option; what is no text, number, boolean or list is text in YAML. */
    public Block with(String option, Object value) {
      Map<String, Object> more = new LinkedHashMap<>(options);
      more.put(option, value);
      return new Block(name, identifier, more);
    }

    @Override
    public PCollection<Row> expand(PCollection<Row> rows) {
      return rows.apply(name, External.<PCollection<Row>, Row>of(EXPAND, payload(), address));
    }

    /** For a block with several outputs, such as `output` and `rejects`. */
    public PTransform<PCollection<Row>, PCollectionTuple> withOutputs() {
      return External.<PCollection<Row>, Row>of(EXPAND, payload(), address).withMultiOutputs();
    }

    private byte[] payload() {
      Schema known = schema();
      Schema.Builder fields = Schema.builder();
      Object[] values = new Object[options.size()];
      int place = 0;
      for (Map.Entry<String, Object> option : options.entrySet()) {
        // An option that the block does not have is sent as text: the service says what it may have meant.
        FieldType type = FieldType.STRING;
        if (known.hasField(option.getKey())) {
          type = known.getField(option.getKey()).getType().withNullable(false);
        }
        fields.addField(option.getKey(), type);
        values[place++] = fitting(option.getValue(), type);
      }
      Schema schema = fields.build();
      ByteArrayOutputStream row = new ByteArrayOutputStream();
      try {
        RowCoder.of(schema).encode(Row.withSchema(schema).addValues(values).build(), row);
      } catch (IOException cause) {
        throw new UncheckedIOException(cause);
      }
      return SchemaTransformPayload.newBuilder()
          .setIdentifier(identifier)
          .setConfigurationSchema(SchemaTranslation.schemaToProto(schema, true))
          .setConfigurationRow(ByteString.copyFrom(row.toByteArray()))
          .build()
          .toByteArray();
    }

    private Schema schema() {
      SchemaTransformConfig config = found.get(identifier);
      return config == null ? Schema.of() : SchemaTranslation.schemaFromProto(config.getConfigSchema());
    }

    private Object fitting(Object value, FieldType type) {
      if (type.equals(FieldType.INT64) && value instanceof Number) {
        return ((Number) value).longValue();
      }
      if (type.equals(FieldType.DOUBLE) && value instanceof Number) {
        return ((Number) value).doubleValue();
      }
      return type.equals(FieldType.STRING) ? String.valueOf(value) : value;
    }
  }
}
