import TributaryCore

/// A writer of a ``MemoryLog``.
final class MemoryLogProducer: LogProducer {
    private struct Target: Hashable {
        var topic: Int
        var partition: Int32
    }

    private struct KnownTopic {
        var name: String
        var identity: String
        var partitions: Int32
    }

    private let monitor: Monitor<MemoryLogState>
    private let number: Int
    private let transactionalID: String?
    private let autoVisible: Bool
    private var known: [KnownTopic] = []
    private var numbers: [String: Int] = [:]
    /// What was sent and is not in the log, in order of sending.
    private var pending: [(target: Target, record: LoggedRecord)] = []
    private var lastOffsets: [Target: Int64] = [:]
    private var inTransaction = false
    private var isClosed = false
    private(set) var pendingBytes = 0

    init(_ monitor: Monitor<MemoryLogState>, number: Int, transactionalID: String?, autoVisible: Bool) {
        self.monitor = monitor
        self.number = number
        self.transactionalID = transactionalID
        self.autoVisible = autoVisible
    }

    func number(ofTopic name: String) throws(LogError) -> Int {
        let topic = try monitor.withLock { (state) throws(LogError) in
            try self.check(state)
            return try state.topic(name).description
        }
        if let number = numbers[name] {
            guard known[number].identity != topic.identity else { return number }
        }
        known.append(KnownTopic(name: name, identity: topic.identity, partitions: topic.partitions))
        numbers[name] = known.count - 1
        return known.count - 1
    }

    func partitions(ofTopic number: Int) -> Int32 {
        known.indices.contains(number) ? known[number].partitions : 0
    }

    func beginTransaction() throws(LogError) {
        guard transactionalID != nil else { throw LogError(.invalidRequest, "a producer without a transactional id") }
        guard !inTransaction else { throw LogError(.invalidRequest, "a transaction is open") }
        try monitor.withLock { (state) throws(LogError) in try self.check(state) }
        inTransaction = true
    }

    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        guard !isClosed else { throw LogError(.closed, "the producer is closed") }
        guard known.indices.contains(topic) else { throw LogError(.unknownTopic, "no topic has the number \(topic)") }
        let name = known[topic].name
        guard partition >= 0, partition < known[topic].partitions else {
            throw LogError(.unknownTopic, "no such partition", topic: name, partition: partition)
        }
        guard transactionalID == nil || inTransaction else {
            throw LogError(.invalidRequest, "no transaction is open", topic: name, partition: partition)
        }
        var keyBytes: [UInt8]?
        var valueBytes: [UInt8]?
        if let key = record.key { keyBytes = [UInt8](copying: key) }
        if let value = record.value { valueBytes = [UInt8](copying: value) }
        let logged = LoggedRecord(
            timestamp: record.timestamp, key: keyBytes, value: valueBytes,
            headers: try checkedHeaders(record.headers, topic: name, lineage: false), context: record.context,
            cell: [UInt8](copying: record.cell),
            lineageHeaders: try checkedHeaders(record.lineageHeaders, topic: name, lineage: true))
        pending.append((Target(topic: topic, partition: partition), logged))
        pendingBytes += logged.byteCount
        if autoVisible && transactionalID == nil { try flush() }
    }

    /// Decodes a header list, and refuses one that is malformed or has lineage headers where they must not be.
    private func checkedHeaders(_ bytes: RawSpan, topic: String, lineage: Bool) throws(LogError) -> Headers {
        guard let headers = try? Headers(encoded: bytes) else {
            throw LogError(.invalidRequest, "a malformed header list", topic: topic)
        }
        guard !lineage, !headers.isEmpty else { return headers }
        for header in headers.list where header.name == "traceparent" || header.name == "tributary-cell" {
            throw LogError(.invalidRequest, "the header '\(header.name)' among the user's", topic: topic)
        }
        return headers
    }

    func flush() throws(LogError) {
        guard !isClosed else { throw LogError(.closed, "the producer is closed") }
        guard transactionalID == nil else {
            try monitor.withLock { (state) throws(LogError) in try self.check(state) }
            return
        }
        guard !pending.isEmpty else { return }
        try monitor.change { (state) throws(LogError) in
            try self.check(state)
            try self.write(to: &state)
        }
    }

    func lastOffset(topic: Int, partition: Int32) -> Int64 {
        lastOffsets[Target(topic: topic, partition: partition)] ?? -1
    }

    func commitTransaction(offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?) throws(LogError) -> Int64
    {
        guard inTransaction else { throw LogError(.invalidRequest, "no transaction is open") }
        let member = group as? MemoryLogGroup
        guard offsets.isEmpty || member?.belongs(to: monitor) == true else {
            throw LogError(.invalidRequest, "offsets need a group of this log")
        }
        let commit = try monitor.change { (state) throws(LogError) in
            // Everything that can be refused is refused before the first change.
            try self.check(state)
            try self.checkTargets(state)
            if let member {
                try member.check(state)
                try member.store(offsets, in: &state)
            }
            try self.write(to: &state)
            state.commits += 1
            return state.commits
        }
        inTransaction = false
        return commit
    }

    func abortTransaction() throws(LogError) {
        guard inTransaction else { throw LogError(.invalidRequest, "no transaction is open") }
        inTransaction = false
        drop()
        try monitor.withLock { (state) throws(LogError) in try self.check(state) }
    }

    func close() {
        guard !isClosed else { return }
        if transactionalID == nil { try? flush() }
        drop()
        isClosed = true
        inTransaction = false
    }

    private func drop() {
        pending = []
        pendingBytes = 0
    }

    private func write(to state: inout MemoryLogState) throws(LogError) {
        try checkTargets(state)
        for (target, record) in pending {
            let place = TopicPartition(known[target.topic].name, target.partition)
            lastOffsets[target] = try state.append([record], to: place)
        }
        drop()
    }

    private func checkTargets(_ state: MemoryLogState) throws(LogError) {
        for target in Set(pending.map(\.target)) {
            guard state.topics[known[target.topic].name]?.description.identity == known[target.topic].identity else {
                throw LogError(.unknownTopic, "the topic was deleted", topic: known[target.topic].name)
            }
        }
    }

    private func check(_ state: MemoryLogState) throws(LogError) {
        guard !isClosed else { throw LogError(.closed, "the producer is closed") }
        try state.checkOpen()
        guard let transactionalID else { return }
        guard state.transactionalIDs[transactionalID] == number else {
            throw LogError(.fenced, "another producer took over the transactional id '\(transactionalID)'")
        }
    }
}
