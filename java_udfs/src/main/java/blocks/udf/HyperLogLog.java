package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * How many different hashes there were, about: 2^14 registers, standard error 0.81 %, 16 KiB at most.
 *
 * <p>The estimate is that of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
 * section 2: it needs only the registers, so it is the same whatever the order of rows and merges, and has no bias to
 * correct for small numbers.
 */
final class HyperLogLog implements State<HyperLogLog> {
  static final int PRECISION = 14;
  private static final int REGISTERS = 1 << PRECISION;
  private static final int MOST_RANK = 64 - PRECISION + 1;
  private static final int ENTRY_BYTES = 3;
  private static final int MOST_SPARSE = REGISTERS / ENTRY_BYTES;
  // A table of 8 KiB, at least half of it free: half of what all registers take.
  private static final int MOST_IN_TABLE = 1 << 10;
  private static final int LEAST_TABLE = 8;
  private static final int RANK_BITS = 8;
  private static final int RANK = (1 << RANK_BITS) - 1;

  /**
   * The registers that are not 0 while they are few, each with its rank behind it, as a hash table with open addresses;
   * 0 is a free place. A group of one value must not take 16 KiB.
   */
  private int[] few = new int[LEAST_TABLE];

  private int held;

  /** All of them once they are not few. */
  private byte[] registers;

  void add(long hash) {
    int register = (int) (hash >>> 64 - PRECISION);
    // The bit beyond those that are left keeps the rank within bounds.
    int rank = Long.numberOfLeadingZeros(hash << PRECISION | 1L << PRECISION - 1) + 1;
    raise(register, rank);
  }

  private void raise(int register, int rank) {
    if (registers != null) {
      registers[register] = (byte) Math.max(registers[register], rank);
      return;
    }
    // Registers are bits of a hash: they are spread as they are.
    int place = register & few.length - 1;
    while (few[place] != 0 && few[place] >>> RANK_BITS != register) {
      place = place + 1 & few.length - 1;
    }
    boolean free = few[place] == 0;
    few[place] = Math.max(few[place], register << RANK_BITS | rank);
    if (free && ++held > few.length / 2) {
      grow();
    }
  }

  private void grow() {
    int[] entries = entries();
    if (held > MOST_IN_TABLE) {
      becomeDense();
    } else {
      few = new int[2 * few.length];
      held = 0;
    }
    raiseAll(entries);
  }

  private void becomeDense() {
    few = null;
    held = 0;
    registers = new byte[REGISTERS];
  }

  private void raiseAll(int[] entries) {
    for (int entry : entries) {
      raise(entry >>> RANK_BITS, entry & RANK);
    }
  }

  /** The registers that are not 0, each with its rank behind it: in no order of the sparse form. */
  private int[] entries() {
    int[] entries = new int[used()];
    int found = 0;
    if (registers == null) {
      for (int entry : few) {
        if (entry != 0) {
          entries[found++] = entry;
        }
      }
    }
    for (int register = 0; found < entries.length; register++) {
      if (registers[register] != 0) {
        entries[found++] = register << RANK_BITS | registers[register];
      }
    }
    return entries;
  }

  /** How many registers are not 0. */
  private int used() {
    if (registers == null) {
      return held;
    }
    int used = 0;
    for (byte rank : registers) {
      used += rank == 0 ? 0 : 1;
    }
    return used;
  }

  long estimate() {
    int[] ranks = new int[MOST_RANK + 1];
    if (registers == null) {
      ranks[0] = REGISTERS - held;
      for (int entry : entries()) {
        ranks[entry & RANK]++;
      }
    } else {
      for (byte rank : registers) {
        ranks[rank]++;
      }
    }
    if (ranks[0] == REGISTERS) {
      return 0;
    }
    double sum = REGISTERS * tau(1 - (double) ranks[MOST_RANK] / REGISTERS);
    for (int rank = MOST_RANK - 1; rank >= 1; rank--) {
      sum = 0.5 * (sum + ranks[rank]);
    }
    sum += REGISTERS * sigma((double) ranks[0] / REGISTERS);
    return Math.round(REGISTERS / (2 * StrictMath.log(2)) * REGISTERS / sum);
  }

  private static double sigma(double share) {
    if (share == 1) {
      return Double.POSITIVE_INFINITY;
    }
    double power = share;
    double weight = 1;
    double sum = share;
    for (double before = Double.NaN; sum != before; ) {
      power *= power;
      before = sum;
      sum += power * weight;
      weight += weight;
    }
    return sum;
  }

  private static double tau(double share) {
    if (share == 0 || share == 1) {
      return 0;
    }
    double root = share;
    double weight = 1;
    double sum = 1 - share;
    for (double before = Double.NaN; sum != before; ) {
      root = Math.sqrt(root);
      before = sum;
      weight *= 0.5;
      sum -= (1 - root) * (1 - root) * weight;
    }
    return sum / 3;
  }

  @Override
  public void merge(HyperLogLog other) {
    if (other.registers == null) {
      raiseAll(other.entries());
      return;
    }
    if (registers == null) {
      int[] entries = entries();
      becomeDense();
      raiseAll(entries);
    }
    for (int register = 0; register < REGISTERS; register++) {
      registers[register] = (byte) Math.max(registers[register], other.registers[register]);
    }
  }

  @Override
  public void write(DataOutput out) throws IOException {
    int used = used();
    out.writeShort(used);
    if (used > MOST_SPARSE) {
      out.write(registers);
      return;
    }
    int[] entries = entries();
    Arrays.sort(entries);
    ByteBuffer bytes = ByteBuffer.allocate(ENTRY_BYTES * used);
    for (int entry : entries) {
      bytes.putShort((short) (entry >>> RANK_BITS)).put((byte) entry);
    }
    out.write(bytes.array());
  }

  @Override
  public void read(DataInput in) throws IOException {
    int used = in.readShort();
    held = 0;
    if (used > MOST_IN_TABLE) {
      becomeDense();
    } else {
      few = new int[Math.max(LEAST_TABLE, 2 * Integer.highestOneBit(2 * used - 1))];
      registers = null;
    }
    if (used > MOST_SPARSE) {
      in.readFully(registers);
      return;
    }
    byte[] entries = new byte[ENTRY_BYTES * used];
    in.readFully(entries);
    for (ByteBuffer bytes = ByteBuffer.wrap(entries); bytes.hasRemaining(); ) {
      raise(bytes.getShort(), bytes.get());
    }
  }
}
