package blocks.udf

import java.io.{IOException, StringWriter}

import com.fasterxml.jackson.core.{JsonFactory, JsonFactoryBuilder, JsonParser, JsonToken}
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf

import scala.annotation.tailrec

/** A step of a path into JSON. */
private[udf] sealed trait Step
private[udf] final case class Member(name: String) extends Step
private[udf] final case class Element(index: Int) extends Step

/** Paths such as `$.user.names[0]` and `$['a key']`: RFC 9535's singular queries, without negative indexes. */
private[udf] object JsonPath {
  private val MostSteps = 100
  private val MostDigits = 9

  /** The steps, or why there are none. */
  def parse(text: String): Either[String, List[Step]] =
    if (!text.startsWith("$")) Left("it must begin with $")
    else steps(text, 1, Nil)

  @tailrec
  private def steps(text: String, at: Int, found: List[Step]): Either[String, List[Step]] =
    if (at == text.length) Right(found.reverse)
    else if (found.length == MostSteps) Left(s"it has more than $MostSteps steps")
    else
      step(text, at) match {
        case Left(problem) => Left(problem)
        case Right((one, next)) => steps(text, next, one :: found)
      }

  private def step(text: String, at: Int): Either[String, (Step, Int)] = text.charAt(at) match {
    case '.' =>
      val end = text.indexWhere(one => one == '.' || one == '[', at + 1) match {
        case -1 => text.length
        case place => place
      }
      val name = text.substring(at + 1, end)
      Either.cond(isName(name), Member(name) -> end, s"no plain name follows the dot at ${at + 1}: write ['a name']")
    case '[' if at + 1 < text.length && "'\"".indexOf(text.charAt(at + 1).toInt) >= 0 =>
      quoted(text, at + 2, text.charAt(at + 1), new StringBuilder)
    case '[' =>
      val digits = text.substring(at + 1).takeWhile(one => one >= '0' && one <= '9')
      val end = at + 1 + digits.length
      val whole = digits.nonEmpty && digits.length <= MostDigits && end < text.length && text.charAt(end) == ']'
      Either.cond(whole, Element(digits.toInt) -> (end + 1), s"no index from 0 on and ] follow the [ at ${at + 1}")
    case _ => Left(s"neither . nor [ stands at ${at + 1}")
  }

  private def isName(name: String): Boolean =
    name.nonEmpty && name.forall(one => "_-$".indexOf(one.toInt) >= 0 || one.isLetterOrDigit || one.isSurrogate)

  @tailrec
  private def quoted(text: String, at: Int, quote: Char, name: StringBuilder): Either[String, (Step, Int)] =
    if (at >= text.length) Left("a quoted name does not end")
    else
      text.charAt(at) match {
        case '\\' if at + 1 < text.length => quoted(text, at + 2, quote, name += text.charAt(at + 1))
        case `quote` =>
          Either.cond(
            at + 1 < text.length && text.charAt(at + 1) == ']',
            Member(name.toString) -> (at + 2),
            s"no ] follows the quote at ${at + 1}")
        case other => quoted(text, at + 1, quote, name += other)
      }
}

