internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// The loop of a stream thread; lives on that thread.
///
/// After an abort there is another: nothing in memory outlives one.
final class ThreadLoop {
    struct Assignment {
        let item: RunningTask
        let queue: PartitionQueue
    }

    private struct Waker: ConsumerWaker, @unchecked Sendable {
        // `wake` is the one call that a consumer takes from other threads.
        let consumer: any LogConsumer
        func wake() { consumer.wake() }
    }

    let waker: any ConsumerWaker
    let thread: StreamThread
    let context: ThreadContext
    let consumer: any LogConsumer
    let producer: any LogProducer
    let assembly: TaskAssembly
    let committer: Committer
    let restores: RestoreThread
    var collector: RecordCollector { assembly.collector }
    var recorder: LineageRecorder { assembly.recorder }
    var redoing: Redoing
    // The same for the thread that restores.
    let isRedone: Guarded<Bool>
    let deferral: DeferredEncoding
    let batchSpans: BatchSpans?
    let times: RecordTimes
    var lives: [Int: TaskLife] = [:]
    /// The tasks that run, by number.
    var running: [RunningTask] = []
    var tasks: [StreamTask] { running.map(\.task) }
    /// Those that may have something to do: a round looks at no others.
    private var active: [RunningTask] = []
    /// Those that have something to commit.
    private(set) var dirty: [RunningTask] = []
    /// When the first punctuation by the wall clock is due, ms of the monotonic clock.
    private var nextPunctuation = Int64.max
    private var isCommitRequested = false
    var assignments: [Assignment?] = []
    var hasTold = false
    /// The task of the global tables.
    var globals: StreamTask?
    /// Readers of the committed state of the tasks that run, by task.
    var readers: [String: any CommittedReader] = [:]
    /// What a change of placement failed with; ends the loop.
    var failure: (any Error)?
    private var lastExemplar: UInt64 = 0
    var lastCommit: Int64 = 0
    var lastPurge: Int64 = 0
    private var lastLook: Int64 = 0
    // How long the first of the tasks that wait for a partition still does, ms.
    private var idleLeft = Int64.max
    // Settings in ms, for rounds to compare with.
    private let commitInterval: Int64
    private let flushInterval: Int64
    // -1 doesn't wait at all.
    private let idle: Int64
    let isExactlyOnce: Bool

    init(_ thread: StreamThread, _ context: ThreadContext, redoing: Redoing = Redoing()) throws {
        self.thread = thread
        self.redoing = redoing
        isRedone = Guarded(redoing.ends.isEmpty)
        self.context = context
        var configuration = context.configuration
        isExactlyOnce = configuration.guarantee == .exactlyOnce
        commitInterval = configuration.commitInterval.milliseconds
        flushInterval = configuration.stateFlushInterval.milliseconds
        idle = configuration.maximumIdle?.milliseconds ?? -1
        let name = "\(configuration.applicationID)-StreamThread-\(thread.index)"
        consumer = try context.log.makeConsumer(ConsumerConfiguration(clientID: name))
        producer = try context.log.makeProducer(
            ProducerConfiguration(
                clientID: name,
                transactionalID: isExactlyOnce ? "\(configuration.applicationID)-\(thread.index)" : nil))
        let waker = Waker(consumer: consumer)
        self.waker = waker
        configuration.cacheBytes /= max(configuration.threads, 1)
        configuration.stateDirtyBytes = max(
            configuration.stateDirtyBytes / max(context.plan.tasks.count, 1), 1 << 20)
        // What a store without changelog had can't be made again.
        let defers = configuration.defersEncoding && context.topology.stores.values.allSatisfy(\.canBeRestored)
        deferral = defers ? DeferredEncoding(except: redoing.stores) : DeferredEncoding()
        assembly = TaskAssembly(
            context.topology, configuration: configuration, log: context.log, producer: producer,
            sendsCells: configuration.lineage.sendsCells,
            random: configuration.seed.map { FastRandom(seed: $0 &+ UInt64(thread.index)) } ?? .seededBySystem(),
            deferral: deferral)
        committer = Committer(assembly, context.group, configuration)
        batchSpans = BatchSpans(
            assembly.recorder, applicationID: configuration.applicationID, cluster: context.log.clusterID)
        times = RecordTimes(thread.metrics.processTime, context.metrics, configuration.time.monotonic)
        // Under at-least-once nothing is taken back: what was sent stays, and spans are exported at once.
        if isExactlyOnce { assembly.recorder.waitForOutcome() }
        let settings = configuration
        restores = RestoreThread(name: "restore-\(thread.index)", wake: { waker.wake() }) {
            [context, thread, isRedone] item, isCancelled in
            try context.restore(item, settings, thread: thread.index) {
                thread.isStopping && isRedone.withLock { $0 } || isCancelled()
            }
        }
        lastCommit = configuration.time.monotonic.milliseconds
        lastPurge = lastCommit
        lastLook = lastCommit
    }

