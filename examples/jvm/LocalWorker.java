package blocks.examples;

import java.util.List;
import org.apache.beam.fn.harness.ExternalWorkerService;
import org.apache.beam.sdk.fn.server.GrpcFnServer;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PortablePipelineOptions;

/**
 * Runs the Java steps of a pipeline in this process, for trying it on one machine without containers.
 *
 * <p>Beam's own `LOOPBACK` starts its worker when the pipeline runs; a block of another language needs to know the
 * worker's address when the pipeline is built, so this one is started before.
 */
public final class LocalWorker implements AutoCloseable {
  private final GrpcFnServer<ExternalWorkerService> server;

  private LocalWorker(GrpcFnServer<ExternalWorkerService> server) {
    this.server = server;
  }

  /** Starts it unless the options say where Java steps run, with `--defaultEnvironmentType`. */
  public static LocalWorker unlessGiven(PipelineOptions options) throws Exception {
    PortablePipelineOptions portable = options.as(PortablePipelineOptions.class);
    if (portable.getDefaultEnvironmentType() != null) {
      return new LocalWorker(null);
    }
    GrpcFnServer<ExternalWorkerService> server = new ExternalWorkerService(options).start();
    portable.setDefaultEnvironmentType("EXTERNAL");
    portable.setDefaultEnvironmentConfig(server.getApiServiceDescriptor().getUrl());
    // The worker has this class path already: nothing is hashed and sent.
    portable.setFilesToStage(List.of());
    return new LocalWorker(server);
  }

  @Override
  public void close() throws Exception {
    if (server != null) {
      server.close();
    }
  }
}
