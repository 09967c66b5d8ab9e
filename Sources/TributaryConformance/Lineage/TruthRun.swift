internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// Runs one case in several ways, and judges what it does by what it expects or a model, and its lineage by the tokens.
public struct TruthRun {
    /// Judges a case that the runner can interpret.
    ///
    /// Sampled on LMDB and unsampled in memory, which must give the same cells; then the same two with a restart halfway,
    /// where the second restores its stores from their changelogs. What a topology does must be the same with every setting of
    /// lineage, and what the model does, if its caches have room for all.
    ///
    /// Where several records are committed together caches merge what they do, which must be in what comes out.
    ///
    /// Interrupted again and again it must do the same, and stores come to the same with caches and without, where semantics say so.
    /// A restart may change results, since operators forget their stream time and caches their expired rows, as in Kafka
    /// Streams: so the restarted runs are compared with each other.
    ///
    /// - Parameters:
    ///   - item: the case.
    ///   - rotation: nil for all of these runs; else some of them, others for other numbers, so that many cases cost less.
    public static func judge(_ item: ConformanceCase, rotation: UInt64? = nil) -> LineageTruth.Outcome {
        var verdict = LineageTruth.Outcome(problems: [], checkedValues: 0)
        let first: CaseRun
        var runner = DriverRunner()
        if let rotation { runner.writesSpans = (rotation / 4).isMultiple(of: 3) }
        do { first = try runner.run(item) } catch {
            return LineageTruth.Outcome(problems: ["runner: \(error)"], checkedValues: 0)
        }
        if item.expected.failure == .build {
            if first.result.failure != .build { verdict.problems.append("built, though it was to be refused") }
            return verdict
        }
        verdict.add(item, first, "", isSampled: runner.writesSpans)
        verdict.addModel(item, first)
        func isDue(_ number: Int) -> Bool { rotation.map { $0 % 11 == UInt64(number) } ?? true }
        if isDue(0) {
            _ = verdict.add(
                item, ExecutionSettings(isSampled: false, usesLMDB: false), "unsampled in memory: ", first)
        }
        if isDue(1) {
            _ = verdict.add(item, ExecutionSettings(isPartial: true, usesLMDB: false), "half sampled: ", first)
        }
        for (number, (name, settings)) in lineageSettings.enumerated() where isDue(2 + number) {
            verdict.addResult(item, settings, name, first)
        }
        if isDue(8) { verdict.addCaches(item, first) }
        if isDue(10) {
            let settings = ExecutionSettings(recordsPerCommit: 12)
            let several = verdict.add(item, settings, "twelve records a commit: ", nil)
            let unsampled = ExecutionSettings(isSampled: false, usesLMDB: false, recordsPerCommit: 12)
            _ = verdict.add(item, unsampled, "twelve records a commit, unsampled in memory: ", several)
        }
        do { verdict.problems += try interruptedProblems(item, first, rotation: rotation) } catch {
            verdict.problems.append("interrupted: \(error)")
        }
        guard item.steps.count > 1, isDue(9), (try? hasUnloggedStores(item)) == false else { return verdict }
        let half = item.steps.count / 2
        var restarted = verdict.add(item, ExecutionSettings(restartsAfter: half), "restarted: ", nil)
        // A global table that is read again leaves its records without keys out again.
        if item.topology.contains(where: { $0.operation == .globalTable }) { restarted?.result.droppedRecords = nil }
        _ = verdict.add(item, ExecutionSettings(usesLMDB: false, restartsAfter: half), "restored: ", restarted)
        return verdict
    }

    /// Whether there are stores that nothing can restore.
    private static func hasUnloggedStores(_ item: ConformanceCase) throws -> Bool {
        try TopologyInterpreter.build(item).topology.stores.values.contains { !$0.isLogged }
    }

    /// Settings of lineage beside the first run's and `off`, which the driver's runner compares already.
    private static let lineageSettings: [(name: String, settings: ExecutionSettings)] = [
        ("context, sampled: ", ExecutionSettings(mode: .context, usesLMDB: false)),
        ("context, unsampled: ", ExecutionSettings(mode: .context, isSampled: false, usesLMDB: false)),
        ("cells, spans of all: ", ExecutionSettings(spans: .full, usesLMDB: false)),
        ("cells, spans of the log: ", ExecutionSettings(spans: .log, usesLMDB: false)),
        ("cells, half sampled: ", ExecutionSettings(sampler: .ratio(0.5), usesLMDB: false)),
        ("cells, by key: ", ExecutionSettings(sampler: .byKey(ratio: 0.5), usesLMDB: false)),
    ]

