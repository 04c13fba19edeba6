package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** How many rows there were, and exact sums over them. */
public final class Moments implements State<Moments> {
  private final ExactSum[] sums;
  private long count;

  /** So many sums, all zero. */
  public Moments(int many) {
    sums = new ExactSum[many];
    for (int which = 0; which < many; which++) {
      sums[which] = new ExactSum();
    }
  }

  /** One more row; its numbers go into the sums. */
  public void countRow() {
    count = Math.incrementExact(count);
  }

  public long count() {
    return count;
  }

  /** One of the sums. */
  public ExactSum sum(int which) {
    return sums[which];
  }

  /** Whether no NaN and no infinity was there. */
  public boolean isFinite() {
    for (ExactSum sum : sums) {
      if (!sum.isFinite()) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void merge(Moments other) {
    count = Math.addExact(count, other.count);
    for (int which = 0; which < sums.length; which++) {
      sums[which].merge(other.sums[which]);
    }
  }

  @Override
  public void write(DataOutput out) throws IOException {
    out.writeLong(count);
    for (ExactSum sum : sums) {
      sum.write(out);
    }
  }

  @Override
  public void read(DataInput in) throws IOException {
    count = in.readLong();
    for (ExactSum sum : sums) {
      sum.read(in);
    }
  }
}
