package blocks.service;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Metadata;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerCall;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerCallHandler;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.ServerInterceptor;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Status;

/**
 * Lets in only who knows the token: every user of a machine can reach its loopback addresses.
 *
 * <p>A runner that asks for a worker cannot send headers: it hands on the parameters of the environment, and {@link
 * WorkerPool} looks for the token there.
 */
final class Tokens implements ServerInterceptor {
  static final String NAME = "blocks-token";
  private static final Metadata.Key<String> HEADER = Metadata.Key.of(NAME, Metadata.ASCII_STRING_MARSHALLER);

  private final byte[] token;

  Tokens(String token) {
    this.token = token.getBytes(StandardCharsets.UTF_8);
  }

  boolean accepts(String given) {
    return given != null && MessageDigest.isEqual(token, given.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    boolean inParameters = WorkerPool.SERVICE.equals(call.getMethodDescriptor().getServiceName());
    if (inParameters || accepts(headers.get(HEADER))) {
      return next.startCall(call, headers);
    }
    call.close(Status.UNAUTHENTICATED.withDescription("the token is missing or wrong"), new Metadata());
    return new ServerCall.Listener<>() {};
  }
}
