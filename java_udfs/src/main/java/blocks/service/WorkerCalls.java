package blocks.service;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.InstructionRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.InstructionResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnControlGrpc;
import org.apache.beam.model.fnexecution.v1.BeamFnStateGrpc;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.CallOptions;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Channel;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ClientCall;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ClientInterceptor;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Metadata;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.MethodDescriptor;

/**
 * The calls of one worker to its runner.
 *
 * <p>The harness never closes its State call, for which the local runner waits 5 s at the end of each run; and it sends
 * the stack of a failure with what exceptions say of values. Both are mended here, where every message passes.
 */
final class WorkerCalls implements ClientInterceptor {
  private final List<ClientCall<?, ?>> state = new CopyOnWriteArrayList<>();
  private final List<Control<?, ?>> control = new CopyOnWriteArrayList<>();

  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    ClientCall<Q, A> call = next.newCall(method, options);
    String name = method.getFullMethodName();
    if (name.equals(BeamFnStateGrpc.getStateMethod().getFullMethodName())) {
      state.add(call);
    } else if (name.equals(BeamFnControlGrpc.getControlMethod().getFullMethodName())) {
      Control<Q, A> watched = new Control<>(call);
      control.add(watched);
      return watched;
    }
    return call;
  }

  /** Answers for every bundle in the work that it failed. */
  void fail(String error) {
    control.forEach(one -> one.fail(error));
  }

  /** The worker has ended. */
  void close() {
    for (ClientCall<?, ?> call : state) {
      try {
        call.halfClose();
      } catch (IllegalStateException closed) {
        // It was cancelled before, or closed by the harness after all.
      }
    }
  }

  private static final class Control<Q, A> extends SimpleForwardingClientCall<Q, A> {
    private final Set<String> working = ConcurrentHashMap.newKeySet();
    private final Set<String> failed = ConcurrentHashMap.newKeySet();

    Control(ClientCall<Q, A> call) {
      super(call);
    }

    @Override
    public void start(Listener<A> listener, Metadata headers) {
      super.start(
          new SimpleForwardingClientCallListener<>(listener) {
            @Override
            public void onMessage(A message) {
              if (message instanceof InstructionRequest request && request.hasProcessBundle()) {
                working.add(request.getInstructionId());
              }
              super.onMessage(message);
            }
          },
          headers);
    }

    @Override
    @SuppressWarnings("unchecked")
    public synchronized void sendMessage(Q message) {
      if (!(message instanceof InstructionResponse response)) {
        super.sendMessage(message);
        return;
      }
      working.remove(response.getInstructionId());
      if (failed.remove(response.getInstructionId())) {
        return;
      }
      if (!response.getError().isEmpty()) {
        response = response.toBuilder().setError(Failures.text(response.getError())).build();
      }
      super.sendMessage((Q) response);
    }

    @Override
    public synchronized void halfClose() {
      super.halfClose();
    }

    @SuppressWarnings("unchecked")
    synchronized void fail(String error) {
      for (String id : new ArrayList<>(working)) {
        working.remove(id);
        failed.add(id);
        super.sendMessage((Q) InstructionResponse.newBuilder().setInstructionId(id).setError(error).build());
      }
    }
  }
}
