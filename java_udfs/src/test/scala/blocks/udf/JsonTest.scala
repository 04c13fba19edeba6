package blocks.udf

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.junit.jupiter.api.Assertions.{assertEquals, assertTrue}
import org.junit.jupiter.api.Test

/** Paths, and documents that try to be more than memory or stack hold. */
final class JsonTest {
  private val wrong = Seq(
    "secret", "$secret", "$.se cret", "$[secret]", "$['secret", "$['secret'x", "$[99999999999]", "$" + ".secret" * 101)

  @Test def aPathIsReadIntoItsSteps(): Unit = {
    val steps = List(Member("a"), Element(3), Member("b c"), Member("d"), Member("it's"))
    assertEquals(Right(steps), JsonPath.parse("$.a[3]['b c'].d[\"it's\"]"))
    assertEquals(Right(Nil), JsonPath.parse("$"))
  }

  @Test def whatIsWrongWithAPathIsToldByItsPlaceAndNotByItsText(): Unit =
    for (path <- wrong) {
      val problem = JsonPath.parse(path)
      assertTrue(problem.isLeft, path)
      assertTrue(problem.left.forall(text => !text.contains("cret")), problem.toString)
    }

  @Test def aDeepDocumentIsPassedOverWithoutARecursion(): Unit = {
    val deep = "[" * 900 + "]" * 900
    assertEquals("1", new JsonGet().eval(s"""{"x": $deep, "a": 1}""", "$.a"))
    assertEquals(deep, new JsonGet().eval(s"""{"x": $deep}""", "$.x"))
  }

  @Test def aFaultAnywhereInADocumentGivesNoValueFromIt(): Unit = {
    val whole = """{"a": 1, "b": [1, 2, {"c": "d"}], "e": null}"""
    assertEquals("1", new JsonGet().eval(whole, "$.a"))
    for (cut <- 1 until whole.length) assertEquals(null, new JsonGet().eval(whole.take(cut), "$.a"))
  }

  @Test def theValueIsThatOfAWalkThroughTheTree(): Unit = {
    val mapper = new ObjectMapper()
    val random = new scala.util.Random(7)
    def tree(depth: Int): JsonNode = random.nextInt(if (depth == 0) 4 else 6) match {
      case 0 => mapper.getNodeFactory.numberNode(random.nextInt())
      case 1 => mapper.getNodeFactory.textNode(random.nextString(3).filterNot(_.isSurrogate))
      case 2 => mapper.getNodeFactory.booleanNode(random.nextBoolean())
      case 3 => mapper.getNodeFactory.nullNode()
      case 4 =>
        val array = mapper.createArrayNode()
        for (_ <- 0 until random.nextInt(4)) array.add(tree(depth - 1))
        array
      case _ =>
        val node = mapper.createObjectNode()
        for (name <- Seq("a", "b", "c").take(random.nextInt(4))) node.set[JsonNode](name, tree(depth - 1))
        node
    }
    for (_ <- 0 until 500) {
      val root = tree(4)
      val steps = List.fill(random.nextInt(4))(
        if (random.nextBoolean()) Member(Seq("a", "b", "c")(random.nextInt(3))) else Element(random.nextInt(3)))
      val node = steps.foldLeft(root) {
        case (at, Member(name)) => at.path(name)
        case (at, Element(index)) => at.path(index)
      }
      val text = if (node.isContainerNode) node.toString else node.asText
      val expected = Option.unless(node.isMissingNode || node.isNull)(text)
      assertEquals(expected, Json.get(root.toPrettyString, steps))
    }
  }
}