    // MARK: The loop

    /// Runs tasks until the thread is asked to stop.
    ///
    /// - Throws: what ended it; everything since the last commit never happened then.
    func run(_ items: [TopicPlan.Task]) throws {
        do {
            try begin(items)
            while !thread.isStopping || isRedoing { try round() }
            try end()
        } catch {
            abort()
            throw error
        }
    }

    /// Before the first round.
    func begin(_ items: [TopicPlan.Task]) throws {
        try startGlobalTables()
        try assign(items)
        tellIfAllRun()
    }

    /// Commits what the rounds left, and makes the state durable.
    func end() throws {
        try Lineage.bound(to: assembly.box) { try commit(force: true) }
        publish(running)
        publishStores()
    }

    /// Everything since the last commit never happened.
    private func abort() {
        try? producer.abortTransaction()
        collector.closed()
        recorder.settle(.aborted)
    }

    /// Gives up what isn't committed.
    func close() {
        restores.end()
        for item in running { close(item) }
        recorder.settle(isExactlyOnce ? .aborted : .committed)
        consumer.close()
        producer.close()
    }

    /// Does what there is to do: processes, punctuates, commits, and polls.
    func round() throws {
        for request in thread.takeRequests() { request(self) }
        if let failure { throw failure }
        try deferral.check()
        try takeRestored()
        let isPaused = thread.isPaused
        let didWork = try !isPaused && Lineage.bound(to: assembly.box) { try work() }
        // What punctuations sent, and what came back.
        try collector.endRecord()
        let now = context.configuration.time.monotonic.milliseconds
        let isDue = now - lastCommit >= commitInterval
        if (isDue && !dirty.isEmpty) || isCommitRequested || collector.isFull {
            try Lineage.bound(to: assembly.box) { try commit(force: false) }
            publishStores()
        } else if isDue {
            lastCommit = now
        }
        if now - lastLook >= min(1000, flushInterval) { try lookAtAll(now) }
        if !didWork { producer.push() }
        if isPaused { return thread.waitPaused(milliseconds: min(timeToCommit(now), 100)) }
        try poll(wait: didWork ? 0 : timeToWait(now))
    }

    /// A task may have something to do in the next round.
    func activate(_ item: RunningTask) {
        guard !item.isActive else { return }
        item.isActive = true
        active.append(item)
    }

    /// Notes what a task has left after it did something.
    func note(_ item: RunningTask) {
        if item.task.needsCommit && !item.isDirty {
            item.isDirty = true
            dirty.append(item)
        }
        if item.task.commitRequested { isCommitRequested = true }
        nextPunctuation = min(nextPunctuation, item.task.nextWallClockPunctuation)
    }

    /// What was dirty is committed.
    func committed() {
        isCommitRequested = false
        let before = dirty
        dirty = []
        for item in before {
            item.isDirty = false
            // Nodes that a flush forwards to may ask for punctuations.
            note(item)
        }
        publish(before)
    }

    /// A task is no more.
    func forget(_ item: RunningTask) {
        running.removeAll { $0 === item }
        active.removeAll { $0 === item }
        dirty.removeAll { $0 === item }
    }

    // Also at tasks that do nothing: their state becomes durable in time, and what others know of them is theirs.
    private func lookAtAll(_ now: Int64) throws {
        lastLook = now
        for item in running where !item.isDirty { try item.task.stores.idle() }
        publish(running)
        publishStores()
    }

    // The clocks are looked at once a round, by the tasks that do something in it.
    private func work() throws -> Bool {
        let time = context.configuration.time
        let (wall, monotonic) = (time.wall.milliseconds, time.monotonic.milliseconds)
        let isPunctual = monotonic >= nextPunctuation
        if isPunctual { for item in running where item.task.nextWallClockPunctuation <= monotonic { activate(item) } }
        active.sort { $0.number < $1.number }
        for item in active { item.task.update(wallClock: wall, monotonic: monotonic) }
        for item in dirty where !item.isActive { item.task.update(wallClock: wall, monotonic: monotonic) }
        var didWork = try process()
        for item in active {
            if try item.task.deliverBetweenRecords() { didWork = true }
            // Also what the time from before a restart has made due, which waits for no record.
            if try item.task.punctuateStreamTime() { didWork = true }
            if try item.task.punctuateWallClock() { didWork = true }
            note(item)
        }
        if isPunctual { nextPunctuation = running.lazy.map(\.task.nextWallClockPunctuation).min() ?? Int64.max }
        publish(active)
        active.removeAll { item in
            guard !item.task.hasRecords, !item.task.hasPending else { return false }
            item.isActive = false
            return true
        }
        return didWork
    }

