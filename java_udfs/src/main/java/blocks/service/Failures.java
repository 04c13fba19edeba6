package blocks.service;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Failures of rows as the library's errors in three parts, which Python reads: no stack, no value. */
final class Failures {
  private static final Pattern OWN = Pattern.compile(Pattern.quote(SqlFailure.MARK) + "(.*)");
  private static final Pattern CAUSE =
      Pattern.compile("^(?:Caused by: )?(?:[\\w$]+\\.)+([\\w$]+)(: .*)?$", Pattern.MULTILINE);
  private static final String FIX_ROW =
      "give RunSql rejects= (a blocks.Rejects) to go on without such rows, or mend the query or the function";

  private Failures() {}

  /** What to tell of a stack trace. */
  static String text(String trace) {
    Matcher own = OWN.matcher(trace);
    if (own.find()) {
      return rejected(own.group(1));
    }
    String last = "";
    for (Matcher cause = CAUSE.matcher(trace); cause.find(); ) {
      last = cause.group(1);
    }
    String what = "the SQL engine failed on a bundle" + (last.isEmpty() ? "" : ": " + last);
    return engine(what, "report it with the query");
  }

  private static String rejected(String what) {
    return "blocks.core.errors.RejectedRecordError: " + what + "\n  where: RunSql\n  to do: " + FIX_ROW;
  }

  /** An error of the engine itself. */
  static String engine(String what, String fix) {
    return "blocks.engines.errors.EngineError: " + what + "\n  where: the SQL service\n  to do: " + fix;
  }
}
