internal import TributaryCore
public import TributaryLineage

/// Where the topics of records come from, by the numbers in `RecordOrigin`: only their lengths matter to a cache.
public protocol TopicNames: AnyObject {
    /// The length of a topic's name in characters; 0 for no topic.
    func nameLength(ofTopic number: Int32) -> Int
    /// A topic's name; nil for no topic.
    func name(ofTopic number: Int32) -> String?
    /// The number of a topic that a changelog names; -1 for no topic.
    func number(ofTopic name: String) -> Int32
}

extension TopicNames {
    /// No names are known.
    public func name(ofTopic number: Int32) -> String? { nil }
    /// No names are known.
    public func number(ofTopic name: String) -> Int32 { -1 }
}

/// One store of a task below its typed face: cache, lineage, changelog, engine, composed when the task is made.
///
/// Not generic: keys and values are bytes. Every kind of store keeps its lineage here, none by code of its own. Used by the
/// task's thread.
public final class StateStore {
    /// What the topology says about it.
    public let description: StoreDescription
    /// Whether writes are collected before they reach what follows.
    public let isCached: Bool
    /// The store's name.
    public var name: String { description.name }
    /// Called for each entry of a flush, in the order of the last writes, with the new value (nil: a delete), the old one (nil:
    /// none, or not asked for) and the metadata to forward, which has the row's key; set by the operator that owns the store.
    public var onFlush: ((RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void)?
    /// Whether ``onFlush`` gets old values: what the engine had before the flush.
    public var flushesOldValues = false
    /// Counts writes that the store refused because they are too old.
    public var onExpired: (() -> Void)?
    /// Says where a failure of ``flush()``, or of making room, happened: called while the row is at hand, gives what is thrown.
    public var onFlushFailure: ((any Error) -> any Error)?

    /// How many changelog records had a cell that couldn't be read: their rows have a gap.
    public internal(set) var unreadableCells: Int64 = 0

    /// The first error that left something half done: a row that is in one of engine and changelog only, or a flush that ended
    /// early; nil while there was none.
    ///
    /// Whoever called may have swallowed it; what the store holds must not be committed any more.
    public private(set) var failure: (any Error)?

    let layout: any StoreLayout
    /// The layout, if it keeps versions.
    let versions: VersionedStore?
    /// The layout, if rows expire.
    let expiring: ExpiringStore?
    let recorder: LineageRecorder
    /// The recorder's arena, held here so that no record pays for its reference count.
    let arena: CellArena
    let changelog: (any ChangelogWriter)?
    /// Empty and unused where ``isCached`` is false: an optional would cost a reference count per use.
    let cache: StoreCache
    let graves: (any StateTable)?
    let topics: any TopicNames
    let flushes: FlushStack
    /// Where the row lies that is being flushed.
    var flushBuffers: (key: ByteBuffer, value: ByteBuffer)?
    let operations: Operations
    let isTimestamped: Bool
    let holdsElements: Bool
    let isBuffer: Bool
    let keepsTimestamps: Bool
    let keepsCells: Bool
    /// Whether its rows are the records of a source topic: an uncached write is then no step of its own.
    let followsSource: Bool
    let keepsLineage: Bool
    let keepsHeaders: Bool
    /// Whether rows keep all headers, not only those on the propagation list.
    let keepsAllHeaders: Bool
    /// Whether what was read stays in the cache (Docs/Semantics.md, The cache).
    let keepsReads: Bool
    let state: Owned<State>
    /// Who holds decoded values of cached rows (``beginHolding(by:)``).
    public internal(set) weak var holder: (any RowHolder)?
    /// What an operator keeps in memory, of which the store is only the changelog.
    weak var buffer: (any StoreBuffer)?
    let deferral: DeferredEncoding
    /// Whether values that are held may stay unencoded at times.
    let defersEncoding: Bool

    struct Operations {
        let get: Int32
        let put: Int32
        let delete: Int32
        let flush: Int32
        let scan: Int32
        let emit: Int32
        let expire: Int32
    }

    struct State: BitwiseCopyable {
        var start = 0  // where the value begins in what a read found
        var viewed: Int32 = -1  // the cache's entry that has the value; -1: it is in what a read found
        var timestamp: Int64 = 0
        var lineage = Lineage.none
        var lineageFrom: Int32 = -1  // the cache's entry that has it; -1: it is here
        var written = Lineage.none
        var isFlushing = false
        var isExpiring = false
        // Until when the version counts that was written last.
        var validTo = VersionedStore.newest
        var hasGraves = false  // whether there may be any
        // Of the row being flushed; -1 where none is.
        var flushedKeySize = -1
        var flushedIsDelete = false
        var flushedOrigin = RecordOrigin.none
        // The entry that the last write to a row of a flush under way left to the flush.
        var replaced: Int32 = -1
        // The entry of the last write into the cache, and `version` after it.
        var wroteEntry: Int32 = -1
        var wroteVersion: Int64 = -1
        var fetched = false
        // When the engine's last read began and ended; 0 where nobody asks.
        var readTimes: (start: Int64, end: Int64) = (0, 0)
        // What `statistics` gives.
        var gets: Int64 = 0
        var misses: Int64 = 0
        var writes: Int64 = 0
        var deletes: Int64 = 0
        var ranges: Int64 = 0
        var walked: Int64 = 0  // rows and graves that were looked at otherwise
        var flushed: Int64 = 0
        var lineageBytes: Int64 = 0
    }

    // What a search for neighbours goes through.
    let search = RowSearch()
    // Reused buffers: what a read found, the envelope and cell being written.
    let found = ByteBuffer(capacity: 256)
    let peeked = ByteBuffer(capacity: 256)
    let envelope = ByteBuffer(capacity: 512)
    let cell = ByteBuffer(capacity: 512)
    let deletion = ByteBuffer(capacity: 16)
    // The headers on the propagation list of the row being written, and all of an entry's.
    let rowHeaders = ByteBuffer()
    let entryHeaders = ByteBuffer()
    // The elements of the row being written, the whole list, and the bounds of a walk over copies.
    let elements = ByteBuffer()
    let list = ByteBuffer()
    let bounds = (low: ByteBuffer(), high: ByteBuffer())
    // What is encoded late.
    let heldBytes = ByteBuffer()
    let sorter = Owned(RadixSorter())
    // Entries of rows that may have expired; the value of the one at hand, and the headers of its delete.
    let expiredRows = CopiedRows()
    let expiredValue = ByteBuffer()
    let expiryHeaders = ByteBuffer()
    // What the engine had for the entries that are being flushed.
    let oldValues = OldValues()
    // The number of each cached entry's prepared span during a flush; -1 for none.
    let flushSpans = Owned(FlatArray<Int32>(repeating: -1, count: 0))

    /// Composes a store.
    ///
    /// - Parameters:
    ///   - description: its name, kind and layers.
    ///   - engine: holds its tables.
    ///   - recorder: the task's.
    ///   - changelog: takes its writes; nil for none.
    ///   - budget: the cache's; nil for a store without cache.
    ///   - topics: names of the topics in `RecordOrigin`.
    ///   - flushes: knows which of the task's stores are being flushed.
    ///   - deferral: says whether values may stay unencoded until the cache is flushed.
    ///   - expiries: is told when rows expire.
    ///   - attributes: what its spans say of where it is, besides its name and kind.
    public init(
        _ description: StoreDescription, engine: any StateEngine, recorder: LineageRecorder,
        changelog: (any ChangelogWriter)?, budget: CacheBudget?, topics: any TopicNames,
        flushes: FlushStack = FlushStack(), deferral: DeferredEncoding = DeferredEncoding(),
        expiries: ExpirySchedule = ExpirySchedule(), attributes: [String: AttributeValue] = [:]
    ) throws(StoreError) {
        self.description = description
        self.recorder = recorder
        arena = recorder.arena
        self.changelog = changelog
        self.topics = topics
        self.flushes = flushes
        self.deferral = deferral
        let traits = description.kind.traits
        layout = try traits.layout(description, in: engine, expiries)
        versions = layout as? VersionedStore
        expiring = layout as? ExpiringStore
        // Without lineage no grave is dug, but those that are there don't outlive what is written since.
        let gravesName = description.name + ".graves"
        var keepsGraves = traits.keepsGraves
        // Of versions they say where the one before ends.
        if recorder.mode == .off && keepsGraves && versions == nil {
            keepsGraves = try engine.tableNames().contains(gravesName)
        }
        graves = keepsGraves ? try engine.table(gravesName) : nil
        let hasGraves = try graves?.count() ?? 0 > 0
        isTimestamped = traits.isTimestamped
        holdsElements = traits.holdsElements
        isBuffer = traits.isBuffer
        keepsTimestamps = description.keepsTimestamps
        isCached = description.isCached && budget != nil && versions == nil && expiring == nil
        defersEncoding = isCached && deferral.isFor(description.name)
        keepsCells = recorder.mode == .cells
        followsSource = description.sourceTopic != nil
        keepsLineage = recorder.mode != .off
        keepsAllHeaders = description.keepsHeaders && description.logsHeaders
        keepsHeaders = recorder.propagatesHeaders || keepsAllHeaders
        keepsReads = layout.keys == .plain
        cache = StoreCache(
            // What waits in a buffer has limits of its own, and takes no room from the caches.
            budget: isBuffer ? CacheBudget(limit: 1 << 60) : budget ?? CacheBudget(limit: 0), recorder: recorder,
            // Kafka Streams' value has a timestamp and, where headers are kept, how long they are: none, in stores with a cache.
            timestampSize: (isTimestamped ? 8 : 0) + (description.keepsHeaders ? 1 : 0),
            segmentSize: layout.keys == .plain ? 0 : 8)
        func operation(_ name: String) -> Int32 {
            recorder.operation(
                "\(name) \(description.name)", kind: .internal,
                attributes: attributes.merging([
                    AttributeNames.dbSystemName: .string("tributary"),
                    AttributeNames.dbCollectionName: .string(description.name),
                    AttributeNames.dbOperationName: .string(name),
                    AttributeNames.storeType: .string("\(traits.attribute)"),
                ]) { $1 })
        }
        operations = Operations(
            get: operation("get"), put: operation("put"), delete: operation("delete"), flush: operation("flush"),
            scan: operation("scan"), emit: operation("emit"), expire: operation("expire"))
        state = Owned(State())
        state.value.hasGraves = hasGraves
        recorder.hasStore()
        if defersEncoding { deferral.add(self) }
    }

    /// Notes an error that leaves something half done, and hands it on.
    @inline(never)
    func failed(by error: any Error) -> any Error {
        if failure == nil { failure = error }
        return error
    }
}
