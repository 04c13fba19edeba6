package blocks.benchmarks

import blocks.udf.{Example, Function}
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf

@Function(
  name = "scala_step",
  description = "The next of a row of numbers.",
  arguments = Array("number"),
  examples = Array(new Example(call = "scala_step(1)", result = "38")))
class ScalaStep extends BeamSqlUdf {
  def eval(number: java.lang.Long): java.lang.Long =
    if (number == null) null else (number * 31 + 7) % 1000003
}
