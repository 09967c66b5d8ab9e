internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A writer to an embedded log.
///
/// A record is encoded into a batch of its partition as it is handed over. A transaction's batches stay in memory until
/// ``commitTransaction(offsets:group:)`` has them written at once; so ``lastOffset(topic:partition:)`` knows their offsets
/// after the commit, not after a flush.
@safe final class EmbeddedProducer: LogProducer, Lingering, Sendable {
    // Only under the rules of `Log`: one thread at a time; without transactions also the writer's, under `lock`.
    nonisolated(unsafe) private let state: Owned<ProducerState>
    private let handle: LogHandle
    private let locks: Bool
    private let id: String?
    private let lock = Atomic<Bool>(false)
    private let wanted = Atomic<Bool>(false)
    // The producer's thread has the lock from a hold to its release, so that the writer takes no part of what belongs together.
    nonisolated(unsafe) private var holds = false

    init(_ handle: LogHandle, _ configuration: ProducerConfiguration) throws(LogError) {
        self.handle = handle
        var transaction: WriteSet.Transaction?
        if let id = configuration.transactionalID {
            transaction = WriteSet.Transaction(id: id, epoch: try handle.core.store.beginEpoch(id))
        }
        locks = transaction == nil
        id = configuration.transactionalID
        unsafe state = Owned(ProducerState(handle.core.configuration, transaction, handle.core.store.ages))
    }

    deinit { close() }

    // MARK: Topics

    func number(ofTopic name: String) throws(LogError) -> Int {
        try handle.check()
        guard let row = try handle.core.store.topic(name) else {
            throw LogError(.unknownTopic, "no such topic", topic: name)
        }
        let settings = try TopicSettings(row.settings, topic: name)
        enter()
        defer { leave() }
        return unsafe state.value.number(name, row, settings)
    }

    func partitions(ofTopic number: Int) -> Int32 { unsafe state.value.partitions(number) }

    // MARK: Records

    // Inlined into the protocol's entry point, which else would copy the arguments once more: a third of the time of a send.
    @inline(__always)
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        if locks { enter() }
        defer { if locks { leave() } }
        do throws(LogError) {
            try unsafe state.value.send(record, topic: topic, partition: partition)
        } catch {
            // Without a transaction there is room as soon as what was collected is handed over.
            guard locks, error.code == .transactionFull else { throw error }
            try handle.check()
            submitLocked()
            try unsafe state.value.send(record, topic: topic, partition: partition)
        }
        if unsafe locks && !holds { try afterSend() }
    }

    /// Without transactions: has the records written when there are enough, or when their time is up.
    private func afterSend() throws(LogError) {
        let pending = unsafe state.value.collectedBytes
        if pending >= handle.core.configuration.lingerBytes || wanted.load(ordering: .relaxed) {
            wanted.store(false, ordering: .relaxed)
            try handle.check()
            submitLocked()
            unsafe state.value.reclaim()
            // Back-pressure: never more under way than a few submissions.
            while unsafe state.value.bytesUnderWay > 16 * handle.core.configuration.lingerBytes {
                unsafe state.value.firstUnderWay?.wait()
                unsafe state.value.reclaim()
            }
        } else if unsafe !state.value.isLingering {
            try handle.check()
            unsafe state.value.isLingering = true
            let linger = handle.core.configuration.linger.milliseconds * 1_000_000
            handle.core.writer.linger(self, until: MonotonicClock.nanoseconds + linger)
        }
    }

    func hold() {
        guard locks else { return }
        enter()
        unsafe holds = true
    }

    func release() throws(LogError) {
        guard unsafe holds else { return }
        unsafe holds = false
        defer { leave() }
        if unsafe state.value.collectedBytes > 0 { try afterSend() }
    }

    private func submitLocked() {
        guard let set = unsafe state.value.takeCollected() else { return }
        unsafe state.value.isUnderWay(set)
        handle.core.writer.submit(set)
    }

    func submitCollected() -> Bool {
        guard !lock.exchange(true, ordering: .acquiring) else {
            wanted.store(true, ordering: .relaxed)
            return false
        }
        defer { lock.store(false, ordering: .releasing) }
        unsafe state.value.isLingering = false
        submitLocked()
        return true
    }

    private func enter() {
        if unsafe holds { return }
        while lock.exchange(true, ordering: .acquiring) { sched_yield() }
    }

    private func leave() {
        if unsafe !holds { lock.store(false, ordering: .releasing) }
    }

    var pendingBytes: Int {
        enter()
        defer { leave() }
        unsafe state.value.reclaim()
        return unsafe state.value.collectedBytes + state.value.bytesUnderWay
    }

    func flush() throws(LogError) {
        try handle.check()
        guard locks else { return }  // a transaction's records wait for its commit
        enter()
        // Whoever waits for all says that it is whole.
        unsafe holds = false
        submitLocked()
        leave()
        // The sets under way are this thread's alone to wait for; the writer's thread only adds to them.
        while true {
            enter()
            unsafe state.value.reclaim()
            let set = unsafe state.value.firstUnderWay
            leave()
            guard let set else { break }
            set.wait()
        }
        enter()
        let failure = unsafe state.value.takeFailure()
        leave()
        if let failure { throw failure }
    }

    func lastOffset(topic: Int, partition: Int32) -> Int64 {
        enter()
        defer { leave() }
        return unsafe state.value.lastOffset(topic, partition)
    }

    // MARK: Transactions

    func beginTransaction() throws(LogError) {
        try handle.check()
        try checkTransactional()
        try unsafe state.value.begin()
    }

    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 {
        try handle.check()
        try checkTransactional()
        let name = try handle.core.store.groupName(of: group, for: offsets)
        let doubtful = unsafe state.value.doubtfulCommit
        var happened = false
        if doubtful != 0 {
            let row = try handle.core.store.commitRow(id)
            happened = unsafe state.value.isOwn(row, doubtful)
        }
        let set = try unsafe state.value.commitSet(offsets, name)
        if happened {
            // The id's row is this producer's own: nobody else can have put the number there.
            set.commit = doubtful
            unsafe state.value.finished(set)
            return doubtful
        }
        handle.core.writer.submit(set)
        set.wait()
        if let failed = set.failure {
            let failure = unsafe state.value.named(failed, set)
            // The transaction stays open: the commit may be tried again, or given up.
            unsafe state.value.keep(set)
            throw failure
        }
        unsafe state.value.finished(set)
        return set.commit
    }

    // Without transactions the state is also the writer's: not even a look at it without the lock.
    private func checkTransactional() throws(LogError) {
        if locks { throw LogError(.invalidRequest, "the producer has no transactional id") }
    }

    func abortTransaction() throws(LogError) {
        try checkTransactional()
        try unsafe state.value.abort()
    }

    func close() {
        enter()
        defer { leave() }
        // Half of what belongs together is worse than nothing: what was not written is done again.
        if unsafe locks && !holds { submitLocked() }
        unsafe holds = false
        unsafe state.value.drop()
    }
}
