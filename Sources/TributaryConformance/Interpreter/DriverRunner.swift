internal import TributaryLineage

/// Runs cases on the topology test driver: with cells, persistent stores on LMDB, and again without lineage, in memory.
///
/// Both must give the same results: lineage may not change what a topology does, nor may the engine.
public struct DriverRunner: CaseRunner {
    private let isSampled: Bool

    /// Makes a runner.
    ///
    /// - Parameter isSampled: whether traces are sampled.
    public init(isSampled: Bool = true) { self.isSampled = isSampled }

    /// Runs one case and returns what was observed with cells.
    public func run(_ conformanceCase: ConformanceCase) throws -> CaseRun {
        let run = try CaseExecution.run(conformanceCase, ExecutionSettings(isSampled: isSampled))
        let bare = try CaseExecution.run(
            conformanceCase, ExecutionSettings(mode: .off, isSampled: false, usesLMDB: false))
        let differences = CaseComparison.differences(expected: run.result, actual: bare.result)
        guard differences.isEmpty else {
            throw CaseError("with lineage off, in memory: \(differences.prefix(5).joined(separator: "; "))")
        }
        return run
    }
}
