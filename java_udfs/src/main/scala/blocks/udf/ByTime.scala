package blocks.udf

import java.io.{DataInput, DataOutput}
import java.util.{List => JavaList}

import org.apache.beam.sdk.schemas.Schema.FieldType

import scala.jdk.CollectionConverters._

/** The value of the row that comes first (or last) by time, then by the value itself: one row, whatever the order. */
final class Chosen(value: Kind, time: Kind, last: Boolean) extends State[Chosen] {
  private var held: Option[(Object, Object)] = None

  def offer(candidate: (Object, Object)): Unit =
    if (held.forall(comes(candidate, _))) held = Some(candidate)

  private def comes(one: (Object, Object), other: (Object, Object)): Boolean = {
    val order = time.compare(one._2, other._2) match {
      case 0 => value.compare(one._1, other._1)
      case byTime => byTime
    }
    if (last) order > 0 else order < 0
  }

  def chosen: Option[Object] = held.map(_._1)

  override def merge(other: Chosen): Unit = other.held.foreach(offer)

  override def write(out: DataOutput): Unit = {
    out.writeBoolean(held.nonEmpty)
    held.foreach { case (one, at) =>
      value.write(one, out)
      time.write(at, out)
    }
  }

  override def read(in: DataInput): Unit = held = Option.when(in.readBoolean())(value.read(in) -> time.read(in))
}

/** What first_by and last_by share. */
abstract class ByTime(value: Kind, time: Kind, last: Boolean) extends Aggregate[Chosen] {
  protected def of(value: Kind, time: Kind): ByTime

  override def overloads(): JavaList[_ <: Aggregate[Chosen]] =
    (for (time <- Seq(Kind.TIMESTAMP, Kind.BIGINT, Kind.DATE); value <- Kind.values.toSeq) yield of(value, time)).asJava

  override def argumentTypes(): JavaList[FieldType] = JavaList.of(value.`type`, time.`type`)

  override def returnType(): FieldType = value.`type`.withNullable(true)

  override def createAccumulator(): Chosen = new Chosen(value, time, last)

  override protected def add(state: Chosen, arguments: JavaList[Object]): Unit =
    state.offer(value.of(arguments.get(0)) -> time.of(arguments.get(1)))

  override protected def result(state: Chosen): Object = state.chosen.orNull
}

@Function(
  name = "first_by",
  description = "The value of the row with the least time; of several such rows the smallest value. Rows where either"
    + " is null are left out. The time is a TIMESTAMP, a DATE or a number.",
  arguments = Array("value", "time"),
  nulls = Nulls.SKIP,
  examples = Array(
    new Example(call = "first_by(x, y)", from = "(VALUES ('b', 2), ('a', 1)) AS t (x, y)", result = "'a'")))
final class FirstBy(value: Kind, time: Kind) extends ByTime(value, time, false) {
  def this() = this(Kind.VARCHAR, Kind.TIMESTAMP)
  override protected def of(value: Kind, time: Kind): ByTime = new FirstBy(value, time)
}

@Function(
  name = "last_by",
  description = "The value of the row with the greatest time; of several such rows the greatest value. Rows where"
    + " either is null are left out. The time is a TIMESTAMP, a DATE or a number.",
  arguments = Array("value", "time"),
  nulls = Nulls.SKIP,
  examples = Array(
    new Example(call = "last_by(x, y)", from = "(VALUES ('b', 2), ('a', 1)) AS t (x, y)", result = "'b'")))
final class LastBy(value: Kind, time: Kind) extends ByTime(value, time, true) {
  def this() = this(Kind.VARCHAR, Kind.TIMESTAMP)
  override protected def of(value: Kind, time: Kind): ByTime = new LastBy(value, time)
}
