/// Runs cases: builds the topology on the public DSL and does the steps.
public protocol CaseRunner {
    /// Runs one case and returns all that was observed.
    ///
    /// An error of the topology or of a step is part of the result. What this throws is a defect of the runner or the case.
    func run(_ conformanceCase: ConformanceCase) async throws -> CaseRun

    /// Why the runner leaves a case out; nil if it runs it.
    func reasonToSkip(_ conformanceCase: ConformanceCase) -> String?
}

extension CaseRunner {
    /// Leaves nothing out.
    public func reasonToSkip(_ conformanceCase: ConformanceCase) -> String? { nil }
}

/// What a runner brings back from one case.
public struct CaseRun: Sendable {
    /// What is compared.
    public var result: ActualResult
    /// The lines for `--lineage`.
    public var lineage: [JSONValue]
    /// The lines for `--spans`.
    public var spans: [JSONValue]
    /// How many entries left the cache of each store for want of room; empty where it wasn't looked at.
    public var evictions: [String: Int64] = [:]
    /// Where a store and its changelog don't agree.
    public var inconsistencies: [String] = []
    /// The cluster whose records the cells' digests name.
    public var cluster: String

    /// Makes the outcome of a run.
    public init(
        _ result: ActualResult, lineage: [JSONValue] = [], spans: [JSONValue] = [],
        cluster: String = LineageTruth.cluster
    ) {
        self.cluster = cluster
        self.result = result
        self.lineage = lineage
        self.spans = spans
    }
}
