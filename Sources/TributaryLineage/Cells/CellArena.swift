public import TributaryCore

/// Makes and combines cells of one task: holds the entries beyond the first of each cell, in a stack that is cut back.
///
/// A cell with one source partition is plain words and needs no arena. Others point into the arena that made them and live
/// until ``release(to:)`` cuts below them: take ``mark`` before a record, release after it. Not for several threads at once.
public final class CellArena {
    /// The most entries that a cell has.
    public static let maximumEntries = 16

    @usableFromInline let stack: Owned<CellStack>

    /// Makes an arena with room for some cells of several sources; it grows when needed and keeps its memory.
    public init() { stack = Owned(CellStack()) }

    /// Where the next entries will lie; give it to ``release(to:)``.
    @inlinable public var mark: Int { stack.value.used }

    /// Forgets all cells made since `mark` was taken; those of one source stay valid.
    @inlinable
    public func release(to mark: Int) { stack.value.used = min(max(mark, 0), stack.value.used) }

    /// The cell of one source record.
    @inlinable
    @inline(__always)
    public func source(
        _ source: SourcePartition, offset: Int64, timestamp: Int64, fingerprint: UInt32
    ) -> Cell {
        Cell(
            flags: 0, entries: 1, fingerprint: fingerprint, digest: source.digest(offset: offset), count: 1,
            earliest: timestamp, latest: timestamp,
            first: CellEntry(
                source: source.source, partition: source.partition, first: offset, last: offset, count: 1),
            tail: -1)
    }

    /// The sum: contributions, digests and counts add, ranges widen, flags are or-ed; commutative and associative.
    ///
    /// A cell without contributions adds nothing but its flags. Different fingerprints add to 0.
    @inlinable
    @inline(__always)
    public func add(_ a: Cell, _ b: Cell) -> Cell {
        if a.entries == 1 && b.entries == 1 && a.first.order == b.first.order && a.first.partition >= 0 {
            return Cell(
                flags: a.flags | b.flags, entries: 1,
                fingerprint: a.fingerprint == b.fingerprint ? a.fingerprint : 0,
                digest: a.digest &+ b.digest, count: a.count &+ b.count,
                earliest: min(a.earliest, b.earliest), latest: max(a.latest, b.latest),
                first: CellEntry(
                    source: a.first.source, partition: a.first.partition, first: min(a.first.first, b.first.first),
                    last: max(a.first.last, b.first.last), count: a.first.count &+ b.first.count),
                tail: -1)
        }
        return addSlow(a, b)
    }

    /// What is left of `a` without `b`: contributions, digests and counts subtract, ranges stay, the cell is `loose`.
    public func subtract(_ a: Cell, _ b: Cell) -> Cell {
        var cell = a
        cell.flags |= b.flags
        guard b.entries > 0 else { return cell }
        cell.flags |= Cell.loose
        cell.digest = a.digest &- b.digest
        cell.count = a.count &- b.count
        cell.fingerprint = mixedFingerprint(a, b)
        if a.entries == 0 {
            cell.earliest = b.earliest
            cell.latest = b.latest
        }
        stack.value.merge(a, b, subtracting: true, into: &cell)
        return cell
    }

    /// The entries of a cell, by (source, partition).
    public func entries(of cell: Cell) -> [CellEntry] {
        (0..<Int(cell.entries)).map { stack.value.entry(cell, $0) }
    }

    @usableFromInline
    @inline(never)
    func addSlow(_ a: Cell, _ b: Cell) -> Cell {
        if a.entries == 0 {
            var cell = b
            cell.flags |= a.flags
            cell.fingerprint = mixedFingerprint(a, b)
            return cell
        }
        var cell = a
        cell.flags |= b.flags
        guard b.entries > 0 else { return cell }
        cell.digest = a.digest &+ b.digest
        cell.count = a.count &+ b.count
        cell.fingerprint = mixedFingerprint(a, b)
        cell.earliest = min(a.earliest, b.earliest)
        cell.latest = max(a.latest, b.latest)
        stack.value.merge(a, b, subtracting: false, into: &cell)
        return cell
    }

    /// The fingerprint of a combination.
    ///
    /// Without contributions one says nothing; the larger is kept, so that order can't matter.
    private func mixedFingerprint(_ a: Cell, _ b: Cell) -> UInt32 {
        switch (a.entries == 0, b.entries == 0) {
        case (true, true): max(a.fingerprint, b.fingerprint)
        case (true, false): b.fingerprint
        case (false, true): a.fingerprint
        case (false, false): a.fingerprint == b.fingerprint ? a.fingerprint : 0
        }
    }
}

extension Cell {
    /// The same cell with more flags.
    @inlinable
    public func with(flags more: UInt8) -> Cell {
        var cell = self
        cell.flags |= more
        return cell
    }

    /// The same cell without some flags.
    @inlinable
    public func without(flags less: UInt8) -> Cell {
        var cell = self
        cell.flags &= ~less
        return cell
    }

    /// Whether all the flags are set.
    @inlinable
    public func has(flags wanted: UInt8) -> Bool { flags & wanted == wanted }
}

extension CellEntry {
    /// Orders entries by source, then by partition, the collapsed one (-1) first.
    @inlinable
    @inline(__always)
    var order: UInt64 { UInt64(source) &<< 32 | UInt64(UInt32(bitPattern: partition) &+ 1) }
}
