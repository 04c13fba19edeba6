package blocks.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.apache.beam.model.pipeline.v1.Endpoints.ApiServiceDescriptor;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.schemas.Schema;
import org.junit.jupiter.api.Test;

/** What the service says of queries and of failures, without a server. */
final class PlannerTest {
  private static final Schema SCHEMA = Schema.builder().addInt64Field("id").addNullableStringField("name").build();

  private static Schema check(String query) {
    PipelineOptions options = PipelineOptionsFactory.create();
    options.setRunner(Main.NoRunner.class);
    Map<String, Planner.Table> tables = Map.of("PCOLLECTION", new Planner.Table(SCHEMA, true, false));
    return Planner.check(query, tables, options, List.of(), 1000);
  }

  @Test
  void aQueryHasASchema() {
    assertEquals(List.of("twice", "name"), check("SELECT id * 2 AS twice, name FROM PCOLLECTION").getFieldNames());
  }

  @Test
  void aMistakeHasAPlace() {
    Problem problem = assertThrows(Problem.class, () -> check("SELECT id,\n  nme FROM PCOLLECTION"));
    assertEquals("validate", problem.json().get("kind"));
    assertEquals(List.of(2, 3), List.of(problem.json().get("line"), problem.json().get("column")));
  }

  @Test
  void aStackIsToldByItsClassOnly() {
    String trace = "java.lang.RuntimeException: x\n\tat a.B\nCaused by: a.b.CodecException: secret 4111\n\tat c.D";
    String text = Failures.text(trace);
    String start = "blocks.engines.errors.EngineError: the SQL engine failed on a bundle: CodecException\n";
    assertTrue(text.startsWith(start));
    assertFalse(text.contains("secret"));
  }

  @Test
  void aWorkerIsOnlyStartedForARunnerOnThisMachine() {
    assertTrue(WorkerPool.isHere(ApiServiceDescriptor.newBuilder().setUrl("localhost:1").build()));
    assertTrue(WorkerPool.isHere(ApiServiceDescriptor.newBuilder().setUrl("[::1]:1").build()));
    assertFalse(WorkerPool.isHere(ApiServiceDescriptor.newBuilder().setUrl("192.0.2.1:1").build()));
  }
}
