public import TributaryState

/// Checks that a state engine does what `StateEngine` promises, for whoever writes one.
///
/// Each check makes an engine of its own and closes it. Run all with ``run()``, or one test a check:
/// ```swift
/// @Test(arguments: StateEngineConformance.checks)
/// func `conforms`(check: StateEngineConformance.Check) throws {
///     try StateEngineConformance(makeEngine: { try MyEngine() }).run(check)
/// }
/// ```
public struct StateEngineConformance {
    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        /// The promise, as a sentence.
        public let name: String
        let run: @Sendable (StateEngineConformance) throws -> Void

        /// The promise, as a sentence.
        public var description: String { name }
    }

    let makeEngine: () throws -> any StateEngine
    let reopen: ((any StateEngine) throws -> any StateEngine)?
    let seed: UInt64

    /// Makes a suite.
    ///
    /// - Parameters:
    ///   - seed: of the random check, to repeat a failure; its message says the seed.
    ///   - makeEngine: makes an empty engine.
    ///   - reopen: closes an engine and opens what it left behind; nil if nothing survives.
    public init(
        seed: UInt64 = 1, makeEngine: @escaping () throws -> any StateEngine,
        reopen: ((any StateEngine) throws -> any StateEngine)? = nil
    ) {
        self.seed = seed
        self.makeEngine = makeEngine
        self.reopen = reopen
    }

    /// All promises.
    public static let checks: [Check] =
        pointChecks + orderChecks + cursorChecks + copyChecks + transactionChecks + randomChecks

    /// Runs one check.
    public func run(_ check: Check) throws(ConformanceFailure) {
        do {
            try check.run(self)
        } catch let error as ConformanceFailure {
            throw error
        } catch {
            throw ConformanceFailure(check: check.name, message: "\(error)")
        }
    }

    /// Runs all checks; throws the first failure.
    public func run() throws(ConformanceFailure) {
        for check in Self.checks { try run(check) }
    }

    /// Runs a body on a fresh engine and closes it.
    func withEngine(_ body: (any StateEngine) throws -> Void) throws {
        let engine = try makeEngine()
        defer { engine.close() }
        try body(engine)
    }

    /// Runs a body on a table of a fresh engine.
    func withTable(_ body: (any StateEngine, TableProbe) throws -> Void) throws {
        try withEngine { engine in
            try body(engine, TableProbe(try engine.table("table")))
        }
    }
}
