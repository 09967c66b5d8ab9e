internal import TributaryLineage

/// Runs cases on the topology test driver: with cells, persistent stores on LMDB, and again without lineage, in memory.
///
/// Both must give the same results: lineage may not change what a topology does, nor may the engine.
public struct DriverRunner: CaseRunner {
    private let isSampled: Bool
    private let usesLMDB: Bool?
    /// Whether spans are written as lines, which costs more than the case.
    var writesSpans = true

    /// Makes a runner.
    ///
    /// - Parameters:
    ///   - isSampled: whether traces are sampled.
    ///   - usesLMDB: whether persistent stores are on LMDB, or a memory engine stands for it; nil for the second only where lineage is off.
    public init(isSampled: Bool = true, usesLMDB: Bool? = nil) {
        self.isSampled = isSampled
        self.usesLMDB = usesLMDB
    }

    /// Runs one case and returns what was observed with cells.
    public func run(_ conformanceCase: ConformanceCase) throws -> CaseRun {
        var settings = ExecutionSettings(isSampled: isSampled, usesLMDB: usesLMDB ?? true)
        settings.writesSpans = writesSpans
        let run = try CaseExecution.run(conformanceCase, settings)
        let bare = try CaseExecution.run(
            conformanceCase, ExecutionSettings(mode: .off, isSampled: false, usesLMDB: usesLMDB ?? false))
        let differences = CaseComparison.differences(expected: run.result, actual: bare.result)
        guard differences.isEmpty else {
            throw CaseError(
                "with lineage off\(usesLMDB == nil ? ", in memory" : ""): \(differences.prefix(5).joined(separator: "; "))"
            )
        }
        return run
    }
}
