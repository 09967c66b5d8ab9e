internal import TributaryCore
internal import TributaryDSL

/// The schedules of one task: which are due, by which clock (Docs/Semantics.md, Processors).
///
/// A binary heap by due time. Which of several with one due time comes first is left to it, and it is made like that of Kafka Streams
/// (a Java `PriorityQueue`), so that it is the same one there and here.
final class PunctuationQueue {
    private struct Schedule {
        let handle: Punctuation
        let interval: Int64
        var due: Int64
        let callback: (Int64) throws -> Void
    }

    private var heap: [Schedule] = []
    // Looked at for every record.
    private let due = Owned(Int64.max)
    var earliest: Int64 { due.value }

    func add(every interval: Int64, firstDue: Int64, _ callback: @escaping (Int64) throws -> Void) -> Punctuation {
        let handle = Punctuation()
        push(Schedule(handle: handle, interval: interval, due: firstDue, callback: callback))
        return handle
    }

    /// Forgets all schedules: their callbacks refer to the task that has them.
    func removeAll() {
        heap = []
        due.value = Int64.max
    }

    /// Calls everything that is due at `now`, in the order of due times, with the time `shown`; missed intervals collapse into one
    /// call.
    func run(at now: Int64, showing shown: Int64) throws -> Bool {
        var ran = false
        while let first = heap.first, first.due <= now {
            var schedule = pop(first)
            if schedule.handle.isCancelled { continue }
            ran = true
            try schedule.callback(shown)
            guard !schedule.handle.isCancelled,
                let next = PunctuationQueue.next(schedule.due, schedule.interval, after: now)
            else { continue }
            schedule.due = next
            push(schedule)
        }
        return ran
    }

    private func push(_ schedule: Schedule) {
        heap.append(schedule)
        var index = heap.count - 1
        while index > 0, heap[(index - 1) / 2].due > schedule.due {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
        due.value = heap.first?.due ?? Int64.max
    }

    private func pop(_ first: Schedule) -> Schedule {
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var index = 0
            while true {
                var child = 2 * index + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, heap[child + 1].due < heap[child].due { child += 1 }
                guard heap[child].due < last.due else { break }
                heap.swapAt(index, child)
                index = child
            }
        }
        due.value = heap.first?.due ?? Int64.max
        return first
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
