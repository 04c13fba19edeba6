package blocks.udf

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf

@Function(
  name = "url_protocol",
  description = "The protocol of a URL in lower case, such as https; null of what is no absolute URL.",
  arguments = Array("url"),
  examples = Array(new Example(call = "url_protocol('HTTPS://example.com/a')", result = "'https'")))
class UrlProtocol extends BeamSqlUdf {
  def eval(url: String): String = Url.parse(url).map(_.protocol).orNull
}

@Function(
  name = "url_host",
  description = "The host of a URL in lower case, an IPv6 address in brackets; null where there is none.",
  arguments = Array("url"),
  examples = Array(
    new Example(call = "url_host('https://user@Example.com:8080/a')", result = "'example.com'"),
    new Example(call = "url_host('mailto:ada@example.com')", result = "NULL")))
class UrlHost extends BeamSqlUdf {
  def eval(url: String): String = Url.parse(url).flatMap(_.host).orNull
}

@Function(
  name = "url_port",
  description = "The port that a URL names; null where it names none.",
  arguments = Array("url"),
  examples = Array(new Example(call = "url_port('https://example.com:8080/a')", result = "8080")))
class UrlPort extends BeamSqlUdf {
  def eval(url: String): Integer = Url.parse(url).flatMap(_.port).map(Int.box).orNull
}

@Function(
  name = "url_path",
  description = "The path of a URL as it is written (url_decode decodes it), empty where there is none; null of no"
    + " URL.",
  arguments = Array("url"),
  examples = Array(new Example(call = "url_path('https://example.com/a%20b?c=d')", result = "'/a%20b'")))
class UrlPath extends BeamSqlUdf {
  def eval(url: String): String = Url.parse(url).map(_.path).orNull
}

@Function(
  name = "url_query",
  description = "The query of a URL as it is written, without the question mark; null where there is none.",
  arguments = Array("url"),
  examples = Array(new Example(call = "url_query('https://example.com/a?c=d&e#f')", result = "'c=d&e'")))
class UrlQuery extends BeamSqlUdf {
  def eval(url: String): String = Url.parse(url).flatMap(_.query).orNull
}

@Function(
  name = "url_fragment",
  description = "What follows the # of a URL, as it is written; null where there is none.",
  arguments = Array("url"),
  examples = Array(new Example(call = "url_fragment('https://example.com/a#top')", result = "'top'")))
class UrlFragment extends BeamSqlUdf {
  def eval(url: String): String = Url.parse(url).flatMap(_.fragment).orNull
}

@Function(
  name = "url_param",
  description = "The value of the first parameter of a name in a URL's query, decoded as a form writes it (+ is a"
    + " space); null where there is none or it is not well formed, empty where it has no value.",
  arguments = Array("url", "name"),
  examples = Array(
    new Example(call = "url_param('https://example.com/?q=a+b%21&r', 'q')", result = "'a b!'"),
    new Example(call = "url_param('https://example.com/?q=a&r', 'r')", result = "''"),
    new Example(call = "url_param('https://example.com/?q=a', 's')", result = "NULL")))
class UrlParam extends BeamSqlUdf {
  def eval(url: String, name: String): String =
    Option(name).flatMap(wanted => Url.parse(url).flatMap(_.query).flatMap(Url.parameter(_, wanted))).orNull
}

@Function(
  name = "url_encode",
  description = "A text as part of a URL: UTF-8, percent-encoded except letters, digits and - . _ ~ (RFC 3986).",
  arguments = Array("text"),
  examples = Array(new Example(call = "url_encode('a b/ü')", result = "'a%20b%2F%C3%BC'")))
class UrlEncode extends BeamSqlUdf {
  def eval(text: String): String = Option(text).map(Url.encode).orNull
}

@Function(
  name = "url_decode",
  description = "A percent-encoded part of a URL as text (RFC 3986: + stays +); null where a percent sign is followed"
    + " by no two hexadecimal digits, or the bytes are not UTF-8.",
  arguments = Array("text"),
  examples = Array(
    new Example(call = "url_decode('a%20b%2F%C3%BC')", result = "'a b/ü'"),
    new Example(call = "url_decode('%zz')", result = "NULL")))
class UrlDecode extends BeamSqlUdf {
  def eval(text: String): String = Option(text).flatMap(Url.decode).orNull
}
