internal import Synchronization
public import TributaryCore
public import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// What a stream thread shares with the application that started it.
public struct ThreadContext: Sendable {
    /// The topology.
    public var topology: Topology
    /// How many partitions and tasks there are.
    public var plan: TopicPlan
    /// The settings.
    public var configuration: RuntimeConfiguration
    /// The log.
    public var log: any Log
    /// The application's membership, for committed offsets.
    public var group: any LogGroup
    /// Makes engines.
    public var engines: any EngineFactory
    /// Where the threads' instruments are known.
    public var metrics: MetricsRegistry
    /// Called as stores are restored, from the thread.
    public var onRestore: @Sendable (RestoreProgress) -> Void
    /// Called when all tasks run, from the thread; again after each ``onReplace``.
    public var onRunning: @Sendable () -> Void
    /// Asked about an error that ends the thread's work and doesn't go by itself, from the thread.
    public var onFailure: @Sendable (any Error) -> ThreadFailureResponse
    /// Called when a thread that ran begins again after an error, from the thread.
    public var onReplace: @Sendable (any Error) -> Void
    /// Called once when the thread has ended, with what ended it; from the thread.
    public var onEnd: @Sendable ((any Error)?) -> Void

    /// Makes a context.
    public init(
        topology: Topology, plan: TopicPlan, configuration: RuntimeConfiguration, log: any Log, group: any LogGroup,
        engines: any EngineFactory, metrics: MetricsRegistry, onRestore: @escaping @Sendable (RestoreProgress) -> Void,
        onRunning: @escaping @Sendable () -> Void,
        onFailure: @escaping @Sendable (any Error) -> ThreadFailureResponse = { _ in .stop },
        onReplace: @escaping @Sendable (any Error) -> Void = { _ in },
        onEnd: @escaping @Sendable ((any Error)?) -> Void
    ) {
        self.onFailure = onFailure
        self.onReplace = onReplace
        self.topology = topology
        self.plan = plan
        self.configuration = configuration
        self.log = log
        self.group = group
        self.engines = engines
        self.metrics = metrics
        self.onRestore = onRestore
        self.onRunning = onRunning
        self.onEnd = onEnd
    }
}

/// One thread of the operating system with its tasks: polls, buffers, processes by stream time, punctuates, commits.
public final class StreamThread: Sendable {
    /// The number, from 1.
    public let index: Int
    /// Counters that others may read at any time.
    public let metrics: ThreadMetrics
    private let context: ThreadContext
    private let tasks: [TopicPlan.Task]
    private let stopping = Atomic(false)
    private let paused = Atomic(false)
    private let requests = Guarded<Requests>(Requests())
    private let hasRequests = Atomic(false)
    private let readerList = Guarded<[String: any CommittedReader]>([:])
    private let waker = Guarded<(any ConsumerWaker)?>(nil)
    // What waits here is a thread that pauses before it begins again, or has been told to pause.
    // Not of no size: such a value has the address of the object itself, which the thread sanitizer takes for a race.
    private let pauses = Monitor(0)
    let revival: Guarded<ThreadRevival>

    private struct Requests: Sendable {
        var waiting: [@Sendable (ThreadLoop?) -> Void] = []
        var hasEnded = false
    }

    /// Makes a thread for some tasks; ``start()`` runs it.
    ///
    /// With `metrics` it goes on with the counters of the thread that had its index before; without, it has new ones.
    public init(index: Int, tasks: [TopicPlan.Task], context: ThreadContext, metrics: ThreadMetrics? = nil) {
        self.index = index
        self.tasks = tasks
        self.metrics =
            metrics
            ?? ThreadMetrics(
                context.metrics, clientID: context.configuration.applicationID, thread: index,
                lineage: context.configuration.lineage.mode)
        self.context = context
        revival = Guarded(ThreadRevival(patience: context.configuration.retryTimeout.milliseconds))
    }

    /// Starts the thread.
    ///
    /// Its end is told to the context.
    ///
    /// - Returns: whether the system gave a thread.
    public func start() -> Bool {
        OSThread.start("stream-\(index)", stack: 8 << 20) { [self] in
            var failure: (any Error)?
            do {
                try run()
            } catch let error as LogError where error.code == .closed && isStopping {
                // Stopped while it restored: nothing was processed.
            } catch {
                failure = error
            }
            // Whoever still waits is told that nobody will answer.
            let left = requests.withLock { requests in
                requests.hasEnded = true
                defer { requests.waiting = [] }
                return requests.waiting
            }
            for request in left { request(nil) }
            readerList.withLock { $0 = [:] }
            context.onEnd(failure)
        } == 0
    }

