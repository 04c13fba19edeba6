package blocks.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.beam.model.expansion.v1.ExpansionApi.ExpansionRequest;
import org.apache.beam.model.expansion.v1.ExpansionApi.ExpansionResponse;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.sdk.expansion.service.ExpansionService;
import org.apache.beam.sdk.expansion.service.TransformProvider;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;

/** Beam's expansion service with {@link RunSql}: it always answers, and with problems instead of stacks. */
final class Expansion extends ExpansionService {
  private static final long DEADLINE_MILLIS = 60_000;
  private static final ObjectMapper JSON = new ObjectMapper();

  Expansion(PipelineOptions options) {
    super(options, "");
  }

  @Override
  public void expand(ExpansionRequest request, StreamObserver<ExpansionResponse> answer) {
    AtomicReference<ExpansionResponse> found = new AtomicReference<>();
    try {
      Deadline.within(
          DEADLINE_MILLIS,
          () -> {
            super.expand(request, new Keep(found));
            return null;
          });
    } catch (Problem problem) {
      found.set(ExpansionResponse.newBuilder().setError(json(problem)).build());
    }
    ExpansionResponse response = found.get();
    answer.onNext(response == null ? ExpansionResponse.newBuilder().setError("no answer").build() : response);
    answer.onCompleted();
  }

  private static String json(Problem problem) {
    try {
      return JSON.writeValueAsString(Map.of("problems", List.of(problem.json())));
    } catch (JsonProcessingException cause) {
      return problem.getMessage();
    }
  }

  private record Keep(AtomicReference<ExpansionResponse> found) implements StreamObserver<ExpansionResponse> {
    @Override
    public void onNext(ExpansionResponse response) {
      found.set(response);
    }

    @Override
    public void onError(Throwable cause) {
      throw new IllegalStateException(cause);
    }

    @Override
    public void onCompleted() {
      // The one that was asked completes.
    }
  }

  /** Tells Beam's expansion service of the query transform. */
  public static final class Registrar implements ExpansionServiceRegistrar {
    @Override
    @SuppressWarnings("rawtypes")
    public Map<String, TransformProvider> knownTransforms() {
      return Map.of(RunSql.URN, new Provider(), PlainSql.URN, new PlainSql());
    }
  }

  private static final class Provider implements TablesProvider<PCollectionTuple> {
    @Override
    public PTransform<PCollectionTuple, PCollectionTuple> getTransform(
        RunnerApi.FunctionSpec spec, PipelineOptions options) {
      RunSql.Config config = RunSql.Config.of(spec.getPayload().toByteArray());
      return new PTransform<>() {
        @Override
        public PCollectionTuple expand(PCollectionTuple input) {
          try {
            return new RunSql(config).expand(input);
          } catch (Throwable cause) {
            throw new Told(Planner.problem(cause));
          }
        }
      };
    }
  }

  /** An error and not an exception, which Beam's service would answer with its stack. */
  private static final class Told extends Error {
    Told(Problem problem) {
      super(problem.getMessage(), problem, false, false);
    }
  }
}
