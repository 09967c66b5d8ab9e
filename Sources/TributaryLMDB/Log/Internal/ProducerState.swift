internal import TributaryCore

/// What a producer has collected: one open batch a partition, and full ones.
@safe struct ProducerState: ~Copyable {
    private struct Topic {
        var name: String
        var id: UInt32
        var first: Int
        var partitions: Int32
        var refusesNullKeys: Bool
        var maximumBytes: Int
        var hasStreamTime: Bool
        var greatestAge: Int64
    }

    /// What each send looks at, by topic number.
    private struct Limits: BitwiseCopyable {
        var first: Int
        var maximumBytes: Int
        var partitions: UInt32
        var refusesNullKeys: Bool
    }

    private var topics: [Topic] = []
    private var limits = FlatArray<Limits>(
        repeating: Limits(first: 0, maximumBytes: 0, partitions: 0, refusesNullKeys: false), count: 0)
    /// Whether records are taken: the producer is not closed, and a transaction is open if it needs one.
    private var accepts = false
    private var open = FlatArray<OpenBatch>(repeating: OpenBatch(), count: 0)
    private var lastOffsets = FlatArray<Int64>(repeating: -1, count: 0)
    /// Which entries of `open` have records.
    private var dirty: [Int] = []
    private var places: [(number: Int, topic: UInt32, partition: Int32)] = []
    private var sealed: [SealedBatch] = []
    private var spare: [OpenBatch] = []
    private var underWay: [WriteSet] = []
    private var failure: LogError?
    private var isOpen = false
    private var isClosed = false
    /// The id of the open transaction's commit whose outcome is unknown; 0 if there is none.
    private(set) var doubtfulCommit: Int64 = 0
    private let batchBytes: Int
    private let maximumBytes: Int
    private let transaction: WriteSet.Transaction?
    private let word = FutexWord()
    private let ages: RecordAges

    /// Bytes collected and not handed to the writer.
    private(set) var collectedBytes = 0
    /// Bytes with the writer.
    private(set) var bytesUnderWay = 0
    /// Whether the writer has been told when to come.
    var isLingering = false

    init(_ configuration: EmbeddedLogConfiguration, _ transaction: WriteSet.Transaction?, _ ages: RecordAges) {
        self.ages = ages
        batchBytes = max(configuration.batchBytes, 1024)
        maximumBytes = configuration.maximumTransactionBytes
        self.transaction = transaction
        accepts = transaction == nil
    }

    deinit {
        for index in 0..<open.count { unsafe open[index].base?.deallocate() }
        for batch in spare { unsafe batch.base?.deallocate() }
        for batch in sealed { unsafe batch.batch.base?.deallocate() }
        // Those under way belong to their sets.
    }

    // MARK: Topics

    mutating func number(_ name: String, _ row: TopicRow, _ settings: TopicSettings) -> Int {
        if let known = topics.firstIndex(where: { $0.name == name && $0.id == row.id }) { return known }
        let first = open.count
        let count = first + Int(row.partitions)
        open.grow(to: count, filling: OpenBatch())
        lastOffsets.grow(to: count, filling: -1)
        for partition in 0..<row.partitions { places.append((topics.count, row.id, partition)) }
        topics.append(
            Topic(
                name: name, id: row.id, first: first, partitions: row.partitions,
                refusesNullKeys: settings.compacts, maximumBytes: settings.maximumMessageBytes,
                hasStreamTime: settings.isRetainedByStreamTime, greatestAge: settings.greatestAge))
        limits.grow(
            to: topics.count,
            filling: Limits(
                first: first, maximumBytes: settings.maximumMessageBytes, partitions: UInt32(row.partitions),
                refusesNullKeys: settings.compacts))
        return topics.count - 1
    }

    func partitions(_ number: Int) -> Int32 {
        topics.indices.contains(number) ? topics[number].partitions : 0
    }

    func lastOffset(_ number: Int, _ partition: Int32) -> Int64 {
        guard topics.indices.contains(number), partition >= 0 && partition < topics[number].partitions
        else { return -1 }
        return lastOffsets[topics[number].first + Int(partition)]
    }

    // MARK: Records

