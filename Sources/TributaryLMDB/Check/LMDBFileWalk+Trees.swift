internal import TributaryCore

/// A node of a leaf, as views of its page.
struct LMDBNode: ~Escapable {
    let page: UInt64
    let flags: UInt16
    /// The data's size.
    let size: Int
    /// What lies in the page: the data, or the number of the overflow page that has it.
    let data: RawSpan

    @_lifetime(copy data)
    init(page: UInt64, flags: UInt16, size: Int, data: RawSpan) {
        self.page = page
        self.flags = flags
        self.size = size
        self.data = data
    }
}

extension LMDBFileWalk {
    typealias Visit = (borrowing LMDBNode, RawSpan) throws(LMDBDamage) -> Void

    /// Walks over a tree, and compares it with what its record says.
    func walk(_ tree: Tree, _ visit: Visit) throws(LMDBDamage) {
        var counts = Counts()
        if tree.root != Self.noPage {
            try self.visit(
                tree, tree.root, from: 0, level: 1, lower: nil, upper: nil, isFree: tree.kind == .free, &counts,
                visit)
        }
        guard counts.depth == tree.depth, counts.branches == tree.branches, counts.leaves == tree.leaves,
            counts.overflows == tree.overflows, counts.entries == tree.entries
        else {
            throw LMDBDamage(
                message: "the tree of \(tree.name) has \(counts.entries) entries in \(counts.leaves) leaves where its "
                    + "record says \(tree.entries) in \(tree.leaves)", page: tree.root)
        }
    }

    private func visit(
        _ tree: Tree, _ page: UInt64, from parent: UInt64, level: Int, lower: [UInt8]?, upper: [UInt8]?, isFree: Bool,
        _ counts: inout Counts, _ visit: Visit
    ) throws(LMDBDamage) {
        try take(page, 1, for: parent)
        let list = try read(page, pageSize)
        let bytes = unsafe list.span.bytes
        func damage(_ message: String) -> LMDBDamage { LMDBDamage(message: message, page: page) }
        let flags = Self.half(bytes, 10)
        guard Self.word(bytes, 0) == page, flags == 1 || flags == 2 else {
            throw damage("it is not the \(level == 1 ? "root" : "page") that \(parent) leads to")
        }
        let isLeaf = flags == 2
        let (end, room) = (Int(Self.half(bytes, 12)), Int(Self.half(bytes, 14)))
        guard end >= Self.headerSize, end % 2 == 0, end <= room, room <= pageSize else {
            throw damage("its list of nodes has a wrong length")
        }
        let count = (end - Self.headerSize) / 2
        guard count >= (isLeaf ? 1 : 2), level <= 31 else { throw damage("it has \(count) nodes at depth \(level)") }
        if isLeaf {
            counts.leaves += 1
            if counts.depth == 0 { counts.depth = level }
            guard counts.depth == level else { throw damage("it lies at depth \(level), others at \(counts.depth)") }
        } else {
            counts.branches += 1
        }
        var total = 0
        var covered = [UInt64](repeating: 0, count: pageSize / 128)
        var children: [(page: UInt64, key: [UInt8]?)] = []
        // Where the key before lies in the page; before the first that of the branch above counts.
        var last: Range<Int>?
        for index in 0..<count {
            let at = Int(Self.half(bytes, Self.headerSize + index * 2))
            guard at >= room, at % 2 == 0, at + Self.nodeSize <= pageSize else {
                throw damage("a node lies outside of it")
            }
            let keySize = Int(Self.half(bytes, at + 6))
            let size = Int(Self.half(bytes, at)) | Int(Self.half(bytes, at + 2)) << 16
            let nodeFlags = Self.half(bytes, at + 4)
            let inPage = isLeaf ? (nodeFlags & 1 == 0 ? size : 8) : 0
            let (whole, overflow) = (Self.nodeSize + keySize).addingReportingOverflow(inPage)
            let even = whole + whole % 2
            guard !overflow, at + even <= pageSize else { throw damage("a node reaches beyond it") }
            guard keySize <= 511, !isFree || !isLeaf || keySize == 8 else { throw damage("a key has \(keySize) bytes") }
            // Two bytes are a bit: nodes must not share any.
            var place = at / 2
            while place < (at + even) / 2 {
                let count = min((at + even) / 2 - place, 64 - place % 64)
                let mask = (UInt64.max >> UInt64(64 - count)) << UInt64(place % 64)
                guard covered[place / 64] & mask == 0 else { throw damage("two nodes overlap") }
                covered[place / 64] |= mask
                place += count
            }
            total += even
            let key = bytes.dropping(at + Self.nodeSize).prefix(keySize)
            if !isLeaf && index == 0 {
                // Stands for all that is smaller: LMDB doesn't look at its key.
                children.append((UInt64(size) | UInt64(nodeFlags) << 32, nil))
                continue
            }
            var order = -1
            if let last {
                order = Self.order(bytes.extracting(last), key, isFree)
            } else if let lower {
                order = Self.order(unsafe lower.span.bytes, key, isFree)
            }
            // A leaf's first key may be that of its branch; everything else grows.
            guard order < 0 || (order == 0 && isLeaf && index == 0) else { throw damage("keys are out of order") }
            last = (at + Self.nodeSize)..<(at + Self.nodeSize + keySize)
            guard isLeaf else {
                children.append((UInt64(size) | UInt64(nodeFlags) << 32, [UInt8](copying: key)))
                continue
            }
            guard nodeFlags <= 2, nodeFlags != 2 || tree.kind == .databases else {
                throw damage("a node of no known kind")
            }
            let data = bytes.dropping(at + Self.nodeSize + keySize).prefix(inPage)
            if nodeFlags == 1 {
                let first = Self.word(data, 0)
                let pages = try overflowPages(first, size, from: page)
                try take(first, pages, for: page)
                counts.overflows += pages
            }
            counts.entries += 1
            try visit(LMDBNode(page: page, flags: nodeFlags, size: size, data: data), key)
        }
        guard room + total == pageSize else { throw damage("nodes are missing in it, or too many") }
        if let upper, let last, Self.order(bytes.extracting(last), unsafe upper.span.bytes, isFree) >= 0 {
            throw damage("its keys reach beyond its branch")
        }
        for index in children.indices {
            try self.visit(
                tree, children[index].page, from: page, level: level + 1, lower: children[index].key ?? lower,
                upper: index + 1 < children.count ? children[index + 1].key : upper, isFree: isFree, &counts, visit)
        }
    }

