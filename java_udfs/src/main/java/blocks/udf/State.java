package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * What an aggregate holds of a group of rows.
 *
 * <p>Its bytes are a function of the set of rows alone: neither their order nor the order of merges shows in them. That
 * makes batch, stream and backfill agree to the last bit.
 *
 * @param <S> the class itself
 */
public interface State<S extends State<S>> {
  /** Takes in what another state of the same aggregate holds, and leaves the other as it is. */
  void merge(S other);

  /** Writes it in its one canonical form. */
  void write(DataOutput out) throws IOException;

  /** Replaces what it holds by what {@link #write} wrote. */
  void read(DataInput in) throws IOException;
}
