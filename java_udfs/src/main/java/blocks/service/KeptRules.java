package blocks.service;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import org.apache.beam.sdk.extensions.sql.impl.CalciteQueryPlanner.NonCumulativeCostImpl;
import org.apache.beam.sdk.extensions.sql.impl.planner.BeamRuleSets;
import org.apache.beam.sdk.extensions.sql.impl.planner.RelMdNodeStats;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.plan.RelOptRule;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.metadata.ChainedRelMetadataProvider;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.metadata.DefaultRelMetadataProvider;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.metadata.JaninoRelMetadataProvider;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.metadata.RelMetadataQueryBase;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.tools.RuleSet;

/**
 * Beam's rules, with code that is generated once in a process.
 *
 * <p>Calcite asks what it knows of a plan (rows, costs, keys) by code that it writes and compiles, and keeps by the
 * object that it is written for. Its planner makes a new such object for each query and names it to the thread; most
 * of the time of a plan then is a compiler's. Rules are asked for right after that, by the same thread: the one object
 * that stays, which asks the same, is then named instead.
 */
final class KeptRules implements RuleSet {
  private static final JaninoRelMetadataProvider KEPT =
      JaninoRelMetadataProvider.of(
          ChainedRelMetadataProvider.of(
              List.of(NonCumulativeCostImpl.SOURCE, RelMdNodeStats.SOURCE, DefaultRelMetadataProvider.INSTANCE)));

  private final RuleSet rules;

  private KeptRules(RuleSet rules) {
    this.rules = rules;
  }

  /** Those of Beam. */
  static Collection<RuleSet> all() {
    List<RuleSet> all = new ArrayList<>();
    BeamRuleSets.getRuleSets().forEach(one -> all.add(new KeptRules(one)));
    return all;
  }

  @Override
  public Iterator<RelOptRule> iterator() {
    RelMetadataQueryBase.THREAD_PROVIDERS.set(KEPT);
    return rules.iterator();
  }
}
