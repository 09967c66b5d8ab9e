internal import TributaryCore

/// A partition that a consumer reads.
struct Assignment {
    let name: TopicPartition
    let topic: UInt32
    /// Whether each batch goes on where the one before it ends.
    let isWhole: Bool
    var position: Int64
    var knownEnd: Int64
    var isPaused = false
    var isActive = true
    /// The partition's counter in the wake page.
    let place: Int
    /// What that showed before the partition was last seen to have no more; nil if it may have.
    var seen: UInt32?

    init(name: TopicPartition, topic: UInt32, isWhole: Bool, position: Int64, knownEnd: Int64) {
        self.name = name
        self.topic = topic
        self.isWhole = isWhole
        self.position = position
        self.knownEnd = knownEnd
        place = WakePage.place(topic, name.partition)
    }
}

/// What a consumer reads, and its reader.
struct ConsumerState: ~Copyable {
    var reader: ReadTransaction
    private var assignments: [Assignment] = []
    private var next = 0
    private(set) var isClosed = false
    /// What the counter of everybody showed when all partitions were last looked at.
    var seenByAll: UInt32?
    /// When that was, ns of the monotonic clock.
    var lookedAtAll: Int64 = 0
    var looks = 0

    init(_ reader: consuming ReadTransaction) { self.reader = reader }

    var count: Int { assignments.count }

    mutating func add(_ assignment: Assignment) -> Int {
        if let free = assignments.firstIndex(where: { !$0.isActive }) {
            assignments[free] = assignment
            return free
        }
        assignments.append(assignment)
        return assignments.count - 1
    }

    func assignment(_ index: Int) -> Assignment? {
        assignments.indices.contains(index) && assignments[index].isActive ? assignments[index] : nil
    }

    /// Whether a partition may have something to read; `page` has its counter.
    func mayHaveRecords(_ index: Int, _ page: WakePage) -> Bool {
        guard assignments.indices.contains(index), assignments[index].isActive, !assignments[index].isPaused else {
            return false
        }
        guard let seen = assignments[index].seen, let now = page.count(assignments[index].place) else { return true }
        return now != seen
    }

    /// Has all partitions looked at again.
    mutating func forgetEnds() { for index in assignments.indices { assignments[index].seen = nil } }

    mutating func change(_ index: Int, _ body: (inout Assignment) -> Void) {
        if assignments.indices.contains(index) { body(&assignments[index]) }
    }

    /// Whose turn it is: each partition once, then the first again.
    mutating func turn() -> Int {
        let index = next < assignments.count ? next : 0
        next = index + 1
        return index
    }

    mutating func close() {
        isClosed = true
        assignments.removeAll()
    }
}
