public import TributaryCore

/// What every `Log` must do, as checks that any test framework can run.
///
/// ```swift
/// @Test(arguments: LogConformance.checks)
/// func `the log conforms`(check: LogConformance.Check) throws {
///     try LogConformance(makeLog: { MemoryLog() }).run(check)
/// }
/// ```
public struct LogConformance: Sendable {
    /// What a log did wrong.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// The check that found it.
        public var check: String
        /// What was expected and what came.
        public var message: String

        /// The check's name and what was wrong.
        public var description: String { "\(check): \(message)" }
    }

    /// One thing that a log must do.
    public struct Check: Sendable, CustomStringConvertible {
        /// A sentence that says what must hold.
        public let name: String
        let body: @Sendable (LogFixture) throws -> Void

        /// The sentence.
        public var description: String { name }

        init(_ name: String, _ body: @escaping @Sendable (LogFixture) throws -> Void) {
            self.name = name
            self.body = body
        }
    }

    private let makeLog: @Sendable () throws -> any Log
    private let patience: Int64

    /// Makes a suite for one kind of log.
    ///
    /// - Parameters:
    ///   - patience: how many milliseconds to wait at most for what must come.
    ///   - makeLog: makes a new, empty log; called once for each check, which closes it.
    public init(patience: Int64 = 10_000, makeLog: @escaping @Sendable () throws -> any Log) {
        self.makeLog = makeLog
        self.patience = patience
    }

    /// All checks.
    public static var checks: [Check] {
        topicChecks + recordChecks + consumerChecks + transactionChecks + groupChecks
    }

    /// Runs all checks and returns what was wrong.
    public func run() -> [Failure] {
        var failures: [Failure] = []
        for check in Self.checks {
            do throws(Failure) { try run(check) } catch { failures.append(error) }
        }
        return failures
    }

    /// Runs one check on a log of its own.
    public func run(_ check: Check) throws(Failure) {
        do {
            let log = try makeLog()
            defer { log.close() }
            try check.body(LogFixture(log: log, patience: patience))
        } catch let unmet as Unexpected {
            throw Failure(check: check.name, message: unmet.description)
        } catch {
            throw Failure(check: check.name, message: "threw \(error)")
        }
    }
}

func expect<Value: Equatable>(_ value: Value, equals expected: Value, _ what: String) throws {
    guard value == expected else { throw Unexpected("\(what): expected \(expected), got \(value)") }
}

/// Expects `body` to throw a ``LogError`` with `code`.
func expect(_ code: LogError.Code, _ what: String, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as LogError {
        try expect(error.code == code, "\(what): expected \(code.rawValue), got \(error)")
        return
    }
    throw Unexpected("\(what): expected the error \(code.rawValue), got none")
}
