package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Takes and gives what is not text or a number; a method of an instance, as Scala has it. */
@Function(
    name = "test_kinds",
    description = "One overload a type.",
    arguments = {"value"},
    examples = @Example(call = "test_kinds(DATE '2026-01-31')", result = "DATE '2026-02-01'"))
public final class Temporal implements BeamSqlUdf {
  public LocalDate eval(LocalDate day) {
    return day == null ? null : day.plusDays(1);
  }

  public LocalTime eval(LocalTime time) {
    return time == null ? null : time.plusHours(1);
  }

  public Instant eval(Instant at) {
    return at == null ? null : at.atOffset(ZoneOffset.UTC).plusDays(1).toInstant();
  }

  public byte[] eval(byte[] bytes) {
    return bytes == null ? null : new byte[] {(byte) bytes.length};
  }

  public Boolean eval(Boolean flag) {
    return flag == null ? null : !flag;
  }
}
