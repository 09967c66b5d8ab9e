/// How the result of a table operator is stored (`Materialized`).
public struct Materialization: Sendable, Hashable {
    /// The store's type.
    public enum Store: String, Sendable {
        case inMemory
        case rocksDB
        case supplierPersistent = "supplier:persistent"
        case supplierPlain = "supplier:plain"
        case supplierInMemory = "supplier:inMemory"
        case supplierLRU = "supplier:lru"
        case supplierVersioned = "supplier:versioned"

        /// Whether it is one that the user made.
        public var isSupplier: Bool { rawValue.hasPrefix("supplier:") }
    }

    /// The store's name; nil for an internal one.
    public let name: String?
    /// The store's type; nil for the default.
    public let store: Store?
    /// `withRetention`, or the retention of a window or session supplier, in milliseconds.
    public let retention: Int64?
    /// How long a versioned store keeps versions, in milliseconds.
    public let history: Int64?
    /// The size of an LRU store.
    public let maximumEntries: Int64?
    /// Whether the cache is on; nil if it isn't said.
    public let cache: Bool?
    /// Whether there is a changelog; nil if it isn't said.
    public let log: Bool?

    init(_ fields: CaseFields) throws(CaseError) {
        try fields.allowOnly(["name", "store", "retentionMs", "historyMs", "maxEntries", "cache", "log"])
        name = try fields.text("name")
        if let text = try fields.text("store") {
            guard let store = Store(rawValue: text) else {
                throw CaseError("there is no store '\(text)'").inside("store")
            }
            self.store = store
        } else {
            store = nil
        }
        retention = try fields.integer("retentionMs")
        history = try fields.integer("historyMs")
        maximumEntries = try fields.integer("maxEntries")
        cache = try fields.bool("cache")
        log = try fields.bool("log")
    }
}

/// The windows of `windowedBy`, times in milliseconds.
public enum WindowShape: Sendable, Hashable {
    /// Windows that follow each other.
    case tumbling(size: Int64, grace: Int64)
    /// Windows that overlap.
    case hopping(size: Int64, advance: Int64, grace: Int64)
    /// One window without an end.
    case unlimited(start: Int64)
    /// Windows around records.
    case sliding(difference: Int64, grace: Int64)
    /// Windows that end by inactivity.
    case session(gap: Int64, grace: Int64)

    init(_ fields: CaseFields) throws(CaseError) {
        let kind = try fields.requiredText("kind")
        let grace = try fields.integer("graceMs") ?? 0
        switch kind {
        case "tumbling": self = .tumbling(size: try fields.requiredInteger("sizeMs"), grace: grace)
        case "hopping":
            let size = try fields.requiredInteger("sizeMs")
            self = .hopping(size: size, advance: try fields.requiredInteger("advanceMs"), grace: grace)
        case "unlimited": self = .unlimited(start: try fields.integer("startMs") ?? 0)
        case "sliding": self = .sliding(difference: try fields.requiredInteger("diffMs"), grace: grace)
        case "session": self = .session(gap: try fields.requiredInteger("gapMs"), grace: grace)
        default: throw CaseError("there is no window '\(kind)'").inside("kind")
        }
    }

    /// The word that cases use.
    public var kind: String {
        switch self {
        case .tumbling: "tumbling"
        case .hopping: "hopping"
        case .unlimited: "unlimited"
        case .sliding: "sliding"
        case .session: "session"
        }
    }

    /// The size that a windowed key's serde is given, in milliseconds; nil for sessions.
    public var size: Int64? {
        switch self {
        case .tumbling(let size, _), .hopping(let size, _, _): size
        case .unlimited: Int64.max
        case .sliding(let difference, _): difference
        case .session: nil
        }
    }
}

/// A canned processor: its kind and settings.
public struct ProcessorShape: Sendable, Hashable {
    /// What it does.
    public enum Kind: String, Sendable {
        case pass, drop, times, addHeader, shiftTs, meta, route, dedup, counter, ttl, putChars, kvAll
        case window, windowAll, session, versioned, readTable, punctuate
        /// Not in Kafka Streams' cases: appends each value to the text stored for its key, saying what the text is made
        /// of, and forwards it. A punctuation forwards all texts and deletes them.
        case fold
    }

    /// Which clock punctuations follow.
    public enum Clock: String, Sendable { case stream, wall }

    /// What it does.
    public let kind: Kind
    /// The name of its store; nil if it has none.
    public let store: String?
    /// All its settings.
    public let fields: CaseFields

    init(_ fields: CaseFields) throws(CaseError) {
        try fields.allowOnly([
            "kind", "store", "backMs", "byMs", "cancelAfter", "children", "clock", "everyMs", "forward", "key", "meta",
            "n", "name", "scheduleOn", "ttlMs", "value",
        ])
        self.fields = fields
        let text = try fields.requiredText("kind")
        guard let kind = Kind(rawValue: text) else { throw CaseError("there is no processor '\(text)'").inside("kind") }
        self.kind = kind
        store = try fields.text("store")
    }

    /// The clock of its punctuations.
    public var clock: Clock {
        get throws(CaseError) { try fields.choice("clock", ["stream": .stream, "wall": .wall]) ?? .stream }
    }
}
