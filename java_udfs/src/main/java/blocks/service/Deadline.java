package blocks.service;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Work of the planner, which may never end. */
final class Deadline {
  // Deeply nested expressions are walked recursively.
  private static final long STACK_BYTES = 64L << 20;

  private Deadline() {}

  /**
   * Does work within a time, in a thread of its own; one that does not end is left behind.
   *
   * @throws Problem of the work, or that it took too long
   */
  static <T> T within(long millis, Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(work);
    Thread thread = new Thread(null, task, "blocks-plan", STACK_BYTES);
    thread.setDaemon(true);
    thread.start();
    try {
      return task.get(millis, TimeUnit.MILLISECONDS);
    } catch (TimeoutException cause) {
      thread.interrupt();
      throw new Problem("deadline", "the planner did not come to an end within " + millis / 1000.0 + " s");
    } catch (InterruptedException cause) {
      Thread.currentThread().interrupt();
      throw new Problem("deadline", "the planner was interrupted");
    } catch (ExecutionException failed) {
      throw Planner.problem(failed.getCause());
    }
  }
}
