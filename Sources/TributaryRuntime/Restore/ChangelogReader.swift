internal import TributaryCore

/// Reads changelogs to their ends, one after the other, with one consumer.
final class ChangelogReader {
    private let log: any Log
    private let configuration: RuntimeConfiguration
    private let isStopping: @Sendable () -> Bool
    private var consumer: (any LogConsumer)?

    init(_ log: any Log, _ configuration: RuntimeConfiguration, isStopping: @escaping @Sendable () -> Bool) {
        self.log = log
        self.configuration = configuration
        self.isStopping = isStopping
    }

    deinit { consumer?.close() }

    /// Hands over batches from `start` on until `end` is reached or `body` returns false.
    ///
    /// While the log gives nothing it is waited for, however long: half a restore must never pass for a whole one.
    ///
    /// - Throws: `LogError.Code.closed` if the application is stopped meanwhile.
    func read(
        _ changelog: TopicPartition, from start: Int64, to end: Int64, _ body: (RecordBatch) throws -> Bool
    ) throws {
        let consumer = try consumer ?? makeConsumer()
        let assignment = try consumer.assign(changelog, from: start)
        defer { consumer.unassign(assignment) }
        var silentSince = configuration.time.monotonic.milliseconds
        while consumer.position(assignment) < end {
            if isStopping() { throw LogError(.closed, "the application was stopped while it restored its state") }
            if let batch = try consumer.poll(timeout: 100) {
                silentSince = configuration.time.monotonic.milliseconds
                guard try body(batch) else { return }
            } else if configuration.time.monotonic.milliseconds - silentSince >= 30_000 {
                silentSince = configuration.time.monotonic.milliseconds
                configuration.log(
                    .warning, "the changelog's records don't come",
                    [
                        ("changelog", "\(changelog)"), ("position", "\(consumer.position(assignment))"),
                        ("end", "\(end)"),
                    ], source: "TributaryRuntime")
            }
        }
    }

    private func makeConsumer() throws(LogError) -> any LogConsumer {
        let made = try log.makeConsumer(
            ConsumerConfiguration(clientID: "\(configuration.applicationID)-restore", readCommitted: true))
        consumer = made
        return made
    }
}
