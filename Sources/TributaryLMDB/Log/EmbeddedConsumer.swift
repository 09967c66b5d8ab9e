internal import Synchronization
internal import TributaryCore

/// A reader of an embedded log.
///
/// A batch is copied out of the file once, in a read transaction that ends at once. A reader that has nothing to read sleeps
/// on the log's shared page until any process commits.
@safe final class EmbeddedConsumer: LogConsumer {
    private let handle: LogHandle
    private let name: String
    private let batchBytes: Int
    private let pool = BatchPool()
    private let state: Owned<ConsumerState>
    private let woken = Atomic<Bool>(false)

    init(_ handle: LogHandle, _ configuration: ConsumerConfiguration) throws(LogError) {
        self.handle = handle
        name = configuration.clientID
        batchBytes = max(configuration.maximumBatchBytes, 1)
        let environment = handle.core.environment
        var reader = try translating { () throws(LMDBError) in try environment.read() }
        reader.reset()
        state = Owned(ConsumerState(reader))
    }

    // MARK: Assignment

    func assign(_ partition: TopicPartition, from offset: Int64) throws(LogError) -> Int {
        try check()
        guard let row = try handle.core.store.topic(partition.topic), partition.partition >= 0,
            partition.partition < row.partitions
        else {
            throw LogError(
                .unknownTopic, "no such partition", topic: partition.topic, partition: partition.partition)
        }
        let end = try handle.core.store.watermarks(partition).high
        return state.value.add(
            Assignment(
                name: partition, topic: row.id, isWhole: try handle.core.store.isWhole(row, topic: partition.topic),
                position: offset, knownEnd: end))
    }

    func unassign(_ assignment: Int) { state.value.change(assignment) { $0.isActive = false } }

    func pause(_ assignment: Int) { state.value.change(assignment) { $0.isPaused = true } }

    func resume(_ assignment: Int) { state.value.change(assignment) { $0.isPaused = false } }

    func seek(_ assignment: Int, to offset: Int64) {
        state.value.change(assignment) {
            $0.position = offset
            $0.seen = nil
        }
    }

    func position(_ assignment: Int) -> Int64 { state.value.assignment(assignment)?.position ?? -1 }

    func knownEnd(_ assignment: Int) -> Int64 { state.value.assignment(assignment)?.knownEnd ?? -1 }

    /// How often a partition was looked at.
    var looks: Int { state.value.looks }

    // MARK: Reading

    func poll(timeout milliseconds: Int64) throws(LogError) -> RecordBatch? {
        let word = handle.core.wakePage.word
        var deadline: Int64?
        while true {
            // The word first: what changes after this line ends the wait below at once.
            let seen = word.now
            if woken.exchange(false, ordering: .acquiring) { return nil }
            try check()
            if let batch = try readNext() { return batch }
            guard milliseconds != 0 else { return nil }
            // Once a second without being woken, should a process have died between its commit and the announcement.
            var wait: Int64 = 1_000_000_000
            if milliseconds > 0 {
                let now = MonotonicClock.nanoseconds
                let end = deadline ?? now &+ min(milliseconds, 1 << 40) &* 1_000_000
                deadline = end
                if now >= end { return nil }
                wait = min(wait, end - now)
            }
            word.wait(seen, nanoseconds: wait)
        }
    }

    func wake() {
        woken.store(true, ordering: .releasing)
        handle.core.wakePage.word.announce()
    }

    func close() { state.value.close() }

    private func check() throws(LogError) {
        try handle.check()
        if state.value.isClosed { throw LogError(.closed, "the consumer \(name) is closed") }
    }

