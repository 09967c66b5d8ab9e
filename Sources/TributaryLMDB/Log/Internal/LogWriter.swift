internal import TributaryCore

/// Something that collects records and lets the writer take them when their time is up.
protocol Lingering: AnyObject, Sendable {
    /// Submits what was collected; false if its thread is in the middle of a send and will do it itself.
    func submitCollected() -> Bool
}

/// The one thread of a process that writes records: all sets that wait are written in one LMDB transaction.
final class LogWriter: Sendable {
    let store: LogStore

    private struct Queue {
        var sets: [WriteSet] = []
        var lingering: [(producer: any Lingering, due: Int64)] = []
        /// Sets are taken: from the start of the thread until it ends.
        var isOpen = false
        var stopping = false
    }
    private let queue = Guarded(Queue())

    // Held while the thread is started or waited for, so that there is never more than one.
    private struct Life {
        var users = 0
        var thread: OSThread?
    }
    private let life = Guarded(Life())
    private let word = FutexWord()

    init(_ store: LogStore) { self.store = store }

    /// Counts one more user; the thread runs as long as there are any.
    func retain() throws(LogError) {
        let started = life.withLock { life -> Bool in
            if life.thread == nil {
                queue.withLock { queue in
                    queue.stopping = false
                    queue.isOpen = true
                }
                life.thread = OSThread("tributary-log") { [self] in run() }
                guard life.thread != nil else { return false }
            }
            life.users += 1
            return true
        }
        if !started { throw LogError(.io, "the system refused a thread for the log's writer") }
    }

    /// Counts one user less; the last one waits until everything handed over is written.
    func release() {
        life.withLock { life in
            life.users -= 1
            guard life.users == 0, let thread = life.thread.take() else { return }
            queue.withLock { $0.stopping = true }
            word.announce()
            thread.join()
        }
    }

    /// Hands over a set.
    ///
    /// Whoever waits for it is told by its own word.
    func submit(_ set: WriteSet) {
        let taken = queue.withLock { queue -> Bool in
            guard queue.isOpen else { return false }
            queue.sets.append(set)
            return true
        }
        if taken {
            word.announce()
        } else {
            set.failure = LogError(.closed, "the log is closed")
            set.finish()
        }
    }

    /// How many sets were handed over and not yet taken.
    var waiting: Int { queue.withLock { $0.sets.count } }

    /// Asks for ``Lingering/submitCollected()`` at a time.
    func linger(_ producer: any Lingering, until due: Int64) {
        queue.withLock { $0.lingering.append((producer, due)) }
        word.announce()
    }

    private func run() {
        var writing = GroupWriter(store)
        while true {
            let seen = word.now
            let now = MonotonicClock.nanoseconds
            let (sets, due, next, ends) = queue.withLock { queue in
                let sets = queue.sets
                queue.sets.removeAll()
                let everything = queue.stopping
                let due = queue.lingering.filter { everything || $0.due <= now }.map(\.producer)
                if !due.isEmpty { queue.lingering.removeAll { everything || $0.due <= now } }
                let ends = queue.stopping && sets.isEmpty && due.isEmpty
                if ends { queue.isOpen = false }
                return (sets, due, queue.lingering.map(\.due).min(), ends)
            }
            if !sets.isEmpty { writing.write(sets) }
            for producer in due where !producer.submitCollected() { linger(producer, until: now + 1_000_000) }
            if !sets.isEmpty || !due.isEmpty { continue }
            if ends { break }
            word.wait(seen, nanoseconds: next.map { max($0 - now, 1) } ?? -1)
        }
    }
}
