package blocks.udf

import java.util.{List => JavaList}

import org.apache.beam.sdk.schemas.Schema.FieldType

import scala.jdk.CollectionConverters._

@Function(
  name = "entropy",
  description = "Shannon's entropy of the values of a group, in bits: 0 where all are equal, the logarithm of their"
    + " number where all differ. Exact counts; it fails where a group has more than 100,000 different values. Null of"
    + " no values.",
  arguments = Array("value"),
  nulls = Nulls.SKIP,
  examples = Array(
    new Example(call = "entropy(x)", from = "(VALUES ('a'), ('b'), ('a'), ('b')) AS t (x)", result = "1.0")))
final class Entropy(kind: Kind) extends OfAnyKind[Counts](kind) {
  def this() = this(Kind.VARCHAR)

  override private[udf] def over(other: Kind): Entropy = new Entropy(other)

  override def returnType(): FieldType = FieldType.DOUBLE.withNullable(true)

  override def createAccumulator(): Counts = new Counts(kind)

  override protected def add(state: Counts, arguments: JavaList[Object]): Unit = state.add(arguments.get(0))

  override protected def result(state: Counts): Object = {
    // Sorted, so that the rounding of the sum depends on the counts alone.
    val counts = state.numbers.asScala.map(_.toLong).toArray.sorted
    val size = counts.sum.toDouble
    if (counts.isEmpty) null
    else {
      val nats = counts.map(count => count / size * StrictMath.log(size / count)).sum
      Double.box(nats / StrictMath.log(2))
    }
  }
}
