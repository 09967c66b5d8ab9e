internal import TributaryDSL
internal import TributaryState

/// Runs whose task begins anew again and again: they must come to what one run comes to.
extension TruthRun {
    /// How the work of a case is interrupted.
    private struct Interruption {
        let name: String
        let settings: ExecutionSettings
        /// Whether work is done twice, so that user code sees records twice.
        var repeats = false
    }

    /// Compares a case's run with runs that are restarted after every few steps, crash before commits, and restore their stores into
    /// empty directories.
    ///
    /// What a restart forgets is left out (``ForgottenState``).
    ///
    /// - Parameter rotation: nil for all ways of interrupting; else one of them, another for another number.
    static func interruptedProblems(_ item: ConformanceCase, _ first: CaseRun, rotation: UInt64?) throws -> [String] {
        let every = 1 + Int((rotation.map { $0 / 4 } ?? UInt64(item.steps.count)) % 5)
        guard first.result.failure == nil, item.steps.count > 1 else { return [] }
        let topology = try TopologyInterpreter.build(item).topology
        let windowed = Set(topology.stores.filter { $0.value.retention != nil }.map(\.key))
        let unlogged = topology.stores.values.contains { !$0.isLogged }
        let buffers = Set(
            topology.stores.filter { $0.value.isBuffer }.map { "\(CaseExecution.applicationID)-\($0.key)-changelog" })
        let forgotten = try ForgottenState(item, stores: windowed)
        guard forgotten.reason == nil else { return [] }
        let runs = [
            Interruption(name: "restarted every \(every): ", settings: ExecutionSettings(restartsEvery: every)),
            Interruption(
                name: "restored every \(every): ", settings: ExecutionSettings(usesLMDB: false, restartsEvery: every)),
            Interruption(
                name: "crashed every \(every): ", settings: ExecutionSettings(crashesEvery: every), repeats: true),
            Interruption(
                name: "crashed every \(every), in memory: ",
                settings: ExecutionSettings(isSampled: false, usesLMDB: false, crashesEvery: every), repeats: true),
        ]
        var problems: [String] = []
        for (number, run) in runs.enumerated() {
            if let rotation, rotation % UInt64(runs.count) != UInt64(number) { continue }
            // Without a changelog a store in memory has nothing to come back from.
            let isInMemory = !run.settings.usesLMDB || topology.stores.values.contains { !$0.isPersistent }
            if unlogged && isInMemory { continue }
            do {
                var settings = run.settings
                settings.writesSpans = false
                let other = try CaseExecution.run(item, settings)
                let hidden = forgotten.stores
                let expected = first.withoutForgotten(hidden, buffers, peeks: !run.repeats)
                let actual = other.withoutForgotten(hidden, buffers, peeks: !run.repeats)
                var found = CaseComparison.differences(expected: expected.result, actual: actual.result)
                if found.isEmpty { found = LineageTruth.differences(expected.lineage, actual.lineage) }
                problems += (found + other.inconsistencies).map { run.name + $0 }
            } catch { problems.append("\(run.name)runner: \(error)") }
        }
        return problems
    }
}

extension CaseRun {
    /// The run without what a restart may change, though nothing else does.
    ///
    /// - Parameters:
    ///   - stores: whose rows are left out.
    ///   - buffers: changelogs in which a commit's keys are in the order of a set that was once bigger.
    ///   - peeks: whether what user code saw stays.
    fileprivate func withoutForgotten(_ stores: Set<String>, _ buffers: Set<String>, peeks: Bool) -> CaseRun {
        var run = self
        for topic in buffers { run.result.changelogs?[topic]?.sort { "\($0)" < "\($1)" } }
        // Counted from the start of the task.
        run.result.droppedRecords = nil
        run.result.stores = run.result.stores?.filter { !stores.contains($0.key) }
        if !peeks { run.result.steps = run.result.steps?.map { $0.filter { !$0.key.hasPrefix("peek:") } } }
        run.lineage = run.lineage.filter { line in
            guard let name = line.object?["store"]?.string else { return true }
            return !stores.contains(name)
        }
        return run
    }
}
