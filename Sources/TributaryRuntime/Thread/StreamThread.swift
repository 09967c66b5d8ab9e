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
    /// Called once when all tasks run, from the thread.
    public var onRunning: @Sendable () -> Void
    /// Called once when the thread has ended, with what ended it; from the thread.
    public var onEnd: @Sendable ((any Error)?) -> Void

    /// Makes a context.
    public init(
        topology: Topology, plan: TopicPlan, configuration: RuntimeConfiguration, log: any Log, group: any LogGroup,
        engines: any EngineFactory, metrics: MetricsRegistry, onRestore: @escaping @Sendable (RestoreProgress) -> Void,
        onRunning: @escaping @Sendable () -> Void, onEnd: @escaping @Sendable ((any Error)?) -> Void
    ) {
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
    private let requests = Guarded<Requests>(Requests())
    private let hasRequests = Atomic(false)
    private let readerList = Guarded<[String: any CommittedReader]>([:])
    private let waker = Guarded<(any ConsumerWaker)?>(nil)

    private struct Requests: Sendable {
        var waiting: [@Sendable (ThreadLoop?) -> Void] = []
        var hasEnded = false
    }

    /// Makes a thread for some tasks; ``start()`` runs it.
    public init(index: Int, tasks: [TopicPlan.Task], context: ThreadContext) {
        self.index = index
        self.tasks = tasks
        metrics = ThreadMetrics(
            context.metrics, clientID: context.configuration.applicationID, thread: index,
            lineage: context.configuration.lineage.mode)
        self.context = context
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

    private func wake() { waker.withLock { $0 }?.wake() }

    private func run() throws {
        let loop = try ThreadLoop(self, context, tasks)
        waker.withLock { $0 = loop.waker }
        defer { waker.withLock { $0 = nil } }
        try loop.run()
    }
}

/// Wakes a consumer from another thread.
protocol ConsumerWaker: Sendable {
    func wake()
}
