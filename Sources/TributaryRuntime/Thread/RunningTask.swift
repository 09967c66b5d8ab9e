internal import TributaryCore

/// A task that runs, with what its thread notes of it; used by the thread.
final class RunningTask {
    let number: Int
    let task: StreamTask
    let metrics: TaskMetrics
    /// Whether it may have something to do in the next round.
    var isActive = false
    /// Whether it has something to commit.
    var isDirty = false
    /// Records known to be in its source partitions and not yet processed.
    var lag: Int64 = 0
    // What the thread's counters have of it.
    private var published = (records: Int64(0), dropped: Int64(0), lag: Int64(0))

    init(_ number: Int, _ task: StreamTask, _ metrics: TaskMetrics) {
        self.number = number
        self.task = task
        self.metrics = metrics
    }

    /// Adds to the thread's counters what the task has counted since the last call.
    func publish(to thread: StreamThread) {
        let now = (records: task.processedRecords, dropped: metrics.publishDropped(task), lag: lag)
        if now != published {
            thread.metrics.processed.add(now.records - published.records)
            thread.metrics.dropped.add(now.dropped - published.dropped)
            thread.metrics.lag.add(now.lag - published.lag)
            published = now
        }
    }

    /// Takes its lag out of the thread's: it is another's now.
    func withdraw(from thread: StreamThread) {
        lag = 0
        publish(to: thread)
    }
}