    @inline(__always)
    mutating func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        guard UInt(bitPattern: topic) < UInt(bitPattern: limits.count) else {
            throw LogError(.invalidRequest, "no such topic number")
        }
        let limit = limits[topic]
        // Sizes of spans are far below what an addition could overflow.
        let size =
            record.payloadCount &+ record.headers.byteCount &+ record.cell.byteCount &+ record.lineageHeaders.byteCount
            &+ OpenBatch.overhead
        if UInt32(bitPattern: partition) >= limit.partitions || size > limit.maximumBytes
            || size > maximumBytes &- collectedBytes || !accepts || (record.key == nil && limit.refusesNullKeys)
            || !isList(record.headers) || !isList(record.lineageHeaders)
        {
            throw refusal(
                topic, partition, size, nullKey: record.key == nil,
                isMalformed: !isList(record.headers) || !isList(record.lineageHeaders))
        }
        let slot = limit.first &+ Int(partition)
        let taken = open[slot].appendIfRoom(size, record)
        if taken > 0 {
            collectedBytes &+= taken
        } else {
            makeRoom(slot, size)
            let before = open[slot].length
            open[slot].append(gap: 0, record)
            collectedBytes &+= open[slot].length &- before
        }
    }

    @inline(never)
    private func refusal(
        _ topic: Int, _ partition: Int32, _ size: Int, nullKey: Bool, isMalformed: Bool
    ) -> LogError {
        let name = topics[topic].name
        if isClosed { return LogError(.closed, "the producer is closed") }
        if doubtfulCommit != 0 {
            return LogError(
                .outcomeUnknown, "commit \(doubtfulCommit) is in doubt: commit again, or abort", topic: name)
        }
        if transaction != nil && !isOpen { return LogError(.invalidRequest, "no transaction is open") }
        if partition < 0 || partition >= topics[topic].partitions {
            return LogError(.unknownTopic, "no such partition", topic: name, partition: partition)
        }
        if nullKey && topics[topic].refusesNullKeys {
            return LogError(
                .invalidRequest, "a compacted topic takes no record without a key", topic: name, partition: partition)
        }
        if isMalformed {
            return LogError(
                .invalidRequest, "the headers are not an encoded list", topic: name, partition: partition)
        }
        guard size > min(topics[topic].maximumBytes, maximumBytes) else {
            return LogError(
                .transactionFull,
                "\(collectedBytes) bytes wait for their commit, and \(size) more are over the limit of \(maximumBytes)",
                topic: name, partition: partition)
        }
        return LogError(
            .tooLarge, "a record of \(size) bytes is more than the topic or the log takes", topic: name,
            partition: partition)
    }

    /// Whether bytes are an encoded list of headers: what is not would make its whole batch unreadable.
    @inline(__always)
    private func isList(_ bytes: RawSpan) -> Bool { bytes.isEmpty || isWholeList(bytes) }

    @inline(never)
    private func isWholeList(_ bytes: RawSpan) -> Bool { (try? Headers.validate(bytes)) != nil }

    /// Makes room for a record: more memory while the batch is small, or a new batch.
    @inline(never)
    private mutating func makeRoom(_ slot: Int, _ size: Int) {
        if open[slot].count > 0 && open[slot].length + size > batchBytes { seal(slot) }
        if open[slot].count == 0 {
            if unsafe open[slot].base == nil, let reused = spare.popLast() { open[slot] = reused }
            open[slot].clear()
            open[slot].length = BatchFormat.headerSize
            dirty.append(slot)
        }
        if open[slot].length + size > open[slot].capacity {
            let wanted = open[slot].length + size
            // Small at first, since an application has many partitions; the whole batch once it proves busy.
            let target = wanted > batchBytes ? wanted : min(batchBytes, max(wanted, open[slot].capacity * 4, 4096))
            open[slot].grow(target - open[slot].length)
        }
    }

    private mutating func seal(_ slot: Int) {
        open[slot].seal()
        let place = places[slot]
        sealed.append(
            SealedBatch(
                batch: open[slot], topic: place.topic, partition: place.partition, slot: slot,
                hasStreamTime: topics[place.number].hasStreamTime))
        let topic = topics[place.number]
        if topic.greatestAge >= 0 {
            let oldest = min(open[slot].firstTimestamp, open[slot].maxTimestamp)
            ages.look(at: oldest, topic.greatestAge, topic.name, place.partition)
        }
        open[slot] = OpenBatch()
    }

    private mutating func sealAll() {
        for slot in dirty where open[slot].count > 0 { seal(slot) }
        dirty.removeAll(keepingCapacity: true)
    }

    private mutating func takeSealed() -> ([SealedBatch], Int) {
        sealAll()
        let taken = (sealed, collectedBytes)
        sealed = []
        collectedBytes = 0
        return taken
    }

    /// Gives the memory of written batches back to the pool.
    private mutating func reuse(_ batches: [SealedBatch]) {
        for sealed in batches {
            var batch = sealed.batch
            if spare.count < 128 && batch.capacity <= 2 * batchBytes {
                batch.clear()
                spare.append(batch)
            } else {
                unsafe batch.base?.deallocate()
            }
        }
    }

    private mutating func remember(_ set: WriteSet) {
        for batch in set.batches {
            lastOffsets[batch.slot] = batch.baseOffset + Int64(batch.batch.nextDelta) - 1
        }
    }

    // MARK: Without transactions

    mutating func takeCollected() -> WriteSet? {
        let (batches, bytes) = takeSealed()
        guard !batches.isEmpty else { return nil }
        return WriteSet(batches: batches, bytes: bytes, word: word)
    }

    mutating func isUnderWay(_ set: WriteSet) {
        underWay.append(set)
        bytesUnderWay += set.bytes
    }

    var firstUnderWay: WriteSet? { underWay.first }

    /// Takes back what the writer is through with.
    mutating func reclaim() {
        while let set = underWay.first, set.isDone {
            underWay.removeFirst()
            bytesUnderWay -= set.bytes
            if let failed = set.failure { failure = failure ?? named(failed, set) } else { remember(set) }
            reuse(set.takeBatches())
        }
    }

    /// A failure with the topic's name, which the writer doesn't know.
    func named(_ failure: LogError, _ set: WriteSet) -> LogError {
        guard failure.topic == nil, let index = set.refused, set.batches.indices.contains(index) else { return failure }
        let id = set.batches[index].topic
        return LogError(
            failure.code, failure.message, topic: topics.first { $0.id == id }?.name, partition: failure.partition)
    }

    mutating func takeFailure() -> LogError? { failure.take() }

    // MARK: Transactions

    mutating func begin() throws(LogError) {
        guard transaction != nil else { throw LogError(.invalidRequest, "the producer has no transactional id") }
        guard !isOpen else { throw LogError(.invalidRequest, "a transaction is open already") }
        guard !isClosed else { throw LogError(.closed, "the producer is closed") }
        isOpen = true
        accepts = true
        doubtfulCommit = 0
    }

    mutating func commitSet(
        _ offsets: [TopicPartition: CommittedOffset], _ group: String?
    ) throws(LogError) -> WriteSet {
        guard isOpen else { throw LogError(.invalidRequest, "no transaction is open") }
        let (batches, bytes) = takeSealed()
        return WriteSet(
            batches: batches, bytes: bytes, transaction: transaction, offsets: offsets, group: group, word: word)
    }

    /// Whether a commit is the last under this producer's transactional id, which no other has taken over.
    func isOwn(_ row: (epoch: UInt64, commit: Int64)?, _ commit: Int64) -> Bool {
        row?.commit == commit && row?.epoch == transaction?.epoch
    }

    mutating func finished(_ set: WriteSet) {
        isOpen = false
        doubtfulCommit = 0
        accepts = accepts && transaction == nil
        remember(set)
        reuse(set.takeBatches())
    }

    mutating func keep(_ set: WriteSet) {
        if set.failure?.code == .outcomeUnknown {
            // What is sent from now on would not be in the commit that may have happened.
            doubtfulCommit = set.commit
            accepts = false
        }
        sealed = set.takeBatches() + sealed
        collectedBytes += set.bytes
    }

    mutating func abort() throws(LogError) {
        guard isOpen else { throw LogError(.invalidRequest, "no transaction is open") }
        isOpen = false
        doubtfulCommit = 0
        accepts = accepts && transaction == nil
        let (batches, _) = takeSealed()
        reuse(batches)
    }

    mutating func drop() {
        isClosed = true
        accepts = false
        isOpen = false
        accepts = accepts && transaction == nil
        reuse(takeSealed().0)
    }
}
