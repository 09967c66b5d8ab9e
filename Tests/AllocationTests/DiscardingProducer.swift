import TributaryCore

/// A producer that takes every record and keeps none: what a test counts is the path up to the log.
final class DiscardingProducer: LogProducer {
    private var topics: [String: Int] = [:]
    private(set) var records = 0

    func number(ofTopic name: String) throws(LogError) -> Int {
        if let number = topics[name] { return number }
        topics[name] = topics.count
        return topics.count - 1
    }
    func partitions(ofTopic number: Int) -> Int32 { 1 }
    func beginTransaction() throws(LogError) {}
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) { records += 1 }
    var pendingBytes: Int { 0 }
    func flush() throws(LogError) {}
    func lastOffset(topic: Int, partition: Int32) -> Int64 { Int64(records) }
    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 { 1 }
    func abortTransaction() throws(LogError) {}
    func close() {}
}
