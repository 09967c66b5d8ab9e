public import TributaryCore

/// What a value came from, in bounded space: how many source records, which ranges hold them, and a digest that proves it.
///
/// This is the form of the hot path: plain words, one source held inline, further ones in the ``CellArena`` of the task that
/// made it. Bytes, rules and vectors: `Docs/Formats.md`.
public struct Cell: BitwiseCopyable, Sendable {
    /// Some input had no cell.
    public static let gap: UInt8 = 1
    /// Some partitions were collapsed into one entry.
    public static let collapsed: UInt8 = 2
    /// The contributions are a superset (Processor API without `from:`).
    public static let bound: UInt8 = 4
    /// Something was subtracted: ranges may be wider than needed.
    public static let loose: UInt8 = 8
    /// The user said that something else than records went in.
    public static let impure: UInt8 = 16
    /// Flag of what a row was before: who is told of its change was never told of that, so that it is in nothing of theirs.
    ///
    /// Of changes on their way between tables only, never of a value.
    public static let unseen: UInt8 = 128

    /// The flags above, or-ed.
    public var flags: UInt8
    /// How many entries there are: one per source partition, at most 16.
    public var entries: UInt8
    /// The topology that made it; 0 if several did.
    public var fingerprint: UInt32
    /// Sum of the hashes of all contributions, modulo 2^128.
    public var digest: UInt128
    /// How many contributions, modulo 2^64.
    public var count: UInt64
    /// The earliest timestamp of a contribution, ms.
    public var earliest: Int64
    /// The latest timestamp of a contribution, ms.
    public var latest: Int64
    /// The first entry, if there is one.
    public var first: CellEntry
    /// Where the other entries begin in the arena.
    public var tail: Int32

    /// Whether it says nothing: no contribution and no flag.
    @inlinable public var isEmpty: Bool { count == 0 && flags == 0 && entries == 0 }

    /// A cell of no contributions.
    @inlinable public static var empty: Cell {
        Cell(
            flags: 0, entries: 0, fingerprint: 0, digest: 0, count: 0, earliest: 0, latest: 0, first: .none, tail: -1)
    }

    /// Makes a cell of words.
    @inlinable
    public init(
        flags: UInt8, entries: UInt8, fingerprint: UInt32, digest: UInt128, count: UInt64, earliest: Int64,
        latest: Int64, first: CellEntry, tail: Int32
    ) {
        self.flags = flags
        self.entries = entries
        self.fingerprint = fingerprint
        self.digest = digest
        self.count = count
        self.earliest = earliest
        self.latest = latest
        self.first = first
        self.tail = tail
    }
}

/// The contributions of one source partition.
public struct CellEntry: BitwiseCopyable, Sendable, Equatable {
    /// The low half of the FNV-1a hash of cluster and topic.
    public var source: UInt32
    /// The partition; -1 if all partitions of the topic were collapsed.
    public var partition: Int32
    /// The lowest offset; 0 if collapsed.
    public var first: Int64
    /// The highest offset; 0 if collapsed.
    public var last: Int64
    /// How many contributions, modulo 2^64.
    public var count: UInt64

    /// No contributions.
    @inlinable public static var none: CellEntry { CellEntry(source: 0, partition: 0, first: 0, last: 0, count: 0) }

    /// Makes an entry.
    @inlinable
    public init(source: UInt32, partition: Int32, first: Int64, last: Int64, count: UInt64) {
        self.source = source
        self.partition = partition
        self.first = first
        self.last = last
        self.count = count
    }
}

/// What travels with a record and stays with a stored value: which operation made it, and what it came from.
///
/// Operators see it as one opaque value: they pass it on, derive from it or combine it, through ``LineageRecorder``.
public struct Lineage: BitwiseCopyable, Sendable {
    /// The span of the operation that made the value, sampled or not.
    public var context: TraceContext
    /// Which source records the value came from.
    public var cell: Cell

    /// Neither context nor cell.
    @inlinable public static var none: Lineage { Lineage(context: .none, cell: .empty) }

    /// Makes a lineage.
    @inlinable
    public init(context: TraceContext, cell: Cell) {
        self.context = context
        self.cell = cell
    }
}
