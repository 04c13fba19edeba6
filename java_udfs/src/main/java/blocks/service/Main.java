package blocks.service;

import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.PipelineResult;
import org.apache.beam.sdk.PipelineRunner;
import org.apache.beam.sdk.expansion.service.ExpansionServiceOptions;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.options.PortablePipelineOptions;
import org.apache.beam.sdk.options.SdkHarnessOptions;
import org.apache.beam.sdk.util.ReleaseInfo;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p69p0.io.grpc.netty.NettyServerBuilder;

/**
 * The SQL service: plans queries, expands them into Beam steps, and runs these steps.
 *
 * <p>One argument, a file that holds the token and the version that the caller expects to find. Prints `blocks-sql
 * ready PORT` when it can be asked. What it prints holds no value of any row.
 */
public final class Main {
  /** The exit code of a service that ended because a function took too long. */
  static final int OVERRUN = 87;

  private static final long LAST_WORDS_MILLIS = 1_500;
  private static final int MAX_MESSAGE_BYTES = 256 << 20;

  private Main() {}

  /** Starts it, and returns when it is to end. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    PrintStream out = Logs.begin();
    Path file = Path.of(arguments[0]);
    String token = Files.readString(file).strip();
    PipelineOptions options = options();
    Tokens tokens = new Tokens(token);
    WorkerPool pool = new WorkerPool(tokens, options);
    SqlApi api = new SqlApi(options, hello(arguments.length > 1 ? arguments[1] : ""), Main::stopSoon);
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0))
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .executor(Executors.newCachedThreadPool(Main::daemon))
            .intercept(tokens)
            .addService(new Expansion(options))
            .addService(api)
            .addService(pool)
            .build()
            .start();
    Watch.start(function -> overrun(function, pool, out));
    out.println("blocks-sql ready " + server.getPort());
    out.flush();
    daemon(api::warmUp).start();
    server.awaitTermination();
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work);
    thread.setDaemon(true);
    return thread;
  }

  private static PipelineOptions options() {
    PipelineOptionsFactory.register(ExpansionServiceOptions.class);
    PipelineOptions options = PipelineOptionsFactory.create();
    options.setRunner(NoRunner.class);
    // A log that is sent to the runner is asked for once a second, also at the end.
    options.as(SdkHarnessOptions.class).setEnableLogViaFnApi(false);
    options.as(PortablePipelineOptions.class).setDefaultEnvironmentType("EXTERNAL");
    // Python puts the address and the token into the environment.
    options.as(PortablePipelineOptions.class).setDefaultEnvironmentConfig("127.0.0.1:1");
    return options;
  }

  private static Map<String, Object> hello(String build) {
    Map<String, Object> hello = new LinkedHashMap<>();
    hello.put("build", build);
    hello.put("beam", ReleaseInfo.getReleaseInfo().getVersion());
    hello.put("java", Runtime.version().toString());
    hello.put("functions", Functions.count());
    hello.put("pid", ProcessHandle.current().pid());
    return hello;
  }

  private static void stopSoon() {
    daemon(
            () -> {
              pause(100);
              System.exit(0);
            })
        .start();
  }

  private static void overrun(String function, WorkerPool pool, PrintStream out) {
    String what = "the function `" + function + "` took longer on one row than it may";
    out.println("blocks-sql overrun " + function);
    out.flush();
    String fix = "mend the function, or give it longer with RunSql(..., deadline=)";
    try {
      pool.fail(Failures.engine(what, fix));
      // Java cannot end the thread; the answers need a moment to leave.
      pause(LAST_WORDS_MILLIS);
    } finally {
      Runtime.getRuntime().halt(OVERRUN);
    }
  }

  private static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException cause) {
      Thread.currentThread().interrupt();
    }
  }

  /** Pipelines are made here and run elsewhere. */
  public static final class NoRunner extends PipelineRunner<PipelineResult> {
    /** Made by Beam. */
    public static NoRunner fromOptions(PipelineOptions options) {
      return new NoRunner();
    }

    @Override
    public PipelineResult run(Pipeline pipeline) {
      throw new UnsupportedOperationException();
    }
  }
}
