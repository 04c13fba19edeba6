package blocks.udf;

/** What a function does with SQL's NULL. */
public enum Nulls {
  /** A null argument gives null. The function itself returns null then: the engine calls it all the same. */
  NULL,
  /** The function gives null arguments a meaning of their own. */
  CALL,
  /** An aggregate leaves out a row with a null argument; a group of none but such rows gives its empty result. */
  SKIP
}
