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
        return Self.undetermined[conformanceCase.id]
    }

    /// Cases whose result depends on all sub-topologies being one task, as on the test driver.
    private static let undetermined = [
        "p15-metadata":
            "shows the stream time of a task that reads all topics; as an application each sub-topology has its own"
    ]

    /// Runs one case and returns what was observed.
    public func run(_ conformanceCase: ConformanceCase) async throws -> CaseRun {
        let execution = try ApplicationExecution(conformanceCase)
        return CaseRun(try await execution.run())
    }
}
