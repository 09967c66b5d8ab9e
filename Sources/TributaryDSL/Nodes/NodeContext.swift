internal import TributaryCore
public import TributaryLineage
public import TributaryState

/// Why a record was not processed: counted by reason, and logged with coordinates.
public enum DropReason: String, Sendable, CaseIterable {
    /// A null key where the operator needs one.
    case nullKey
    /// A null value where the operator needs one.
    case nullValue
    /// Older than its window's grace, or than the store keeps.
    case expired
    /// Not the newest version of its row, where only that counts.
    case outdated
    /// A timestamp below 0.
    case invalidTimestamp
    /// Bytes that the serde refused, and the handler said continue.
    case deserialization
    /// A closure that threw, and the handler said continue.
    case processing
    /// A record that the log refused, and the handler said continue.
    case production
    /// An answer in a join by foreign key that is for a row which has changed since; counted, as Kafka Streams does, and no loss.
    case stale
    /// One with an id that has passed within the time that a deduplication looks at.
    case duplicate
    /// More of its key than a throttle lets pass.
    case throttled
    /// One that a partitioner chose no partition for.
    case noPartition
}

/// What a task gives to its nodes.
///
/// Implemented by the runtime.
public protocol TaskServices: PendingServices {
    /// The application's id.
    var applicationID: String { get }
    /// The task, `<sub-topology>_<partition>`.
    var taskID: String { get }
    /// The greatest timestamp taken for processing by the task, ms; -1 before the first.
    var streamTime: Int64 { get }
    /// The wall clock as cached when this record or punctuation began, ms.
    var wallClock: Int64 { get }
    /// How often, by the wall clock, it is looked which results have waited for time to pass, ms.
    var emitInterval: Int64 { get }
    /// A store of the task, or that of a global table.
    func store(_ name: String) throws -> StateStore
    /// Whether a store is that of a global table, which all may read and none may write.
    func isGlobalStore(_ name: String) -> Bool
    /// The number of an output topic; asked once per sink.
    func outputTopic(_ name: String) throws -> Int
    /// Sends a record; `partitionKeyCount` is how many of the key's first bytes decide its partition.
    func send(
        topic: Int, key: RawSpan?, partitionKeyCount: Int, value: RawSpan?, _ meta: borrowing RecordMeta
    ) throws
    /// How many partitions an output topic has.
    func partitions(ofTopic number: Int) -> Int32
    /// Sends a record to a partition that was chosen for it.
    func send(topic: Int, partition: Int32, key: RawSpan?, value: RawSpan?, _ meta: borrowing RecordMeta) throws
    /// A node's closure threw: counts and returns if the handler says continue, else throws what ends the task.
    func processingFailed(node: String, _ error: any Error, _ meta: borrowing RecordMeta) throws
    /// A serde could not write a record that a sink was to send.
    func serializationFailed(node: String, topic: String, _ error: any Error, _ meta: borrowing RecordMeta) throws
    /// A source's bytes were refused by a serde.
    func deserializationFailed(node: String, _ error: any Error, _ meta: borrowing RecordMeta) throws
    /// A record was left out.
    func dropped(_ reason: DropReason, node: String, _ meta: borrowing RecordMeta)
    /// Coordinates of the record being processed; nil topic in punctuations.
    func coordinate(of origin: RecordOrigin) -> (topic: String?, partition: Int32, offset: Int64)
    /// Calls back by stream time or wall clock until cancelled.
    func schedule(
        every interval: Int64, _ clock: PunctuationClock, node: String, _ callback: @escaping (Int64) throws -> Void
    ) -> Punctuation
    /// Asks for a commit at the next opportunity.
    func requestCommit()
    /// How far the node of a store had come when its progress was last committed; nil if it has none.
    func progress(of store: String) -> Int64?
    /// Keeps how far the node of a store has come, with the offsets of the next commit.
    func setProgress(of store: String, _ progress: Int64)
    /// Something was left half done by an error that user code may swallow: the task ends with it at its next commit, at the
    /// latest.
    func failed(by error: any Error)
}

/// Which clock drives a punctuation.
public enum PunctuationClock: String, Sendable {
    /// The task's stream time.
    case streamTime
    /// The wall clock.
    case wallClock
}

/// A schedule of punctuations; ends when cancelled.
///
/// Used on the task's thread.
public final class Punctuation {
    /// Whether it has been cancelled.
    public private(set) var isCancelled = false

    /// Makes a schedule that is running.
    public init() {}

    /// Ends the schedule; from inside the callback too.
    public func cancel() { isCancelled = true }
}

/// What nodes are given when a task makes them: the task's services, and the nodes that were made already.
public final class NodeContext {
    /// The task.
    public let services: any TaskServices
    /// The task's recorder.
    public let recorder: LineageRecorder
    private var made: [Int: AnyObject] = [:]
    // The nodes of the task: the optimiser may have taken some out.
    private var nodes: Set<Int> = []
    /// Called when the task ends.
    public private(set) var closers: [() -> Void] = []
    // Called once all nodes of the task are made, those before others first.
    private var starters: [(node: Int, start: () throws -> Void)] = []

    /// Makes a context for a task that is being made.
    public init(services: any TaskServices, recorder: LineageRecorder) {
        self.services = services
        self.recorder = recorder
    }

    /// Lets go of everything: what starts and closes nodes refers to the context, and so to the task.
    public func release() {
        made = [:]
        closers = []
        starters = []
    }

    /// Says which nodes the task has.
    func begin(_ nodes: Set<Int>) { self.nodes = nodes }

    func has(_ node: Int) -> Bool { nodes.contains(node) }

    func shared<Node: AnyObject>(_ node: Int, _ make: () throws -> Node) throws -> Node {
        if let node = made[node] as? Node { return node }
        let new = try make()
        made[node] = new
        return new
    }

    /// Runs what a node needs before its first record: what it throws names node and task.
    @usableFromInline
    func starting<Result>(_ node: String, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch {
            throw TaskFailure(step: .start, node: node, task: services.taskID, coordinate: nil, cause: error)
        }
    }

    @usableFromInline
    func onClose(_ body: @escaping () -> Void) { closers.append(body) }
    @usableFromInline
    func onStart(_ node: Int, _ body: @escaping () throws -> Void) { starters.append((node, body)) }

    /// Has the nodes begin, in the order in which they were added to the topology.
    func start() throws {
        let inOrder = starters.enumerated().sorted { ($0.element.node, $0.offset) < ($1.element.node, $1.offset) }
        for (_, starter) in inOrder { try starter.start() }
    }
}
