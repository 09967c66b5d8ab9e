internal import Synchronization
internal import TributaryCore

/// Retention, compaction and the removal of deleted topics, on a thread of its own.
///
/// None of it holds up a commit for more than one bounded transaction. One process of a log does it at a time.
final class Maintenance: Sendable {
    private let store: LogStore
    private let lockPath: String
    private let word = FutexWord()

    private struct State {
        var users = 0
        var thread: OSThread?
    }
    private let state = Guarded(State())
    private let stopping = Atomic<Bool>(false)

    init(_ store: LogStore, directory: String) {
        self.store = store
        lockPath = directory + "/maintenance.lock"
    }

    /// Counts one more user; the thread runs as long as there are any.
    func retain() {
        guard store.configuration.maintenanceInterval > .zero else { return }
        state.withLock { state in
            state.users += 1
            guard state.thread == nil else { return }
            stopping.store(false, ordering: .relaxed)
            // Without a thread the log works, and grows; the next open tries again.
            state.thread = OSThread("tributary-clean") { [self] in run() }
        }
    }

    /// Counts one user less; the last one waits for the piece of work at hand.
    func release() {
        guard store.configuration.maintenanceInterval > .zero else { return }
        state.withLock { state in
            state.users -= 1
            guard state.users == 0, let thread = state.thread.take() else { return }
            stopping.store(true, ordering: .relaxed)
            word.announce()
            thread.join()
        }
    }

    /// Says who has the lock of maintenance, if that takes longer than work does; again each time that has doubled.
    private func complain(_ said: inout Int64) {
        guard let holder = LockHolder(noteIn: lockPath), let held = holder.milliseconds else { return }
        let patience = max(store.configuration.lockPatience.milliseconds, holder.isStopped ? 0 : 600_000)
        if held < said { said = 0 }  // another holder
        guard held >= patience, held >= said.multipliedSaturated(by: 2) else { return }
        said = held
        store.configuration.logs(
            .warning, "another process keeps the log from being trimmed and compacted",
            [("lock", lockPath), ("holder", "\(holder)")], source: "TributaryLMDB")
    }

    private func run() {
        var said: Int64 = 0
        var due = MonotonicClock.nanoseconds
        while true {
            let seen = word.now
            if stopping.load(ordering: .relaxed) { return }
            due += store.configuration.maintenanceInterval.milliseconds * 1_000_000
            while !stopping.load(ordering: .relaxed) {
                let left = due - MonotonicClock.nanoseconds
                if left <= 0 { break }
                word.wait(seen, nanoseconds: left)
            }
            if stopping.load(ordering: .relaxed) { return }
            do throws(LogError) {
                if let lock = try FileLock.ifFree(lockPath) {
                    try work(all: false)
                    lock.keep()
                    said = 0
                } else {
                    complain(&said)
                }
            } catch {
                store.configuration.logs(
                    .warning, "maintenance of the log failed", [("error", "\(error)")], source: "TributaryLMDB")
            }
        }
    }

    /// Does everything there is to do, however little it is.
    func runNow() throws(LogError) {
        let lock = try FileLock.waiting(
            lockPath, limit: store.configuration.lockTimeout.milliseconds,
            patience: store.configuration.lockPatience.milliseconds, logs: store.configuration.logs)
        defer { lock.keep() }
        try work(all: true)
    }

    private func work(all: Bool) throws(LogError) {
        store.environment.clearDeadReaders()
        try translating { () throws(LMDBError) in try store.finishDeletions() }
        var isFirst = true
        var failure: LogError?
        // Again as long as more than enough comes in meanwhile: what waits for the next time would never be caught up with.
        while true {
            var didCompact = false
            for (name, row) in try store.topics() {
                let settings = try TopicSettings(row.settings, topic: name)
                for partition in 0..<row.partitions {
                    if isStopping && !all { return }
                    // A damaged partition must not keep the others from being trimmed.
                    do throws(LogError) {
                        if settings.deletes { try retain(name, row.id, partition, settings) }
                        if settings.compacts,
                            try compact(name, row.id, partition, settings, all: all, isFirst: isFirst)
                        {
                            didCompact = true
                        }
                    } catch { failure = failure ?? error.at(TopicPartition(name, partition), nil) }
                }
            }
            isFirst = false
            guard didCompact && !all else { break }
        }
        if let failure { throw failure }
    }

    /// Compacts a partition until nothing is left to do, or for now; returns whether anything was done.
    private func compact(
        _ topic: String, _ id: UInt32, _ partition: Int32, _ settings: TopicSettings, all: Bool, isFirst: Bool
    ) throws(LogError) -> Bool {
        let ratio = isFirst ? settings.minimumDirtyRatio : max(settings.minimumDirtyRatio, 0.5)
        var did = false
        while true {
            var compactor = Compactor(store, topic, id, partition, settings) { [stopping = { self.isStopping }] in
                !all && stopping()
            }
            switch try compactor.run(all: all || did, ratio: ratio) {
            case .nothing: return did
            case .done: return true
            case .interrupted: return false
            case .more: did = true
            }
        }
    }

    private var isStopping: Bool { stopping.load(ordering: .relaxed) }

    /// Deletes what is too old or too much.
    private func retain(
        _ topic: String, _ id: UInt32, _ partition: Int32, _ settings: TopicSettings
    ) throws(LogError) {
        guard settings.retentionMilliseconds >= 0 || settings.retentionBytes >= 0 else { return }
        let now = store.configuration.time.wall.milliseconds
        try translating { () throws(LMDBError) in
            if let start = try newStart(id, partition, settings, now) {
                while try store.advanceStart(id, partition, to: start) {}
            }
        }
    }

    /// Where a partition begins once retention is through with it; nil if nothing changes.
    private func newStart(
        _ id: UInt32, _ partition: Int32, _ settings: TopicSettings, _ now: Int64
    ) throws(LMDBError) -> Int64? {
        let transaction = try store.environment.read()
        guard let row = try partitionRow(transaction, store.databases, id, partition) else { return nil }
        let cursor = try transaction.cursor(store.databases.records)
        var key = LogKey()
        key.record(id, partition, 0)
        var bytes = row.bytes
        var start = row.startOffset
        var now = now
        if settings.isRetainedByStreamTime {
            key.partition(id, partition)
            now = try transaction.value(store.databases.times, key.bytes)?.integer(at: 0, as: Int64.self) ?? Int64.min
            key.record(id, partition, 0)
        }
        let oldest = now.subtractingSaturated(settings.retentionMilliseconds)
        var entry = try cursor.seek(key.bytes)
        while let here = entry, let base = baseOffset(here.key, id, partition),
            // What a damaged batch says of its time and end decides nothing: it stays, and what is behind it.
            (try? BatchHeader(checking: here.value, key: base)) != nil,
            let delta = here.value.integer(at: 20, as: UInt32.self),
            let latest = here.value.integer(at: 36, as: Int64.self)
        {
            let size = Int64(here.value.byteCount)
            let isOld = settings.retentionMilliseconds >= 0 && latest < oldest
            let isTooMuch = settings.retentionBytes >= 0 && bytes - size >= settings.retentionBytes
            guard isOld || isTooMuch else { break }
            bytes -= size
            start = base + Int64(delta) + 1
            entry = try cursor.move(.next)
        }
        return start > row.startOffset ? start : nil
    }
}
