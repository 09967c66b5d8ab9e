internal import Synchronization
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
        var users = 0
        var thread: LogThread?
        var stopping = false
    }
    private let queue = Mutex(Queue())
    private let word = FutexWord()

    init(_ store: LogStore) { self.store = store }

    /// Counts one more user; the thread runs as long as there are any.
    func retain() throws(LogError) {
        let started = queue.withLock { queue -> Bool in
            queue.users += 1
            if queue.thread == nil {
                queue.stopping = false
                queue.thread = LogThread(name: "tributary-log") { [self] in run() }
                if queue.thread == nil { queue.users -= 1 }
            }
            return queue.thread != nil
        }
        if !started { throw LogError(.io, "the system refused a thread for the log's writer") }
    }

    /// Counts one user less; the last one waits until everything handed over is written.
    func release() {
        let thread = queue.withLock { queue -> LogThread? in
            queue.users -= 1
            guard queue.users == 0 else { return nil }
            queue.stopping = true
            return queue.thread.take()
        }
        guard let thread else { return }
        word.announce()
        thread.join()
    }

    /// Hands over a set.
    ///
    /// Whoever waits for it is told by its own word.
    func submit(_ set: WriteSet) {
        let taken = queue.withLock { queue -> Bool in
            guard queue.thread != nil else { return false }
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

    /// Asks for ``Lingering/submitCollected()`` at a time.
    func linger(_ producer: any Lingering, until due: Int64) {
        queue.withLock { $0.lingering.append((producer, due)) }
        word.announce()
    }

    private func run() {
        var writing = GroupWriter(store)
        while true {
            let seen = word.now
            let now = monotonicNanoseconds()
            let (sets, due, next, stopping) = queue.withLock { queue in
                let sets = queue.sets
                queue.sets.removeAll()
                let everything = queue.stopping
                let due = queue.lingering.filter { everything || $0.due <= now }.map(\.producer)
                if !due.isEmpty { queue.lingering.removeAll { everything || $0.due <= now } }
                return (sets, due, queue.lingering.map(\.due).min(), queue.stopping)
            }
            if !sets.isEmpty { writing.write(sets) }
            for producer in due where !producer.submitCollected() { linger(producer, until: now + 1_000_000) }
            if !sets.isEmpty || !due.isEmpty { continue }
            if stopping { break }
            word.wait(seen, nanoseconds: next.map { max($0 - now, 1) } ?? -1)
        }
    }
}
