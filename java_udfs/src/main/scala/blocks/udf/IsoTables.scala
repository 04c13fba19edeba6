package blocks.udf

import java.util.Locale

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf

import scala.jdk.CollectionConverters._

/** A country of ISO 3166-1; the name is the English one of Unicode's CLDR. */
private[udf] final case class Country(alpha2: String, alpha3: String, numeric: String, name: String)

/** A currency of ISO 4217, also a fund or a metal; those have no minor units. */
private[udf] final case class Currency(code: String, numeric: String, minorUnits: Option[Int], name: String)

/** The tables of countries and currencies. */
private[udf] object IsoTables {
  private lazy val countries: Map[String, Country] =
    rows("countries.tsv")
      .map(row => Country(row(0), row(1), row(2), row(3)))
      .flatMap(one => Seq(one.alpha2, one.alpha3, one.numeric, one.name).map(key(_) -> one))
      .toMap

  private lazy val currencies: Map[String, Currency] =
    rows("currencies.tsv")
      .map(row => Currency(row(0), row(1), row(2).toIntOption, row(3)))
      .map(one => one.code -> one)
      .toMap

  /** By any of its codes or its name, whatever the case and the accents. */
  def country(text: String): Option[Country] = Option(text).map(key).flatMap(countries.get)

  def currency(code: String): Option[Currency] =
    Option(code).map(_.strip.toUpperCase(Locale.ROOT)).flatMap(currencies.get)

  private def key(text: String): String = TextNormalize.eval(text.strip)

  private def rows(file: String): Seq[Array[String]] = Tables.rows(file, "\t").asScala.toSeq
}

@Function(
  name = "country_alpha2",
  description = "The two-letter code of a country (ISO 3166-1), from its two- or three-letter code, its numeric code of"
    + " three digits or its English name (Unicode CLDR); null of anything else.",
  arguments = Array("country"),
  examples = Array(
    new Example(call = "country_alpha2('deu')", result = "'DE'"),
    new Example(call = "country_alpha2('Atlantis')", result = "NULL")))
class CountryAlpha2 extends BeamSqlUdf {
  def eval(country: String): String = IsoTables.country(country).map(_.alpha2).orNull
}

@Function(
  name = "country_alpha3",
  description = "The three-letter code of a country (ISO 3166-1), from any of its codes or its English name; null of"
    + " anything else.",
  arguments = Array("country"),
  examples = Array(new Example(call = "country_alpha3('Côte d’Ivoire')", result = "'CIV'")))
class CountryAlpha3 extends BeamSqlUdf {
  def eval(country: String): String = IsoTables.country(country).map(_.alpha3).orNull
}

@Function(
  name = "country_name",
  description = "The English name of a country (Unicode CLDR), from any of its codes (ISO 3166-1); null of anything"
    + " else.",
  arguments = Array("country"),
  examples = Array(new Example(call = "country_name('756')", result = "'Switzerland'")))
class CountryName extends BeamSqlUdf {
  def eval(country: String): String = IsoTables.country(country).map(_.name).orNull
}

@Function(
  name = "currency_is_valid",
  description = "Whether a text is a code of ISO 4217 in use, in any case; funds and metals count.",
  arguments = Array("currency"),
  examples = Array(
    new Example(call = "currency_is_valid('eur')", result = "TRUE"),
    new Example(call = "currency_is_valid('DEM')", result = "FALSE")))
class CurrencyIsValid extends BeamSqlUdf {
  def eval(currency: String): java.lang.Boolean =
    if (currency == null) null else Boolean.box(IsoTables.currency(currency).nonEmpty)
}

@Function(
  name = "currency_name",
  description = "The English name of a currency (Unicode CLDR) by its code (ISO 4217); null of anything else.",
  arguments = Array("currency"),
  examples = Array(new Example(call = "currency_name('JPY')", result = "'Japanese Yen'")))
class CurrencyName extends BeamSqlUdf {
  def eval(currency: String): String = IsoTables.currency(currency).map(_.name).orNull
}

@Function(
  name = "currency_minor_units",
  description = "How many decimals an amount in a currency has (ISO 4217): 2 for EUR, 0 for JPY; null of what is no"
    + " currency in use, and of those without minor units, such as gold.",
  arguments = Array("currency"),
  examples = Array(
    new Example(call = "currency_minor_units('KWD')", result = "3"),
    new Example(call = "currency_minor_units('XAU')", result = "NULL")))
class CurrencyMinorUnits extends BeamSqlUdf {
  def eval(currency: String): Integer = IsoTables.currency(currency).flatMap(_.minorUnits).map(Int.box).orNull
}
