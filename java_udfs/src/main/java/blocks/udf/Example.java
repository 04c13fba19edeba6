package blocks.udf;

import java.lang.annotation.Documented;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** A call and what it gives, both as SQL; the tests run it. */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({})
public @interface Example {
  /** The call, such as {@code mask_left('4111', 2)}. */
  String call();

  /** The rows that an aggregate goes over, as what follows FROM: {@code (VALUES (1), (2)) AS t (x)}. */
  String from() default "";

  /** The result as a SQL literal. */
  String result();
}
