internal import TributaryCore

/// What kinds of stores differ in: the only place that looks at the kind.
///
/// A new kind is one case of ``StoreDescription/Kind`` and one here; if its rows lie in the engine in a way of their own, also one
/// type that conforms to ``StoreLayout``, made in ``layout(_:in:_:)``.
struct StoreTraits {
    /// The kind in a store's identity, where its numbers follow if it has any.
    var name: StaticString
    /// What spans say: `kv`, `window`.
    var attribute: StaticString = "kv"
    /// How the keys of its rows are made.
    var keys = KeySchema.plain
    /// How long rows are kept, ms of stream time; nil for ever.
    var retention: Int64?
    /// The size of the windows that rows are of, ms; nil where they are of none, or of windows of any size.
    var windowSize: Int64?
    /// Whether rows of one key and window are kept side by side.
    var retainsDuplicates = false
    /// Whether values carry the timestamp of the record that made them.
    var isTimestamped = false
    /// How long a version is kept after it was replaced, ms of stream time; nil where only the newest is kept.
    var history: Int64?
    /// How many rows there may be; nil for any number.
    var maximumRows: Int?
    /// Whether an operator keeps there what waits, which is nothing to be looked at.
    var isBuffer = false

    /// Whether a value is a list whose elements have a lineage each.
    var holdsElements = false
    /// Whether rows are of a layout of the library's own.
    var isPrivate = false

    /// Whether rows can have a time to live: where one is known of each, and nothing else ends it.
    var canExpire: Bool { isTimestamped && !isPrivate && retention == nil && history == nil && maximumRows == nil }

    /// Whether what was deleted is kept for a while, for who asks where it went.
    var keepsGraves: Bool { !retainsDuplicates && !isPrivate && !isBuffer }

    /// Lays the rows of a store of this kind out in an engine.
    func layout(
        _ description: StoreDescription, in engine: any StateEngine, _ expiries: ExpirySchedule
    ) throws(StoreError) -> any StoreLayout {
        let store = description.name
        if let lifetime = description.timeToLive, canExpire {
            return try ExpiringStore(store, engine: engine, lifetime: lifetime, expiries)
        }
        if let history { return try VersionedStore(store, engine: engine, history: history) }
        if let maximumRows { return try BoundedStore(store, engine: engine, maximum: maximumRows) }
        guard let retention else { return TableStore(store, try engine.table(store)) }
        return try SegmentedStore(
            store, engine: engine, keys: keys, retention: retention, isOrderedByTime: description.isOrderedByTime)
    }
}

extension StoreDescription.Kind {
    var traits: StoreTraits {
        switch self {
        case .keyValue: StoreTraits(name: "keyValue")
        case .timestampedKeyValue: StoreTraits(name: "timestampedKeyValue", isTimestamped: true)
        case .window(let retention, let size, let duplicates, let timestamped):
            StoreTraits(
                name: "window", attribute: "window", keys: .window, retention: retention, windowSize: size,
                retainsDuplicates: duplicates, isTimestamped: timestamped)
        case .list: StoreTraits(name: "list", holdsElements: true, isPrivate: true)
        case .subscriptions: StoreTraits(name: "subscriptions", isTimestamped: true, isPrivate: true)
        case .session(let retention):
            StoreTraits(name: "session", attribute: "session", keys: .session, retention: retention)
        case .versioned(let history): StoreTraits(name: "versioned", isTimestamped: true, history: history)
        case .leastRecentlyUsed(let maximum):
            StoreTraits(name: "leastRecentlyUsed", isTimestamped: true, maximumRows: maximum)
        case .members: StoreTraits(name: "members", isTimestamped: true, isPrivate: true)
        case .joinBuffer: StoreTraits(name: "joinBuffer", attribute: "buffer", isBuffer: true)
        case .suppression:
            StoreTraits(name: "suppression", attribute: "suppression", isBuffer: true, holdsElements: true)
        }
    }
}