    // So many records at most, so that clocks, commits and requests get their turn.
    private func process() throws -> Bool {
        var didWork = false
        idleLeft = Int64.max
        times.start()
        if idle > 0 {
            // The wait for a partition begins when it is seen to have nothing, whatever others have.
            for item in running where !item.isActive && item.task.queues.count > 1 { _ = isReady(item.task) }
        }
        for item in active {
            let task = item.task
            var left = context.configuration.recordsPerRound
            while left > 0, isReady(task) {
                let began = times.now
                let done = try task.processRun(limit: left)
                guard done > 0 else { break }
                left -= done
                didWork = true
                times.endRun(done, began: began)
                noteExemplar()
                item.metrics.endToEnd.observe(task.wallClock - task.firstTimeOfRun, count: Int64(done))
                // What that took is no record's.
                if try task.punctuateStreamTime() { times.start() }
                if collector.isFull { break }
            }
            for queue in task.queues where queue.isPaused && queue.count <= context.configuration.bufferedRecords {
                queue.isPaused = false
                consumer.resume(queue.assignment)
            }
        }
        recorder.export()
        return didWork
    }

    // The last record of a run, if its trace is sampled, stands for its bucket.
    private func noteExemplar() {
        guard recorder.isRecording, let span = recorder.lastSpan, span.context.span != lastExemplar else { return }
        lastExemplar = span.context.span
        thread.metrics.processTime.note(
            span.end - span.start, exemplar: span.context, at: span.end / 1_000_000)
    }

    // Semantics 5.3: for each partition that has nothing to process it is waited, as long as it is known to have records, and else for
    // so long from when it was first noticed.
    private func isReady(_ task: StreamTask) -> Bool {
        guard task.queues.count > 1, idle >= 0, !task.isGlobal else { return true }
        var isReady = true
        var left = Int64.min
        var hasRecords = false
        for queue in task.queues {
            if queue.count > 0 {
                queue.idleSince = nil
                hasRecords = true
                continue
            }
            let end = consumer.knownEnd(queue.assignment)
            if end < 0 || end > consumer.position(queue.assignment) {
                queue.idleSince = nil
                isReady = false
            } else if idle > 0 {
                let now = context.configuration.time.monotonic.milliseconds
                let since = queue.idleSince ?? now
                queue.idleSince = since
                left = max(left, idle - (now - since))
            }
        }
        guard hasRecords, isReady, left > Int64.min else { return isReady && hasRecords }
        if left > 0 {
            idleLeft = min(idleLeft, left)
            return false
        }
        task.processedWithoutAll()
        return true
    }

    private func poll(wait: Int64) throws {
        var wait = wait
        // One batch per partition and round is enough to keep the queues filled.
        for _ in 0..<max(assignments.count, 1) {
            let began = batchSpans?.now
            let batch: RecordBatch?
            do throws(LogError) { batch = try consumer.poll(timeout: wait) } catch {
                try skipUnreadable(error)
                continue
            }
            thread.metrics.polls.add()
            guard let batch else { return }
            thread.metrics.polled.add(Int64(batch.count))
            wait = 0
            guard batch.assignment < assignments.count, let assignment = assignments[batch.assignment] else { continue }
            assignment.queue.add(batch)
            activate(assignment.item)
            if let batchSpans, let began { batchSpans.polled(batch, of: assignment.queue, since: began) }
            if assignment.queue.count > context.configuration.bufferedRecords {
                assignment.queue.isPaused = true
                consumer.pause(batch.assignment)
            }
        }
    }

    /// Goes on behind bytes of a source partition that can't be read, if the handler of deserialisation lets them pass.
    private func skipUnreadable(_ error: LogError) throws {
        let number = assignments.firstIndex { item in
            item?.queue.partition.topic == error.topic && item?.queue.partition.partition == error.partition
        }
        guard error.code == .corrupt, let number, let assignment = assignments[number], let resume = error.resumeOffset
        else { throw error }
        activate(assignment.item)
        try assignment.item.task.sourceUnreadable(assignment.queue, error, resume: resume)
        consumer.seek(number, to: resume)
    }

    /// For how long a poll may wait, ms: until the next commit or punctuation is due.
    func timeToWait(_ now: Int64) -> Int64 {
        min(100, idleLeft, timeToCommit(now), max(nextPunctuation - now, 0))
    }

    private func timeToCommit(_ now: Int64) -> Int64 {
        dirty.isEmpty ? .max : max(lastCommit.addingSaturated(commitInterval) - now, 0)
    }
}