    private static func order(_ left: RawSpan, _ right: RawSpan, _ isFree: Bool) -> Int {
        guard isFree else { return left.compare(to: right) }
        let (one, other) = (word(left, 0), word(right, 0))
        return one < other ? -1 : one > other ? 1 : 0
    }

    /// How many overflow pages begin with one; a value that was replaced by a shorter one keeps its pages.
    private func overflowPages(_ page: UInt64, _ size: Int, from parent: UInt64) throws(LMDBDamage) -> UInt64 {
        guard page >= 2, page <= lastPage else {
            throw LMDBDamage(message: "it leads to page \(page), and the last is \(lastPage)", page: parent)
        }
        let list = try read(page, Self.headerSize)
        let bytes = unsafe list.span.bytes
        let count = Self.word(bytes, 8) >> 32
        guard Self.word(bytes, 0) == page, Self.half(bytes, 10) == 4, count <= lastPage,
            count * UInt64(pageSize) >= UInt64(size + Self.headerSize)
        else { throw LMDBDamage(message: "it is not the value that \(parent) leads to", page: page) }
        return count
    }

    /// Hands over a node's data, wherever it lies.
    func value(
        _ node: borrowing LMDBNode, _ body: (RawSpan) throws(LMDBDamage) -> Void
    ) throws(LMDBDamage) {
        guard node.flags & 1 != 0 else { return try body(node.data) }
        let list = try read(Self.word(node.data, 0), Self.headerSize + node.size)
        try body(unsafe list.span.bytes.dropping(Self.headerSize))
    }
}