    /// Judges a case run as an application on an embedded log, whole and with a restart halfway.
    ///
    /// The results must be those of the test driver, unless they depend on all sub-topologies being one task, or on which of
    /// several tasks fills the thread's cache first.
    public static func judgeApplication(_ item: ConformanceCase) async -> LineageTruth.Outcome {
        var verdict = LineageTruth.Outcome(problems: [], checkedValues: 0)
        if item.expected.failure == .build { return judge(item) }
        for (name, restart) in [("application: ", nil), ("application restarted: ", item.steps.count / 2)] {
            do {
                let run = try await ApplicationExecution(item).run(restartsAfter: restart)
                verdict.add(item, run, name)
                guard ApplicationRunner().reasonToSkip(item) == nil, try !dependsOnEvictions(item),
                    try !dependsOnTurns(item)
                else { continue }
                let driver = try CaseExecution.run(item, ExecutionSettings(restartsAfter: restart))
                let differences = CaseComparison.differences(expected: driver.result, actual: run.result)
                verdict.problems += differences.map { name + $0 }
            } catch {
                verdict.problems.append("\(name)runner: \(error)")
            }
        }
        return verdict
    }

    // Where one record becomes several of the same time, and a task reads two topics that lead back to them, a commit before it may
    // lie between any of them: which topic's turn it is where times are equal, nobody says (Docs/Semantics.md, Tasks).
    private static func dependsOnTurns(_ item: ConformanceCase) throws -> Bool {
        let multiplies = try item.topology.contains { (statement) throws(CaseError) in
            switch statement.operation {
            case .merge, .flatMap, .flatMapValues: true
            case .process, .processValues: try statement.processor.kind == .times
            default: false
            }
        }
        guard multiplies else { return false }
        let topology = try TopologyInterpreter.build(item).topology
        let own = Set(topology.sources.filter(\.isInternal).map(\.topic))
        return topology.subTopologies.contains { part in
            part.sourceTopics.count > 1 && part.sourceTopics.contains { own.contains($0) }
        }
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
        problems += run.inconsistencies.map { name + $0 }
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
            compare(first, run, name)
            problems += LineageTruth.differences(first.lineage, run.lineage).map { name + $0 }
        }
        return run
    }

    /// Runs a case with other settings of lineage, which must not change what it does.
    fileprivate mutating func addResult(
        _ item: ConformanceCase, _ settings: ExecutionSettings, _ name: String, _ first: CaseRun
    ) {
        var settings = settings
        settings.writesSpans = false
        do { compare(first, try CaseExecution.run(item, settings), name) } catch {
            problems.append("\(name)runner: \(error)")
        }
    }

    private mutating func compare(_ first: CaseRun, _ run: CaseRun, _ name: String) {
        problems += CaseComparison.differences(expected: first.result, actual: run.result).map { name + $0 }
        problems += run.inconsistencies.map { name + $0 }
        for (store, count) in first.evictions.sorted(by: { $0.key < $1.key }) where run.evictions[store] != count {
            problems.append("\(name)\(run.evictions[store] ?? 0) evictions from \(store), \(count) at first")
        }
    }

    /// Compares the rows that folds of streams come to with those of a run without caches, or with them.
    fileprivate mutating func addCaches(_ item: ConformanceCase, _ first: CaseRun) {
        guard first.result.failure == nil, item.config.cacheBytes == 0 || item.config.cacheBytes >= 1 << 20 else {
            return
        }
        var other = item
        other.config.cacheBytes = item.config.cacheBytes == 0 ? 10 << 20 : 0
        do {
            let folds = try StreamFolds(item)
            guard !folds.stores.isEmpty else { return }
            let run = try CaseExecution.run(other, ExecutionSettings(isSampled: false, usesLMDB: false))
            problems += folds.differences(first.result, run.result).map { "other caches: \($0)" }
        } catch { problems.append("other caches: \(error)") }
    }

    /// Compares with what the case says that Kafka Streams did; if it doesn't say, with the model, whose caches never run full.
    fileprivate mutating func addModel(_ item: ConformanceCase, _ run: CaseRun) {
        guard item.hasTokens || item.expected.steps != nil else { return }
        guard item.expected.steps == nil else {
            problems += CaseComparison.differences(expected: item.expected, actual: run.result)
            return
        }
        // Nor do its stores keep headers.
        guard item.config.cacheBytes == 0 || item.config.cacheBytes >= 1 << 20, !item.config.headersFormat else {
            return
        }
        do {
            let model = try OperatorModel.run(item)
            var actual = run.result
            let topics = Set(model.stores.map { "\(CaseExecution.applicationID)-\($0)-changelog" })
            actual.stores = actual.stores?.filter { model.stores.contains($0.key) }
            actual.changelogs = actual.changelogs?.filter { topics.contains($0.key) }
            problems += CaseComparison.differences(expected: model.result, actual: actual).map { "model: \($0)" }
        } catch { problems.append("model: \(error)") }
    }
}
