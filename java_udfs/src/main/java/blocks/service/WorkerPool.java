package blocks.service;

import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.beam.fn.harness.Caches;
import org.apache.beam.fn.harness.FnHarness;
import org.apache.beam.fn.harness.stream.HarnessStreamObserverFactories;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StartWorkerRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StartWorkerResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StopWorkerRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.StopWorkerResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnExternalWorkerPoolGrpc;
import org.apache.beam.model.fnexecution.v1.ProvisionApi;
import org.apache.beam.model.fnexecution.v1.ProvisionServiceGrpc;
import org.apache.beam.model.pipeline.v1.Endpoints.ApiServiceDescriptor;
import org.apache.beam.sdk.fn.channel.AddHarnessIdInterceptor;
import org.apache.beam.sdk.fn.channel.ManagedChannelFactory;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ManagedChannel;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.stub.StreamObserver;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Starts workers in this process, for runners on this machine that know the token. */
final class WorkerPool extends BeamFnExternalWorkerPoolGrpc.BeamFnExternalWorkerPoolImplBase {
  static final String SERVICE = BeamFnExternalWorkerPoolGrpc.SERVICE_NAME;
  private static final Logger LOG = LoggerFactory.getLogger(WorkerPool.class);

  private final Tokens tokens;
  private final PipelineOptions options;
  // Not by their ids: each runner counts its own.
  private final Set<WorkerCalls> workers = ConcurrentHashMap.newKeySet();

  WorkerPool(Tokens tokens, PipelineOptions options) {
    this.tokens = tokens;
    this.options = options;
  }

  /** Answers for every bundle in the work that it failed. */
  void fail(String error) {
    workers.forEach(worker -> worker.fail(error));
  }

  @Override
  public void startWorker(StartWorkerRequest request, StreamObserver<StartWorkerResponse> answer) {
    StartWorkerResponse.Builder response = StartWorkerResponse.newBuilder();
    if (!tokens.accepts(request.getParamsOrDefault(Tokens.NAME, null))) {
      response.setError("the token is missing or wrong");
    } else if (!isHere(request.getControlEndpoint()) || !isHere(request.getProvisionEndpoint())) {
      response.setError("the runner is not on this machine");
    } else {
      start(request);
    }
    answer.onNext(response.build());
    answer.onCompleted();
  }

  @Override
  public void stopWorker(StopWorkerRequest request, StreamObserver<StopWorkerResponse> answer) {
    // A worker ends with its runner's connection; nobody else can end it.
    answer.onNext(StopWorkerResponse.getDefaultInstance());
    answer.onCompleted();
  }

  /** Runners on this machine may go by its name, so loopback is not all there is. */
  static boolean isHere(ApiServiceDescriptor endpoint) {
    String url = endpoint.getUrl();
    if (url.isEmpty()) {
      return true;
    }
    int colon = url.lastIndexOf(':');
    String host = colon < 0 ? url : url.substring(0, colon);
    try {
      for (InetAddress address : InetAddress.getAllByName(host.replace("[", "").replace("]", ""))) {
        if (!address.isLoopbackAddress() && NetworkInterface.getByInetAddress(address) == null) {
          return false;
        }
      }
      return true;
    } catch (IOException cause) {
      return false;
    }
  }

  private void start(StartWorkerRequest request) {
    WorkerCalls calls = new WorkerCalls();
    workers.add(calls);
    Thread thread = new Thread(() -> run(request, calls), "SDK-worker-" + request.getWorkerId());
    thread.setDaemon(true);
    thread.start();
  }

  private void run(StartWorkerRequest request, WorkerCalls calls) {
    String id = request.getWorkerId();
    try {
      ApiServiceDescriptor control = request.getControlEndpoint();
      ApiServiceDescriptor logging = request.getLoggingEndpoint();
      Set<String> capabilities = Set.of();
      if (request.hasProvisionEndpoint()) {
        ProvisionApi.ProvisionInfo info = provision(request);
        capabilities = Set.copyOf(info.getRunnerCapabilitiesList());
        control = info.hasControlEndpoint() ? info.getControlEndpoint() : control;
        logging = info.hasLoggingEndpoint() ? info.getLoggingEndpoint() : logging;
      }
      if (!isHere(control)) {
        throw new IOException("the runner is not on this machine");
      }
      FnHarness.main(
          id,
          options,
          capabilities,
          logging,
          control,
          null,
          ManagedChannelFactory.createDefault().withInterceptors(List.of(calls)),
          HarnessStreamObserverFactories.fromOptions(options),
          Caches.fromOptions(options));
    } catch (Exception cause) {
      LOG.warn("the worker {} ended", id, cause);
    } finally {
      workers.remove(calls);
      calls.close();
    }
  }

  private static ProvisionApi.ProvisionInfo provision(StartWorkerRequest request) {
    ManagedChannel channel =
        ManagedChannelFactory.createDefault()
            .withInterceptors(List.of(AddHarnessIdInterceptor.create(request.getWorkerId())))
            .forDescriptor(request.getProvisionEndpoint());
    try {
      return ProvisionServiceGrpc.newBlockingStub(channel)
          .getProvisionInfo(ProvisionApi.GetProvisionInfoRequest.getDefaultInstance())
          .getInfo();
    } finally {
      channel.shutdownNow();
    }
  }
}
