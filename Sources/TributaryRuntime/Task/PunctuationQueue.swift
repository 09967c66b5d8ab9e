internal import TributaryCore
internal import TributaryDSL

/// The schedules of one task: which are due, by which clock (Docs/Semantics.md, Processors).
final class PunctuationQueue {
    private struct Schedule {
        let handle: Punctuation
        let interval: Int64
        /// Nil once the next one would lie behind the last time that there is.
        var due: Int64?
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

    /// Forgets all schedules: their callbacks refer to the task that has them.
    func removeAll() {
        schedules = []
        due.value = Int64.max
    }

    /// Calls everything that is due at `now`, in the order of due times, with the time `shown`; missed intervals collapse into one
    /// call.
    func run(at now: Int64, showing shown: Int64) throws -> Bool {
        guard now >= earliest else { return false }
        var ran = false
        while true {
            schedules.removeAll { $0.handle.isCancelled || $0.due == nil }
            var first: (due: Int64, number: Int, index: Int)?
            for (index, schedule) in schedules.enumerated() {
                guard let due = schedule.due, due <= now else { continue }
                if let first, (first.due, first.number) < (due, schedule.number) { continue }
                first = (due, schedule.number, index)
            }
            guard let (due, _, index) = first else { break }
            schedules[index].due = PunctuationQueue.next(due, schedules[index].interval, after: now)
            let callback = schedules[index].callback
            ran = true
            try callback(shown)
        }
        due.value = schedules.compactMap(\.due).min() ?? Int64.max
        return ran
    }

    /// The first time of a schedule behind `now`: missed ones collapse, the phase stays; nil if it is too far away to be a time.
    static func next(_ due: Int64, _ interval: Int64, after now: Int64) -> Int64? {
        let interval = max(interval, 1)
        let missed = now.subtractingSaturated(due) / interval
        let step = missed.addingReportingOverflow(1)
        let whole = step.partialValue.multipliedReportingOverflow(by: interval)
        let next = due.addingReportingOverflow(whole.partialValue)
        return step.overflow || whole.overflow || next.overflow ? nil : next.partialValue
    }
}
