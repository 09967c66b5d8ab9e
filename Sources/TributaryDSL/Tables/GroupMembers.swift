public import TributaryCore
public import TributaryLineage
public import TributaryState

/// Where a member of a group lies among the others: made of its rank and its value's bytes.
@usableFromInline
final class MemberPlace {
    @usableFromInline let rank = ByteBuffer()
    @usableFromInline let value = ByteBuffer()
    let key = ByteBuffer()

    @usableFromInline
    func begin() {
        rank.writer.removeAll()
        value.writer.removeAll()
    }

    /// The key of the member's row: the length of the group's key (4 bytes), that, the rank's bytes inverted, so that the highest comes first, and
    /// XXH3-128 of the value's bytes.
    func end(_ group: RawSpan) {
        key.writer.removeAll()
        key.writer.append(bigEndian: UInt32(truncatingIfNeeded: group.byteCount))
        key.writer.append(group)
        let bytes = rank.bytes
        for offset in bytes.byteOffsets { key.writer.append(~(bytes.byte(at: offset) ?? 0)) }
        let hash = checksum128(value.bytes, seed: 0)
        key.writer.append(bigEndian: hash.high)
        key.writer.append(bigEndian: hash.low)
    }
}

/// The members of groups in one task, in the order of their ranks.
///
/// A row's value: how many there are with these bytes (8 bytes), and the bytes.
@usableFromInline
final class GroupMembers {
    @usableFromInline let new = MemberPlace()
    @usableFromInline let old = MemberPlace()
    /// Whether the member that came is in the list.
    @usableFromInline private(set) var isNewListed = false
    private let store: StateStore
    private let recorder: LineageRecorder
    private let count: Int
    private let prefix = ByteBuffer()
    private let row = ByteBuffer()
    private let rows = CopiedRows()
    private var listed = 0

    @usableFromInline
    init(_ store: StateStore, _ recorder: LineageRecorder, _ count: Int) {
        self.store = store
        self.recorder = recorder
        self.count = count
    }

    /// Takes out the old member and puts in the new one, of the group whose key's bytes the metadata has.
    ///
    /// - Returns: whether the list has changed, which is ready for ``forEach(_:_:)`` then.
    @usableFromInline
    func change(hasNew: Bool, hasOld: Bool, _ meta: borrowing RecordMeta) throws -> Bool {
        if hasNew { new.end(meta.key) }
        if hasOld { old.end(meta.key) }
        if hasOld { try takeOut(isReplaced: hasNew && new.key.bytes.isEqual(to: old.key.bytes), meta) }
        if hasNew { try putIn(meta) }
        prefix.writer.removeAll()
        prefix.writer.append(bigEndian: UInt32(truncatingIfNeeded: meta.key.byteCount))
        prefix.writer.append(meta.key)
        try store.copyRows(withPrefix: prefix.bytes, after: nil, limit: count, into: rows)
        try findEnd()
        isNewListed = hasNew && isListed(new)
        return isNewListed || hasOld && isListed(old)
    }

    // Members with the same bytes are one row, so that the list may be full with fewer rows.
    private func findEnd() throws {
        listed = 0
        var members: Int64 = 0
        while listed < rows.count, members < Int64(count) {
            try store.show(listed, of: rows)
            members &+= try number(rows.key(listed))
            listed += 1
        }
        isFull = members >= Int64(count)
    }

    private var isFull = false

    private func isListed(_ place: MemberPlace) -> Bool {
        guard isFull, listed > 0 else { return true }
        return place.key.bytes.compare(to: rows.key(listed - 1)) <= 0
    }

    private func takeOut(isReplaced: Bool, _ meta: borrowing RecordMeta) throws {
        guard try store.read(old.key.bytes).exists else { return }
        let before = store.valueLineage
        let number = try number(old.key.bytes)
        if number <= 1 {
            // What comes in its place is written over it.
            guard !isReplaced else { return replaces = true }
            _ = try store.write(
                old.key.bytes, nil, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .deleted,
                row: before.context, parentIsTrigger: true, meta)
            return
        }
        var cell = before.cell.with(flags: Cell.gap)
        if let taken = meta.oldLineage { cell = recorder.subtract(before.cell, taken.cell) }
        try write(old, number - 1, time: store.valueTimestamp, cell, after: before, parentIsTrigger: true, meta)
    }

    private var replaces = false

    private func putIn(_ meta: borrowing RecordMeta) throws {
        let isReplacement = replaces
        replaces = false
        guard try store.read(new.key.bytes).exists else {
            return try write(new, 1, time: meta.timestamp, meta.lineage.cell, after: nil, parentIsTrigger: false, meta)
        }
        let before = store.valueLineage
        guard !isReplacement else {
            return try write(
                new, 1, time: meta.timestamp, meta.lineage.cell, after: before, link: .superseded,
                parentIsTrigger: false, meta)
        }
        try write(
            new, try number(new.key.bytes) + 1, time: max(store.valueTimestamp, meta.timestamp),
            recorder.add(before.cell, meta.lineage.cell), after: before, parentIsTrigger: false, meta)
    }

    private func write(
        _ place: MemberPlace, _ number: Int64, time: Int64, _ cell: Cell, after before: Lineage?,
        link: LinkType = .previous, parentIsTrigger: Bool, _ meta: borrowing RecordMeta
    ) throws {
        row.writer.removeAll()
        row.writer.append(bigEndian: number)
        row.writer.append(place.value.bytes)
        _ = try store.write(
            place.key.bytes, row.bytes, timestamp: time, cell: cell, link: link, row: before?.context,
            parentIsTrigger: parentIsTrigger, meta)
    }

    /// How many members the row that was read last stands for.
    private func number(_ key: RawSpan) throws -> Int64 {
        guard let number = store.value.integer(at: 0, as: Int64.self), number > 0 else {
            throw store.malformed("members are counted by 8 bytes", key: key)
        }
        return number
    }

    /// Gives the values' bytes of the members that are listed, the highest first.
    ///
    /// - Returns: the sum of their cells, which is `loose` if some with the same bytes are listed and others aren't.
    @usableFromInline
    func forEach(_ meta: borrowing RecordMeta, _ body: (RawSpan) throws -> Void) throws -> Cell {
        var cell = Cell.empty
        var left = Int64(count)
        for index in 0..<listed {
            try store.show(index, of: rows)
            let number = try number(rows.key(index))
            let own = store.valueLineage.cell
            cell = recorder.add(cell, number > left ? own.with(flags: Cell.loose) : own)
            for _ in 0..<min(number, left) { try body(store.value.dropping(8)) }
            left -= min(number, left)
        }
        return cell
    }

    /// Links the span made next to the rows of the members that are listed.
    @usableFromInline
    func linkListed() throws {
        for index in 0..<listed {
            try store.show(index, of: rows)
            recorder.link(.merged, store.valueLineage.context)
        }
    }
}
