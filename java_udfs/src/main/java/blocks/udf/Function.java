package blocks.udf;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Makes a class a SQL function: a {@code BeamSqlUdf} with {@code eval} methods, an {@link Aggregate}, or a plain
 * {@code Combine.CombineFn} of one argument. See the package's description for the rules.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface Function {
  /** The name in SQL, in snake case. */
  String name();

  /** The major version: within one, the same arguments give the same result. */
  int version() default 1;

  /** What it does, in one or a few sentences; goes into the catalog and the docs. */
  String description();

  /** The names of the arguments of the longest overload; a shorter overload has the first of them. */
  String[] arguments();

  /** Whether the same arguments always give the same result. */
  boolean deterministic() default true;

  /** What it does with NULL; an aggregate says {@link Nulls#SKIP}. */
  Nulls nulls() default Nulls.NULL;

  /** At least one; each is a test. */
  Example[] examples();
}