    /// Asks the thread to commit and end.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        wake()
    }

    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Says whether the thread processes records and punctuates; it looks at that between records, when it is woken or has waited.
    public func setPaused(_ isPaused: Bool) { paused.store(isPaused, ordering: .releasing) }

    var isPaused: Bool { paused.load(ordering: .acquiring) }

    /// Waits while the thread is paused, until there is something else to do.
    func waitPaused(milliseconds: Int64) {
        _ = pauses.wait(milliseconds: milliseconds) { _ in
            isStopping || !isPaused || hasRequests.load(ordering: .acquiring) ? true : nil
        }
    }

    /// Runs `body` on the thread, between records; with nil if the thread has ended.
    func perform(_ body: @escaping @Sendable (ThreadLoop?) -> Void) {
        let isTaken = requests.withLock { requests in
            guard !requests.hasEnded else { return false }
            requests.waiting.append(body)
            return true
        }
        guard isTaken else { return body(nil) }
        hasRequests.store(true, ordering: .releasing)
        wake()
    }

    func takeRequests() -> [@Sendable (ThreadLoop?) -> Void] {
        guard hasRequests.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
        return requests.withLock { requests in
            defer { requests.waiting = [] }
            return requests.waiting
        }
    }

    func publish(_ readers: [String: any CommittedReader]) { readerList.withLock { $0 = readers } }

    /// Readers of the committed state of the thread's tasks, by task.
    var readers: [String: any CommittedReader] { readerList.withLock { $0 } }

    func storeDescription(_ name: String) -> StoreDescription? { context.topology.stores[name] }

    /// Has the thread look at what it was told.
    public func wake() {
        waker.withLock { $0 }?.wake()
        pauses.wake()
    }

    // MARK: The thread's own

    private func run() throws {
        var items = tasks
        var redoing = Redoing()
        while true {
            let error: any Error
            var unencodable: StoreError?
            var wasRunning = false
            do {
                let loop = try ThreadLoop(self, context, redoing: redoing)
                waker.withLock { $0 = loop.waker }
                defer {
                    waker.withLock { $0 = nil }
                    publish([:])
                    loop.close()
                }
                do { return try loop.run(items) } catch let failure {
                    items = loop.owned.compactMap(context.plan.task)
                    wasRunning = loop.hasTold
                    unencodable = loop.deferral.failure
                    redoing = loop.redoing
                    if unencodable != nil { redoing.ends = loop.processed }
                    throw failure
                }
            } catch let failure { error = failure }
            if let unencodable, let store = unencodable.store {
                redoing.stores.insert(store)
                beginAgain(encoding: store, after: unencodable, wasRunning)
            } else {
                try pause(after: error, wasRunning)
            }
        }
    }

    // What failed is met again by the record that made it, and if that fails it is an error of the application's.
    private func beginAgain(encoding store: String, after error: StoreError, _ wasRunning: Bool) {
        context.configuration.log(
            .warning, "a stream thread begins again from the last commit, and encodes a store's values at each update",
            [("thread", "\(index)"), ("store", store), ("error", ErrorText.of(error))], source: "TributaryRuntime")
        if wasRunning { context.onReplace(error) }
    }

    // Throws the error if that's the thread's end.
    private func pause(after error: any Error, _ wasRunning: Bool) throws {
        if isStopping { throw error }
        if let error = error as? LogError, error.code == .closed { throw error }
        let now = context.configuration.time.monotonic.milliseconds
        let pause = revival.withLock { [onFailure = context.onFailure] revival in
            revival.pause(after: error, at: now, deciding: onFailure)
        }
        guard let pause else { throw error }
        context.configuration.log(
            .warning, "a stream thread begins again from the last commit",
            [("thread", "\(index)"), ("pause", "\(pause) ms"), ("error", ErrorText.of(error))],
            source: "TributaryRuntime")
        if wasRunning { context.onReplace(error) }
        _ = pauses.wait(milliseconds: pause) { _ in isStopping ? true : nil }
    }

    /// Something was committed.
    func noteProgress() { revival.withLock { $0.noteProgress() } }
}

// MARK: - Placement

extension StreamThread {
    /// Takes a change of which tasks are this thread's, between two records.
    ///
    /// - Parameters:
    ///   - change: numbers of tasks, of which those count that are this thread's by `isOwn`.
    ///   - done: called when the change has taken effect, or never will: the thread has ended.
    public func place(_ change: PlacementChange, done: @escaping @Sendable () -> Void) {
        perform { loop in
            defer { done() }
            guard let loop, loop.failure == nil else { return }
            do {
                switch change {
                case .assigned(let numbers): try loop.assign(numbers.compactMap(loop.context.plan.task))
                case .revoked(let numbers): try loop.revoke(Set(numbers))
                case .lost(let numbers): try loop.lose(Set(numbers))
                }
            } catch {
                loop.failure = error
            }
        }
    }

    /// Ends the thread's work with an error from elsewhere.
    public func fail(_ error: any Error) {
        perform { loop in if let loop, loop.failure == nil { loop.failure = error } }
    }
}

/// Wakes a consumer from another thread.
protocol ConsumerWaker: Sendable {
    func wake()
}
