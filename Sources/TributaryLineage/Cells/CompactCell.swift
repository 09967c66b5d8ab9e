internal import TributaryCore

/// A cell of at most one source as caches keep it: 64 bytes, one line of the processor's cache.
///
/// What doesn't fit (several sources, a range of more than 32 bits) is kept elsewhere by the owner; this only says so.
public struct CompactCell: BitwiseCopyable, Sendable {
    @usableFromInline static var outside: UInt8 { 255 }

    @usableFromInline var digestHigh: UInt64
    @usableFromInline var digestLow: UInt64
    @usableFromInline var count: UInt64
    @usableFromInline var earliest: Int64
    @usableFromInline var first: Int64
    @usableFromInline var fingerprint: UInt32
    @usableFromInline var source: UInt32
    @usableFromInline var partition: Int32
    @usableFromInline var span: UInt32  // from the earliest timestamp to the latest, ms
    @usableFromInline var range: UInt32  // from the first offset to the last
    @usableFromInline var flags: UInt8
    @usableFromInline var entries: UInt8

    /// Whether the cell is here, not elsewhere.
    @inlinable public var isHere: Bool { entries != CompactCell.outside }

    /// A cell of no contributions.
    @inlinable
    public init() {
        digestHigh = 0
        digestLow = 0
        count = 0
        earliest = 0
        first = 0
        fingerprint = 0
        source = 0
        partition = 0
        span = 0
        range = 0
        flags = 0
        entries = 0
    }

    /// Takes a cell in; returns false, and says that the cell is kept elsewhere, if it doesn't fit.
    @inlinable
    @inline(__always)
    public mutating func set(_ cell: Cell) -> Bool {
        let span = UInt64(bitPattern: cell.latest &- cell.earliest)
        let range = UInt64(bitPattern: cell.first.last &- cell.first.first)
        guard cell.entries <= 1, span >> 32 == 0, range >> 32 == 0, cell.entries == 0 || cell.first.count == cell.count
        else {
            entries = CompactCell.outside
            return false
        }
        digestHigh = UInt64(truncatingIfNeeded: cell.digest >> 64)
        digestLow = UInt64(truncatingIfNeeded: cell.digest)
        count = cell.count
        earliest = cell.earliest
        first = cell.first.first
        fingerprint = cell.fingerprint
        source = cell.first.source
        partition = cell.first.partition
        self.span = UInt32(truncatingIfNeeded: span)
        self.range = UInt32(truncatingIfNeeded: range)
        flags = cell.flags
        entries = cell.entries
        return true
    }

    /// Adds the contributions of a cell in place; returns false, and is as it was, unless both are of one and the same source
    /// partition and the sum fits.
    @inlinable
    @inline(__always)
    public mutating func add(_ cell: Cell) -> Bool {
        guard entries == 1, cell.entries == 1, source == cell.first.source, partition == cell.first.partition,
            partition >= 0
        else { return false }
        let earliest = min(self.earliest, cell.earliest)
        let span = UInt64(bitPattern: max(self.earliest &+ Int64(self.span), cell.latest) &- earliest)
        let first = min(self.first, cell.first.first)
        let range = UInt64(bitPattern: max(self.first &+ Int64(self.range), cell.first.last) &- first)
        guard (span | range) >> 32 == 0 else { return false }
        let digest = (UInt128(digestHigh) << 64 | UInt128(digestLow)) &+ cell.digest
        digestHigh = UInt64(truncatingIfNeeded: digest >> 64)
        digestLow = UInt64(truncatingIfNeeded: digest)
        count = count &+ cell.count
        self.earliest = earliest
        self.first = first
        if fingerprint != cell.fingerprint { fingerprint = 0 }
        self.span = UInt32(truncatingIfNeeded: span)
        self.range = UInt32(truncatingIfNeeded: range)
        flags |= cell.flags
        return true
    }

    /// The cell; nil if it is kept elsewhere.
    @inlinable public var cell: Cell? {
        guard isHere else { return nil }
        return Cell(
            flags: flags, entries: entries, fingerprint: fingerprint,
            digest: UInt128(digestHigh) << 64 | UInt128(digestLow), count: count, earliest: earliest,
            latest: earliest &+ Int64(span),
            first: CellEntry(
                source: source, partition: partition, first: first, last: first &+ Int64(range),
                count: entries == 1 ? count : 0), tail: -1)
    }
}
