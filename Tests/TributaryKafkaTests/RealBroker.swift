import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryKafka

/// A real broker for the tests of one run: the one that `TRIBUTARY_KAFKA_BOOTSTRAP` names, or one that the script started
/// which `TRIBUTARY_KAFKA_SCRIPT` names.
enum RealBroker {
    private struct State: Sendable {
        var bootstrap = ""
        var directory: String?
    }

    private static let state = Guarded(State())
    private static let numbers = Atomic<Int>(0)
    static let script = environment("TRIBUTARY_KAFKA_SCRIPT")
    static let isThere = environment("TRIBUTARY_KAFKA_BOOTSTRAP") != nil || (script != nil && Program.exists("java"))
    static let missing: Comment =
        "no broker: set TRIBUTARY_KAFKA_BOOTSTRAP, or TRIBUTARY_KAFKA_SCRIPT (which needs java)"
    /// Whether the broker is ours to be stopped and started again.
    static var isOurs: Bool { environment("TRIBUTARY_KAFKA_BOOTSTRAP") == nil && isThere }

    static var bootstrap: String { state.withLock { $0.bootstrap } }

    static func start() throws {
        if let given = environment("TRIBUTARY_KAFKA_BOOTSTRAP") {
            return state.withLock { $0.bootstrap = given }
        }
        guard let script else { return }
        let directory = try TemporaryFolder().keep()
        // Should this process crash, no broker stays behind.
        try Program.atEnd("'\(script)' stop '\(directory)' --now; rm -rf '\(directory)'")
        try Program.run([script, "start", directory])
        let text = String(decoding: try contents("\(directory)/bootstrap"), as: UTF8.self)
        state.withLock { state in
            state.bootstrap = text.split(separator: "\n").first.map { String($0) } ?? ""
            state.directory = directory
        }
    }

    static func stop() {
        guard let script, let directory = state.withLock({ $0.directory }) else { return }
        _ = try? Program.run([script, "stop", directory])
        removeTree(directory)
    }

    /// Ends the broker gracefully; ``goOn()`` starts it again with its data and port.
    static func pause() throws {
        guard let script, let directory = state.withLock({ $0.directory }) else { return }
        try Program.run([script, "stop", directory])
    }

    static func goOn() throws {
        guard let script, let directory = state.withLock({ $0.directory }) else { return }
        try Program.run([script, "start", directory])
    }

    /// A log on the broker.
    static func log(_ change: (inout KafkaConfiguration) -> Void = { _ in }) throws -> KafkaLog {
        var configuration = KafkaConfiguration(bootstrap: bootstrap)
        change(&configuration)
        return try KafkaLog.connect(to: configuration)
    }

    /// A name that no other test and no other run has.
    static func name(_ word: String) -> String {
        "\(word)-\(numbers.add(1, ordering: .relaxed).newValue)-\(UInt32.random(in: 0 ... .max))"
    }
}

/// Starts the broker before the tests of a suite and stops it behind them.
struct RealBrokerTrait: SuiteTrait, TestScoping {
    var isRecursive: Bool { false }

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try RealBroker.start()
        defer { RealBroker.stop() }
        try await function()
    }
}

/// All tests that need a real broker, which they share.
@Suite(
    .serialized, .enabled(if: RealBroker.isThere, RealBroker.missing), RealBrokerTrait(), .timeLimit(.minutes(10)))
struct RealBrokerTests {}
