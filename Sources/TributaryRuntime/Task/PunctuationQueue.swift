internal import TributaryCore
internal import TributaryDSL

/// The schedules of one task: which are due, by which clock (semantics 3).
final class PunctuationQueue {
    private struct Schedule {
        let handle: Punctuation
        let interval: Int64
        var due: Int64
        let number: Int
        let callback: (Int64) throws -> Void
    }

    private var schedules: [Schedule] = []
    private var next = 0
    // Looked at for every record.
    private let due = Owned(Int64.max)
    var earliest: Int64 { due.value }

    func add(every interval: Int64, firstDue: Int64, _ callback: @escaping (Int64) throws -> Void) -> Punctuation {
        let handle = Punctuation()
        schedules.append(
            Schedule(handle: handle, interval: interval, due: firstDue, number: next, callback: callback))
        next += 1
        due.value = min(due.value, firstDue)
        return handle
    }

    /// Calls everything that is due at `now`, in the order of due times, with the time `shown`; missed intervals collapse into one
    /// call.
    func run(at now: Int64, showing shown: Int64) throws -> Bool {
        guard now >= earliest else { return false }
        var ran = false
        while true {
            schedules.removeAll { $0.handle.isCancelled }
            guard
                let index = schedules.indices.filter({ schedules[$0].due <= now })
                    .min(by: { (schedules[$0].due, schedules[$0].number) < (schedules[$1].due, schedules[$1].number) })
            else { break }
            let due = schedules[index].due
            let interval = schedules[index].interval
            let following = due.addingSaturated(interval)
            schedules[index].due =
                following > now
                ? following
                : due.addingSaturated((now.subtractingSaturated(due) / interval + 1).multipliedSaturated(by: interval))
            // No time comes after the greatest: what is due then was called for the last time.
            if schedules[index].due <= now { schedules[index].handle.cancel() }
            let callback = schedules[index].callback
            ran = true
            try callback(shown)
        }
        due.value = schedules.map(\.due).min() ?? Int64.max
        return ran
    }
}
