public import TributaryCore

/// A typed record that was read from a topic.
public struct ReceivedRecord<Key, Value> {
    /// The key; nil for null.
    public let key: Key?
    /// The value; nil for null.
    public let value: Value?
    /// Milliseconds since the epoch.
    public let timestamp: Int64
    /// The user's headers.
    public let headers: Headers
    /// Where it was read.
    public let coordinate: RecordCoordinate
    /// The context of the operation that sent it.
    public let context: TraceContext
}

extension ReceivedRecord: Sendable where Key: Sendable, Value: Sendable {}

/// A record whose bytes a serde refused.
public struct UnreadableRecord: Error, CustomStringConvertible {
    /// Where the record is.
    public let coordinate: RecordCoordinate
    /// What the serde threw.
    public let cause: any Error

    /// One sentence.
    public var description: String { "the record \(coordinate) can't be read: \(ErrorText.of(cause))" }
}

/// The typed records of a topic, in the order of each partition.
///
/// ```swift
/// for try await order in log.records("orders", of: Order.self) { print(order.value) }
/// ```
///
/// Each walk reads on a thread of its own, one batch ahead of nobody: the next is fetched when the last one is used up. Ends when its task
/// is cancelled. Without a group it begins anew each time and commits nothing.
///
/// **With a group** it goes on where the group's last walk stood. A record counts as consumed when the next one is asked for: the one on
/// which a loop breaks, or in which it throws, is handed out again by the next walk. What is consumed is committed each 100 ms and at the
/// walk's end, so that a process that is killed may see records of that time again, and misses none. How many walks a group may have at a
/// time is the log's affair; today each log gives all partitions to one, and another one throws `LogError.Code.inUse` after some seconds.
/// An application's id is the name of its group: give a walk another.
public struct RecordSequence<Key: Sendable, Value: Sendable>: AsyncSequence, Sendable {
    /// Where a walk begins.
    public enum Start: Sendable {
        /// At the first record that is there.
        case earliest
        /// Behind the last record that is there when the walk begins.
        case latest
    }

    /// A record.
    public typealias Element = ReceivedRecord<Key, Value>
    /// What a walk throws: ``UnreadableRecord`` and `LogError`.
    public typealias Failure = any Error

    let log: any Log
    let topic: String
    let key: Serde<Key>
    let value: Serde<Value>
    let start: Start
    let follows: Bool
    let group: String?

    /// Begins a walk.
    public func makeAsyncIterator() -> Iterator { Iterator(reader: RecordReader(self)) }

    /// A walk over the records.
    public struct Iterator: AsyncIteratorProtocol {
        let reader: RecordReader<Key, Value>
        var batch: ArraySlice<ReceivedRecord<Key, Value>> = []
        /// The record that was handed out last, with a group.
        var last: RecordCoordinate?

        /// The next record; nil at the end, or when the task is cancelled.
        public mutating func next() async throws -> ReceivedRecord<Key, Value>? {
            if let last = last.take() { reader.noteConsumed(last) }
            while batch.isEmpty {
                guard let more = try await reader.batch() else { return nil }
                batch = more[...]
            }
            let record = batch.removeFirst()
            if reader.hasGroup { last = record.coordinate }
            return record
        }
    }
}

extension Log {
    /// The typed records of a topic.
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the keys' serde.
    ///   - value: the values' serde.
    ///   - start: where the walk begins; with a group only where that has committed nothing.
    ///   - follows: whether it waits for more at the end; without, it ends behind the records that were there when it began.
    ///   - group: the name of the group that keeps where the walk stands; nil for none. See ``RecordSequence``.
    public func records<Key, Value>(
        _ topic: String, key: Serde<Key>, value: Serde<Value>, from start: RecordSequence<Key, Value>.Start = .earliest,
        follows: Bool = true, group: String? = nil
    ) -> RecordSequence<Key, Value> {
        RecordSequence(log: self, topic: topic, key: key, value: value, start: start, follows: follows, group: group)
    }

    /// The records of a topic whose types name their serdes.
    public func records<Key: Recordable & Sendable, Value: Recordable & Sendable>(
        _ topic: String, keyedBy key: Key.Type = String.self, of value: Value.Type, latest: Bool = false,
        follows: Bool = true, group: String? = nil
    ) -> RecordSequence<Key, Value> {
        records(
            topic, key: Key.serde, value: Value.serde, from: latest ? .latest : .earliest, follows: follows,
            group: group)
    }
}
