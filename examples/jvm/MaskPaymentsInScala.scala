package blocks.examples

import org.apache.beam.sdk.Pipeline
import org.apache.beam.sdk.io.TextIO
import org.apache.beam.sdk.options.PipelineOptionsFactory
import org.apache.beam.sdk.transforms.{Create, ToJson}
import org.apache.beam.sdk.values.Row

/** The same pipeline in Scala, with Beam's Java API; the helper is the one in Java. */
object MaskPaymentsInScala {
  def main(arguments: Array[String]): Unit = {
    val options = PipelineOptionsFactory.fromArgs(arguments: _*).withValidation().as(classOf[MaskPayments.Options])
    val worker = LocalWorker.unlessGiven(options)
    try run(options) finally worker.close()
  }

  private def run(options: MaskPayments.Options): Unit = {
    val mask = Blocks
      .at(options.getBlocks)
      .named("MaskColumns", 1)
      .`with`("policy", options.getPolicy)
      .`with`("destination", "warehouse")
    val payments = Create
      .of(payment(1, "ada@example.com", 12.5), payment(2, "bob@example.com", 3.25), payment(3, null, 100.0))
      .withRowSchema(MaskPayments.PAYMENT)

    val pipeline = Pipeline.create(options)
    pipeline
      .apply("Payments", payments)
      .apply(mask)
      .apply("AsJson", ToJson.of[Row]())
      .apply("Write", TextIO.write().to(options.getOutput).withoutSharding())
    pipeline.run().waitUntilFinish()
  }

  private def payment(id: Long, email: String, amount: Double): Row =
    Row.withSchema(MaskPayments.PAYMENT).addValues(Long.box(id), email, Double.box(amount)).build()
}
