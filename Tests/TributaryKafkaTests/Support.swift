import Synchronization
import TestSupport
import Tributary
import TributaryCore
import TributaryTesting

/// A number that threads share.
final class Counter: Sendable {
    private let count = Atomic<Int64>(0)
    var value: Int64 { count.load(ordering: .relaxed) }
    func add(_ more: Int64) { count.add(more, ordering: .relaxed) }
}

/// All records of a topic's partitions up to their ends, partition by partition.
func readAll(_ log: any Log, _ topic: String, partitions: Int32) throws -> [LoggedRecord] {
    var records: [LoggedRecord] = []
    for number in 0..<partitions {
        let place = TopicPartition(topic, number)
        let ends = try log.watermarks(place, committed: true)
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        defer { consumer.close() }
        let assignment = try consumer.assign(place, from: ends.low)
        let deadline = TimeSource.system.monotonic.milliseconds + 20_000
        while consumer.position(assignment) < ends.high {
            guard TimeSource.system.monotonic.milliseconds < deadline else {
                throw TestFailure("\(place) gives nothing behind \(consumer.position(assignment))")
            }
            guard let batch = try consumer.poll(timeout: 1000) else { continue }
            for index in 0..<batch.count { records.append(LoggedRecord(batch, index)) }
        }
    }
    return records
}

extension RealBrokerTests.BankTests {
    /// Runs a bank until `isDone`, then stops it cleanly.
    func run(
        _ bank: Bank, _ log: LogLocation, restored: Counter = Counter(),
        until isDone: @escaping @Sendable (StreamsApplication) async throws -> Bool
    ) async throws {
        let app = try StreamsApplication(try bank.topology(), configuration: bank.configuration(log))
        app.onRestore { if $0.isDone { restored.add($0.records) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                let deadline = TimeSource.system.monotonic.milliseconds + 60_000
                defer { app.shutdown() }
                while try await !isDone(app) {
                    guard TimeSource.system.monotonic.milliseconds < deadline else {
                        throw TestFailure("after a minute: \(app.metrics), \(app.state)")
                    }
                    if app.state == .error { return }
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
            try await group.waitForAll()
        }
    }
}
