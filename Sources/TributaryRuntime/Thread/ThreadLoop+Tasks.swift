internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// How tasks come to a thread and go from it.
extension ThreadLoop {
    /// These tasks are this thread's.
    func assign(_ items: [TopicPlan.Task]) throws {
        for item in items { try handle(.assigned, item.number) }
    }

    /// These tasks go to another member: commits them first.
    func revoke(_ numbers: Set<Int>) throws {
        try Lineage.bound(to: assembly.box) {
            for number in owned where numbers.contains(number) { try handle(.revoked, number) }
        }
    }

    /// These tasks are another's already: what they did since the last commit can't be committed.
    func lose(_ numbers: Set<Int>) throws {
        let lost = owned.filter { numbers.contains($0) }
        guard !lost.isEmpty else { return }
        for number in lost { try handle(.lost, number) }
        // Tasks of a thread share its transaction.
        if isExactlyOnce && collector.isOpen { throw TasksLost(numbers: lost) }
    }

    /// Runs the tasks whose state is restored by now.
    func takeRestored() throws {
        let outcomes = restores.takeDone()
        guard !outcomes.isEmpty else { return }
        for outcome in outcomes {
            let restored = try outcome.result.get()
            if try !handle(.restored, outcome.number, restored) { outcome.discard() }
        }
        thread.publish(readers)
        tellIfAllRun()
    }

    /// The numbers of the tasks that are this thread's, in order.
    var owned: [Int] { lives.keys.filter { lives[$0]?.state != .closed }.sorted() }

    /// Whether all tasks run.
    var runsAll: Bool { lives.values.allSatisfy { $0.state == .running || $0.state == .closed } }

    // Returns whether there was anything to do.
    @discardableResult
    private func handle(
        _ event: TaskLife.Event, _ number: Int, _ restored: RestoreThread.Restored? = nil
    ) throws -> Bool {
        guard let item = context.plan.task(number) else { return false }
        let actions = lives[number, default: TaskLife()].handle(event)
        for action in actions {
            switch action {
            case .restore: try restores.add(item)
            case .cancelRestore: restores.cancel(number)
            case .run: if let restored { try run(item, restored) }
            case .commit:
                do { try commit(force: true) } catch {
                    try handle(.aborted, number)
                    throw error
                }
                try handle(.committed, number)
            case .close:
                guard let item = running.first(where: { $0.number == number }) else { break }
                close(item)
                context.metrics.remove(labelled: item.metrics.labels)
                thread.publish(readers)
            }
        }
        return !actions.isEmpty
    }

    private func run(_ item: TopicPlan.Task, _ restored: RestoreThread.Restored) throws {
        let parts = context.topology.subTopologies.filter { $0.id == item.subTopology }
        let task = try assembly.makeTask(parts, restored.state)
        task.globals = globals
        task.wakeUp = { [thread] in thread.wake() }
        let running = note(task, item.number)
        try task.within(.start) { try assembly.start(task, at: restored.start) }
        try follow(running)
    }

    /// Makes the global tables, which have all records that there are when the first task begins.
    func startGlobalTables() throws {
        var configuration = context.configuration
        configuration.stateDirtyBytes = max(
            configuration.stateDirtyBytes / max(context.plan.tasks.count, 1), 1 << 20)
        let tables = GlobalTables(
            context.topology, log: context.log, configuration: configuration, engines: context.engines,
            thread: thread.index, isStopping: { [thread] in thread.isStopping })
        guard let task = try tables.start(assembly) else { return }
        globals = task
        try follow(note(task, -1))
        thread.publish(readers)
    }

    private func note(_ task: StreamTask, _ number: Int) -> RunningTask {
        task.times = times
        let metrics = TaskMetrics(
            context.metrics, task, clientID: context.configuration.applicationID, thread: thread.index)
        let item = RunningTask(number, task, metrics)
        running.insert(item, at: running.firstIndex { $0.number > number } ?? running.count)
        return item
    }

    // Has the consumer read a task's partitions.
    private func follow(_ running: RunningTask) throws {
        let task = running.task
        running.metrics.watch(task.queues)
        for queue in task.queues {
            let number = try consumer.assign(queue.partition, from: queue.nextOffset)
            queue.assignment = number
            while assignments.count <= number { assignments.append(nil) }
            assignments[number] = Assignment(item: running, queue: queue)
        }
        readers[task.taskID] = task.stores.engines.persistent?.makeCommittedReader()
        // Processors may have written, forwarded or asked for punctuations, and time from before a restart may have made some due.
        activate(running)
    }

    /// Takes a task out; what it hasn't committed is given up.
    func close(_ item: RunningTask) {
        forget(item)
        for queue in item.task.queues {
            consumer.unassign(queue.assignment)
            if queue.assignment < assignments.count { assignments[queue.assignment] = nil }
        }
        item.withdraw(from: thread)
        readers[item.task.taskID] = nil
        item.task.close()
    }

    /// Tells the application once that all tasks run.
    func tellIfAllRun() {
        guard !hasTold, runsAll else { return }
        hasTold = true
        context.onRunning()
    }
}

/// Tasks went to another member before what they had done was committed, and with it what others had done in the same transaction.
struct TasksLost: Error, CustomStringConvertible {
    let numbers: [Int]

    var description: String {
        "tasks went to another member of the group: \(numbers.map(String.init).joined(separator: ", "))"
    }
}
