package blocks.service;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.Marker;
import org.slf4j.helpers.BasicMDCAdapter;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.LegacyAbstractLogger;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/**
 * The log of the service, which can hold no value of a row: of each warning it writes the constant text and of each
 * exception its class and frames, never arguments and messages.
 */
public final class Logs implements SLF4JServiceProvider {
  private static final PrintStream OUT = System.out;
  private static final int FRAMES = 12;
  // An exception can be among its own causes.
  private static final int CAUSES = 20;

  private final IMarkerFactory markers = new BasicMarkerFactory();
  private final MDCAdapter context = new BasicMDCAdapter();
  private final ILoggerFactory loggers = Log::new;

  /** Takes over what libraries print; gives the only way to print. */
  static PrintStream begin() {
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
    System.setOut(nowhere);
    System.setErr(nowhere);
    java.util.logging.Logger root = LogManager.getLogManager().getLogger("");
    for (Handler handler : root.getHandlers()) {
      root.removeHandler(handler);
    }
    root.addHandler(new JavaLog());
    Thread.setDefaultUncaughtExceptionHandler(
        (thread, cause) -> write("ERROR", thread.getName(), "a thread ended", cause));
    return OUT;
  }

  private static void write(String level, String name, String text, Throwable cause) {
    StringBuilder line = new StringBuilder();
    line.append(Instant.now().truncatedTo(ChronoUnit.MILLIS)).append(' ').append(level).append(' ');
    line.append(name.substring(name.lastIndexOf('.') + 1)).append(": ").append(text).append('\n');
    Throwable one = cause;
    for (int depth = 0; one != null && depth < CAUSES; depth++, one = one.getCause()) {
      line.append("  ").append(one.getClass().getName()).append('\n');
      StackTraceElement[] frames = one.getStackTrace();
      for (int place = 0; place < Math.min(frames.length, FRAMES); place++) {
        line.append("    at ").append(frames[place]).append('\n');
      }
    }
    OUT.print(line);
    OUT.flush();
  }

  /**
   * The text of a log line where it is sure to be constant: it has places for arguments, and there are some. One
   * without may have been put together from values, in which there can be {@code {}} too.
   */
  static String constant(String pattern, Object[] arguments) {
    return pattern != null && arguments != null && arguments.length > 0 && pattern.contains("{}") ? pattern : "";
  }

  @Override
  public ILoggerFactory getLoggerFactory() {
    return loggers;
  }

  @Override
  public IMarkerFactory getMarkerFactory() {
    return markers;
  }

  @Override
  public MDCAdapter getMDCAdapter() {
    return context;
  }

  @Override
  public String getRequestedApiVersion() {
    return "2.0.99";
  }

  @Override
  public void initialize() {
    // Nothing to prepare.
  }

  private static final class JavaLog extends Handler {
    @Override
    public void publish(LogRecord record) {
      // Channels of ended runners are reported as not shut down; they are collected.
      boolean noise = String.valueOf(record.getLoggerName()).endsWith("ManagedChannelOrphanWrapper");
      if (record.getLevel().intValue() >= Level.WARNING.intValue() && !noise) {
        write(record.getLevel().getName(), String.valueOf(record.getLoggerName()), "", record.getThrown());
      }
    }

    @Override
    public void flush() {
      OUT.flush();
    }

    @Override
    public void close() {
      // The stream is the process's.
    }
  }

  /** A logger of SLF4J. */
  private static final class Log extends LegacyAbstractLogger {
    private static final long serialVersionUID = 1L;

    Log(String name) {
      this.name = name;
    }

    @Override
    public boolean isTraceEnabled() {
      return false;
    }

    @Override
    public boolean isDebugEnabled() {
      return false;
    }

    @Override
    public boolean isInfoEnabled() {
      return false;
    }

    @Override
    public boolean isWarnEnabled() {
      return true;
    }

    @Override
    public boolean isErrorEnabled() {
      return true;
    }

    @Override
    protected String getFullyQualifiedCallerName() {
      return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
        org.slf4j.event.Level level, Marker marker, String pattern, Object[] arguments, Throwable cause) {
      write(level.name(), name, constant(pattern, arguments), cause);
    }
  }
}
