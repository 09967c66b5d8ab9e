internal import CRdKafka
internal import TributaryCore

/// A writer.
///
/// A record is copied into librdkafka's buffers, which batch it. Delivery reports are taken in bulk, now and then while
/// sending and in ``flush()``: no lock and no allocation of ours per record.
@safe final class KafkaProducer: LogProducer {
    private static let servedEach = 512

    private let log: KafkaLogCore
    private let handle: KafkaHandle
    private let name: String
    private let totals: UnsafeMutablePointer<DeliveryTotals>
    private var topics: [ProducerTopic] = []
    private var numbers: [String: Int] = [:]
    private let traceparent = ByteBuffer(capacity: 64)
    private var unserved = 0
    /// Whether something was handed over since the last ``push()``.
    private var hasMore = false
    private var raised: Int64 = 0
    private var isClosed = false
    private let empty: UnsafeMutableRawPointer

    init(_ log: KafkaLogCore, _ configuration: ProducerConfiguration) throws(LogError) {
        guard configuration.transactionalID == nil else {
            throw LogError(
                .unsupported, "exactly-once is not available on Kafka yet: run with the guarantee at_least_once")
        }
        self.log = log
        name = configuration.clientID
        handle = try KafkaHandle(
            .producer, log.properties.setting(["client.id": configuration.clientID]), logs: log.configuration.logs,
            callback: .deliveries)
        unsafe totals = .allocate(capacity: 1)
        unsafe totals.initialize(to: DeliveryTotals())
        unsafe empty = .allocate(byteCount: 1, alignment: 1)
    }

    deinit {
        close()
        unsafe totals.deallocate()
        unsafe empty.deallocate()
    }

    // MARK: Topics

    func number(ofTopic name: String) throws(LogError) -> Int {
        try check()
        let partitions = try log.partitions(ofTopic: name)
        if let number = numbers[name], topics[number].count == partitions { return number }
        let topic = try KafkaTopic(name, handle)
        try log.warm(topic)
        unsafe topics.append(ProducerTopic(topic, number: topics.count, partitions: partitions, totals: totals))
        numbers[name] = topics.count - 1
        return topics.count - 1
    }

    func partitions(ofTopic number: Int) -> Int32 { topics.indices.contains(number) ? topics[number].count : 0 }

