package blocks.service;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.BindableService;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.MethodDescriptor;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerCallHandler;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerServiceDefinition;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Status;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.ServerCalls;

/**
 * What Python asks the service beside Beam's own calls; questions and answers are JSON.
 *
 * <p>`Hello`: which service this is. `Plan`: what a query gives, or what is wrong with it. `Stop`: ends the process.
 */
final class SqlApi implements BindableService {
  static final String SERVICE = "blocks.SqlService";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final MethodDescriptor.Marshaller<byte[]> BYTES =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException cause) {
            throw new UncheckedIOException(cause);
          }
        }
      };

  private final PipelineOptions options;
  private final Map<String, Object> hello;
  private final Runnable stop;

  SqlApi(PipelineOptions options, Map<String, Object> hello, Runnable stop) {
    this.options = options;
    this.hello = hello;
    this.stop = stop;
  }

  @Override
  public ServerServiceDefinition bindService() {
    return ServerServiceDefinition.builder(SERVICE)
        .addMethod(method("Hello"), answering(question -> hello))
        .addMethod(method("Plan"), answering(this::plan))
        .addMethod(
            method("Stop"),
            answering(
                question -> {
                  stop.run();
                  return Map.of();
                }))
        .build();
  }

  private static MethodDescriptor<byte[], byte[]> method(String name) {
    return MethodDescriptor.newBuilder(BYTES, BYTES)
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, name))
        .build();
  }

  private static ServerCallHandler<byte[], byte[]> answering(
      Function<JsonNode, Map<String, Object>> handler) {
    return ServerCalls.asyncUnaryCall(
        (question, answer) -> {
          try {
            byte[] json = JSON.writeValueAsBytes(handler.apply(JSON.readTree(question)));
            answer.onNext(json);
            answer.onCompleted();
          } catch (Throwable cause) {
            String what = "the request cannot be answered: " + cause.getClass().getSimpleName();
            answer.onError(Status.INTERNAL.withDescription(what).asRuntimeException());
          }
        });
  }

  private Map<String, Object> plan(JsonNode question) {
    Map<String, Object> answer = new LinkedHashMap<>();
    try {
      byte[] schema = Deadline.within(question.path("plan_ms").asLong(10_000), () -> checked(question));
      answer.put("schema", Base64.getEncoder().encodeToString(schema));
    } catch (Problem problem) {
      answer.put("problems", List.of(problem.json()));
    }
    return answer;
  }

  private byte[] checked(JsonNode question) {
    RunSql.Config config = RunSql.Config.of(question);
    Map<String, Planner.Table> tables = new LinkedHashMap<>();
    config.tables().forEach(
        (name, table) -> tables.put(name, new Planner.Table(table.beamSchema(), table.bounded(), table.windowed())));
    Schema schema = Planner.check(config.query(), tables, options, config.jars(), config.deadlineMillis());
    try {
      return ArrowTypes.write(ArrowTypes.arrowSchema(schema));
    } catch (UnsupportedOperationException cause) {
      throw new Problem("unsupported", cause.getMessage());
    }
  }

  /** Plans small queries, so that the first one of the user finds the classes loaded. */
  void warmUp() {
    Schema schema = Schema.builder().addStringField("a").addInt64Field("b").addDateTimeField("c").build();
    Map<String, Planner.Table> tables = Map.of("PCOLLECTION", new Planner.Table(schema, true, false));
    for (String query :
        List.of(
            "SELECT UPPER(a) AS a, b + 1 AS b FROM PCOLLECTION WHERE b > 0",
            "SELECT a, SUM(b) AS s FROM PCOLLECTION GROUP BY a, TUMBLE(c, INTERVAL '1' HOUR)")) {
      try {
        Planner.check(query, tables, options, List.of(), 1_000);
      } catch (RuntimeException ignored) {
        // Whoever asks next is told.
        return;
      }
    }
  }
}
