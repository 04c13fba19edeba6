package blocks.service;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;

/**
 * Sees to it that no call of a function takes longer than it may.
 *
 * <p>Java cannot end a thread. The one who watches is told the function's name and ends the process.
 */
final class Watch {
  private static final long TICK_MILLIS = 50;
  private static final Queue<Slot> SLOTS = new ConcurrentLinkedQueue<>();
  private static final ThreadLocal<Slot> OWN = ThreadLocal.withInitial(Watch::newSlot);
  private static final VarHandle UNTIL = handle("until", long.class);
  private static final VarHandle FUNCTION = handle("function", String.class);
  private static volatile long now = System.nanoTime();

  private Watch() {}

  /** What one thread is doing. */
  static final class Slot {
    private final Thread thread = Thread.currentThread();
    // Written in this order by the thread itself: a name is only ever seen with its own deadline or a later one.
    // A volatile write would stop the processor in each call; the watch may see them a moment later.
    private long until;
    private String function;

    /** A call begins; the clock is as coarse as the watch looks. */
    void enter(String name, long millis) {
      UNTIL.setOpaque(this, now + millis * 1_000_000L);
      FUNCTION.setRelease(this, name);
    }

    /** It has ended. */
    void leave() {
      FUNCTION.setRelease(this, (String) null);
    }

    /** The name of a function that has taken too long, else null. */
    String overrun(long time) {
      String name = (String) FUNCTION.getAcquire(this);
      return name != null && time - (long) UNTIL.getOpaque(this) > 0 ? name : null;
    }
  }

  private static VarHandle handle(String field, Class<?> type) {
    try {
      return MethodHandles.lookup().findVarHandle(Slot.class, field, type);
    } catch (ReflectiveOperationException cause) {
      throw new ExceptionInInitializerError(cause);
    }
  }

  private static Slot newSlot() {
    Slot slot = new Slot();
    SLOTS.add(slot);
    return slot;
  }

  /** The slot of this thread. */
  static Slot slot() {
    return OWN.get();
  }

  /** Starts watching. */
  static void start(Consumer<String> overrun) {
    Thread thread = new Thread(() -> run(overrun), "blocks-watch");
    thread.setDaemon(true);
    thread.setPriority(Thread.MAX_PRIORITY);
    thread.start();
  }

  private static void run(Consumer<String> overrun) {
    while (true) {
      try {
        Thread.sleep(TICK_MILLIS);
      } catch (InterruptedException end) {
        return;
      }
      now = System.nanoTime();
      SLOTS.removeIf(slot -> !slot.thread.isAlive());
      for (Slot slot : SLOTS) {
        String function = slot.overrun(now);
        if (function != null) {
          overrun.accept(function);
          return;
        }
      }
    }
  }
}