/** Finds a value in a JSON text without building a tree of it. */
private[udf] object Json {
  // Names of a stranger's JSON must not stay in memory.
  private val factory = new JsonFactoryBuilder()
    .configure(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES, false)
    .configure(JsonFactory.Feature.INTERN_FIELD_NAMES, false)
    .build

  /** The value as text; none where there is no such value, it is null, or the text is not one JSON document. */
  def get(json: String, path: List[Step]): Option[String] =
    try {
      val parser = factory.createParser(json)
      try
        Option(parser.nextToken).flatMap { _ =>
          val found = find(parser, path)
          // Only a whole document counts, so that a value does not depend on where a fault is.
          if (parser.nextToken == null) found else None
        }
      finally parser.close()
    } catch {
      // The message shows the text.
      case _: IOException => None
    }

  /** Reads one value to its end, and gives what is at the path in it. */
  private def find(parser: JsonParser, path: List[Step]): Option[String] = (path, parser.currentToken) match {
    case (Nil, _) => read(parser)
    case (Member(name) :: rest, JsonToken.START_OBJECT) =>
      scan(parser, JsonToken.END_OBJECT, rest) { _ =>
        val same = parser.currentName == name
        parser.nextToken
        same
      }
    case (Element(index) :: rest, JsonToken.START_ARRAY) => scan(parser, JsonToken.END_ARRAY, rest)(_ == index)
    case _ =>
      parser.skipChildren()
      None
  }

  /** Goes through members or elements; the first that is wanted counts, and the others are read all the same. */
  private def scan(parser: JsonParser, end: JsonToken, rest: List[Step])(wanted: Int => Boolean): Option[String] = {
    var found: Option[String] = None
    var seen = false
    var place = 0
    while (parser.nextToken != end) {
      // Asked each time: it moves from a member's name to its value.
      val here = wanted(place)
      if (here && !seen) {
        seen = true
        found = find(parser, rest)
      } else parser.skipChildren()
      place += 1
    }
    found
  }

  private def read(parser: JsonParser): Option[String] = parser.currentToken match {
    case JsonToken.VALUE_NULL => None
    case JsonToken.START_OBJECT | JsonToken.START_ARRAY => Some(wellFormed(written(parser)))
    case _ => Some(wellFormed(parser.getText))
  }

  /** An object or array without spaces, its numbers as they are written. */
  private def written(parser: JsonParser): String = {
    val text = new StringWriter
    val generator = factory.createGenerator(text)
    var depth = 0
    while ({
      parser.currentToken match {
        case JsonToken.START_OBJECT => generator.writeStartObject(); depth += 1
        case JsonToken.END_OBJECT => generator.writeEndObject(); depth -= 1
        case JsonToken.START_ARRAY => generator.writeStartArray(); depth += 1
        case JsonToken.END_ARRAY => generator.writeEndArray(); depth -= 1
        case JsonToken.FIELD_NAME => generator.writeFieldName(parser.currentName)
        case JsonToken.VALUE_STRING => generator.writeString(parser.getText)
        case _ => generator.writeRawValue(parser.getText)
      }
      depth > 0
    }) parser.nextToken
    generator.close()
    text.toString
  }

  /** JSON can escape half of a surrogate pair, which no UTF-8 can hold. */
  private def wellFormed(text: String): String =
    if (!text.exists(_.isSurrogate)) text
    else {
      val points = text.codePoints.map(point => if (point >= 0xd800 && point <= 0xdfff) 0xfffd else point).toArray
      new String(points, 0, points.length)
    }
}

@Function(
  name = "json_get",
  description = "The value at a path in a JSON text ($.user.names[0], $['a key']), as text: a string without quotes, a"
    + " number as it is written, an object or array as JSON. Null where there is none, where it is null, and where the"
    + " text is not JSON. Of members of one name the first counts.",
  arguments = Array("json", "path"),
  examples = Array(
    new Example(call = "json_get('{\"a\": [1, {\"b\": \"c\"}]}', '$.a[1].b')", result = "'c'"),
    new Example(call = "json_get('{\"a\": [1, {\"b\": \"c\"}]}', '$.a')", result = "'[1,{\"b\":\"c\"}]'"),
    new Example(call = "json_get('{\"a\": 1', '$.a')", result = "NULL")))
class JsonGet extends BeamSqlUdf {
  def eval(json: String, path: String): String =
    if (json == null || path == null) null else Json.get(json, JsonGet.steps(path)).orNull
}

private object JsonGet {
  // A query has one path for all rows.
  @volatile private var last: (String, List[Step]) = "$" -> Nil

  private def steps(path: String): List[Step] = last match {
    case (`path`, steps) => steps
    case _ =>
      JsonPath.parse(path) match {
        case Right(steps) =>
          last = path -> steps
          steps
        case Left(problem) => throw new IllegalArgumentException(s"a JSON path cannot be read: $problem")
      }
  }
}
