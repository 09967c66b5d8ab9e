internal import TributaryCore

/// Bytes of a mapped file, as a plain value.
@safe struct FileBytes: BitwiseCopyable {
    private let start: UnsafeRawPointer?
    private let count: Int

    static var none: FileBytes { unsafe FileBytes(nil, 0) }

    @unsafe init(_ start: UnsafeRawPointer?, _ count: Int) {
        unsafe self.start = start
        self.count = count
    }

    /// Where they are; 0 if there are none.
    var address: UInt { UInt(bitPattern: unsafe start) }

    /// Whether there are any, if only an empty key.
    var isThere: Bool { unsafe start != nil }

    /// The bytes; the mapping outlives them as long as a transaction is held.
    var bytes: RawSpan {
        @_lifetime(immortal)
        get {
            guard let start = unsafe start else { return RawSpan.empty }
            return unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: count), copying: ())
        }
    }
}

/// How the keys of a tree are ordered.
enum KeyOrder {
    case bytes
    /// The list of free pages: words in the machine's order.
    case numbers

    @inline(__always)
    func compare(_ one: RawSpan, _ other: RawSpan) -> Int {
        if self == .bytes { return one.compare(to: other) }
        let (mine, its) = (number(one), number(other))
        return mine < its ? -1 : mine == its ? 0 : 1
    }

    private func number(_ key: RawSpan) -> UInt64 {
        UInt64(littleEndian: (key.integer(at: 0, as: UInt64.self) ?? 0).byteSwapped)
    }
}

/// A page of a tree, whose numbers have all been checked: each node lies inside of it, nodes fill what they should, keys ascend.
///
/// Layout of LMDB 0.9: number 8, -, flags 2 (at 10), end of the pointers 2, begin of the nodes 2, pointers of 2 bytes each; a
/// node: size of the value or low half of a child's number 4, flags or its high half 2, size of the key 2, key, value. Nodes
/// have even sizes. Of a value with pages of its own the node holds the first page's number.
@safe struct TreePage: BitwiseCopyable {
    let number: UInt64
    let count: Int
    let isLeaf: Bool
    private let start: UnsafeRawPointer

    private static let head = 16
    private static let nodeHead = 8
    private static let largestKey = 511
    private static let branchFlag: UInt16 = 1
    private static let leafFlag: UInt16 = 2
    private static let overflowFlag: UInt16 = 4

    /// Flag of a node whose value has pages of its own.
    static let large: UInt16 = 1
    /// Flag of a node that describes a tree.
    static let tree: UInt16 = 2

    /// Checks a page.
    init(_ number: UInt64, in file: PageSnapshot, isLeaf: Bool, order: KeyOrder) throws(PageFault) {
        let size = file.pageSize
        unsafe start = try file.pages(number, byteCount: size)
        self.number = number
        self.isLeaf = isLeaf
        guard unsafe start.loadUnaligned(as: UInt64.self) == number else {
            throw PageFault(page: number, what: "a page has another's number")
        }
        let flags = unsafe start.loadUnaligned(fromByteOffset: 10, as: UInt16.self)
        guard flags == (isLeaf ? Self.leafFlag : Self.branchFlag) else {
            throw PageFault(page: number, what: "a page is of another kind than its place says")
        }
        let lower = Int(unsafe start.loadUnaligned(fromByteOffset: 12, as: UInt16.self))
        let upper = Int(unsafe start.loadUnaligned(fromByteOffset: 14, as: UInt16.self))
        count = (lower - Self.head) / 2
        guard lower > Self.head, lower & 1 == 0, lower <= upper, upper <= size else {
            throw PageFault(page: number, what: "a page's head contradicts itself")
        }
        var total = 0
        var last = FileBytes.none
        for index in 0..<count {
            let at = node(index)
            guard at >= upper, at & 1 == 0, at <= size - Self.nodeHead else {
                throw PageFault(page: number, what: "a node lies outside of its page's nodes")
            }
            let keySize = Int(unsafe start.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self))
            var length = Self.nodeHead + keySize
            if isLeaf {
                switch unsafe start.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self) {
                case 0: length += Int(unsafe start.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                case Self.large: length += 8
                case Self.tree:
                    let count = Int(unsafe start.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                    guard count == TreeRoot.size, length + count <= size - at else {
                        throw PageFault(page: number, what: "a tree's description has another size")
                    }
                    // LMDB would take its keys, or several values of one, for what they are not.
                    guard unsafe start.loadUnaligned(fromByteOffset: at + length + 4, as: UInt16.self) == 0 else {
                        throw PageFault(page: number, what: "a tree is of another kind")
                    }
                    length += count
                default: throw PageFault(page: number, what: "a node has unknown flags")
                }
            }
            guard keySize <= Self.largestKey, length <= size - at else {
                throw PageFault(page: number, what: "a node reaches beyond its page")
            }
            total += (length + 1) & ~1
            // The first key of a branch stands for everything below the second.
            let key = unsafe FileBytes(start + at + Self.nodeHead, keySize)
            guard !last.isThere || order.compare(last.bytes, key.bytes) < 0 else {
                throw PageFault(page: number, what: "a page's keys are out of order")
            }
            if isLeaf || index > 0 { last = key }
        }
        guard total == size - upper else {
            throw PageFault(page: number, what: "a page's nodes don't fill their part of it")
        }
    }