    // MARK: Records

    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        if isClosed { try check() }
        guard topics.indices.contains(topic) else { throw LogError(.unknownTopic, "no topic has the number \(topic)") }
        let target = topics[topic]
        guard partition >= 0, partition < target.count else {
            throw LogError(.unknownTopic, "no such partition", topic: target.topic.name, partition: partition)
        }
        guard record.timestamp >= 0 else {
            throw LogError(
                .invalidRequest, "Kafka takes no timestamp below 0", topic: target.topic.name, partition: partition)
        }
        if record.timestamp == 0 { raised &+= 1 }
        var list = OutgoingHeaders()
        if !record.headers.isEmpty || !record.cell.isEmpty || !record.lineageHeaders.isEmpty || record.context != .none
        {
            do throws(MalformedBytes) {
                if !record.headers.isEmpty { try list.add(encoded: record.headers) }
                if record.context != .none {
                    traceparent.writer.removeAll()
                    record.context.appendTraceparent(to: &traceparent.writer)
                    list.add(HeaderKeys.traceparent, traceparent.bytes)
                }
                if !record.cell.isEmpty { list.add(HeaderKeys.cell, record.cell) }
                if !record.lineageHeaders.isEmpty { try list.add(encoded: record.lineageHeaders) }
            } catch {
                throw LogError(
                    .invalidRequest, "a malformed header list: \(error)", topic: target.topic.name,
                    partition: partition)
            }
        }
        let deliveries = unsafe target.deliveries + Int(partition)
        if unsafe !deliveries.pointee.isProven && deliveries.pointee.pending > 0 { try unsafe prove(deliveries) }
        let count = record.payloadCount
        while true {
            let code = unsafe hand(target, deliveries, max(record.timestamp, 1), record.key, record.value, list.pointer)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { break }
            guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL else {
                throw refused(code, target.topic.name, partition, count)
            }
            // Back-pressure: reports make room. Each record has its time limit, so this ends.
            _ = unsafe rd_kafka_poll(handle.pointer, 100)
            unserved = 0
            try log.check()
        }
        list.given()
        hasMore = true
        unsafe deliveries.pointee.pending &+= 1
        unsafe totals.pointee.pendingRecords &+= 1
        unsafe totals.pointee.pendingBytes &+= count
        unserved &+= 1
        if unserved >= Self.servedEach {
            unserved = 0
            handle.serve()
        }
    }

    /// Waits for the first record of a partition alone.
    ///
    /// Of a new producer's first two batches under way, a broker that just became the leader can refuse the first and take the
    /// second, as it knows of none before. It calls the first out of order when it comes again, and librdkafka counts it as
    /// written: it would be lost without a word.
    @inline(never)
    @unsafe private func prove(_ deliveries: UnsafeMutablePointer<PartitionDeliveries>) throws(LogError) {
        while unsafe !deliveries.pointee.isProven && deliveries.pointee.pending > 0 {
            _ = unsafe rd_kafka_poll(handle.pointer, 10)
            try log.check()
        }
        // Without a broker the next ones would each wait as long. A record that was refused is the flush's to tell.
        if unsafe totals.pointee.first?.code.isTransient == true { try throwFailures() }
    }

    @inline(__always)
    @unsafe private func hand(
        _ target: ProducerTopic, _ deliveries: UnsafeMutablePointer<PartitionDeliveries>, _ timestamp: Int64,
        _ key: RawSpan?, _ value: RawSpan?, _ headers: OpaquePointer?
    ) -> rd_kafka_resp_err_t {
        unsafe withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) { arguments in
            unsafe arguments[0].vtype = RD_KAFKA_VTYPE_RKT
            unsafe arguments[0].u.rkt = target.topic.pointer
            unsafe arguments[1].vtype = RD_KAFKA_VTYPE_PARTITION
            unsafe arguments[1].u.i32 = deliveries.pointee.partition
            unsafe arguments[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS
            unsafe arguments[2].u.i = RD_KAFKA_MSG_F_COPY
            unsafe arguments[3].vtype = RD_KAFKA_VTYPE_TIMESTAMP
            unsafe arguments[3].u.i64 = timestamp
            unsafe arguments[4].vtype = RD_KAFKA_VTYPE_OPAQUE
            unsafe arguments[4].u.ptr = UnsafeMutableRawPointer(deliveries)
            var count = 5
            if let key {
                unsafe arguments[count].vtype = RD_KAFKA_VTYPE_KEY
                unsafe arguments[count].u.mem = bytes(key)
                count += 1
            }
            if let value {
                unsafe arguments[count].vtype = RD_KAFKA_VTYPE_VALUE
                unsafe arguments[count].u.mem = bytes(value)
                count += 1
            }
            if let headers = unsafe headers {
                unsafe arguments[count].vtype = RD_KAFKA_VTYPE_HEADERS
                unsafe arguments[count].u.headers = headers
                count += 1
            }
            guard
                let error = unsafe rd_kafka_produceva(
                    handle.pointer, UnsafePointer(arguments.baseAddress), count)
            else { return RD_KAFKA_RESP_ERR_NO_ERROR }
            let code = unsafe rd_kafka_error_code(error)
            unsafe rd_kafka_error_destroy(error)
            return code
        }
    }

    // The bytes are copied before the caller's views end. No bytes are told from null by their pointer.
    @inline(__always)
    @unsafe private func bytes(_ span: RawSpan) -> rd_kafka_vu_s.__Unnamed_union_u.__Unnamed_struct_mem {
        unsafe span.withUnsafeBytes { bytes in
            unsafe .init(
                ptr: UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? empty, size: bytes.count)
        }
    }

    @inline(never)
    private func refused(_ code: rd_kafka_resp_err_t, _ topic: String, _ partition: Int32, _ size: Int) -> LogError {
        if code == RD_KAFKA_RESP_ERR__FATAL, let fatal = handle.fatalError { return fatal }
        return handle.error(code, "a record of \(size) bytes was refused", topic: topic, partition: partition)
    }

    // MARK: Flush

    func push() {
        guard hasMore, unsafe totals.pointee.pendingRecords > 0 else { return }
        hasMore = false
        // While this waits, librdkafka's threads don't linger.
        _ = unsafe rd_kafka_flush(handle.pointer, 1)
        unserved = 0
    }

    var pendingBytes: Int {
        handle.serve()
        return unsafe totals.pointee.pendingBytes
    }

    func flush() throws(LogError) {
        try check()
        while unsafe totals.pointee.pendingRecords > 0 {
            _ = unsafe rd_kafka_flush(handle.pointer, 200)
            try log.check()
        }
        unserved = 0
        if raised > 0 {
            log.countRaised(raised, producer: name)
            raised = 0
        }
        try throwFailures()
    }

    private func throwFailures() throws(LogError) {
        guard let first = unsafe totals.pointee.first else { return }
        let count = unsafe totals.pointee.failures
        unsafe totals.pointee.first = nil
        unsafe totals.pointee.failures = 0
        if let fatal = handle.fatalError { throw fatal }
        let more = count > 1 ? "; so were \(count - 1) more" : ""
        throw handle.error(
            first.code, "a record was not written: \(first.code.text)\(more)", topic: topics[first.topic].topic.name,
            partition: first.partition)
    }

    func lastOffset(topic: Int, partition: Int32) -> Int64 {
        topics.indices.contains(topic) ? topics[topic].lastOffset(partition) : -1
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        if unsafe totals.pointee.pendingRecords > 0 { _ = unsafe rd_kafka_flush(handle.pointer, 5000) }
        // What is still under way is reported as purged, so that nothing points here any more.
        while unsafe totals.pointee.pendingRecords > 0 {
            _ = unsafe rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            _ = unsafe rd_kafka_flush(handle.pointer, 100)
        }
        topics = []
    }

    private func check() throws(LogError) {
        try log.check()
        if isClosed { throw LogError(.closed, "the producer \(name) is closed") }
    }

    // MARK: Transactions

    func beginTransaction() throws(LogError) { throw noTransaction }

    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 { throw noTransaction }

    func abortTransaction() throws(LogError) { throw noTransaction }

    private var noTransaction: LogError { LogError(.invalidRequest, "a producer without a transactional id") }
}
