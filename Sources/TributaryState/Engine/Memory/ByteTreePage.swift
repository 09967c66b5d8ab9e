import TributaryCore

/// Where one entry lies in a page: its key, then its value, with room to grow up to `room` bytes of value.
struct ByteTreeSlot: BitwiseCopyable {
    /// The first 8 bytes of the key, which decide most comparisons without touching the key.
    var prefix: UInt64
    var offset: UInt32
    var keyLength: UInt32
    var valueLength: UInt32
    var room: UInt32

    static let none = ByteTreeSlot(prefix: 0, offset: 0, keyLength: 0, valueLength: 0, room: 0)

    var size: Int { Int(keyLength) + Int(room) }
    var keyRange: Range<Int> { Int(offset)..<(Int(offset) + Int(keyLength)) }
    var valueRange: Range<Int> {
        let start = Int(offset) + Int(keyLength)
        return start..<(start + Int(valueLength))
    }
}

/// A node of a ``ByteTree``.
///
/// A node that is referenced once may be changed in place, any other is copied first.
final class ByteTreeNode {
    let page: Owned<ByteTreePage>

    init(_ page: consuming ByteTreePage) { self.page = Owned(page) }
}

/// Entries in key order: in a leaf those of the table, in an inner node the lowest key of each child and the children.
struct ByteTreePage: ~Copyable {
    static let maximumCount = 64
    static let maximumBytes = 32 * 1024

    let isLeaf: Bool
    private(set) var count = 0
    /// Inner nodes: one child for each entry.
    ///
    /// The key of the first is never looked at.
    var children: [ByteTreeNode] = []
    private var slots: FlatArray<ByteTreeSlot>
    private var heap: ByteWriter
    private var garbage = 0

    init(isLeaf: Bool, slots: Int = 8, bytes: Int = 256) {
        self.isLeaf = isLeaf
        self.slots = FlatArray(repeating: .none, count: slots)
        heap = ByteWriter(capacity: bytes)
    }

    /// The bytes of keys and values, without what overwriting left behind.
    var liveBytes: Int { heap.count - garbage }

    var isOverfull: Bool {
        count >= Self.maximumCount || (count >= 2 && liveBytes > Self.maximumBytes)
    }

    @_lifetime(borrow self)
    func key(at index: Int) -> RawSpan { heap.bytes(in: slots[index].keyRange) }

    @_lifetime(borrow self)
    func value(at index: Int) -> RawSpan { heap.bytes(in: slots[index].valueRange) }

    func valueSize(at index: Int) -> Int { Int(slots[index].valueLength) }

    func appendKey(at index: Int, to target: inout ByteWriter) { target.append(key(at: index)) }

    func appendValue(at index: Int, to target: inout ByteWriter) { target.append(value(at: index)) }

    func addRow(at index: Int, to rows: CopiedRows) { rows.add(key(at: index), value(at: index)) }

    /// Below 0 if the key at `index` comes before `key`, 0 if they are equal, above 0 otherwise.
    func order(ofKeyAt index: Int, to key: RawSpan) -> Int { self.key(at: index).compare(to: key) }

    /// The index of the first entry whose key is not below `key`, and whether it is `key`.
    func lowerBound(_ key: RawSpan) -> (index: Int, found: Bool) {
        let word = key.prefixWord()
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) >> 1
            let slot = slots[middle]
            if slot.prefix != word {
                if slot.prefix < word { low = middle + 1 } else { high = middle }
                continue
            }
            let order = heap.bytes(in: slot.keyRange).compare(to: key)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    /// Inner nodes: the index of the child whose range holds `key`.
    func childIndex(_ key: RawSpan) -> Int {
        let (index, found) = lowerBound(key)
        return found ? index : max(index - 1, 0)
    }

    mutating func insert(at index: Int, key: RawSpan, value: RawSpan) {
        if count == slots.count { slots.grow(to: max(count * 2, 8), filling: .none) }
        slots.move(from: index, to: index + 1, count: count - index)
        slots[index] = append(key: key, value: value)
        count += 1
    }

    /// Inner nodes: makes the entry for a page that was split off; the child itself is put in by the caller.
    mutating func insertSeparator(at index: Int, for right: borrowing ByteTreePage) {
        insert(at: index, key: right.key(at: 0), value: .empty)
    }

    mutating func replaceValue(at index: Int, with value: RawSpan) {
        var slot = slots[index]
        if value.byteCount <= Int(slot.room) {
            heap.overwrite(at: Int(slot.offset) + Int(slot.keyLength), bytes: value)
            slot.valueLength = UInt32(value.byteCount)
            slots[index] = slot
            return
        }
        moveEntry(at: index, value: value)
    }

    /// Writes the entry anew at the end, since its value does not fit where it was.
    @inline(never)
    private mutating func moveEntry(at index: Int, value: RawSpan) {
        // The key is copied first: it lies in the memory that may move.
        var key = ByteWriter(capacity: Int(slots[index].keyLength))
        key.append(self.key(at: index))
        garbage += slots[index].size
        slots[index] = .none
        compactIfWasteful()
        slots[index] = append(key: key.bytes, value: value)
    }

    mutating func remove(at index: Int) {
        garbage += slots[index].size
        slots.move(from: index + 1, to: index, count: count - index - 1)
        count -= 1
        if !isLeaf { children.remove(at: index) }
        compactIfWasteful()
    }

    /// A copy without garbage of the entries in `range`, with their children.
    func copy(_ range: Range<Int>) -> ByteTreePage {
        var copy = ByteTreePage(isLeaf: isLeaf, slots: max(range.count, 8), bytes: liveBytes + 64)
        for index in range {
            copy.insert(at: copy.count, key: key(at: index), value: value(at: index))
        }
        if !isLeaf { copy.children = Array(children[range]) }
        return copy
    }

    func copy() -> ByteTreePage { copy(0..<count) }

    /// Takes the entries from `index` on out into a page of their own.
    mutating func split(at index: Int) -> ByteTreePage {
        let right = copy(index..<count)
        for moved in index..<count { garbage += slots[moved].size }
        count = index
        if !isLeaf { children.removeSubrange(index...) }
        compactIfWasteful()
        return right
    }

    /// Appends all entries of the page to the right, which is the child of `parent` at `position`.
    ///
    /// Its first child may hold keys below its first key: those from the parent's key on.
    mutating func merge(_ right: borrowing ByteTreePage, below parent: borrowing ByteTreePage, at position: Int) {
        for index in 0..<right.count {
            if !isLeaf && index == 0 {
                insert(at: count, key: parent.key(at: position), value: .empty)
            } else {
                insert(at: count, key: right.key(at: index), value: right.value(at: index))
            }
        }
        if !isLeaf { children.append(contentsOf: right.children) }
    }

    private mutating func append(key: RawSpan, value: RawSpan) -> ByteTreeSlot {
        let offset = heap.count
        heap.append(key)
        heap.append(value)
        return ByteTreeSlot(
            prefix: key.prefixWord(), offset: UInt32(offset), keyLength: UInt32(key.byteCount),
            valueLength: UInt32(value.byteCount), room: UInt32(value.byteCount))
    }

    private mutating func compactIfWasteful() {
        guard garbage > 1024 && garbage * 2 > heap.count else { return }
        var next = ByteWriter(capacity: liveBytes + 64)
        for index in 0..<count {
            let slot = slots[index]
            slots[index].offset = UInt32(next.count)
            slots[index].room = slot.valueLength
            next.append(heap.bytes(in: slot.keyRange))
            next.append(heap.bytes(in: slot.valueRange))
        }
        heap = next
        garbage = 0
    }
}
