import Synchronization
import TestSupport
import Tributary
import TributaryTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs two applications in one process, for the tests of signals: says what happens, a line each.
@main
enum SignalChild {
    static let calls = Atomic<Int>(0)

    static func say(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = write(1, line, line.count)
    }

    static func application(_ name: String, _ folder: String) throws -> StreamsApplication {
        let log = MemoryLog()
        try log.createTopics([TopicSpecification("in"), TopicSpecification("out")])
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        return try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: name, log: .open(log), stateDirectory: "\(folder)/\(name)"))
    }

    static func main() async throws {
        let folder = try TemporaryFolder()
        // The user's own, before any application.
        signal(SIGTERM) { _ in
            SignalChild.say("the user's")
            SignalChild.calls.add(1, ordering: .releasing)
        }
        let first = try application("first", folder.path)
        let second = try application("second", folder.path)
        let one = Task { try await first.run() }
        let other = Task { try await second.run() }
        while first.state != .running || second.state != .running { try await Task.sleep(for: .milliseconds(2)) }
        if CommandLine.arguments.contains("one-ends") {
            first.shutdown()
            try await one.value
            say("first ended")
        } else {
            say("running")
        }
        try await one.value
        try await other.value
        say("both ended")
        // To the process: a thread of the pool takes no signals.
        kill(getpid(), SIGTERM)
        while calls.load(ordering: .acquiring) < 2 { try await Task.sleep(for: .milliseconds(2)) }
        say("over")
        guard CommandLine.arguments.contains("interrupted") else { return }
        // There was no handler for it before: it ends the process, now as then.
        kill(getpid(), SIGINT)
        try await Task.sleep(for: .seconds(10))
    }
}
