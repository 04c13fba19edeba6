package blocks.service;

import java.util.List;
import java.util.Map;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.expansion.service.TransformProvider;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.POutput;
import org.apache.beam.sdk.values.TupleTag;

/**
 * Makes a transform whose inputs are tables, by their names.
 *
 * @param <O> what the transform gives
 */
interface TablesProvider<O extends POutput> extends TransformProvider<PCollectionTuple, O> {
  @Override
  @SuppressWarnings("unchecked")
  default PCollectionTuple createInput(Pipeline pipeline, Map<String, PCollection<?>> inputs) {
    PCollectionTuple tuple = PCollectionTuple.empty(pipeline);
    for (Map.Entry<String, PCollection<?>> one : inputs.entrySet()) {
      tuple = tuple.and(new TupleTag<>(one.getKey()), (PCollection<Object>) one.getValue());
    }
    return tuple;
  }

  @Override
  default List<String> getDependencies(RunnerApi.FunctionSpec spec, PipelineOptions options) {
    // The worker has this class path already: nothing is hashed and sent.
    return List.of();
  }
}
