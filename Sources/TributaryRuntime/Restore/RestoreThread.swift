internal import TributaryCore

/// Opens and restores the state of a stream thread's tasks, one after another, while the thread processes others.
///
/// Its methods may be called from any thread.
final class RestoreThread: Sendable {
    /// A task's state at the end of its changelogs, and where its sources begin.
    struct Restored {
        let state: TaskState
        let start: TaskStart
    }

    /// What became of one task.
    struct Outcome {
        let number: Int
        let result: Result<Restored, any Error>

        /// Gives up what was restored.
        func discard() { if case .success(let restored) = result { restored.state.close() } }
    }

    private struct State {
        var waiting: [TopicPlan.Task] = []
        var current: Int?
        var cancelled = false
        var done: [Outcome] = []
        var isEnding = false
        var isRunning = false
    }

    private let name: String
    private let monitor = Monitor(State())
    private let work: @Sendable (TopicPlan.Task, _ isCancelled: @escaping @Sendable () -> Bool) throws -> Restored
    private let wake: @Sendable () -> Void

    /// Makes a restore thread; it starts with the first task.
    ///
    /// - Parameters:
    ///   - work: restores one task, on this thread; ends with an error soon after it was cancelled.
    ///   - wake: called when a task is done.
    init(
        name: String, wake: @escaping @Sendable () -> Void,
        work: @escaping @Sendable (TopicPlan.Task, _ isCancelled: @escaping @Sendable () -> Bool) throws -> Restored
    ) {
        self.name = name
        self.wake = wake
        self.work = work
    }

    /// Restores a task when those before it are done.
    func add(_ task: TopicPlan.Task) throws(LogError) {
        let mustStart = monitor.change { state in
            state.waiting.append(task)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustStart else { return }
        let status = OSThread.start(name, stack: 8 << 20) { [self] in run() }
        guard status != 0 else { return }
        monitor.change { $0.isRunning = false }
        throw LogError(.io, "the system gave no thread to restore state")
    }

    /// Gives up a task that isn't done yet, and what was restored of it.
    func cancel(_ number: Int) {
        let given = monitor.change { state -> [Outcome] in
            state.waiting.removeAll { $0.number == number }
            if state.current == number { state.cancelled = true }
            defer { state.done.removeAll { $0.number == number } }
            return state.done.filter { $0.number == number }
        }
        for outcome in given { outcome.discard() }
    }

    /// What was done since the last call.
    func takeDone() -> [Outcome] {
        monitor.withLock { state in
            if state.done.isEmpty { return [] }
            defer { state.done = [] }
            return state.done
        }
    }

    /// Gives up everything, and waits until nothing is used any more.
    func end() {
        monitor.change { state in
            state.isEnding = true
            state.waiting = []
        }
        _ = monitor.wait(milliseconds: nil) { $0.isRunning ? nil : true }
        for outcome in takeDone() { outcome.discard() }
    }

    private func run() {
        while let task = next() {
            let result = Result { try work(task) { [monitor] in monitor.withLock { $0.isEnding || $0.cancelled } } }
            let isWanted = monitor.change { state in
                defer {
                    state.current = nil
                    state.cancelled = false
                }
                guard !state.cancelled && !state.isEnding else { return false }
                state.done.append(Outcome(number: task.number, result: result))
                return true
            }
            if isWanted { wake() } else { Outcome(number: task.number, result: result).discard() }
        }
    }

    private func next() -> TopicPlan.Task? {
        monitor.change { state in
            guard !state.isEnding, !state.waiting.isEmpty else {
                state.isRunning = false
                return nil
            }
            let task = state.waiting.removeFirst()
            state.current = task.number
            return task
        }
    }
}
