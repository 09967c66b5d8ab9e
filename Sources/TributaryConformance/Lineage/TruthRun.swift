internal import TributaryDSL
internal import TributaryState

/// Runs one case in several ways and judges the lineage of each by the tokens.
public struct TruthRun {
    /// Judges a case that the runner can interpret.
    ///
    /// Sampled on LMDB and unsampled in memory, which must give the same cells; then the same two with a restart halfway,
    /// where the second restores its stores from their changelogs.
    ///
    /// A restart may change results, since operators forget their stream time and caches their expired rows, as in Kafka
    /// Streams: so the restarted runs are compared with each other.
    public static func judge(_ item: ConformanceCase) -> LineageTruth.Outcome {
        var verdict = LineageTruth.Outcome(problems: [], checkedValues: 0)
        let first: CaseRun
        do { first = try DriverRunner().run(item) } catch {
            return LineageTruth.Outcome(problems: ["runner: \(error)"], checkedValues: 0)
        }
        verdict.add(item, first, "")
        _ = verdict.add(
            item, ExecutionSettings(isSampled: false, usesLMDB: false), "unsampled in memory: ", first)
        _ = verdict.add(item, ExecutionSettings(isPartial: true, usesLMDB: false), "half sampled: ", first)
        guard item.steps.count > 1 else { return verdict }
        let half = item.steps.count / 2
        let restarted = verdict.add(item, ExecutionSettings(restartsAfter: half), "restarted: ", nil)
        _ = verdict.add(item, ExecutionSettings(usesLMDB: false, restartsAfter: half), "restored: ", restarted)
        return verdict
    }

    /// Judges a case run as an application on an embedded log, whole and with a restart halfway.
    ///
    /// The results must be those of the test driver, unless they depend on all sub-topologies being one task, or on which of
    /// several tasks fills the thread's cache first.
    public static func judgeApplication(_ item: ConformanceCase) async -> LineageTruth.Outcome {
        var verdict = LineageTruth.Outcome(problems: [], checkedValues: 0)
        for (name, restart) in [("application: ", nil), ("application restarted: ", item.steps.count / 2)] {
            do {
                let run = try await ApplicationExecution(item).run(restartsAfter: restart)
                verdict.add(item, run, name)
                guard ApplicationRunner().reasonToSkip(item) == nil, try !dependsOnEvictions(item) else { continue }
                let driver = try CaseExecution.run(item, ExecutionSettings(restartsAfter: restart))
                let differences = CaseComparison.differences(expected: driver.result, actual: run.result)
                verdict.problems += differences.map { name + $0 }
            } catch {
                verdict.problems.append("\(name)runner: \(error)")
            }
        }
        return verdict
    }

    // A cached row is seen behind its store's retention, and no more once it is evicted; a thread's tasks share one cache, and
    // the order in which they get their turns is not that of the driver.
    private static func dependsOnEvictions(_ item: ConformanceCase) throws -> Bool {
        guard (1..<(1 << 16)).contains(item.config.cacheBytes) else { return false }
        let topology = try TopologyInterpreter.build(item).topology
        return topology.subTopologies.count > 1 && topology.stores.contains { $0.value.retention != nil }
    }
}

extension LineageTruth.Outcome {
    fileprivate mutating func add(
        _ item: ConformanceCase, _ run: CaseRun, _ name: String, isSampled: Bool = true, isPartial: Bool = false
    ) {
        if let failure = run.result.failure {
            problems.append("\(name)failed \(failure): \(run.result.failureMessage ?? "")")
        }
        let outcome = LineageTruth.check(
            item, lineage: run.lineage, spans: isSampled ? run.spans : nil, isPartial: isPartial, cluster: run.cluster)
        problems += outcome.problems.map { name + $0 }
        checkedValues += outcome.checkedValues
        if !isSampled && !run.spans.isEmpty { problems.append("\(name)spans though nothing is sampled") }
    }

    fileprivate mutating func add(
        _ item: ConformanceCase, _ settings: ExecutionSettings, _ name: String, _ first: CaseRun?
    ) -> CaseRun? {
        let run: CaseRun
        do { run = try CaseExecution.run(item, settings) } catch {
            problems.append("\(name)runner: \(error)")
            return nil
        }
        add(item, run, name, isSampled: settings.isSampled, isPartial: settings.isPartial)
        if let first {
            problems += CaseComparison.differences(expected: first.result, actual: run.result).map { name + $0 }
            problems += LineageTruth.differences(first.lineage, run.lineage).map { name + $0 }
        }
        return run
    }
}