    private func readNext() throws(LogError) -> RecordBatch? {
        guard state.value.count > 0 else { return nil }
        let page = handle.core.wakePage
        let now = MonotonicClock.nanoseconds
        let all = page.count(0)
        if state.value.seenByAll != all || now - state.value.lookedAtAll >= 1_000_000_000 {
            state.value.seenByAll = all
            state.value.lookedAtAll = now
            state.value.forgetEnds()
        }
        var progress = true
        while progress {
            // Again if a position went on over offsets without records: there may be some behind them.
            progress = false
            for _ in 0..<state.value.count {
                let index = state.value.turn()
                guard state.value.mayHaveRecords(index, page), let assignment = state.value.assignment(index) else {
                    continue
                }
                // The counter first: what is written after this line is seen the next time.
                let seen = page.count(assignment.place)
                guard var gathered = try gatherShortly(index, assignment) else {
                    state.value.change(index) { $0.seen = seen }
                    continue
                }
                // The bytes are copied and the read transaction is over: the file may move on while they are looked at.
                if let batch = try decode(index, assignment, &gathered) { return batch }
                progress = true
            }
        }
        return nil
    }

    private func gatherShortly(_ index: Int, _ assignment: Assignment) throws(LogError) -> GatheredBatches? {
        state.value.looks &+= 1
        try translating { () throws(LMDBError) in try state.value.reader.renew() }
        defer { state.value.reader.reset() }
        return try gather(index, assignment)
    }

    private func gather(_ index: Int, _ assignment: Assignment) throws(LogError) -> GatheredBatches? {
        let databases = handle.core.databases
        do throws(LMDBError) {
            guard let row = try partitionRow(state.value.reader, databases, assignment.topic, assignment.name.partition)
            else {
                throw LMDBError.gone
            }
            state.value.change(index) { $0.knownEnd = row.nextOffset }
            if assignment.position < row.startOffset || assignment.position > row.nextOffset {
                throw LMDBError.outOfRange
            }
            guard assignment.position < row.nextOffset else {
                try checkEnd(state.value.reader, assignment)
                return nil
            }
            var gathered = GatheredBatches(pool, end: row.nextOffset, isWhole: assignment.isWhole)
            do throws(LMDBError) {
                try gathered.fill(state.value.reader, databases.records, assignment)
            } catch {
                unsafe pool.give(gathered.memory)
                throw error
            }
            return gathered
        } catch {
            if error.isGone {
                throw LogError(
                    .unknownTopic, "the topic was deleted", topic: assignment.name.topic,
                    partition: assignment.name.partition)
            }
            if error.isOutOfRange {
                throw LogError(
                    .offsetOutOfRange, "the partition doesn't hold this offset", topic: assignment.name.topic,
                    partition: assignment.name.partition, offset: assignment.position)
            }
            throw LogError(error).at(assignment.name, assignment.position)
        }
    }

    /// At the end of a partition there is nothing more; else its row is an old or a damaged one.
    private func checkEnd(
        _ reader: borrowing ReadTransaction, _ assignment: Assignment
    ) throws(LMDBError) {
        let cursor = try reader.cursor(handle.core.databases.records)
        var key = LogKey()
        key.record(assignment.topic, assignment.name.partition, assignment.position)
        guard let entry = try cursor.seek(key.bytes) else { return }
        if baseOffset(entry.key, assignment.topic, assignment.name.partition) != nil {
            throw handle.core.environment.malformed("a partition goes on behind its end")
        }
    }

    /// Makes a batch of gathered bytes; nil if all their records lie before the position, which then goes on.
    private func decode(
        _ index: Int, _ assignment: Assignment, _ gathered: inout GatheredBatches
    ) throws(LogError) -> RecordBatch? {
        let result = gathered.decode(from: assignment.position, limit: batchBytes)
        if let fault = result.fault, gathered.slotCount == 0 {
            unsafe pool.give(gathered.memory)
            throw LogError(
                fault == .version ? .unknownFormat : .corrupt, fault.rawValue, topic: assignment.name.topic,
                partition: assignment.name.partition, offset: max(result.faultOffset, assignment.position),
                resumeOffset: try? handle.core.store.batchStart(after: result.faultOffset, assignment))
        }
        let next = result.nextOffset
        state.value.change(index) { $0.position = next }
        guard gathered.slotCount > 0 else {
            unsafe pool.give(gathered.memory)
            return nil
        }
        let memory = gathered.memory
        return unsafe RecordBatch(
            assignment: index, slots: memory.slots, count: gathered.slotCount, nextOffset: next
        ) { [pool] in unsafe pool.give(memory) }
    }
}
