internal import TributaryCore
internal import TributaryDSL
internal import TributaryRuntime

/// The topics of a log that the sources of an application read by their patterns.
struct PatternTopics: Sendable {
    private let patterns: [TopicPattern]
    private let own: Set<String>
    private let log: any Log

    init(_ topology: Topology, applicationID: String, log: any Log) {
        patterns = topology.patterns
        let resolved = ResolvedTopology(topology, applicationID: applicationID)
        own = Set(resolved.internalTopics).union(["\(applicationID)-tasks"])
        self.log = log
    }

    /// Those that there are now.
    func names() throws(LogError) -> Set<String> {
        guard !patterns.isEmpty else { return [] }
        let all = try log.topics().map(\.name)
        return Set(all.filter { name in !own.contains(name) && patterns.contains { $0.matches(name) } })
    }

    /// Whether there can be others later.
    var canChange: Bool { !patterns.isEmpty }
}

/// Looks at intervals whether patterns fit other topics than before; on a thread of its own.
final class TopicWatch: Sendable {
    private let isEnding = Monitor(false)
    private let thread = Guarded<OSThread?>(nil)

    /// Begins to look.
    ///
    /// - Parameters:
    ///   - topics: what it looks at.
    ///   - known: those that there were.
    ///   - interval: how often, ms.
    ///   - logs: told of a log that doesn't answer; it is asked again.
    ///   - onChange: called once, when there are others; from the thread.
    init(
        _ topics: PatternTopics, known: Set<String>, every interval: Int64, _ logs: LogSink,
        onChange: @escaping @Sendable (Set<String>) -> Void
    ) throws(LogError) {
        let isEnding = isEnding
        let started = OSThread("topics") {
            while isEnding.wait(milliseconds: interval, { $0 ? true : nil }) == nil {
                do throws(LogError) {
                    let found = try topics.names()
                    if found != known { return onChange(found) }
                } catch {
                    if error.code == .closed { return }
                    logs(
                        .warning, "the log's topics could not be looked at", [("error", "\(error)")],
                        source: "Tributary")
                }
            }
        }
        guard let started else { throw LogError(.io, "the system gave no thread to look for topics") }
        thread.withLock { $0 = started }
    }

    /// Ends the thread.
    func end() {
        isEnding.change { $0 = true }
        thread.withLock { $0.take() }?.join()
    }
}