    // Indices are below `count`, and pointers were checked by `init`.
    @inline(__always)
    private func node(_ index: Int) -> Int {
        Int(unsafe start.loadUnaligned(fromByteOffset: Self.head + index * 2, as: UInt16.self))
    }

    func key(_ index: Int) -> FileBytes {
        let at = node(index)
        let size = Int(unsafe start.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self))
        return unsafe FileBytes(start + at + Self.nodeHead, size)
    }

    /// The page that a node of a branch leads to.
    func child(_ index: Int) -> UInt64 {
        let at = node(index)
        let low = unsafe start.loadUnaligned(fromByteOffset: at, as: UInt32.self)
        let high = unsafe start.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self)
        return UInt64(low) | UInt64(high) << 32
    }

    /// The value of a node of a leaf.
    func value(_ index: Int, in file: PageSnapshot) throws(PageFault) -> FileBytes {
        let at = node(index)
        let size = Int(unsafe start.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        let from = unsafe start + at + Self.nodeHead + Int(start.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self))
        guard unsafe start.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self) & Self.large != 0 else {
            return unsafe FileBytes(from, size)
        }
        let number = unsafe from.loadUnaligned(as: UInt64.self)
        let own = try unsafe file.pages(number, byteCount: size + Self.head)
        let pages = UInt64(unsafe own.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        guard unsafe own.loadUnaligned(as: UInt64.self) == number,
            unsafe own.loadUnaligned(fromByteOffset: 10, as: UInt16.self) == Self.overflowFlag
        else { throw PageFault(page: number, what: "a value's page is none") }
        guard pages * UInt64(file.pageSize) >= UInt64(size + Self.head), pages <= file.lastPage + 1 - number else {
            throw PageFault(page: number, what: "a value's pages are too few or too many")
        }
        return unsafe FileBytes(own + Self.head, size)
    }

    /// The first of a value's own pages and their number; nil if the value lies in the leaf.
    func ownPages(_ index: Int, in file: PageSnapshot) throws(PageFault) -> (number: UInt64, count: UInt64)? {
        let at = node(index)
        guard unsafe start.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self) & Self.large != 0 else { return nil }
        let from = at + Self.nodeHead + Int(unsafe start.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self))
        let number = unsafe start.loadUnaligned(fromByteOffset: from, as: UInt64.self)
        let own = try unsafe file.pages(number, byteCount: Self.head)
        return (number, UInt64(unsafe own.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
    }

    /// Checks that the keys lie between those that lead to the page.
    func check(between low: FileBytes, and high: FileBytes, _ order: KeyOrder) throws(PageFault) {
        let first = isLeaf ? 0 : 1
        guard first < count else { return }
        let isBelow = low.isThere && order.compare(key(first).bytes, low.bytes) < 0
        let isAbove = high.isThere && order.compare(key(count - 1).bytes, high.bytes) >= 0
        if isBelow || isAbove { throw PageFault(page: number, what: "a page's keys aren't those that lead to it") }
    }

    /// What a node describes, if it is a tree.
    func tree(_ index: Int) -> TreeRoot? {
        let at = node(index)
        guard unsafe start.loadUnaligned(fromByteOffset: at + 4, as: UInt16.self) == Self.tree else { return nil }
        let from = at + Self.nodeHead + Int(unsafe start.loadUnaligned(fromByteOffset: at + 6, as: UInt16.self))
        return unsafe TreeRoot(UnsafeRawBufferPointer(start: start + from, count: TreeRoot.size), at: 0)
    }

    /// The first index whose key is not below `key`; ``count`` if there is none.
    func lowerBound(_ key: RawSpan) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self.key(middle).bytes.compare(to: key) < 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The child of a branch that holds a key.
    func childIndex(_ key: RawSpan) -> Int {
        var low = 1
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self.key(middle).bytes.compare(to: key) <= 0 { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }
}
