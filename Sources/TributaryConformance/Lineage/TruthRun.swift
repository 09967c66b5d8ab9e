/// Runs one case in several ways and judges the lineage of each by the tokens.
struct TruthRun {
    /// What was found in all runs.
    struct Verdict {
        var problems: [String]
        var checkedValues: Int
    }

    /// Sampled on LMDB, unsampled in memory, and sampled with a restart halfway; the cells of all must be the same.
    static func judge(_ item: ConformanceCase) -> Verdict {
        var verdict = Verdict(problems: [], checkedValues: 0)
        let first: CaseRun
        do { first = try DriverRunner().run(item) } catch {
            return Verdict(problems: ["runner: \(error)"], checkedValues: 0)
        }
        verdict.add(item, first, "")
        verdict.add(
            item, ExecutionSettings(isSampled: false, usesLMDB: false), "unsampled in memory: ", first)
        if item.steps.count > 1 {
            verdict.add(
                item, ExecutionSettings(restartsAfter: item.steps.count / 2), "restarted on LMDB: ", first)
            verdict.add(
                item, ExecutionSettings(usesLMDB: false, restartsAfter: item.steps.count / 2),
                "restarted and restored: ", first)
        }
        return verdict
    }
}

extension TruthRun.Verdict {
    fileprivate mutating func add(_ item: ConformanceCase, _ run: CaseRun, _ name: String, isSampled: Bool = true) {
        if let failure = run.result.failure {
            problems.append("\(name)failed \(failure): \(run.result.failureMessage ?? "")")
        }
        let outcome = LineageTruth.check(item, lineage: run.lineage, spans: isSampled ? run.spans : nil)
        problems += outcome.problems.map { name + $0 }
        checkedValues += outcome.checkedValues
        if !isSampled && !run.spans.isEmpty { problems.append("\(name)spans though nothing is sampled") }
    }

    fileprivate mutating func add(
        _ item: ConformanceCase, _ settings: ExecutionSettings, _ name: String, _ first: CaseRun
    ) {
        let run: CaseRun
        do { run = try CaseExecution.run(item, settings) } catch { return problems.append("\(name)runner: \(error)") }
        add(item, run, name, isSampled: settings.isSampled)
        problems += CaseComparison.differences(expected: first.result, actual: run.result).map { name + $0 }
        problems += LineageTruth.differences(first.lineage, run.lineage).map { name + $0 }
    }
}
