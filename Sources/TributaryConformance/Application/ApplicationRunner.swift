internal import TributaryDSL

/// Runs cases as applications: `StreamsApplication` with its threads, on an embedded log in a folder of its own.
///
/// The records are fed step by step; a step ends when every record in the log is processed and committed. So the results are
/// determined though sub-topologies are tasks of their own here, and one task on the test driver.
public struct ApplicationRunner: CaseRunner, Sendable {
    /// Makes a runner.
    public init() {}

    /// Why a case is left out; nil if it is run.
    public func reasonToSkip(_ conformanceCase: ConformanceCase) -> String? {
        if conformanceCase.expected.failure != nil { return "expects an error" }
        if let isUndetermined = try? Self.isUndetermined(conformanceCase), isUndetermined {
            return "shows the stream time of one task for all sub-topologies, which an application doesn't have"
        }
        return nil
    }

    /// Whether something depends on the stream time of a task, and there is more than one.
    private static func isUndetermined(_ item: ConformanceCase) throws -> Bool {
        let showsStreamTime = try item.topology.contains { (statement) throws(CaseError) in
            guard statement.fields.has("processor") else { return false }
            let processor = try statement.processor
            if processor.kind == .meta { return true }
            if try processor.fields.bool("meta") == true { return true }
            return try processor.fields.has("everyMs") ? processor.clock == .stream : false
        }
        guard showsStreamTime else { return false }
        return try TopologyInterpreter.build(item).topology.subTopologies.count > 1
    }

    /// Runs one case and returns what was observed.
    public func run(_ conformanceCase: ConformanceCase) async throws -> CaseRun {
        try await ApplicationExecution(conformanceCase).run(restartsAfter: nil)
    }

    /// What differs between an application and the test driver if both are stopped halfway and started again.
    ///
    /// Both with exactly-once, whatever the case says: results are the same, and it is what the embedded log defaults to.
    public func differencesAfterRestart(_ conformanceCase: ConformanceCase) async throws -> [String] {
        let half = conformanceCase.steps.count / 2
        guard half > 0 else { return [] }
        var item = conformanceCase
        item.config.exactlyOnce = true
        let driver = try CaseExecution.run(item, ExecutionSettings(restartsAfter: half))
        let actual = try await ApplicationExecution(item).run(restartsAfter: half)
        return CaseComparison.differences(expected: driver.result, actual: actual.result)
    }

    /// Whether a case has the same result if all records are there from the beginning.
    ///
    /// So it is if each task reads one topic, each topic is written by one sink, and nothing depends on when commits are.
    public func canRunAtOnce(_ conformanceCase: ConformanceCase) throws -> Bool {
        guard reasonToSkip(conformanceCase) == nil, conformanceCase.config.cacheBytes == 0 else { return false }
        for case .advanceWallClock in conformanceCase.steps { return false }
        // What waits in a buffer is logged at commits.
        guard !conformanceCase.topology.contains(where: { $0.operation == .suppress || $0.fields.has("graceMs") })
        else {
            return false
        }
        let topology = try TopologyInterpreter.build(conformanceCase).topology
        var written: Set<String> = Set(topology.sources.filter { !$0.isInternal }.map(\.topic))
        guard written.count == 1, topology.globalSources.isEmpty,
            topology.subTopologies.allSatisfy({ $0.sourceTopics.count == 1 })
        else {
            return false
        }
        for node in topology.nodes {
            if case .sink(let topic?) = node.kind, !written.insert(topic).inserted { return false }
        }
        return true
    }

    /// What differs from what a case expects if an application finds all its records at once: batches, not single records.
    public func differencesAtOnce(_ conformanceCase: ConformanceCase) async throws -> [String] {
        var expected = conformanceCase.expected
        let all = (expected.steps ?? []).reduce(into: [:]) { all, step in all.merge(step) { $0 + $1 } }
        expected.steps = [all]
        let actual = try await ApplicationExecution(conformanceCase).run(atOnce: true)
        return CaseComparison.differences(expected: expected, actual: actual.result)
    }
}
